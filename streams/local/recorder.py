"""Recording a demo: the deliveries as they are received, one JSON object a line, for `leadbeat replay`."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TextIO

from aiokafka import AIOKafkaConsumer

from streams.local.services import until
from streams.topics import TICK_KEY, Topics

CATCH_UP_S = 10.0


@asynccontextmanager
async def recording(bootstrap: str, path: Path) -> AsyncIterator[None]:
    """Write every delivery of the deliveries topic to a file while this is open."""
    consumer = AIOKafkaConsumer(Topics().deliveries, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None)
    await consumer.start()
    with path.open("w", encoding="utf-8") as out:
        writing = asyncio.create_task(_write(consumer, out))
        try:
            yield
            await _catch_up(consumer)
        finally:
            writing.cancel()
            await asyncio.wait([writing])
            await consumer.stop()


async def _write(consumer: Any, out: TextIO) -> None:
    async for record in consumer:
        if record.key != TICK_KEY:
            out.write(json.dumps(line(record), ensure_ascii=False) + "\n")


def line(record: Any) -> dict[str, Any]:
    """A delivery as it was received."""
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    return {
        "received_at": int(headers.pop("received_at", "0")),
        "connection": headers.pop("connection", ""),
        "headers": {name.removeprefix("h-"): value for name, value in headers.items()},
        "body": record.value.decode(errors="replace"),
    }


async def _catch_up(consumer: Any) -> None:
    """Wait until all that is in the topic now is written."""
    ends = await consumer.end_offsets(consumer.assignment())

    async def written() -> bool:
        return all([await consumer.position(partition) >= end for partition, end in ends.items()])

    await until(written, CATCH_UP_S, "recording the last deliveries")
