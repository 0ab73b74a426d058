"""What was read a moment ago, taken for the present."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from models.errors import LeadbeatError

CACHED_S: Final = 0.25
"""How long an answer of Redis, or that it gave none, is taken for the present, where nothing else is said."""

MOST_OF_THE_TIME: Final = 0.2
"""The share of the time that reading may take: what goes on taking longer is held longer."""

MOST_SAVED_S: Final = 1.0
"""How much of that share is saved at most, in s, so that one long read among short ones costs the next ones no freshness."""

_Content = TypeVar("_Content")


class Cached(Generic[_Content]):
    """A read whose answer is held for a while. Those who ask at the same time share one, and what it raised."""

    def __init__(
        self,
        read: Callable[[], Awaitable[_Content]],
        monotonic: Callable[[], float] = time.monotonic,
        held_s: float = CACHED_S,
    ) -> None:
        self._read = read
        self._monotonic = monotonic
        self._held_s = held_s
        self._lock = asyncio.Lock()
        self._ended = monotonic()
        self._saved_s = MOST_SAVED_S
        self._fresh_until = float("-inf")
        self._last: _Content | LeadbeatError | None = None

    async def get(self) -> _Content:
        """What the read gives. Raises what it raises: Retry or Fatal."""
        async with self._lock:
            if self._last is None or self._monotonic() >= self._fresh_until:
                began = self._monotonic()
                self._last = await self._outcome()
                self._account(began, self._monotonic())
            last = self._last
        if isinstance(last, LeadbeatError):
            raise last.with_traceback(None)
        return last

    def _account(self, began: float, ended: float) -> None:
        """Take what the read took from what was saved; what is lacking then is waited for."""
        saved_s = self._saved_s + MOST_OF_THE_TIME * (ended - self._ended)
        self._saved_s = min(saved_s, MOST_SAVED_S) - (ended - began)
        self._ended = ended
        self._fresh_until = ended + max(self._held_s, -self._saved_s / MOST_OF_THE_TIME)

    async def _outcome(self) -> _Content | LeadbeatError:
        try:
            return await self._read()
        except LeadbeatError as error:
            return error
