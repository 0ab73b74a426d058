"""How old what is shown is: the age of the newest exact round, looked at all the time, whatever happens."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple, Self

from redis.asyncio import Redis
from redis.exceptions import RedisError
from services import let_pass

EVERY_S: Final = 0.2
RECORD: Final = "lb:{kpi}:applied"
"""Where the round stands that is shown."""


class Age(NamedTuple):
    """At an instant of the wall clock: how old the newest exact round was, both in s."""

    at: float
    age: float


class Freshness:
    """Looks at what is shown."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._clock: float | None = None
        self.ages: list[Age] = []

    def has_come_to(self, instant: float) -> bool:
        """Whether the round that is shown is of an instant or later."""
        return self._clock is not None and self._clock >= instant

    def came_to(self, instant: float) -> float:
        """When a round was first seen that is of an instant or later, after that; now if there was none."""
        return next((each.at for each in self.ages if each.at >= instant and each.at - each.age >= instant), time.time())

    def between(self, start: float, end: float) -> list[float]:
        """All ages that were seen between two instants."""
        return [each.age for each in self.ages if start <= each.at <= end]

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[Self]:
        """Look every 0.2 s meanwhile."""
        looking = asyncio.create_task(self._look())
        try:
            yield self
        finally:
            looking.cancel()
            await asyncio.wait([looking])

    async def _look(self) -> None:
        while True:
            with suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(1):
                    clock, exact = await self._redis.hmget(RECORD, ["clock", "exact"])
                if clock and exact == b"1":
                    self._clock = int(clock) / 1000
            if self._clock is not None:
                now = time.time()
                self.ages.append(Age(now, now - self._clock))
            await let_pass(EVERY_S)


def rank(values: Sequence[float], percent: float) -> float | None:
    """The least value that so many percent do not exceed; None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)] if ordered else None
