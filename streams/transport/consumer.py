"""Faust's consumer with every hook taken that an exact service needs: whole batches, and positions that the owner decides.

Faust's own ways that this replaces, and why:

- It starts partitions at the offsets committed to Kafka, and seeks there again whenever a fetch returns during a rebalance.
  Here the owner says where to start (its offset moves together with its state), and nobody else moves positions.
- A seek that takes longer than a request's limit leaves its recovery idle for ever, without an error. So a partition that is
  not loaded yet is held back, and loading is a task beside.
- At revocation it waits for acknowledgements, without limit. Here the owner flushes, within a limit, and then lets go.
- It drops what was fetched from partitions that it has paused meanwhile. Here batches carry the position they were read from,
  and offsets must follow one another: what is dropped is read again.
- It crashes on commits that fail and on errors that a seek of ours makes void.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any, ClassVar, Final

import structlog
from aiokafka.errors import ConsumerStoppedError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from faust.transport.drivers import aiokafka as driver
from faust.types import ConsumerMessage

from streams.errors import Retry
from streams.transport.batch import TP, Batch, LogEnds, PartitionOwner, Record
from streams.transport.delivery import Delivery, Share
from streams.transport.thread import BatchThread

log = structlog.get_logger(__name__)

FLUSH_LIMIT_S: Final = 3.0
"""What a flush may take at revocation: the whole group waits for us."""

POLL_S: Final = 0.2
"""How long a fetch waits for records, and so how long a partition waits that was just loaded or released."""

HELD_S: Final = 5.0
"""How long all partitions may be held before we are not ready: under load, each checkpoint may hold them for a moment."""

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 5.0


class Unread(dict[Any, int | None]):
    """Stands in for Faust's note of the newest offset read, by which it silently drops batches that we read again."""

    def __missing__(self, tp: Any) -> None:
        return None

    def __setitem__(self, tp: Any, offset: int | None) -> None:
        """Keep nothing."""


