"""A partition that is loaded."""

import asyncio
from dataclasses import dataclass, field

from streams.processing.outbox import Outbox
from streams.processing.partition import Partition
from streams.tables import Applied, Keys, Progress


@dataclass(slots=True)
class Owned:
    """A partition that is loaded: its memory, what is stored of it, and the checkpoint under way."""

    keys: Keys
    partition: Partition
    applied: Applied
    outbox: Outbox
    offset: int
    fingerprint: str
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    changed_at: float | None = None
    cut_at: float = 0.0
    under_way: asyncio.Task[None] | None = None
    held: bool = False
    urgent: bool = False

    def progress(self) -> Progress:
        """How far the partition has come, for its next checkpoint."""
        return Progress(
            self.offset,
            self.fingerprint,
            self.partition.clock,
            dict(self.partition.ticks),
            self.applied.progress.generation,
            self.applied.progress.valuation,
            self.partition.tombstones.hashing.name if self.partition.hashes_ids else "",
        )
