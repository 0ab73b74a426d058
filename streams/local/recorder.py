"""Recording a demo: the deliveries as they are received, one JSON object a line, for `leadbeat replay`."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

from aiokafka import AIOKafkaConsumer

from models.units import Millis
from streams.errors import Poison
from streams.inbound.normalise import Delivery
from streams.local.recording import line_of
from streams.local.services import until
from streams.topics import TICK_KEY, Topics, decode_tick

CATCH_UP_S = 10.0


@asynccontextmanager
async def recording(bootstrap: str, path: Path, providers: Mapping[str, str]) -> AsyncIterator[None]:
    """Write every delivery of the deliveries topic to a file while this is open. `providers` are names by connection."""
    consumer = AIOKafkaConsumer(Topics().deliveries, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None)
    await consumer.start()
    with path.open("wb") as out:
        writing = asyncio.create_task(_write(consumer, out, providers))
        try:
            yield
            await _catch_up(consumer)
        finally:
            writing.cancel()
            await asyncio.wait([writing])
            await consumer.stop()


async def _write(consumer: Any, out: BinaryIO, providers: Mapping[str, str]) -> None:
    async for record in consumer:
        if record.key != TICK_KEY or decode_tick(record.value) is None:
            out.write(recorded(record, providers))


def recorded(record: Any, providers: Mapping[str, str]) -> bytes:
    """The line of a record. One that the normaliser would refuse as a whole, `leadbeat replay` refuses, too."""
    try:
        delivery = Delivery.of_record(record.headers, record.value, record.topic, record.partition, record.offset)
    except Poison:
        delivery = Delivery("", Millis(0), {}, record.value or b"")
    return line_of(delivery, providers.get(delivery.connection, ""))


async def _catch_up(consumer: Any) -> None:
    """Wait until all that is in the topic now is written."""
    ends = await consumer.end_offsets(consumer.assignment())

    async def written() -> bool:
        return all([await consumer.position(partition) >= end for partition, end in ends.items()])

    await until(written, CATCH_UP_S, "recording the last deliveries")
