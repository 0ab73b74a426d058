"""Ends a process that is alive and does not work, so that it is started again: Kafka's clients can get stuck for ever.

The watchdog is a thread of its own, so that nothing that blocks the application blocks it. Once a second it makes its checks;
what a check complains of is why the process ends: it is unready first, gets a moment to save what it has, and is gone.
"""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine, Hashable, Iterable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import structlog

log = structlog.get_logger(__name__)

Check: TypeAlias = Callable[[float], str | None]
"""Given the seconds that the process has been awake, says why the process must end, or None."""

EXIT_CODE: Final = 70
"""EX_SOFTWARE: what a process ends with that found itself stuck."""

EVERY_S: Final = 1.0
SAVE_LIMIT_S: Final = 3.0

PAUSE_S: Final = 5.0
"""A check that comes later than this says that the whole process was stopped: that time counts for nobody."""


class Watchdog:
    """Makes its checks every second from `start` on until `stop`, and ends the process if one complains.

    `unready` is called first and must be quick; `save` runs on `loop`, for 3 s at most. `leave` ends the process.
    """

    def __init__(
        self,
        checks: Iterable[Check],
        *,
        loop: asyncio.AbstractEventLoop,
        unready: Callable[[], None],
        save: Callable[[], Coroutine[Any, Any, None]],
        leave: Callable[[int], Any] = os._exit,
    ) -> None:
        self._checks = tuple(checks)
        self._loop, self._unready, self._save, self._leave = loop, unready, save, leave
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; returns at once."""
        self._stopping.set()

    def _watch(self) -> None:
        awake, before = 0.0, time.monotonic()
        while not self._stopping.wait(EVERY_S):
            now = time.monotonic()
            awake, before = awake + min(now - before, PAUSE_S), now
            complaint = self.complaint(awake)
            if complaint and not self._stopping.is_set():
                self._end(complaint)
                return

    def complaint(self, awake: float) -> str | None:
        """What is wrong, if anything is. A check that raises is wrong itself."""
        for check in self._checks:
            try:
                found = check(awake)
            except Exception as error:  # noqa: BLE001 - a watchdog that dies of a check watches nothing
                found = f"a check failed: {error!r}"
            if found:
                return found
        return None

    def _end(self, complaint: str) -> None:
        log.critical("stuck", reason=complaint)
        with suppress(Exception):
            self._unready()
        saving = self._save()
        try:
            asyncio.run_coroutine_threadsafe(saving, self._loop).result(SAVE_LIMIT_S)
        except RuntimeError:
            saving.close()  # there is no loop any more
        except (Exception, CancelledError) as error:  # noqa: BLE001 - nothing keeps us
            log.warning("not_saved", error=repr(error))
        self._leave(EXIT_CODE)


@dataclass(slots=True)
class Lasting:
    """Complains of a condition that holds without a break for longer than a limit."""

    what: str
    limit_s: float
    holds: Callable[[], bool]
    _since: float | None = None

    def __call__(self, awake: float) -> str | None:
        """Look once."""
        if not self.holds():
            self._since = None
            return None
        if self._since is None:
            self._since = awake
        return f"{self.what} for over {self.limit_s:.0f} s" if awake - self._since > self.limit_s else None


@dataclass(slots=True)
class Behind:
    """Complains of something that has work to do and for longer than a limit does none of it.

    `work` gives what there is: a name, how far it is done, how far it goes.
    """

    limit_s: float
    work: Callable[[], Iterable[tuple[Hashable, int, int]]]
    _seen: dict[Hashable, tuple[int, float]] = field(default_factory=dict)

    def __call__(self, awake: float) -> str | None:
        """Look once."""
        before, self._seen = self._seen, {}
        for name, done, end in self.work():
            if done < end:
                then, since = before.get(name, (done, awake))
                self._seen[name] = (done, since if then == done else awake)
        stuck = [f"{name} stands at {done}" for name, (done, since) in self._seen.items() if awake - since > self.limit_s]
        return f"{', '.join(stuck)} for over {self.limit_s:.0f} s with more to do" if stuck else None


class Unanswered:
    """Complains of an event loop that for longer than a limit does not get round to what it is asked to run."""

    def __init__(self, what: str, loop: asyncio.AbstractEventLoop, limit_s: float) -> None:
        self._what, self._loop, self._limit_s = what, loop, limit_s
        self._asked: float | None = None
        self._answered = threading.Event()

    def __call__(self, awake: float) -> str | None:
        """Look once."""
        if self._asked is None or self._answered.is_set():
            self._asked = awake
            self._answered.clear()
            with suppress(RuntimeError):  # a closed loop answers nothing
                self._loop.call_soon_threadsafe(self._answered.set)
            return None
        return f"{self._what} is late by over {self._limit_s:.0f} s" if awake - self._asked > self._limit_s else None


class Asked:
    """Complains of what a question to an event loop is answered with, or that it is not answered within a limit."""

    def __init__(
        self, ask: Callable[[], Coroutine[Any, Any, str | None]], loop: asyncio.AbstractEventLoop, limit_s: float
    ) -> None:
        self._ask, self._loop, self._limit_s = ask, loop, limit_s
        self._asked = 0.0
        self._answer: Any = None

    def __call__(self, awake: float) -> str | None:
        """Look once: take the answer to the question before, and ask again. A loop that has been closed is not stuck."""
        if self._loop.is_closed():
            return None
        if self._answer is None or self._answer.done():
            answer = None if self._answer is None else self._answer.result()
            if answer:
                return str(answer)
            self._asked, self._answer = awake, asyncio.run_coroutine_threadsafe(self._ask(), self._loop)
            return None
        return (
            f"{self._ask.__name__}: no answer for over {self._limit_s:.0f} s" if awake - self._asked > self._limit_s else None
        )
