"""A partition that is loaded."""

import asyncio
from dataclasses import dataclass, field

from streams.processing.checks import Rewound, claimed_as
from streams.processing.outbox import Outbox
from streams.processing.partition import Partition
from streams.tables import Applied, Check, Keys, Progress, Stands


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

    def checked(self) -> Check:
        """Raises Rewound for what is read from now on if it is older than what we have written, or of another Redis.

        The next checkpoint would be refused as well, unless it goes to a Redis that is as it was again.
        """
        since, claimed = self.applied.seq, claimed_as(self.keys, self.applied)

        def check(stands: Stands) -> None:
            claimed(stands)
            if stands.token == self.applied.token and not since <= stands.seq <= self.applied.seq + (
                self.under_way is not None
            ):
                what = f"checkpoint {stands.seq} of claim {stands.claim} is read, {since} of {self.applied.claim} was written"
                raise Rewound(self.keys.applied, what, "it is loaded again")

        return check
