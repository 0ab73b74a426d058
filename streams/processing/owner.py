"""The owner of events partitions: loads what Redis holds of them, applies batches, and makes what changed durable.

Only the owner writes a partition, and every write is fenced by its claim. At most one checkpoint is under way for each
partition; folding runs on meanwhile for one interval, then the partition is held until the answer is there.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar
from zlib import crc32

import structlog
from aiokafka.errors import KafkaError

from models.codes import Codes
from models.errors import InvalidEventError
from models.rollup import Totals
from models.units import Millis
from models.windows import HORIZON_PANE
from streams.dead_letters import Origin, dead_letter
from streams.errors import Retry
from streams.hashing import Hashing
from streams.processing.checkpoint import Fenced, Outcome, claim_partition, commit_until_definite, new_token
from streams.processing.checks import Rewound, claimed_as
from streams.processing.cut import Checkpoint, cut_checkpoint
from streams.processing.hashing import Tombstones, check_same_key
from streams.processing.outbox import Outbox, Producer
from streams.processing.owned import Owned
from streams.processing.partition import Partition
from streams.processing.processor import Stored, process
from streams.processing.revaluation import remove, revalue
from streams.processing.start import start_of
from streams.processing.writes import restore, writes_of
from streams.tables import (
    Applied,
    Check,
    Keys,
    Outgoing,
    Parts,
    Redis,
    Wanted,
    read_applied,
    read_due,
    read_erased,
    read_panes,
    read_parts,
    read_states,
    read_totals,
)
from streams.telemetry import ProcessorMetrics
from streams.transport import TP, Control, LogEnds, Record, fingerprint
from streams.valuation import Valuation, check_not_older, decode_valuation

LARGEST_CUT = 2_500
"""Changed leads at which a checkpoint is cut at once, so that its script takes some 50 ms even if all are new, with members."""

BACKLOG: Final = 5_000
"""Records waiting in a partition's log from which on it catches up: what it saves is less often, and more at once."""

CATCHING_UP: Final = 6
"""How many times longer changes wait for their checkpoint while a partition catches up."""

CALM_S = 0.25
"""A tick into other ten seconds is saved at once, as boards wait for it, unless the last checkpoint is as new as this."""

PAUSE_S = 0.2
"""Between two attempts to read states from a Redis that does not answer."""

