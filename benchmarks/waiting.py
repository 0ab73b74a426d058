"""What a worker needs while very many events wait, beside what it needs while few do; prints one JSON line.

    make bench-waiting [ARGS="--waiting 10000000 --events 500000"]

Both logs, of deliveries and of events, are written first: one time just as many events as are then worked on, one time very
many more. Both parts of the worker start, and Redis stands still for a while when half is done. Told is the most memory
that each part has had until so many events were durable, in MiB, and how much more that is with very many waiting, as a
ratio.
"""

import argparse
import asyncio
import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from benchmarks import engine, workload
from benchmarks.chain import CONNECTION, PARTS, start
from benchmarks.stage import staged
from models.units import Millis
from streams.errors import Retry
from streams.inbound.normalise import Delivery
from streams.producer import LastingProducer, Message
from streams.tables import Keys, connect, read_applied
from streams.tables.server import ask
from streams.topics import Topics

LEADS: Final = 20_000
"""Of a day's events: as many leads live through their five events, and again on the next."""

BEGINNING: Final = Millis(1_760_000_000_000)
IN_A_DELIVERY: Final = 100
PAUSE_MS: Final = 20_000
AT_ONCE: Final = 200


async def run(waiting: int, events: int) -> dict[str, Any]:
    """Both times; what they measured."""
    few, many = [await _peaks(count, events) for count in (events, waiting)]
    return {
        "benchmark": "waiting",
        "events": events,
        "waiting": waiting,
        "rss_mib_few": few,
        "rss_mib_many": many,
        "ratio": {name: round(peak / few[name], 2) for name, peak in many.items()},
    }


async def _peaks(waiting: int, events: int) -> dict[str, int]:
    """The most memory of each part until so many events are durable, while as many or more wait."""
    with staged() as stage:
        await engine.write(stage.kafka.bootstrap, log(waiting))
        await _deliver(stage.kafka.bootstrap, waiting)
        parts = start(stage, {name: PARTS[name] for name in ("normaliser", "processor")}, plain=engine.OF_A_LOG).parts
        async with connect(stage.redis.url) as redis:
            keys = [Keys("lb", number) for number in range(workload.PARTITIONS)]

            async def done() -> int:
                try:
                    return sum(part.progress.offset or 0 for part in await read_applied(redis, keys) if part)
                except Retry:  # it stands still
                    return 0

            await engine.until(lambda offset: offset >= events / 2, done, *parts.values())
            await ask(redis, "CLIENT", "PAUSE", PAUSE_MS, "ALL")
            await engine.until(lambda offset: offset >= events, done, *parts.values())
        return {name: round(part.peak_mib()) for name, part in parts.items()}


def log(events: int) -> Iterator[workload.Appended]:
    """An events log of about so many events; a longer one begins as a shorter one does."""
    for day in range(-(-events // (LEADS * workload.EVENTS_A_LEAD))):
        yield from workload.log(LEADS, Millis(BEGINNING + (day + 1) * workload.SPAN), seed=day)


async def _deliver(bootstrap: str, events: int) -> None:
    """Write deliveries of so many events, all alike, uncompressed as the gateway does."""
    told = workload.events(IN_A_DELIVERY // workload.EVENTS_A_LEAD, BEGINNING)
    body = msgspec.json.encode([{name: value for name, value in each.items() if name != "received_at"} for each in told])
    headers = Delivery(CONNECTION, BEGINNING, {}, body).record_headers()
    async with LastingProducer(bootstrap, "benchmark").running() as producer:
        for first in range(0, events // IN_A_DELIVERY, AT_ONCE):
            numbers = range(first, min(first + AT_ONCE, events // IN_A_DELIVERY))
            topic = Topics().deliveries
            await producer.send_all(Message(topic, number % workload.PARTITIONS, None, body, headers) for number in numbers)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waiting", type=int, default=10_000_000)
    parser.add_argument("--events", type=int, default=500_000, help="how many are worked on")
    given = parser.parse_args()
    print(json.dumps(asyncio.run(run(given.waiting, given.events))))
