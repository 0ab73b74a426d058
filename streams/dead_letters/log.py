"""The topic of dead letters, read from its beginning on, outside of any group."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.dead_letters.letters import Record
from streams.errors import Retry
from streams.security import OPEN, Security, admitted
from streams.topics import MAX_RECORD_BYTES, reaching

PATIENCE_S: Final = 60.0
"""How long the log may give nothing of what it says that it has."""

AT_ONCE: Final = 1_000
"""Records that are given at once: others have their turn behind them."""


class DeadLettersLog:
    """All partitions of the topic, as far as they have been read."""

    def __init__(self, consumer: Any, sources: Sequence[TopicPartition]) -> None:
        self._consumer, self._sources = consumer, sources

    async def rewind(self) -> None:
        """Begin again."""
        await self._consumer.seek_to_beginning(*self._sources)

    async def news(self) -> AsyncIterator[list[Record]]:
        """What has not been read yet of what is there now. Raises KafkaError, and Retry if it does not come."""
        ends = await self._consumer.end_offsets(self._sources)
        left = await self._before(ends)
        while left:
            for records in (await self._some(left)).values():
                yield records
            left = await self._before(ends)

    async def _before(self, ends: dict[TopicPartition, int]) -> list[TopicPartition]:
        return [source for source in self._sources if await self._consumer.position(source) < ends[source]]

    async def _some(self, sources: Sequence[TopicPartition]) -> dict[TopicPartition, list[Record]]:
        loop = asyncio.get_running_loop()
        began, positions = loop.time(), [await self._consumer.position(source) for source in sources]
        while loop.time() - began < PATIENCE_S:
            found: dict[TopicPartition, list[Record]]
            found = await self._consumer.getmany(*sources, timeout_ms=1000, max_records=AT_ONCE)
            if found or positions != [await self._consumer.position(source) for source in sources]:
                return found
        raise Retry(f"topic {sources[0].topic}", "gives nothing of what it has", "see whether its broker works, and ask again")


@asynccontextmanager
async def reading(bootstrap: str, topic: str, security: Security = OPEN) -> AsyncIterator[DeadLettersLog]:
    """The topic from its beginning on. Raises Retry if it cannot be read, or is not there."""
    with reaching(bootstrap):
        async with admitted(bootstrap, security):
            sources = await _partitions(bootstrap, topic, security)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=MAX_RECORD_BYTES,
            **security,
        )
        try:
            await consumer.start()
            consumer.assign(sources)
            log = DeadLettersLog(consumer, sources)
            await log.rewind()
            yield log
        finally:
            await consumer.stop()


async def _partitions(bootstrap: str, topic: str, security: Security) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **security)
    try:
        await admin.start()
        # All topics are listed: to ask for one by name may make it.
        found = [each["partitions"] for each in await admin.describe_topics() if each["topic"] == topic]
    finally:
        await admin.close()
    if not found:
        raise Retry(f"topic {topic}", "is not there", "start a gateway or worker, which makes it")
    return [TopicPartition(topic, each["partition"]) for each in found[0]]