CACHED_LEADS: Final = 12_000
"""How many leads a worker with all partitions keeps in memory, 4 KiB each or so; others are read when they are needed."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """What all partitions of a worker share."""

    prefix: str
    partitions: int
    codes: Codes
    valuation: Valuation
    checkpoint_s: float
    alerts_topic: str
    dead_topic: str
    events_topic: str = "crm.events.v1"
    skip_lost_events: bool = False
    hashing: Hashing = field(default_factory=Hashing)


class Owner:
    """The partitions of one worker: a `PartitionOwner` of the transport."""

    def __init__(
        self,
        redis: Redis,
        producer: Producer,
        terms: Terms,
        metrics: ProcessorMetrics,
        look_for_rules: Callable[[], Awaitable[None]],
    ) -> None:
        self._redis = redis
        self._producer = producer
        self.terms = terms
        """What holds from the next partition that is loaded; `revalue_stale` brings those that are here after it."""
        self._metrics = metrics
        self._look_for_rules = look_for_rules
        self._one_at_a_time = asyncio.Lock()
        self._returning: set[TP] = set()
        self._control: Control
        self.owned: dict[TP, Owned] = {}
        self.fenced: set[TP] = set()
        """Partitions that another process has claimed though Kafka has not told us of it yet."""
        self.redis_answers = True
        """Whether Redis answered when it was last asked."""

    def attach(self, control: Control) -> None:
        """Take the consumer's controls."""
        self._control = control

    async def load(self, tp: TP, log_ends: LogEnds) -> int:
        """Claim a partition and load its memory; tell the offset to read from. Raises Retry and Fatal.

        If another process claims it meanwhile it waits for ever: a rebalance will tell us of it and cancel this.
        """
        try:
            return await self._load(tp, log_ends)
        except Fenced as fault:
            log.warning("fenced_while_loading", partition=tp.partition, fault=str(fault))
            self.fenced.add(tp)
            never: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            return await never

    async def _load(self, tp: TP, log_ends: LogEnds) -> int:
        await self._look_for_rules()  # by those of a moment ago we might be older than the totals are
        keys, terms = Keys(self.terms.prefix, tp.partition), self.terms
        (stored,) = await read_applied(self._redis, [keys])
        previous = decode_valuation(stored.progress.valuation) if stored else None
        if previous is not None:
            check_not_older(terms.valuation, previous, keys.applied)
        if stored is not None:
            check_same_key(terms.hashing, stored.progress, keys.applied)
        applied = await claim_partition(self._redis, keys, terms.partitions, new_token())
        check = claimed_as(keys, applied)
        start = await start_of(keys.applied, applied.progress, await log_ends.now(), skip_lost=terms.skip_lost_events)
        if start.lost:
            log.error("events_lost", partition=tp.partition, events=start.lost, since=applied.progress.offset)
            self._metrics.lost.labels(tp.partition).inc(start.lost)
        partition = await self._empty(tp, keys, applied, check)
        keys = keys.of(applied.progress.generation)
        if decode_valuation(applied.progress.valuation) == terms.valuation:
            stored_totals = await read_totals(self._redis, keys, check)
            panes = {pane: chunks async for pane, chunks in read_panes(self._redis, keys, stored_totals.panes, check)}
            restore(partition, applied.progress, stored_totals, panes)
            applied = await remove(self._redis, keys.of(keys.generation - 1), applied)
        else:
            async with self._one_at_a_time:  # the first are done soonest so, and memory is bounded
                applied = await revalue(self._redis, keys, applied, partition, terms.valuation)
            keys = keys.of(applied.progress.generation)
            self._metrics.revaluations.inc()
        outbox = Outbox(self._producer, self._redis, keys, applied)
        await outbox.load()
        self.owned[tp] = Owned(keys, partition, applied, outbox, start.offset, applied.progress.fingerprint)
        log.info("partition_loaded", partition=tp.partition, offset=start.offset, claim=applied.claim)
        return start.offset

    async def _empty(self, tp: TP, keys: Keys, applied: Applied, check: Check) -> Partition:
        """A partition without its totals."""
        terms = self.terms
        return Partition(
            tp.partition,
            terms.codes,
            terms.partitions,
            Totals(terms.codes),
            terms.alerts_topic,
            max(1, CACHED_LEADS // terms.partitions),
            events_topic=terms.events_topic,
            tombstones=Tombstones(terms.hashing, await read_erased(self._redis, keys, check)),
            hashes_ids=bool(applied.progress.hashed_with),
        )

    async def apply(self, tp: TP, records: Sequence[Record]) -> None:
        """Apply a batch of a partition's log. Records that are applied already are passed over."""
        owned = self.owned.get(tp)
        if owned is None:
            return
        async with owned.busy:
            records = [record for record in records if record.offset >= owned.offset]
            if not records or self.owned.get(tp) is not owned:
                return
            before = owned.partition.clock
            reading = partial(self._read_states, tp, owned), partial(self._read_parts, tp, owned)
            stored = Stored(*reading, partial(self._read_due, tp, owned))
            try:
                await process(owned.partition, records, stored, partial(self._bury, tp))
            except BaseException:
                self.drop({tp})  # half of it is applied: none of it may be saved
                raise
            owned.offset, owned.fingerprint = records[-1].offset + 1, fingerprint(records[-1])
            if owned.partition.changed and owned.changed_at is None:
                owned.changed_at = time.monotonic()
            crossed = before is not None and before // HORIZON_PANE != (owned.partition.clock or before) // HORIZON_PANE
            owned.urgent |= crossed and time.monotonic() - owned.cut_at >= CALM_S and not self._catches_up(tp, owned)
            self._consider(tp, owned)

    async def _read_states(self, tp: TP, owned: Owned, subjects: Sequence[str]) -> Mapping[str, bytes]:
        return await self._read(tp, owned, partial(read_states, self._redis, owned.keys, subjects, owned.checked()))

    async def _read_parts(self, tp: TP, owned: Owned, wanted: Mapping[str, Wanted]) -> Mapping[str, Parts]:
        return await self._read(tp, owned, partial(read_parts, self._redis, owned.keys, wanted, owned.checked()))

    async def _read_due(self, tp: TP, owned: Owned, after: Millis, until: Millis) -> Mapping[str, Millis]:
        return await self._read(tp, owned, partial(read_due, self._redis, owned.keys, after, until, owned.checked()))

    async def _read(self, tp: TP, owned: Owned, read: Callable[[], Awaitable[T]]) -> T:
        """Read from Redis until it answers."""
        while True:
            try:
                return await read()
            except Rewound:
                raise
            except Retry as fault:
                log.warning("redis_unreachable", partition=tp.partition, fault=str(fault))
            if self.owned.get(tp) is not owned:
                raise Retry(owned.keys.applied, "was dropped while it was read", "it is loaded again")
            await asyncio.sleep(PAUSE_S)

    def _bury(self, tp: TP, record: Record, error: InvalidEventError) -> Outgoing:
        self._metrics.dead.inc()
        value = record.value or b""
        letter = dead_letter(error, value, Origin(*tp, record.offset))
        name = f"dead-{tp.partition}-{record.offset}-{crc32(value):08x}"
        return Outgoing(name, self.terms.dead_topic, letter.id.encode(), letter.record)

    def consider_all(self) -> None:
        """Cut the checkpoints that are due; call it a few times in an interval."""
        for tp, owned in list(self.owned.items()):
            if not owned.busy.locked():
                self._consider(tp, owned)

    def _consider(self, tp: TP, owned: Owned) -> None:
        if owned.changed_at is None:
            return
        patience = self.terms.checkpoint_s * (CATCHING_UP if self._catches_up(tp, owned) else 1)
        late = time.monotonic() - owned.changed_at >= patience or owned.partition.unsaved >= LARGEST_CUT
        if owned.under_way is None:
            if late or owned.urgent:
                self._begin(tp, owned)
        elif late and not owned.held:
            owned.held = True
            self._control.hold(tp)

    def _catches_up(self, tp: TP, owned: Owned) -> bool:
        end = self._control.end_of(tp)
        return end is not None and end - owned.offset > BACKLOG

    def _begin(self, tp: TP, owned: Owned) -> None:
        cut = owned.partition.cut()
        checkpoint = cut_checkpoint(owned.keys, owned.applied, writes_of(cut), owned.progress())
        owned.changed_at, owned.cut_at, owned.urgent = None, time.monotonic(), False
        owned.under_way = asyncio.create_task(self._finish(tp, owned, checkpoint))

    async def _finish(self, tp: TP, owned: Owned, checkpoint: Checkpoint[Applied]) -> None:
        try:
            with self._metrics.checkpoint_seconds.time():
                answer = await commit_until_definite(self._redis, checkpoint, partial(_warn, tp))
            self._metrics.checkpoints.labels(tp.partition, answer.outcome).inc()
            if self.owned.get(tp) is not owned:
                return
            if not answer.written:
                self._lost(tp, answer.outcome, answer.reason)
                return
            owned.applied = checkpoint.then
            owned.under_way = None
            owned.partition.saved()
            self._measure(tp, owned, checkpoint.then.progress.offset)
            owned.outbox.add(checkpoint)
            if owned.held:
                owned.held = False
                self._control.release(tp)
            await self._publish(tp, owned)
        except Exception as fault:  # noqa: BLE001 - a partition without checkpoints must not live on
            self._control.fail(fault)

    async def _publish(self, tp: TP, owned: Owned) -> None:
        try:
            await owned.outbox.publish()
        except (KafkaError, Retry) as fault:
            # The messages are stored and go with the next checkpoint.
            log.warning("outbox_waits", partition=tp.partition, fault=repr(fault))

    def _measure(self, tp: TP, owned: Owned, offset: int | None) -> None:
        self._metrics.offset.labels(tp.partition).set(offset or 0)
        self._metrics.waiting.labels(tp.partition).set(len(owned.partition.open_clocks))
        self._metrics.alerts_withheld.labels(tp.partition).set(owned.partition.suppressed_alerts)
        self._metrics.late.labels(tp.partition).set(owned.partition.totals.late)
        self._metrics.unchanging.labels(tp.partition).set(owned.partition.unchanging)

    def _lost(self, tp: TP, outcome: Outcome, reason: str) -> None:
        log.error("checkpoint_refused", partition=tp.partition, outcome=outcome, reason=reason)
        self._let_go(tp, outcome)

    def _let_go(self, tp: TP, outcome: Outcome) -> None:
        self.owned.pop(tp, None)
        self._control.hold(tp)
        if outcome is Outcome.FENCED:
            self.fenced.add(tp)
        else:
            self._control.reload(tp)

    def holds(self, tp: TP) -> bool:
        """Whether a partition is here, or away only as long as it takes to re-value it."""
        return tp in self.owned or tp in self._returning

    async def confirm(self, tp: TP) -> bool:
        """Whether what is stored says, too, that a partition is ours; let it go if another has claimed it. Raises Retry."""
        owned = self.owned.get(tp)
        if owned is None:
            return tp in self._returning
        (stored,) = await read_applied(self._redis, [owned.keys])
        theirs = stored is not None and stored.token != owned.applied.token and stored.claim >= owned.applied.claim
        if theirs and self.owned.get(tp) is owned:
            log.warning("partition_lost", partition=tp.partition, reason="another process has claimed it")
            self._let_go(tp, Outcome.FENCED)
        return not theirs

    async def revalue_stale(self) -> None:
        """Load those partitions again whose totals are of other rules than ours, one at a time; the others run on.

        Where something else happens to one meanwhile it is left for the next time.
        """
        while stale := next(((tp, owned) for tp, owned in self.owned.items() if self._is_stale(owned)), None):
            tp, owned = stale
            self._control.hold(tp)
            await self.flush({tp})
            loading = self._control.reload(tp) if self.owned.get(tp) is owned else None
            if loading is None:
                return
            self._returning.add(tp)
            try:
                await asyncio.wait([asyncio.ensure_future(loading)])
            finally:
                self._returning.discard(tp)

    def _is_stale(self, owned: Owned) -> bool:
        return owned.applied.progress.valuation != self.terms.valuation.encode()

    async def flush(self, tps: AbstractSet[TP]) -> None:
        """Make all changes of some partitions durable. It may be cancelled: only latency depends on it."""
        for tp in sorted(tps & self.owned.keys()):
            owned = self.owned[tp]
            async with owned.busy:
                await _ended(owned)
                if self.owned.get(tp) is owned and owned.partition.changed:
                    self._begin(tp, owned)
                    await _ended(owned)

    def drop(self, tps: AbstractSet[TP]) -> None:
        """Forget the memory of some partitions."""
        self.fenced -= tps
        for tp in tps:
            owned = self.owned.pop(tp, None)
            if owned is not None and owned.under_way is not None:
                owned.under_way.cancel()

    def applied(self, tp: TP) -> int | None:
        """The next offset to apply; None for a partition that is not loaded, or while Redis does not answer."""
        owned = self.owned.get(tp)
        return owned.offset if owned is not None and self.redis_answers else None

    async def tell_offsets(self) -> None:
        """Tell how far we are, and Kafka which offsets are durable: for lag tools, and as a sign of life if Redis is wiped."""
        for tp, owned in self.owned.items():
            end = self._control.end_of(tp)
            self._metrics.lag.labels(tp.partition).set(0 if end is None else max(0, end - owned.offset))
        stored = {tp: owned.applied.progress.offset for tp, owned in self.owned.items()}
        saved = {tp: offset for tp, offset in stored.items() if offset is not None}
        if saved:
            await self._control.commit_offsets(saved)


def _warn(tp: TP, fault: Retry) -> None:
    log.warning("checkpoint_retried", partition=tp.partition, fault=str(fault))


async def _ended(owned: Owned) -> None:
    if owned.under_way is not None:
        await asyncio.wait([owned.under_way])
