"""Where the normaliser's records go: Kafka, in order, until acknowledged by all replicas."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Self

from aiokafka.errors import KafkaError

from streams.errors import Retry
from streams.producer import LastingProducer, Message
from streams.security import OPEN, Security


class Outlet:
    """Takes many records at once."""

    def __init__(self, bootstrap: str, security: Security = OPEN) -> None:
        self._lasting = LastingProducer(bootstrap, "leadbeat-normaliser", compression_type="gzip", **security)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """The outlet, until it is closed: what is under way then has a few seconds."""
        async with self._lasting.running():
            yield self

    async def send(self, records: Iterable[Message]) -> None:
        """Return when all records are acknowledged; in each partition they stand in the order given.

        While Kafka cannot be reached it waits. Raises Retry if some record is not known to be there: others may be.
        """
        try:
            await self._lasting.send_all(records)
        except KafkaError as error:
            raise Retry("Kafka", f"did not take records: {error!r}", "they are sent again") from error
