"""Time enters the log as ticks: appended to deliveries by whoever owns a partition, passed on to events behind its records."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

import structlog

from models.units import MINUTE
from streams.errors import Retry

log = structlog.get_logger(__name__)

AHEAD_LIMIT_S: Final = 5 * MINUTE // 1000
"""A tick further ahead of this process's own time is a fault, which would move all windows and fire all deadlines."""

GATHER_S: Final = 0.25
"""How long ticks wait for those of the other partitions, to be passed on together."""

RETRY_S: Final = 1.0


class Ticker:
    """Appends the time, in whole seconds, to every deliveries partition that this process owns.

    It never appends a value that is not above all that the partition has had as far as we know: if the machine's clock is set
    back, it waits until that time has come again.
    """

    def __init__(
        self,
        owned: Callable[[], AbstractSet[int]],
        append: Callable[[Mapping[int, int]], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._owned, self._append, self._clock = owned, append, clock
        self._newest: dict[int, int] = {}

    def heard(self, partition: int, at: int) -> None:
        """A tick that a partition has, in seconds, whoever appended it."""
        self._newest[partition] = max(at, self._newest.get(partition, 0))

    async def run(self) -> None:
        """Tick at every whole second, for ever. A tick that cannot be appended is lost: the next one says more."""
        while True:
            await asyncio.sleep(1 - self._clock() % 1)
            try:
                await self.tick()
            except Retry as error:
                log.warning("tick_lost", error=str(error))

    async def tick(self) -> None:
        """Append the time of now to all partitions that are behind it. Raises Retry."""
        now = int(self._clock())
        behind = {partition: now for partition in self._owned() if self._newest.get(partition, -1) < now}
        for partition in behind:
            self.heard(partition, now)
        if behind:
            await self._append(behind)


class Relay:
    """Passes ticks on to the events partitions: those of all partitions of this process together, each time once."""

    def __init__(self, owned: Callable[[], AbstractSet[int]], send: Callable[[Mapping[int, int]], Awaitable[None]]) -> None:
        self._owned, self._send = owned, send
        self._waiting: dict[int, int] = {}
        self._told: dict[int, int] = {}
        self._news = asyncio.Event()

    def heard(self, partition: int, at: int) -> None:
        """A partition has come to a tick, in seconds, and all events before that are in Kafka."""
        if at > max(self._told.get(partition, -1), self._waiting.get(partition, -1)):
            self._waiting[partition] = at
            self._news.set()

    async def run(self) -> None:
        """Pass on what comes, for ever. What Kafka does not take is tried again, with what came meanwhile."""
        while True:
            await self._news.wait()
            await self._gather()
            try:
                await self.pass_on()
            except Retry as error:
                log.warning("ticks_delayed", error=str(error))
                await asyncio.sleep(RETRY_S)

    async def _gather(self) -> None:
        """Wait until all partitions of this process have come to a new tick, but not for long."""
        try:
            async with asyncio.timeout(GATHER_S):
                while not self._waiting.keys() >= self._owned():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass

    async def pass_on(self) -> None:
        """Send what waits, as one tick. Raises Retry; then it waits on."""
        ticks = dict(self._waiting)
        if ticks:
            await self._send(ticks)
            self._told |= ticks
        self._waiting = {partition: at for partition, at in self._waiting.items() if at > self._told.get(partition, -1)}
        if not self._waiting:
            self._news.clear()
