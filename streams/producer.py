"""Sending to Kafka for as long as the process lives, though a producer may not: one that has failed is made anew."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple, Self

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.topics import MAX_RECORD_BYTES, partition_of

log = structlog.get_logger(__name__)

STOP_LIMIT_S: Final = 5.0
"""How long a producer may take for its last words."""

REQUEST_TIMEOUT_MS: Final = 10_000
"""How long a broker may take for an answer: then the producer is made anew, with other connections."""

BATCH_BYTES: Final = 512 * 1024
"""How large a batch of records grows before it is sent."""


class Message(NamedTuple):
    """A record to be sent to a partition, or (None) to that of its key."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class LastingProducer:
    """An idempotent producer whose records all replicas acknowledge, made when first needed and anew after it has failed.

    An idempotent producer numbers its records: once one of them has failed, none that follows would be taken.
    """

    def __init__(self, bootstrap: str, client_id: str, **options: Any) -> None:
        self._options = {
            "bootstrap_servers": bootstrap,
            "client_id": client_id,
            "max_request_size": MAX_RECORD_BYTES,
            "max_batch_size": BATCH_BYTES,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            **options,
        }
        self._producer: Any = None
        self._failed = False
        self._making = asyncio.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """This, until it is closed: what is under way then has a few seconds."""
        try:
            yield self
        finally:
            await self._close()

    async def current(self) -> Any:
        """Aiokafka's producer of the moment, started. Raises KafkaError."""
        async with self._making:
            if self._failed:
                await self._close()
            if self._producer is None:
                producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **self._options)
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    def give_up(self, producer: Any) -> None:
        """Some record of a producer has failed: another one is made for the next, unless that has happened meanwhile."""
        self._failed |= producer is self._producer

    async def send(
        self, topic: str, value: bytes | None, key: bytes | None, partition: int | None = None
    ) -> "asyncio.Future[Any]":
        """Put a record on its way; the answer comes with all replicas' acknowledgement. Both raise KafkaError."""
        producer = await self.current()
        try:
            answer: asyncio.Future[Any] = await producer.send(topic, value=value, key=key, partition=partition)
        except KafkaError:
            self.give_up(producer)
            raise
        answer.add_done_callback(lambda ended: self._look(producer, ended))
        return answer

    async def send_and_wait(self, topic: str, value: bytes | None, key: bytes | None, partition: int | None = None) -> None:
        """Send a record and return when all replicas have acknowledged it. Raises KafkaError."""
        await (await self.send(topic, value, key, partition))

    async def send_all(self, records: Iterable[Message]) -> None:
        """Return when all records are acknowledged; in each partition they stand in the order given.

        Raises KafkaError if some record is not known to be there: others may be.
        """
        producer = await self.current()
        try:
            await self._send_all(producer, records)
        except KafkaError:
            self.give_up(producer)
            raise

    @staticmethod
    async def _send_all(producer: Any, records: Iterable[Message]) -> None:
        """Fill batches by hand: a tenth of the time of as many single sends."""
        filling: dict[tuple[str, int], Any] = {}
        sent: list[asyncio.Future[Any]] = []
        partitions: dict[str, int] = {}
        for topic, wanted, key, value, headers in records:
            if wanted is None and topic not in partitions:
                partitions[topic] = len(await producer.partitions_for(topic))
            partition = partition_of(key or b"", partitions[topic]) if wanted is None else wanted
            batch = filling.get((topic, partition))
            record = {"timestamp": None, "key": key, "value": value, "headers": list(headers)}
            if batch is None or batch.append(**record) is None:
                if batch is not None:
                    sent.append(await producer.send_batch(batch, topic, partition=partition))
                batch = filling[topic, partition] = producer.create_batch()
                batch.append(**record)  # the first one fits, whatever its size
        for (topic, partition), batch in filling.items():
            batch.close()
            sent.append(await producer.send_batch(batch, topic, partition=partition))
        for answer in await asyncio.gather(*sent, return_exceptions=True):
            if isinstance(answer, BaseException):
                raise answer

    def _look(self, producer: Any, ended: "asyncio.Future[Any]") -> None:
        if ended.cancelled() or ended.exception() is not None:
            self.give_up(producer)

    async def _close(self) -> None:
        producer, self._producer, self._failed = self._producer, None, False
        if producer is not None:
            with suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(STOP_LIMIT_S):
                    await producer.stop()
