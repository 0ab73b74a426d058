"""What runs beside aiokafka's consumer: Faust keeps that in a thread with an event loop of its own.

Everything here touches the consumer and runs in its loop; `inside` is the way in from the application's loop. Attributes with
a leading underscore are aiokafka's and Faust's: versions are pinned, and a test asserts that each is there.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any, Final, TypeVar

import structlog
from aiokafka.client import ConnectionGroup
from aiokafka.conn import CloseReason
from aiokafka.errors import (
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from streams.security import told
from streams.transport.batch import TP, Batch, Record

log = structlog.get_logger(__name__)

T = TypeVar("T")

ANSWER_LIMIT_S: Final = 30.0
"""How long anything asked of the consumer's thread may take."""

READ_LIMIT_S: Final = 10.0
READ_ATTEMPTS: Final = 3
"""A fetch that was under way when the partition was taken out of delivery may take one record from us."""

COMMIT_LIMIT_S: Final = 5.0

ENDS_EVERY_S: Final = 10.0
ENDS_LIMIT_S: Final = 5.0
"""How often the broker is asked where logs end, and how long it may take: much less than a pulse may."""

FETCH_WAIT_MS: Final = 250
"""How long the broker holds an empty fetch. Faust's 1500 ms would also be how long a partition waits that was just sought."""


