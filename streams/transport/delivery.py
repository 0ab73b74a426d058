"""Which partitions are ours, and which records may be delivered next: the consumer's bookkeeping. It does no I/O."""

import itertools
from asyncio import Task
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog

from streams.transport.batch import TP, Batch, Record

log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Share:
    """One partition that is assigned to this process. Each assignment makes a new one."""

    epoch: int
    loaded: bool = False
    """Whether the owner has it in memory."""
    held_at: float | None = None
    """Since when (`time.monotonic`) the owner wants nothing delivered."""
    expected: int = 0
    """The offset of the record to be delivered next."""
    waiting: deque[Batch] = field(default_factory=deque)
    """Batches that came while it was held, which are delivered first when it is released."""
    failures: int = 0
    gap: tuple[int, int] | None = None
    task: Task[None] | None = None
    """The load under way."""

    @property
    def held(self) -> bool:
        """Whether the owner wants nothing delivered."""
        return self.held_at is not None

    @property
    def open(self) -> bool:
        """Whether records may be fetched and delivered."""
        return self.loaded and not self.held


@dataclass(slots=True)
class Delivery:
    """The shares of this process. `reload` is what to do about records that are missing."""

    reload: Callable[[TP], Any]
    shares: dict[TP, Share] = field(default_factory=dict)
    _epochs: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def next_epoch(self) -> int:
        """A number that no position has had before, in any assignment: what was fetched earlier is void by it."""
        return next(self._epochs)

    def add(self, tp: TP) -> Share:
        """A partition is assigned."""
        self.shares[tp] = share = Share(self.next_epoch())
        return share

    def open(self) -> frozenset[TP]:
        """The partitions to fetch from. May be called from any thread."""
        return frozenset(tp for tp, share in tuple(self.shares.items()) if share.open)

    def loaded(self) -> frozenset[TP]:
        """The partitions that the owner has in memory."""
        return frozenset(tp for tp, share in self.shares.items() if share.loaded)

    def give_up(self, tp: TP) -> None:
        """A batch of a partition is lost to us: nothing behind it may be delivered."""
        self.shares.pop(tp, None)

    def clear(self) -> dict[TP, Share]:
        """Give up all shares, and tell which they were: nothing can be delivered, held or reloaded from here on."""
        shares, self.shares = self.shares, {}
        return shares

    def admit(self, batch: Batch) -> list[Record]:
        """The records of a batch that are to be applied now; none if it is void, or has to wait, or the partition is gone.

        What has to wait, as the partition is held, is kept; little is in flight, as nothing more of it is fetched.
        """
        share = self.shares.get(batch.tp)
        if share is None or not share.loaded or batch.epoch != share.epoch:
            return []
        if share.held or share.waiting:
            share.waiting.append(batch)
            return []
        return self.check(share, batch)

    def next_waiting(self, tp: TP, share: Share) -> Batch | None:
        """The batch that is to be delivered next of those that wait; None if there is none, or none may be delivered now."""
        current = self.shares.get(tp) is share and share.loaded and not share.held
        return share.waiting[0] if current and share.waiting else None

    def check(self, share: Share, batch: Batch) -> list[Record]:
        """The records of a batch from the expected one on.

        Offsets must follow one another. Records from before what is expected are cut off. If some are missing, the partition
        is reloaded; if they are missing again in the same place, then it is the log that has a hole, and delivery goes on.
        """
        hole = (share.expected, batch.records[0].offset)
        if hole[0] < hole[1] and share.gap != hole:
            log.error("records_missing", topic=batch.tp.topic, partition=batch.tp.partition, expected=hole[0], came=hole[1])
            share.gap = hole
            self.reload(batch.tp)
            return []
        records = batch.records
        if hole[1] < hole[0]:
            records = [record for record in records if record.offset >= share.expected]
        share.expected = max(share.expected, batch.records[-1].offset + 1)
        return records