class BatchConsumer(driver.Consumer):
    """Hands batches to the owner in order, each record once an epoch, and partitions as the owner loads them. A `Control`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.owner: PartitionOwner = self.transport.owner
        self.failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._read_offset = Unread()
        self._delivery = Delivery(self.reload)
        self._applying = asyncio.Lock()
        self._application: asyncio.Task[None] | None = None
        self._releasing: set[asyncio.Task[None]] = set()
        self.owner.attach(self)

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    # --- positions: the owner's, and nobody else's

    async def perform_seek(self) -> None:
        """Do nothing: Faust asks for it after assignment, where `on_partitions_assigned` has done it, and at wrong times."""

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Do nothing: see `perform_seek`."""
        return {}

    async def on_partitions_assigned(self, assigned: AbstractSet[Any], generation_id: int = 0) -> None:
        """Begin to load what is ours now. The group's members wait for this to return, so nothing is awaited here."""
        await super().on_partitions_assigned(assigned, generation_id)
        if self.should_stop or self.app.should_stop:
            return
        for tp in sorted(TP(*tp) for tp in assigned):
            self._start(tp, self._delivery.add(tp))

    def _start(self, tp: TP, share: Share, *, again: bool = False) -> None:
        share.task = asyncio.create_task(self._load(tp, share, again=again), name=f"load {tp.topic} {tp.partition}")

    async def _load(self, tp: TP, share: Share, *, again: bool) -> None:
        """Have the owner load a partition, as often as it takes; the task is cancelled when the partition goes."""
        if again:
            async with self._applying:  # whoever asked for it may still be applying
                self.owner.drop({tp})
        while True:
            try:
                await self._pause(share)
                start = await self.owner.load(tp, await self._log_ends(tp))
                await self._go_to(tp, share, start)
            except (Retry, KafkaError) as error:
                share.failures += 1
                log.warning("load_failed", topic=tp.topic, partition=tp.partition, failures=share.failures, error=str(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not end in a task that nobody looks at
                return self.fail(error)
            else:
                return None

    @staticmethod
    async def _pause(share: Share) -> None:
        if share.failures:
            await asyncio.sleep(min(FIRST_PAUSE_S * 2 ** (share.failures - 1), LONGEST_PAUSE_S))

    async def _log_ends(self, tp: TP) -> LogEnds:
        thread = self._thread
        look = partial(thread.inside, thread.ends, tp)
        earliest, end = await look()
        return LogEnds(
            earliest,
            end,
            reader=partial(thread.inside, thread.read_one, tp),
            committed=partial(thread.inside, thread.committed, tp),
            look=look,
        )

    async def _go_to(self, tp: TP, share: Share, offset: int) -> None:
        share.epoch, share.expected = self._delivery.next_epoch(), offset
        await self._thread.inside(self._thread.seek_to, tp, offset, share.epoch)
        share.loaded = True

    # --- what the owner may ask for

    def hold(self, tp: TP) -> None:
        """Deliver nothing of a partition until it is released."""
        share = self._delivery.shares.get(tp)
        if share and not share.held:
            share.held_at = time.monotonic()

    def release(self, tp: TP) -> None:
        """Deliver again, first what came meanwhile."""
        share = self._delivery.shares.get(tp)
        if share is None or not share.held:
            return
        share.held_at = None
        if share.waiting and share.loaded:
            delivering = asyncio.create_task(self._deliver_waiting(tp, share), name=f"release {tp.topic} {tp.partition}")
            self._releasing.add(delivering)
            delivering.add_done_callback(self._releasing.discard)

    async def _deliver_waiting(self, tp: TP, share: Share) -> None:
        """Deliver what waits; what comes meanwhile waits behind it. Whoever holds the partition again releases it again."""
        while self._delivery.next_waiting(tp, share):
            async with self._applying:
                batch = self._delivery.next_waiting(tp, share)
                if batch is not None:
                    records = self._delivery.check(share, batch)
                    if records:
                        await self._applied(tp, records)
                    if share.waiting and share.waiting[0] is batch:
                        share.waiting.popleft()

    def reload(self, tp: TP) -> asyncio.Task[None] | None:
        """Drop a partition's memory and load it again, unless that is already under way; gives the task that does."""
        share = self._delivery.shares.get(tp)
        if share is None or not share.loaded:
            return None
        share.loaded, share.held_at = False, None
        share.waiting.clear()
        share.epoch = self._delivery.next_epoch()
        self._start(tp, share, again=True)
        return share.task

    def fail(self, error: BaseException) -> None:
        """End the process with this error: whoever runs the application waits for `failure`. The first one counts."""
        if not self.failure.done():
            log.critical("failed", error=str(error), exc_info=error)
            self.failure.set_result(error)

    def owned(self) -> AbstractSet[TP]:
        """The partitions that are loaded."""
        return self._delivery.loaded()

    def unready(self) -> str | None:
        """Why we do not work on all that we were assigned, or None."""
        if not (self._thread.is_member() and self.flow_active):
            return "not in its consumer group"
        if not all(share.loaded for share in self._delivery.shares.values()):
            return "still loading partitions"
        return "all partitions are held: nothing becomes durable" if self.all_held_s() > HELD_S else None

    def all_held_s(self) -> float:
        """How long the owner has wanted nothing delivered of any partition; 0 if he wants some. Called from any thread."""
        since = [share.held_at for share in tuple(self._delivery.shares.values())]
        newest = max((at for at in since if at is not None), default=None)
        return 0.0 if newest is None or None in since else time.monotonic() - newest

    def positions(self) -> Iterator[tuple[TP, int, int]]:
        """Partition, next offset to apply, and end of the log, of what is loaded and not held. Called from any thread."""
        for tp in self._delivery.open():
            applied, end = self.owner.applied(tp), self._thread.end_of(tp)
            if applied is not None and end is not None:
                yield tp, applied, end

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        """Commit next offsets to Kafka; False if that failed."""
        try:
            committed: bool = await self._thread.inside(self._thread.commit_offsets, offsets)
        except KafkaError as error:
            log.info("commit_failed", error=repr(error))
            return False
        return committed

    async def commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002
        """Commit nothing: what Faust would commit are its own acknowledgements, which are off."""
        return False

    # --- delivery

    async def deliver(self, batch: Batch) -> None:
        """Have the owner apply what of a batch is due. Never raises but when cancelled."""
        async with self._applying:
            records = self._delivery.admit(batch)
            if records:
                await self._applied(batch.tp, records)

    async def _applied(self, tp: TP, records: list[Record]) -> None:
        """Return when the owner has applied records, or will not."""
        self._application = asyncio.create_task(self._apply(tp, records))
        try:
            await asyncio.wait({self._application})
        finally:
            self._application.cancel()
            self._application = None

    async def _apply(self, tp: TP, records: list[Record]) -> None:
        share = self._delivery.shares[tp]
        try:
            await self.owner.apply(tp, records)
        except Retry as error:
            share.failures += 1
            log.warning("apply_failed", topic=tp.topic, partition=tp.partition, failures=share.failures, error=str(error))
            self.reload(tp)
        except Exception as error:  # noqa: BLE001 - Faust would restart the agent and go on behind the batch
            self._delivery.give_up(tp)
            self.fail(error)
        else:
            share.failures, share.gap = 0, None

    def _to_message(self, tp: Any, record: Batch) -> Any:
        """A batch as one message of Faust's."""
        last = record.records[-1]
        return ConsumerMessage(
            topic=record.tp.topic,
            partition=record.tp.partition,
            offset=last.offset,
            timestamp=last.timestamp / 1000,
            timestamp_type=0,
            headers=None,
            key=None,
            value=record,
            checksum=None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _wait_next_records(self, timeout: float) -> tuple[Mapping[TP, list[Batch]], AbstractSet[TP]]:  # noqa: ARG002, ASYNC109
        """Fetch from what is loaded and not held. Faust's own set of active partitions changes while it iterates over it."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        active = self._delivery.open()
        if not active:
            await self.sleep(POLL_S)
            return {}, active
        return await self._getmany(active, POLL_S), active

    async def _getmany(self, active_partitions: AbstractSet[TP], timeout: float) -> Mapping[TP, list[Batch]]:  # noqa: ASYNC109
        try:
            fetched: Mapping[TP, list[Batch]] = await self._thread.getmany(active_partitions, timeout)
        except NoOffsetForPartitionError:
            pass  # told of the time between assignment and our seek: nothing is committed there, and it does not matter
        except OffsetOutOfRangeError as error:
            for tp in error.args[0]:
                log.warning("position_out_of_range", topic=tp.topic, partition=tp.partition, error=str(error))
                self._reload_later(TP(*tp))
        except ConsumerStoppedError:
            raise
        except KafkaError as error:
            self.fail(error)
            await self.sleep(POLL_S)
        else:
            return fetched
        return {}

    def _reload_later(self, tp: TP) -> None:
        """Reload with a pause, as what the owner gives may be out of range again."""
        if share := self._delivery.shares.get(tp):
            share.failures += 1
        self.reload(tp)

    def end_of(self, tp: TP) -> int | None:
        """The end of a partition's log as far as known."""
        end: int | None = self._thread.end_of(tp)
        return end

    def highwater(self, tp: Any) -> int:
        """What Faust asks for; its own raises for a partition that has just gone."""
        return self.end_of(TP(*tp)) or 0

    # --- letting go

    async def on_partitions_revoked(self, revoked: AbstractSet[Any]) -> None:
        """Let everything go (the protocol revokes all), before Faust forgets what it knows of it."""
        self.stop_flow()
        await self._let_go()
        await super().on_partitions_revoked(revoked)

    async def wait_empty(self) -> None:
        """Let everything go. Faust calls it at revocation, again, and when it stops, where nothing is revoked."""
        await self._let_go()

    async def _let_go(self) -> None:
        """Stop delivery, have the owner flush within the limit, and drop all."""
        loaded, shares = self._delivery.loaded(), self._delivery.clear()
        if not shares:
            return
        try:
            async with asyncio.timeout(FLUSH_LIMIT_S):
                await self._end_loads(shares)
                async with self._applying:
                    await self.owner.flush(loaded)
        except TimeoutError:
            log.warning("flush_timed_out", limit_s=FLUSH_LIMIT_S)
            await self._end_application()
        except Exception as error:  # noqa: BLE001 - whoever loads the partitions next goes by what was saved
            log.warning("flush_failed", error=str(error))
        finally:
            self.owner.drop(frozenset(shares))

    @staticmethod
    async def _end_loads(shares: Mapping[TP, Share]) -> None:
        tasks = {share.task for share in shares.values() if share.task and not share.task.done()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _end_application(self) -> None:
        if self._application:
            self._application.cancel()
            await asyncio.wait({self._application}, timeout=1)

    # --- what Faust should not do

    def verify_event_path(self, now: float, tp: Any) -> None:
        """Do nothing: Faust compares two different clocks here, and may crash over it. The watchdog looks after us."""

    def close(self) -> None:
        """Do nothing: Faust closes the client from the wrong thread when a rebalance comes while it stops, which it does."""


class BatchTransport(driver.Transport):
    """Faust's transport with our consumer."""

    Consumer: ClassVar[Any] = BatchConsumer

    def __init__(self, url: Any, app: Any, owner: PartitionOwner) -> None:
        super().__init__(url, app)
        self.owner = owner
