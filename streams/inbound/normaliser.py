"""The normaliser's process: reads deliveries, and writes canonical events, dead letters, and the time that they have come to.

It keeps no state but its place in the log, which is the offset committed to Kafka. That is committed behind what it wrote, so
after a crash some deliveries are normalised again, which changes nothing: to fold an event twice is to fold it once.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Final, Protocol

import structlog

from models.units import Millis
from streams.config import Settings
from streams.dead_letters import DEAD_PARTITION
from streams.dead_letters.marks import erasure_by
from streams.errors import Poison
from streams.hashing import Hashing
from streams.inbound.dead_letter_log import DeadLetterLog
from streams.inbound.normalise import Delivery, Normalised, dead_letter_of, normalise
from streams.inbound.outlet import Outlet
from streams.inbound.providers import Provider, providers_of
from streams.inbound.sweeper import Sweeper
from streams.inbound.ticks import AHEAD_LIMIT_S, Relay, Ticker
from streams.producer import Message
from streams.security import kafka_security
from streams.telemetry import NormaliserMetrics, registry
from streams.topics import TICK_KEY, Topics, decode_tick, encode_tick, encode_ticks, ensure_of, partition_of
from streams.transport import TP, Background, Control, LogEnds, Record, make_app, serve
from streams.vitals import Readiness, tell

log = structlog.get_logger(__name__)

COMMIT_EVERY_S: Final = 1.0

TURN: Final = 200
"""Deliveries that are normalised in one go, before others have a turn on the event loop."""


class Sink(Protocol):
    """Where records go: an `Outlet`."""

    async def send(self, records: Sequence[Message]) -> None:
        """Return when all are acknowledged, each partition's in the order given. Raises Retry."""


