"""The processor's process: a Faust app around the owner of partitions, with checkpoints, publisher and offsets beside it."""

import asyncio
from functools import partial

import structlog
from aiokafka import AIOKafkaProducer

from streams.config import Settings
from streams.processing.owner import Owner, Terms
from streams.processing.publisher import Edition, Publisher
from streams.processing.valuation import valuation_of
from streams.tables import Redis, check_layout, check_server
from streams.telemetry import ProcessorMetrics, registry
from streams.topics import MAX_RECORD_BYTES, Topics
from streams.transport import TP, Lasting, make_app, serve
from streams.vitals import Readiness, tell

OFFSETS_EVERY_S = 5.0
"""How often durable offsets are committed to Kafka, where lag tools look."""

LOOKS_PER_CHECKPOINT = 5

FENCED_LIMIT_S = 10.0
"""How long others may have claimed what Kafka says is ours. One that claims and dies would leave a partition with nobody."""

log = structlog.get_logger(__name__)


class Worker:
    """What runs in the processor's process."""

    def __init__(self, settings: Settings, redis: Redis, producer: AIOKafkaProducer, metrics: ProcessorMetrics) -> None:
        topics = Topics(settings.kafka.topic_prefix)
        rules = settings.rules()
        self._redis = redis
        self._producer = producer
        self._topics = topics
        self._terms = Terms(
            settings.redis.prefix,
            settings.kafka.partitions,
            rules,
            valuation_of(rules),
            settings.checkpoint_ms / 1000,
            topics.alerts,
            topics.dead,
        )
        self._edition = Edition(
            settings.redis.prefix,
            settings.kafka.partitions,
            rules,
            settings.minimum_n.by_formula(),
            topics.kpis,
            self._terms.valuation.encode(),
        )
        self.owner = Owner(redis, producer, self._terms, metrics)

    async def keep_checkpoints(self) -> None:
        """Cut the checkpoints that are due, for ever."""
        while True:
            self.owner.consider_all()
            await asyncio.sleep(self._terms.checkpoint_s / LOOKS_PER_CHECKPOINT)

    async def keep_offsets(self) -> None:
        """Commit durable offsets, for ever."""
        while True:
            await asyncio.sleep(OFFSETS_EVERY_S)
            await self.owner.commit_saved_offsets()

    async def keep_publishing(self) -> None:
        """Publish while partition 0 is here, for ever."""
        first = TP(self._topics.events, 0)
        while True:
            if first in self.owner.owned:
                await self._publish_while(first)
            await asyncio.sleep(self._terms.checkpoint_s)

    async def _publish_while(self, first: TP) -> None:
        publisher = Publisher(self._redis, self._producer, self._edition)
        log.info("publisher_started")
        running = asyncio.create_task(publisher.run())
        try:
            while not running.done() and first in self.owner.owned:
                await asyncio.wait([running], timeout=self._terms.checkpoint_s)
            if running.done():
                running.result()
        finally:
            running.cancel()
        log.info("publisher_stopped")


async def run(settings: Settings, redis: Redis) -> None:
    """Process events until SIGTERM. Raises Fatal if that cannot go on."""
    await check_server(redis, settings.redis.prefix)
    await check_layout(redis, settings.redis.prefix, settings.kafka.partitions)
    metrics = registry()
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.kafka.bootstrap,
        acks="all",
        enable_idempotence=True,
        linger_ms=5,
        max_request_size=MAX_RECORD_BYTES,
    )
    await producer.start()
    try:
        worker = Worker(settings, redis, producer, ProcessorMetrics(metrics))
        topic = Topics(settings.kafka.topic_prefix).events
        app = make_app(f"{settings.kafka.group}-processor", topic, settings.kafka, worker.owner)
        readiness = Readiness(app.consumer.ready)
        background = [worker.keep_checkpoints, worker.keep_offsets, worker.keep_publishing]
        if port := settings.worker.processor_port:
            background.append(partial(tell, settings.worker.host, port, metrics, readiness.fault))
        fenced = Lasting("a partition is claimed by another process", FENCED_LIMIT_S, lambda: bool(worker.owner.fenced))
        await serve(app, background=background, checks=[fenced], unready=readiness.end)
    finally:
        await producer.stop()