class BatchThread(AIOKafkaConsumerThread):
    """Faust's thread around the consumer, which hands out batches that know the seek they were read behind."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._epochs: dict[TP, int] = {}
        self._ends: dict[Any, int] = {}
        self._asked_at = 0.0

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def inside(self, function: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
        """Run a coroutine function in the consumer's loop. Raises what it raises, and KafkaError if that takes too long.

        Faust's own `call_thread` has two workers, one of which fetches: whoever waits long there keeps all others waiting.
        """
        if self.thread_loop.is_closed():
            raise IllegalStateError("the consumer has ended")
        running = asyncio.run_coroutine_threadsafe(function(*arguments), self.thread_loop)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(running), ANSWER_LIMIT_S)
        except TimeoutError:
            raise KafkaTimeoutError(f"{function.__name__}: no answer within {ANSWER_LIMIT_S:.0f} s") from None

    async def _fetch_records(self, consumer: Any, active_partitions: AbstractSet[TP], **limits: Any) -> dict[TP, list[Batch]]:
        """One fetch, as one batch a partition.

        An empty set of partitions would mean all of them to aiokafka. Its count of fetches under way, by which it tells whether
        we are idle, is not corrected when a fetch raises: so we do that.
        """
        if not active_partitions:
            return {}
        try:
            fetched = await super()._fetch_records(consumer, active_partitions, **limits)
        except BaseException:
            consumer._subscription._fetch_count = 0
            raise
        batches = {TP(*tp): records for tp, records in fetched.items() if records}
        return {tp: [Batch(tp, self._epochs.get(tp, 0), records)] for tp, records in batches.items()}

    async def seek_to(self, tp: TP, offset: int, epoch: int) -> None:
        """Read on from an offset; batches from here on carry the epoch. Raises IllegalStateError if the partition is gone."""
        self._ensure_consumer().seek(TopicPartition(*tp), offset)
        self._epochs[tp] = epoch

    async def ends(self, tp: TP) -> tuple[int, int]:
        """The first offset of a partition's log and the one behind its last."""
        consumer, where = self._ensure_consumer(), TopicPartition(*tp)
        earliest = await consumer.beginning_offsets([where])
        end = await consumer.end_offsets([where])
        return earliest[where], end[where]

    async def committed(self, tp: TP) -> int | None:
        """The offset that the group has committed, or None."""
        offset: int | None = await self._ensure_consumer().committed(TopicPartition(*tp))
        return offset

    async def read_one(self, tp: TP, offset: int) -> Record | None:
        """The record at an offset of an assigned partition that nobody else reads now; None if the log has none there.

        It moves the position: a seek must follow.
        """
        self._epochs.pop(tp, None)
        try:
            async with asyncio.timeout(READ_LIMIT_S):
                for _ in range(READ_ATTEMPTS):
                    record = await self._first(TopicPartition(*tp), offset)
                    if record is None or record.offset == offset:
                        return record
        except TimeoutError:
            raise KafkaTimeoutError(f"{tp}: record {offset} did not come within {READ_LIMIT_S:.0f} s") from None
        return None

    async def _first(self, where: Any, offset: int) -> Record | None:
        """The first record from an offset on; None if that is out of range. Faults may still tell of an earlier position."""
        consumer = self._ensure_consumer()
        consumer.seek(where, offset)
        while True:
            try:
                fetched = await consumer._fetcher.fetched_records([where], timeout=READ_LIMIT_S, max_records=1)
            except NoOffsetForPartitionError:
                continue
            except OffsetOutOfRangeError as error:
                if error.args[0].get(where) == offset:
                    return None
                continue
            if fetched.get(where):
                first: Record = fetched[where][0]
                return first

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        """Commit next offsets of partitions that are still assigned. Faust's own way ends the process when this fails."""
        consumer = self._ensure_consumer()
        assigned = consumer.assignment()
        wanted = {
            TopicPartition(*tp): OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if TopicPartition(*tp) in assigned
        }
        if not wanted:
            return not offsets
        try:
            async with asyncio.timeout(COMMIT_LIMIT_S):
                await consumer.commit(wanted)
        except (KafkaError, TimeoutError) as error:
            log.info("commit_failed", error=repr(error))
            return False
        return len(wanted) == len(offsets)

    async def pulse(self) -> str | None:
        """What is beyond repair in the consumer, or None. To be called every second.

        Fetching anything counts as activity to aiokafka; a member without it leaves its group after a while and cannot come
        back, and one without partitions never fetches. So each call counts as a fetch. And a fault of group coordination is
        kept by aiokafka until somebody asks for it, which Faust never does: the member is put out of its group, and goes on
        processing partitions that others own by then.
        """
        consumer = self._consumer
        if consumer is None:
            return None
        with consumer._subscription.fetch_context():
            pass
        try:
            consumer._coordinator.check_errors()
        except KafkaError as error:
            return f"group coordination failed: {told(error)}"
        if consumer._fetcher._fetch_task.done():
            return "fetching has ended"
        await self._ask_for_ends(consumer)
        return None

    async def _ask_for_ends(self, consumer: Any) -> None:
        """Ask the broker where our logs end: what fetches say of it stands still as soon as they are not answered any more."""
        now = time.monotonic()
        if now - self._asked_at < ENDS_EVERY_S:
            return
        self._asked_at = now
        try:
            with suppress(KafkaError):
                async with asyncio.timeout(ENDS_LIMIT_S):
                    self._ends = await consumer.end_offsets(consumer.assignment())
        except TimeoutError:
            self._hang_up(consumer)

    def _hang_up(self, consumer: Any) -> None:
        """Close all connections, as some broker does not answer: they are made anew when they are needed.

        One that is half open shows in nothing else, and each would keep its next request for the request timeout, one after the
        other. That on which we ask to join the group stays: there the answer waits for the other members.
        """
        log.info("connections_closed", reason=f"a broker has not answered for {ENDS_LIMIT_S:.0f} s")
        member = self.is_member()
        for (_, group), connection in tuple(consumer._client._conns.items()):
            if member or group is not ConnectionGroup.COORDINATION:
                connection.close(reason=CloseReason.CONNECTION_TIMEOUT)

    def is_member(self) -> bool:
        """Whether the consumer is in its group: it has no need to rejoin, and its heart beats. Read from any thread."""
        coordinator = None if self._consumer is None else self._consumer._coordinator
        if coordinator is None or coordinator._rejoin_needed_fut.done():
            return False
        heartbeat = coordinator._heartbeat_task
        return heartbeat is not None and not heartbeat.done()

    def end_of(self, tp: TP) -> int | None:
        """The end of a partition's log as the newest fetch or the broker itself told it. Read from any thread."""
        consumer = self._consumer
        assignment = None if consumer is None else consumer._subscription.subscription.assignment
        state = None if assignment is None else assignment.state_value(TopicPartition(*tp))
        told = (None if state is None else state.highwater, self._ends.get(TopicPartition(*tp)))
        return max((end for end in told if end is not None), default=None)
