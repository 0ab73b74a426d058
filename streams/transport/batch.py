"""What passes between the consumer and whoever owns partitions: batches of records, and the terms of ownership."""

import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol


class TP(NamedTuple):
    """A partition of a topic; equal to Faust's and aiokafka's own."""

    topic: str
    partition: int


class Record(Protocol):
    """A record of Kafka, as aiokafka gives it. `timestamp` is in milliseconds."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Batch(NamedTuple):
    """All records of one partition that one fetch gave, which pass through Faust as one message.

    `epoch` names the position that they were read from: after any seek, batches of the epoch before are void.
    """

    tp: TP
    epoch: int
    records: list[Record]


def fingerprint(record: Record) -> str:
    """What tells a record from any other at its offset: timestamp, and length and CRC of key and value."""
    key, value = record.key or b"", record.value or b""
    return f"{record.timestamp}:{len(key)}:{len(value)}:{zlib.crc32(value, zlib.crc32(key)):08x}"


@dataclass(frozen=True)
class LogEnds:
    """A partition's log while it is being loaded: from `earliest` on, up to but without `end`."""

    earliest: int
    end: int
    reader: Callable[[int], Awaitable[Record | None]]
    """Reads the record at an offset within the log. Raises Retry or KafkaError."""
    committed: Callable[[], Awaitable[int | None]]
    """The offset that the group has committed last, or None. Raises Retry or KafkaError."""
    look: Callable[[], Awaitable[tuple[int, int]]] | None = None
    """Asks where the log begins and ends now; None: as it did. Raises Retry or KafkaError."""

    async def now(self) -> "LogEnds":
        """The same log as it is by now. Raises Retry or KafkaError.

        Until a partition is claimed, others may go on in it: what they have come to is compared with a log looked at later.
        """
        if self.look is None:
            return self
        earliest, end = await self.look()
        return replace(self, earliest=earliest, end=end)

    async def read(self, offset: int) -> Record | None:
        """The record at an offset, or None if the log has none there. Raises as its reader does."""
        return await self.reader(offset) if self.earliest <= offset < self.end else None

    async def fingerprint_before(self, offset: int) -> str | None:
        """The fingerprint of the record before an offset, or None if the log has none there. Raises as its reader does."""
        record = await self.read(offset - 1)
        return None if record is None else fingerprint(record)


class Control(Protocol):
    """What an owner may ask of the consumer. All of it is called on the event loop; nothing of it waits but the commit."""

    def hold(self, tp: TP) -> None:
        """Deliver nothing of a partition until it is released. Nothing is lost by it."""

    def release(self, tp: TP) -> None:
        """Deliver again, from where delivery stopped."""

    def reload(self, tp: TP) -> Awaitable[None] | None:
        """Drop what is in memory of a partition, load it again, and deliver from the offset that this gives.

        Gives what ends when it is loaded, or gone; None if it is not here, or not loaded.
        """

    def fail(self, error: BaseException) -> None:
        """End the process, in order, with this error."""

    def owned(self) -> AbstractSet[TP]:
        """The partitions that are loaded, held or not."""

    def end_of(self, tp: TP) -> int | None:
        """The end of a partition's log as far as known."""

    def unready(self) -> str | None:
        """Why this process does not work on all that it was assigned, or None."""

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        """Commit next offsets to Kafka. False if that failed, which harms nobody: the next one makes up for it."""


class PartitionOwner(Protocol):
    """The application behind a consumer: it owns what partitions mean, the consumer moves their records.

    `apply` and `flush` at revocation never run at the same time; `load` runs beside either, for another partition.
    """

    def attach(self, control: Control) -> None:
        """Called once, before anything else."""

    async def load(self, tp: TP, log: LogEnds) -> int:
        """Claim a partition, load its memory, and give the offset to start from.

        Raises Retry, or KafkaError from the log, to be called again after a pause (while the partition is still ours), and
        anything else, such as Fatal, to end the process. It is cancelled if the partition goes meanwhile.
        """

    async def apply(self, tp: TP, records: Sequence[Record]) -> None:
        """Take the next records. Raises Retry to have the partition reloaded, anything else to end the process."""

    async def flush(self, tps: AbstractSet[TP]) -> None:
        """Save what can be saved before partitions go. It is given little time; nothing may depend on it."""

    def drop(self, tps: AbstractSet[TP]) -> None:
        """Forget partitions, loaded or not: they are somebody else's now, or will be loaded again."""

    def applied(self, tp: TP) -> int | None:
        """The next offset to apply, for the watchdog; None if it is not loaded, or stands still for reasons outside."""
