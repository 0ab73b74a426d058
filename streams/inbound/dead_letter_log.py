"""What the log says of dead letters: the first at once, then at most a line a minute for each connection."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from streams.dead_letters import DeadLetter, kind_of

log = structlog.get_logger(__name__)

PAUSE_S: Final = 60.0
"""The least time between two lines about one connection."""

LOOK_S: Final = 1.0


@dataclass(slots=True)
class _Untold:
    """A connection's dead letters since the last line about it, and when the next one may come."""

    next_at: float
    count: int = 0
    last: DeadLetter | None = None


class DeadLetterLog:
    """Tells of dead letters without their contents: those are in the topic alone."""

    def __init__(self, topic: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._topic = topic
        self._monotonic = monotonic
        self._untold: dict[str, _Untold] = {}

    def add(self, connection: str, letters: Sequence[DeadLetter]) -> None:
        """Tell of letters: now, or with the next line about their connection."""
        untold = self._untold.setdefault(connection, _Untold(self._monotonic()))
        untold.count += len(letters)
        untold.last = letters[-1]
        self.tell()

    def tell(self) -> None:
        """Tell of those whose time has come."""
        now = self._monotonic()
        for connection, untold in self._untold.items():
            if untold.last is None or now < untold.next_at:
                continue
            log.warning(
                "dead_letters",
                connection=connection,
                count=untold.count,
                where=untold.last.where,
                reason=kind_of(untold.last).reason,
                topic=self._topic,
                todo="leadbeat dead list",
            )
            untold.next_at, untold.count, untold.last = now + PAUSE_S, 0, None

    async def run(self) -> None:
        """Tell of what waits, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.tell()
