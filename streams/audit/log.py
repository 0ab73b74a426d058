"""Reading an events partition from an offset up to another, outside of any group."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from streams.errors import Fatal, Retry
from streams.security import OPEN, Security, admitted
from streams.topics import MAX_RECORD_BYTES, reaching
from streams.transport import Record, fingerprint

PATIENCE_S: Final = 60.0
"""How long the log may give nothing of what it says that it has."""

AT_ONCE: Final = 2_000
"""Records that are given at once: others have their turn behind them."""


class EventsLog:
    """The log of one events partition: it begins at `earliest` and ends before `end`, as of when it was opened."""

    def __init__(self, bootstrap: str, topic: str, number: int, security: Security = OPEN) -> None:
        self._bootstrap = bootstrap
        self._security = security
        self._source = TopicPartition(topic, number)
        self.where = f"{topic}[{number}]"
        self.earliest = 0
        self.end = 0

    async def look(self) -> None:
        """See where the log begins and ends now. Raises Retry."""
        async with self._consuming() as consumer:
            self.earliest = (await consumer.beginning_offsets([self._source]))[self._source]
            self.end = (await consumer.end_offsets([self._source]))[self._source]

    async def read(self, start: int, end: int, last: str) -> AsyncIterator[list[Record]]:
        """The records from one offset on, up to but without another.

        `last` is the fingerprint of the record before `end`. Raises Fatal if there is another one, or the log ends before it;
        Retry if the log cannot be read, or has forgotten what is asked for.
        """
        if start >= end:
            return
        async with self._consuming() as consumer:
            consumer.assign([self._source])
            consumer.seek(self._source, start)
            if (await consumer.end_offsets([self._source]))[self._source] < end:
                raise Fatal(
                    self.where, f"ends before offset {end}, which was applied", "point kafka at the log of these tables"
                )
            position = start
            while position < end:
                records = await self._some(consumer)
                position = await consumer.position(self._source)
                if before := [record for record in records if record.offset < end]:
                    newest = before[-1]
                    if newest.offset == end - 1 and last and fingerprint(newest) != last:
                        what = f"another record stands before offset {end} than the one that was applied"
                        raise Fatal(self.where, what, "point kafka at the log that these tables were made from")
                    yield before

    async def _some(self, consumer: Any) -> list[Record]:
        loop = asyncio.get_running_loop()
        began, position = loop.time(), await consumer.position(self._source)
        while loop.time() - began < PATIENCE_S:
            records: list[Record] = (await consumer.getmany(self._source, timeout_ms=1000, max_records=AT_ONCE)).get(
                self._source, []
            )
            if records or await consumer.position(self._source) > position:
                return records
        raise Retry(self.where, f"gives nothing from offset {position} on", "see whether its broker works, and ask again")

    @asynccontextmanager
    async def _consuming(self) -> AsyncIterator[Any]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=MAX_RECORD_BYTES,
            **self._security,
        )
        try:
            with self._reaching():
                async with admitted(self._bootstrap, self._security):
                    await consumer.start()
                yield consumer
        finally:
            await consumer.stop()

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        with reaching(self._bootstrap):
            try:
                yield
            except OffsetOutOfRangeError:
                raise Retry(self.where, "has forgotten its beginning while it was read", "ask again") from None
