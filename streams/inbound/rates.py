"""How many requests may come: a token bucket for each connection, and one for the gateway as a whole."""

from collections.abc import Iterable
from typing import Final

STRANGERS: Final = ""
"""Whose bucket requests share that name no connection."""

BURST_S: Final = 5
"""How many seconds' worth may come at once."""


class Bucket:
    """A token bucket, as the one instant at which it will be full again (GCRA). `rate` is in tokens a second."""

    def __init__(self, rate: float, burst: float) -> None:
        self._each_s = 1 / rate
        self._ahead_s = (burst - 1) / rate
        self._full_at = float("-inf")

    def wait(self, now: float) -> float:
        """How many seconds until it has a token; 0 if it has one."""
        return max(0.0, self._full_at - self._ahead_s - now)

    def take(self, now: float) -> None:
        """Take a token; to be asked only when there is one."""
        self._full_at = max(self._full_at, now) + self._each_s


class Rates:
    """The buckets. What a connection has too many of costs the gateway as a whole nothing, so that others keep their share."""

    def __init__(self, rate: float, connection_rate: float, connections: Iterable[str]) -> None:
        self._whole = Bucket(rate, rate * BURST_S)
        self._each = {name: Bucket(connection_rate, connection_rate * BURST_S) for name in (STRANGERS, *connections)}

    def admit(self, connection: str, now: float) -> float:
        """Count a request, unless there are too many: then how many seconds it should wait, else 0."""
        own = self._each[connection]
        wait = own.wait(now) or self._whole.wait(now)
        if not wait:
            own.take(now)
            self._whole.take(now)
        return wait
