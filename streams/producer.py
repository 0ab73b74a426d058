"""Sending to Kafka for as long as the process lives, though a producer may not: one that has failed is made anew."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Self

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from streams.topics import MAX_RECORD_BYTES

log = structlog.get_logger(__name__)

STOP_LIMIT_S: Final = 5.0
"""How long a producer may take for its last words."""


class LastingProducer:
    """An idempotent producer whose records all replicas acknowledge, made when first needed and anew after it has failed.

    An idempotent producer numbers its records: once one of them has failed, none that follows would be taken.
    """

    def __init__(self, bootstrap: str, client_id: str, **options: Any) -> None:
        self._options = {
            "bootstrap_servers": bootstrap,
            "client_id": client_id,
            "max_request_size": MAX_RECORD_BYTES,
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

    def _look(self, producer: Any, ended: "asyncio.Future[Any]") -> None:
        if ended.cancelled() or ended.exception() is not None:
            self.give_up(producer)

    async def _close(self) -> None:
        producer, self._producer, self._failed = self._producer, None, False
        if producer is not None:
            with suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(STOP_LIMIT_S):
                    await producer.stop()
