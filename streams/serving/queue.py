"""The queue: every lead that waits for an answer, by the time at which it is due."""

import asyncio
import math
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

from msgspec import Struct

from models.units import Millis
from models.windows import DUE_LAG
from streams.serving.cached import Cached
from streams.tables import Keys, OpenClocks, Redis, read_open

DIMS: Final = ("rep", "team", "lead_source", "origin", "sales_region", "segment", "campaign")
"""What the queue can be narrowed by."""


class Lead(Struct, frozen=True):
    """A lead that waits since an inquiry. Instants are ms UTC; `due` is None where no policy sets one.

    `connection` and `lead` name it: the CRM that it came from, and its id there. `overdue` is told as the KPIs tell it.
    """

    connection: str
    lead: str
    since: Millis
    due: Millis | None
    overdue: bool
    rep: str
    team: str
    lead_source: str
    origin: str
    sales_region: str
    segment: str
    campaign: str


class Tally(Struct, frozen=True):
    """How many wait, and how many of them are overdue."""

    waiting: int
    overdue: int


@dataclass(frozen=True)
class Queue:
    """Who waits, the first due first (those without a due time last), then by inquiry.

    `clock` is where the least advanced partition's clock stands; None until all have one.
    """

    clock: Millis | None
    leads: Sequence[Lead]

    @cached_property
    def by_rep(self) -> dict[str, Tally]:
        """How many wait for each rep."""
        return tallies(self.leads, "rep")

    @cached_property
    def by_team(self) -> dict[str, Tally]:
        """How many wait for each team."""
        return tallies(self.leads, "team")

    def narrowed(self, wanted: Mapping[str, str]) -> "Queue":
        """The queue of some rep, team or other value."""
        if not wanted:
            return self
        return Queue(
            self.clock, [lead for lead in self.leads if all(getattr(lead, dim) == name for dim, name in wanted.items())]
        )


class QueueReader(Protocol):
    """Where the queue is read from."""

    async def read(self) -> Queue:
        """The queue now. Raises Retry if it cannot be read now, Fatal if what is there are no open clocks."""
        ...


class RedisQueue:
    """The queue in Redis, of all partitions."""

    def __init__(self, redis: Redis, prefix: str, partitions: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._keys = [Keys(prefix, number) for number in range(partitions)]
        self._cached = Cached(self._read, monotonic)

    async def read(self) -> Queue:
        """The queue as of a moment ago. Raises Retry or Fatal."""
        return await self._cached.get()

    async def _read(self) -> Queue:
        parts = [await read_open(self._redis, keys) for keys in self._keys]
        # In a thread: putting a long queue in order takes a while, in which others shall be answered.
        return await asyncio.to_thread(queue_of, [part for part in parts if part is not None], len(self._keys))


def queue_of(parts: Sequence[OpenClocks], partitions: int) -> Queue:
    """The queue of what stands in the partitions that are there."""
    leads = [lead for part in parts for lead in _leads(part)]
    clocks = [part.clock for part in parts if part.clock is not None]
    return Queue(Millis(min(clocks)) if len(clocks) == partitions else None, sorted(leads, key=_place))


def _leads(part: OpenClocks) -> Iterable[Lead]:
    known_until = -math.inf if part.clock is None else part.clock - DUE_LAG
    for clock, since in part.clocks:
        subject, due, *values = clock
        connection, _, name = subject.partition(":")
        overdue = due is not None and due <= known_until
        yield Lead(connection, name, Millis(since), None if due is None else Millis(due), overdue, *values)


def _place(lead: Lead) -> tuple[float, Millis, str, str]:
    return _due(lead), lead.since, lead.connection, lead.lead


def _due(lead: Lead) -> float:
    return math.inf if lead.due is None else lead.due


def tallies(leads: Iterable[Lead], dim: str) -> dict[str, Tally]:
    """How many wait by rep, team or source; those for whom nobody waits are not named."""
    waiting: Counter[str] = Counter()
    overdue: Counter[str] = Counter()
    for lead in leads:
        name = getattr(lead, dim)
        waiting[name] += 1
        overdue[name] += lead.overdue
    return {name: Tally(count, overdue[name]) for name, count in waiting.most_common()}


def nearest(leads: Sequence[Lead], instant: int, count: int) -> tuple[Sequence[Lead], Sequence[Lead]]:
    """The leads last due up to an instant and those next due after it, at most so many each, both in the queue's order."""
    split = bisect_right(leads, float(instant), key=_due)
    return leads[max(0, split - count) : split], leads[split : split + count]
