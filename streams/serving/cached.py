"""What was read a moment ago, taken for the present."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from models.errors import LeadbeatError

CACHED_S: Final = 0.25
"""How long an answer of Redis, or that it gave none, is taken for the present."""

MOST_OF_THE_TIME: Final = 0.2
"""The share of the time that reading may take: what took longer to read is held longer."""

_Content = TypeVar("_Content")


class Cached(Generic[_Content]):
    """A read that is made at most four times a second. Those who ask at the same time share one, and what it raised."""

    def __init__(self, read: Callable[[], Awaitable[_Content]], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._monotonic = monotonic
        self._lock = asyncio.Lock()
        self._fresh_until = float("-inf")
        self._last: _Content | LeadbeatError | None = None

    async def get(self) -> _Content:
        """What the read gives. Raises what it raises: Retry or Fatal."""
        async with self._lock:
            if self._last is None or self._monotonic() >= self._fresh_until:
                began = self._monotonic()
                self._last = await self._outcome()
                ended = self._monotonic()
                self._fresh_until = ended + max(CACHED_S, (ended - began) / MOST_OF_THE_TIME)
            last = self._last
        if isinstance(last, LeadbeatError):
            raise last.with_traceback(None)
        return last

    async def _outcome(self) -> _Content | LeadbeatError:
        try:
            return await self._read()
        except LeadbeatError as error:
            return error
