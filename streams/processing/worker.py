"""The processor's process: a Faust app around the owner of partitions, with checkpoints, publisher and offsets beside it."""

import asyncio
from contextlib import suppress
from functools import partial

import structlog
from prometheus_client import CollectorRegistry

from models.codes import Codes
from models.rules import Rules
from streams.config import Settings
from streams.errors import Retry
from streams.processing.hashing import Hashing
from streams.processing.memory import settle_in
from streams.processing.owner import Owner, Terms
from streams.processing.presence import Presence
from streams.processing.publisher import Edition, Publisher
from streams.processing.ruling import Ruling
from streams.producer import LastingProducer
from streams.tables import Redis, answers, check_layout, check_server
from streams.telemetry import ProcessorMetrics, registry
from streams.topics import Topics
from streams.transport import TP, Lasting, make_app, serve
from streams.valuation import Valuation, valuation_of
from streams.vitals import Readiness, tell

OFFSETS_EVERY_S = 5.0
"""How often durable offsets are committed to Kafka, where lag tools look."""

RULES_EVERY_S = 1.0
"""How often a worker looks for rules that were applied."""

LOOKS_PER_CHECKPOINT = 5

FENCED_LIMIT_S = 10.0
"""How long others may have claimed what Kafka says is ours. One that claims and dies would leave a partition with nobody."""

HELD_LIMIT_S = 300.0
"""How long nothing may be delivered while Redis answers: whoever should release the partitions has then forgotten to."""

ASK_REDIS_S = 2.0

log = structlog.get_logger(__name__)


class Worker:
    """What runs in the processor's process."""

    def __init__(self, settings: Settings, redis: Redis, producer: LastingProducer, metrics: ProcessorMetrics) -> None:
        configured = settings.rules()
        self._settings = settings
        self._redis = redis
        self._producer = producer
        self._topics = Topics(settings.kafka.topic_prefix)
        self._metrics = metrics
        self._checkpoint_s = settings.checkpoint_ms / 1000
        self._publisher: Publisher | None = None
        self.ruling = Ruling(redis, settings.redis.prefix, configured, self._go_by)
        terms = self._terms_of(configured)
        self._edition = self._edition_of(configured, terms.valuation)
        self.owner = Owner(redis, producer, terms, metrics, self.ruling.look)
        self.presence = Presence(redis, settings.redis.prefix, terms.valuation)

    def _terms_of(self, rules: Rules) -> Terms:
        settings = self._settings
        return Terms(
            settings.redis.prefix,
            settings.kafka.partitions,
            Codes(rules),
            valuation_of(rules),
            self._checkpoint_s,
            self._topics.alerts,
            self._topics.dead,
            self._topics.events,
            settings.worker.skip_lost_events,
            Hashing(settings.worker.hashing_key()),
        )

    def _edition_of(self, rules: Rules, valuation: Valuation) -> Edition:
        settings = self._settings
        minimum_n = settings.minimum_n.by_formula()
        return Edition(
            settings.redis.prefix,
            settings.kafka.partitions,
            rules,
            minimum_n,
            self._topics.kpis,
            valuation.encode(),
            ticking=settings.ticks == "wall",
        )

    def _go_by(self, rules: Rules) -> None:
        """Other rules are in force. Partitions follow one by one; there is no round until all have."""
        self.owner.terms = terms = self._terms_of(rules)
        self._edition = self._edition_of(rules, terms.valuation)
        self.presence.go_by(terms.valuation)
        if self._publisher is not None:
            self._publisher.edition = self._edition

    async def keep_to_the_rules(self) -> None:
        """Go by the rules that are in force, for ever."""
        while True:
            await asyncio.sleep(RULES_EVERY_S)
            with suppress(Retry):
                await self.ruling.look()
            await self.owner.revalue_stale()

    async def keep_checkpoints(self) -> None:
        """Cut the checkpoints that are due, for ever."""
        while True:
            self.owner.consider_all()
            await asyncio.sleep(self._checkpoint_s / LOOKS_PER_CHECKPOINT)

    async def keep_offsets(self) -> None:
        """Tell how far we are, for ever."""
        while True:
            await asyncio.sleep(OFFSETS_EVERY_S)
            await self.owner.tell_offsets()

    async def keep_asking_redis(self) -> None:
        """Know whether Redis answers, for ever: while it does not, standing still is no fault of ours."""
        while True:
            self.owner.redis_answers = await answers(self._redis)
            await asyncio.sleep(ASK_REDIS_S)

    def unready(self) -> str | None:
        """Why nothing can be made durable now, or None."""
        return None if self.owner.redis_answers else "Redis does not answer"

    async def keep_publishing(self) -> None:
        """Publish while partition 0 is here, for ever.

        A publisher that was fenced may have been so by whoever has claimed the partition, of which Kafka has not told us: it
        must not take the table back.
        """
        first = TP(self._topics.events, 0)
        while True:
            if self.owner.holds(first) and await self._is_ours(first):
                await self._publish_while(first)
            await asyncio.sleep(self._checkpoint_s)

    async def _is_ours(self, tp: TP) -> bool:
        """Whether Redis says so, too, as far as is known."""
        with suppress(Retry):
            return await self.owner.confirm(tp)
        return False

    async def _publish_while(self, first: TP) -> None:
        self._publisher = Publisher(self._redis, self._producer, self._edition, self._metrics)
        log.info("publisher_started")
        running = asyncio.create_task(self._publisher.run())
        try:
            while not running.done() and self.owner.holds(first):
                await asyncio.wait([running], timeout=self._checkpoint_s)
            if running.done():
                running.result()
        finally:
            running.cancel()
            self._publisher = None
        log.info("publisher_stopped")


async def run(settings: Settings, redis: Redis) -> None:
    """Process events until SIGTERM. Raises Fatal if that cannot go on."""
    if settings.worker.subject_key is None:
        log.warning(
            "without_subject_key", todo="set worker.subject_key before leads are merged or erased; see docs/operations.md"
        )
    await check_server(redis, settings.redis.prefix)
    await check_layout(redis, settings.redis.prefix, settings.kafka.partitions)
    settle_in()
    metrics = registry()
    async with LastingProducer(settings.kafka.bootstrap, "leadbeat-processor", linger_ms=5).running() as producer:
        worker = Worker(settings, redis, producer, ProcessorMetrics(metrics))
        await worker.ruling.look()
        await worker.presence.enter()
        try:
            await _serve(settings, worker, metrics)
        finally:
            await worker.presence.leave()


async def _serve(settings: Settings, worker: Worker, metrics: CollectorRegistry) -> None:
    topic = Topics(settings.kafka.topic_prefix).events
    app = make_app(f"{settings.kafka.group}-processor", topic, settings.kafka, worker.owner)
    readiness = Readiness(lambda: worker.unready() or app.consumer.unready())
    background = [
        worker.keep_checkpoints,
        worker.keep_offsets,
        worker.keep_publishing,
        worker.keep_to_the_rules,
        worker.keep_asking_redis,
        worker.presence.keep,
    ]
    if port := settings.worker.processor_port:
        background.append(partial(tell, settings.worker.host, port, metrics, readiness.fault))
    fenced = Lasting("a partition is claimed by another process", FENCED_LIMIT_S, lambda: bool(worker.owner.fenced))
    held = Lasting(
        "all partitions are held though Redis answers",
        HELD_LIMIT_S,
        lambda: worker.owner.redis_answers and app.consumer.all_held_s() > 0,
    )
    await serve(app, background=background, checks=[fenced, held], unready=readiness.end)
