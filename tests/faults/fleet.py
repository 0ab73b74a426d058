"""Leadbeat's services, kept alive as a supervisor keeps them, and all that they say."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from children import Service
from children import end as end_services
from faults.skewed import Skew
from services import let_pass

LOOK_S: Final = 0.1
FATAL: Final = 2
"""What a service ends with that must not be started again until somebody has done something."""


@dataclass
class Place:
    """Where a service of a name runs, one process after the other. `kept`: it is started again when it ends."""

    name: str
    service_name: str
    config: Path
    clock: Skew
    """Of its processes."""
    service: Service | None = None
    kept: bool = True
    _read: int = 0

    @property
    def lives(self) -> bool:
        """Whether there is a process, running or stopped."""
        return self.service is not None and self.service.process.poll() is None

    def news(self) -> list[dict[str, Any]]:
        """The lines that the process has logged since it was asked last."""
        if self.service is None:
            return []
        with self.service.log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        whole, _, _ = new.rpartition(b"\n")
        self._read += len(whole) + 1 if whole else 0
        return [line for text in whole.splitlines() if (line := _parsed(text)) is not None]

    def start(self, log: Path) -> None:
        """Start the next process."""
        program = ("tests.faults.skewed", str(self.clock.path))
        self.service, self._read = Service.start(self.service_name, self.config, log, program), 0


def _parsed(text: bytes) -> dict[str, Any] | None:
    with suppress(ValueError):
        line = json.loads(text)
        return line if isinstance(line, dict) else None
    return None


@dataclass(frozen=True)
class Said:
    """A line of a log: which process of which place said it, when we read it, and its fields."""

    place: str
    process: int
    at: float
    line: dict[str, Any]

    def is_of(self, event: str, fields: dict[str, Any]) -> bool:
        """Whether it tells of an event with these fields."""
        return self.line.get("event") == event and fields.items() <= self.line.items()


@dataclass(frozen=True)
class End:
    """A process that has ended."""

    place: str
    process: int
    code: int
    at: float


@dataclass
class Fleet:
    """All places. Whoever ends is started again at once, unless it says that this must not be: then `fault` tells why."""

    folder: Path
    places: dict[str, Place] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    fault: str = ""
    _logs: int = 0

    def add(self, name: str, service_name: str, config: Path) -> Place:
        """A further service, which is started."""
        place = self.places[name] = Place(name, service_name, config, Skew(self.folder / f"{name}.clock"))
        self._start(place)
        return place

    def named(self, beginning: str) -> list[Place]:
        """The places whose name begins so."""
        return [place for name, place in self.places.items() if name.startswith(beginning)]

    def mark(self) -> int:
        """A place in what is said; what was said before was read by now."""
        self.look()
        return len(self.said)

    def says(self, mark: int, event: str, *, process: int | None = None, **fields: Any) -> list[Said]:
        """The lines since a mark that tell of an event."""
        return [said for said in self.said[mark:] if (process is None or said.process == process) and said.is_of(event, fields)]

    def counts(self, mark: int = 0) -> Counter[str]:
        """How often which event was told since a mark; of refusals each kind."""
        return Counter(f"{said.line.get('event')} {said.line.get('outcome', '')}".rstrip() for said in self.said[mark:])

    async def keep(self) -> None:
        """Read what is said and start again what has ended, for ever."""
        while True:
            self.look()
            for place in self.places.values():
                if place.kept and place.service is None and not self.fault:
                    self._start(place)
            await let_pass(LOOK_S)

    def look(self) -> None:
        """Read what was said, and note who has ended."""
        for place in self.places.values():
            service = place.service
            if service is None:
                continue
            ended = service.process.poll()
            self.said += [Said(place.name, service.process.pid, time.monotonic(), line) for line in place.news()]
            if ended is not None:
                self.ends.append(End(place.name, service.process.pid, ended, time.monotonic()))
                if ended == FATAL and place.kept:
                    self.fault = f"{place.name} ended with {ended}: {service.text()[-3000:]}"
                place.service = None

    def ended(self, process: int) -> End | None:
        """How a process ended, if it has."""
        self.look()
        return next((end for end in self.ends if end.process == process), None)

    def _start(self, place: Place) -> None:
        self._logs += 1
        place.start(self.folder / f"{self._logs:04}-{place.name}.log")

    def end(self) -> None:
        """End all that still run, in order; fail if one does not stop."""
        end_services([place.service for place in self.places.values() if place.service is not None])
        self.look()


@asynccontextmanager
async def kept(folder: Path) -> AsyncIterator[Fleet]:
    """A fleet that is looked after."""
    fleet = Fleet(folder)
    keeping = asyncio.create_task(fleet.keep())
    try:
        yield fleet
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        fleet.end()
