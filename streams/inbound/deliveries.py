"""The deliveries topic as the gateway writes it: acknowledged by all replicas, or refused."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Protocol, Self

import structlog
from aiokafka.errors import KafkaError, KafkaTimeoutError

from streams.config import Settings
from streams.errors import Retry
from streams.inbound.normalise import RecordHeaders
from streams.producer import LastingProducer, Message
from streams.security import kafka_security, told
from streams.topics import Topics

log = structlog.get_logger(__name__)

PROBE_S = 1.0
"""How often Kafka is asked whether it is there, and how soon a lost producer is made anew."""

MAX_BATCH_BYTES = 256 * 1024

PATIENCE_S = 5.0
"""How long one such question may take."""


class Deliveries(Protocol):
    """Where accepted deliveries go."""

    async def append(self, value: bytes, headers: RecordHeaders) -> None:
        """Return when the delivery is safe. Raises Retry if it is not known to be; it may still arrive then.

        It may take as long as it likes, and can be cancelled.
        """
        ...

    def unready(self) -> str | None:
        """Why a delivery would not be safe soon, as far as is known; None if it would."""
        ...


class Kept(NamedTuple):
    """A delivery that waits to be sent: its number, larger than those before it, and what the record shall have."""

    number: int
    headers: RecordHeaders
    value: bytes


class KafkaDeliveries:
    """The topic in Kafka, through one idempotent producer at a time, made anew when it has failed for good."""

    def __init__(self, settings: Settings) -> None:
        self._topic = Topics(settings.kafka.topic_prefix).deliveries
        self._partitions = settings.kafka.partitions
        self._lasting = LastingProducer(
            settings.kafka.bootstrap,
            "leadbeat-gateway",
            max_batch_size=MAX_BATCH_BYTES,
            **kafka_security(settings.kafka),
        )
        self._producer: Any = None
        self._known = False
        self._ready = False
        self._trouble: str | None = None

    def ready(self) -> bool:
        """Whether Kafka has answered lately and has the topic."""
        return self._ready

    def unready(self) -> str | None:
        """Why no delivery can be written now, or None."""
        return None if self._ready else "Kafka is not there"

    async def append(self, value: bytes, headers: RecordHeaders) -> None:
        """Return when all replicas in sync have the delivery, in a partition of the producer's choice."""
        producer = self._producer
        if producer is None or not self._known:
            # Not even asked for while unknown: a broker may make a topic that is asked for, with settings of its own.
            raise Retry(self._topic, "cannot be written to yet", "see the gateway's log")
        try:
            await producer.send_and_wait(self._topic, value=value, headers=headers)
        except KafkaTimeoutError as error:
            raise Retry(self._topic, f"is not written to in time: {error}") from error
        except KafkaError as error:
            # What passes an idempotent producer retries by itself; from what it reports it may never recover.
            self._lasting.give_up(producer)
            raise Retry(self._topic, f"cannot be written to: {error}") from error

    async def append_all(self, kept: Sequence[Kept]) -> None:
        """Return when all replicas in sync have them all. Raises Retry if they are not known to: some may.

        In each partition they stand in the order given, also where they are sent again: the number decides which one it is.
        """
        if not self._ready:
            raise Retry(self._topic, "cannot be written to yet", "see the gateway's log")
        records = (Message(self._topic, each.number % self._partitions, None, each.value, each.headers) for each in kept)
        try:
            await self._lasting.send_all(records)
        except KafkaError as error:
            raise Retry(self._topic, f"cannot be written to: {error}") from error

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Keep a producer connected; at the end, give it a while to send what it still has."""
        async with self._lasting.running():
            keeper = asyncio.create_task(self._keep())
            try:
                yield self
            finally:
                keeper.cancel()
                await asyncio.wait([keeper])

    async def _keep(self) -> None:
        while True:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._probe()
            except (KafkaError, TimeoutError, OSError) as error:
                self._tell(ready=False, error=told(error))
            await asyncio.sleep(PROBE_S)

    async def _probe(self) -> None:
        producer = await self._lasting.current()
        if producer is not self._producer:
            self._producer, self._known = producer, False
        cluster = await self._producer.client.fetch_all_metadata()
        there = bool(cluster.partitions_for_topic(self._topic))
        if there:
            await self._producer.partitions_for(self._topic)
            self._known = True
        self._tell(ready=there, error=None if there else "there is no such topic")

    def _tell(self, *, ready: bool, error: str | None) -> None:
        if ready and not self._ready:
            log.info("deliveries_ready", topic=self._topic)
        if not ready and error != self._trouble:
            log.warning("deliveries_not_ready", topic=self._topic, error=error)
        self._ready, self._trouble = ready, error
