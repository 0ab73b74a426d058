"""The end of a log: ticks behind all that is left to be told.

What a merged lead gives goes through the log to the partition of whoever gets it, behind the event that says so. A round has
all of it only if its tick was appended when nothing was on its way any more.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from models.units import SECOND, Millis
from streams.local.embedded import PARTITIONS
from streams.tables import Keys, Redis, connect, read_applied, read_outbox
from streams.topics import TICK_KEY, Topics, encode_tick

KEYS: Final[Sequence[Keys]] = tuple(Keys("lb", number) for number in range(PARTITIONS))

Wait = Callable[[Callable[[], Awaitable[bool]], str], Awaitable[None]]
"""Waits until a condition holds that has this name."""


async def settle(bootstrap: str, url: str, clock: Millis, wait: Wait) -> Millis:
    """Tick until nothing is left to be told, first at `clock`; the clock of the tick that is behind all."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    async with connect(url) as redis, consumer, producer:

        async def ticked() -> bool:
            parts = await read_applied(redis, KEYS)
            return all(part is not None and part.progress.clock == clock for part in parts)

        quiet = False
        while not quiet:
            # What tells nothing new is stored no sooner than something else is, such as a tick.
            await append_ticks(producer, clock)
            await wait(ticked, "applying all that was delivered")
            quiet = await is_quiet(redis, consumer)
            clock = Millis(clock + SECOND)
        await append_ticks(producer, clock)
    return clock


async def is_quiet(redis: Redis, consumer: Any) -> bool:
    """Whether all events are applied and nothing is left that would be told.

    What an event has to tell is stored with it, and goes from the store when Kafka has it. So, in this order, all that the
    events up to these offsets had to tell is in Kafka before its end is looked at.
    """
    offsets = [0 if part is None else part.progress.offset or 0 for part in await read_applied(redis, KEYS)]
    waiting = [await read_outbox(redis, keys) for keys in KEYS]
    ends = await consumer.end_offsets([TopicPartition(Topics().events, number) for number in range(PARTITIONS)])
    return not any(waiting) and offsets == [ends[partition] for partition in sorted(ends)]


async def append_ticks(producer: Any, clock: Millis) -> None:
    """Append a tick to every deliveries partition."""
    for partition in range(PARTITIONS):
        await producer.send_and_wait(Topics().deliveries, encode_tick(clock // SECOND), key=TICK_KEY, partition=partition)