class Normaliser:
    """Owner of deliveries partitions: a `PartitionOwner` of the transport."""

    def __init__(
        self,
        settings: Settings,
        sink: Sink,
        metrics: NormaliserMetrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._topics = Topics(settings.kafka.topic_prefix)
        self._partitions = settings.kafka.partitions
        self._providers = providers_of(settings.connections)
        self._currencies = settings.unchecked_rules().money.currencies
        self._hashing = Hashing(settings.worker.hashing_key())
        self._sink, self._metrics, self._clock = sink, metrics, clock
        metrics.expect(self._providers)
        self._done: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}
        self._control: Control
        self.ticker = Ticker(self._owned, self._append_ticks, clock)
        self.relay = Relay(self._owned, self._send_ticks)
        self.dead_letters = DeadLetterLog(self._topics.dead)

    # --- the place in the log

    def attach(self, control: Control) -> None:
        """Take the consumer's controls."""
        self._control = control

    async def load(self, tp: TP, log_ends: LogEnds) -> int:
        """The offset that the group has committed, or the log's beginning. Raises Retry."""
        committed = await log_ends.committed()
        log_ends = await log_ends.now()
        start = log_ends.earliest if committed is None else committed
        if not log_ends.earliest <= start <= log_ends.end:
            # Too old: the log has dropped deliveries that nobody had read. Too new: it has lost its end, and what stands there
            # now may be new. To read from its beginning misses nothing, and what was read before changes nothing.
            log.error("committed_offset_outside_log", partition=tp.partition, committed=start, earliest=log_ends.earliest)
            start = log_ends.earliest
        self._done[tp] = start
        return start

    async def flush(self, tps: AbstractSet[TP]) -> None:
        """Commit how far partitions have come."""
        await self._commit({tp: self._done[tp] for tp in tps if tp in self._done})

    def drop(self, tps: AbstractSet[TP]) -> None:
        """Forget how far partitions have come."""
        for tp in tps:
            self._done.pop(tp, None)
            self._committed.pop(tp, None)

    def applied(self, tp: TP) -> int | None:
        """The next offset to normalise."""
        return self._done.get(tp)

    async def keep_offsets(self) -> None:
        """Commit every second, for ever."""
        while True:
            await asyncio.sleep(COMMIT_EVERY_S)
            await self._commit(dict(self._done))

    async def _commit(self, done: Mapping[TP, int]) -> None:
        news = {tp: offset for tp, offset in done.items() if self._committed.get(tp) != offset}
        if news and await self._control.commit_offsets(news):
            self._committed |= {tp: offset for tp, offset in news.items() if tp in self._done}

    # --- deliveries

    async def apply(self, tp: TP, records: Sequence[Record]) -> None:
        """Normalise deliveries: done with when Kafka has acknowledged what came of them, and only then is their time passed on.

        Raises Retry.
        """
        outgoing: list[Message] = []
        newest = -1
        for index, record in enumerate(records):
            if record.key == TICK_KEY and (at := decode_tick(record.value)) is not None:
                newest = max(newest, at) if self._believes(tp, at) else newest
            else:
                outgoing += self._outgoing(tp, record)
            if index % TURN == TURN - 1:
                await asyncio.sleep(0)
        if outgoing:
            await self._sink.send(outgoing)
        self._done[tp] = records[-1].offset + 1
        if newest >= 0:
            self.ticker.heard(tp.partition, newest)
            self.relay.heard(tp.partition, newest)

    def _outgoing(self, tp: TP, record: Record) -> list[Message]:
        """What comes of a record, whatever it is."""
        connection, normalised = self._normalised(tp, record)
        for counter, count in (
            (self._metrics.normalised, len(normalised.events)),
            (self._metrics.dead, len(normalised.dead)),
            (self._metrics.unknown, normalised.unknown),
        ):
            if count:
                counter.labels(connection).inc(count)
        if normalised.dead:
            self.dead_letters.add(connection, normalised.dead)
        events, count = self._topics.events, self._partitions
        return [
            *(Message(events, partition_of(key, count), key, value) for key, value in normalised.events),
            *(Message(self._topics.dead, DEAD_PARTITION, key, value) for key, value in self._kept(normalised)),
        ]

    def _kept(self, normalised: Normalised) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values for the topic of dead letters: new ones, one that could be read now, and who is erased."""
        read = () if normalised.read is None else (normalised.read,)
        yield from ((letter.id.encode(), letter.record) for letter in (*normalised.dead, *read))
        for erasure in (erasure_by(self._hashing, subject.kind, subject.id) for subject in normalised.erased):
            yield erasure.key, erasure.record

    def _normalised(self, tp: TP, record: Record) -> tuple[str, Normalised]:
        body, received_at = record.value or b"", Millis(max(record.timestamp, 0))
        delivery = Delivery("", received_at, {}, body, tp.topic, tp.partition, record.offset)
        try:
            delivery = Delivery.of_record(record.headers, record.value, tp.topic, tp.partition, record.offset)
            return delivery.connection, normalise(delivery, self._provider(delivery.connection), self._currencies)
        except Poison as error:
            return "", Normalised(dead=[dead_letter_of(delivery, error, None, body)])

    def _provider(self, connection: str) -> Provider:
        provider = self._providers.get(connection)
        if provider is None:
            raise Poison("connections", f"there is no connection {connection!r} any more", "configure it, and send this again")
        return provider

    # --- time

    def _believes(self, tp: TP, at: int) -> bool:
        ahead = at - self._clock()
        if ahead <= AHEAD_LIMIT_S:
            return True
        self._metrics.ticks_refused.inc()
        log.warning("tick_refused", partition=tp.partition, at=at, ahead_s=round(ahead))
        return False

    def is_first(self) -> bool:
        """Whether the first partition is here: then so is what one normaliser does for all."""
        return 0 in self._owned()

    def _owned(self) -> AbstractSet[int]:
        return {tp.partition for tp in self._control.owned()}

    async def _append_ticks(self, ticks: Mapping[int, int]) -> None:
        topic = self._topics.deliveries
        await self._sink.send([Message(topic, partition, TICK_KEY, encode_tick(at)) for partition, at in ticks.items()])

    async def _send_ticks(self, ticks: Mapping[int, int]) -> None:
        value, topic = encode_ticks(ticks), self._topics.events
        await self._sink.send([Message(topic, partition, TICK_KEY, value) for partition in range(self._partitions)])


async def run(settings: Settings, *, stopping: asyncio.Event | None = None) -> None:
    """Normalise deliveries until SIGTERM, or until `stopping`. Raises Fatal if that cannot go on."""
    kafka, worker, metrics = settings.kafka, settings.worker, registry()
    await ensure_of(settings)
    async with Outlet(kafka.bootstrap, kafka_security(kafka)).running() as outlet:
        normaliser = Normaliser(settings, outlet, NormaliserMetrics(metrics))
        app = make_app(f"{kafka.group}-normaliser", Topics(kafka.topic_prefix).deliveries, kafka, normaliser)
        readiness = Readiness(app.consumer.unready)
        sweeper = Sweeper(settings, outlet, normaliser.is_first)
        background: list[Background] = [normaliser.relay.run, normaliser.keep_offsets, normaliser.dead_letters.run, sweeper.run]
        if settings.ticks == "wall":
            background.append(normaliser.ticker.run)
        if port := worker.normaliser_port:
            background.append(partial(tell, worker.host, port, metrics, readiness.fault))
        await serve(app, background=background, unready=readiness.end, stopping=stopping)
