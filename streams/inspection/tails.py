"""Reading the ends of logs: the newest ticks and deliveries, and what has become a dead letter lately."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from models.errors import UNREADABLE
from models.units import DAY, SECOND, Millis
from streams.errors import Poison
from streams.inbound.normalise import Delivery
from streams.inspection.seen import Bounds, DeadSeen, Letter, TailSeen, TickSeen, TopicSeen
from streams.topics import MAX_RECORD_BYTES, TICK_KEY, decode_tick

READING_S: Final = 10.0
"""How long the end of a topic is read; what has come by then counts."""

BACK: Final = (500, 20_000)
"""How many records of each deliveries partition are looked at: first, and if a connection is not among their senders."""

DEAD_FOR: Final = DAY
"""How old a dead letter may be to be told."""

MOST_DEAD: Final = 500
"""How many dead letters are read for their reasons."""


@asynccontextmanager
async def _consuming(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that is asked for something, and for one assignment at most: else it cannot be stopped."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=MAX_RECORD_BYTES
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await consumer.stop()


async def read_bounds(bootstrap: str, topics: Mapping[str, TopicSeen]) -> Bounds:
    """Where the partitions that have a leader begin and end. Raises KafkaError."""
    sources = [
        TopicPartition(name, number)
        for name, topic in topics.items()
        for number in range(topic.partitions)
        if number not in topic.leaderless
    ]
    if not sources:
        return Bounds({}, {})
    async with _consuming(bootstrap) as consumer:
        begins, ends = await consumer.beginning_offsets(sources), await consumer.end_offsets(sources)
    return Bounds(_by_topic(begins), _by_topic(ends))


def _by_topic(offsets: Mapping[TopicPartition, int]) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = {}
    for source, offset in offsets.items():
        found.setdefault(source.topic, {})[source.partition] = offset
    return found


async def read_tail(bootstrap: str, topic: str, bounds: Bounds, connections: frozenset[str]) -> TailSeen:
    """The end of the deliveries, as far back as it takes to find one of each connection, within limits. Raises KafkaError."""
    begins, ends = bounds.begins.get(topic, {}), bounds.ends.get(topic, {})
    seen = TailSeen({}, {}, None)
    for back in BACK:
        starts = {number: max(begins[number], end - back) for number, end in ends.items()}
        seen = await _read_back(bootstrap, topic, starts, ends)
        if starts == begins:
            return replace(seen, since=None)
        if connections <= seen.receipts.keys():
            break
    return seen


async def _read_back(bootstrap: str, topic: str, starts: Mapping[int, int], ends: Mapping[int, int]) -> TailSeen:
    ticks: dict[int, TickSeen] = {}
    receipts: dict[str, int] = {}
    oldest: dict[int, int] = {}

    def take(record: Any) -> None:
        oldest.setdefault(record.partition, record.timestamp)
        if record.key == TICK_KEY and (at := decode_tick(record.value)) is not None:
            ticks[record.partition] = TickSeen(at * SECOND, record.timestamp)
            return
        with suppress(Poison):
            delivery = Delivery.of_record(record.headers, record.value, topic, record.partition, record.offset)
            receipts[delivery.connection] = max(delivery.received_at, receipts.get(delivery.connection, 0))

    await _read(bootstrap, topic, (starts, ends), take)
    return TailSeen(ticks, receipts, max(oldest.values(), default=None))


async def read_dead(bootstrap: str, topic: str, bounds: Bounds, now: Millis) -> DeadSeen:
    """The dead letters of the last day. Raises KafkaError."""
    ends = bounds.ends.get(topic, {})
    sources = {TopicPartition(topic, number): now - DEAD_FOR for number in ends}
    if not sources:
        return DeadSeen(0, Counter())
    async with _consuming(bootstrap) as consumer:
        since = await consumer.offsets_for_times(sources)
    first = {source.partition: found.offset for source, found in since.items() if found is not None}
    starts = {number: max(start, ends[number] - MOST_DEAD) for number, start in first.items()}
    kinds: Counter[Letter] = Counter()
    await _read(bootstrap, topic, (starts, ends), lambda record: kinds.update([_letter(record.value)]))
    return DeadSeen(sum(ends[number] - start for number, start in first.items()), kinds)


_decode_letter = msgspec.json.Decoder(Letter).decode

_PARTICULAR = re.compile(r"""'[^']*'|"[^"]*"|\b\d{3,}[\d:.TZ+-]*""")
_PLACE = re.compile(r"\[\d+\]@\d+$")


def _letter(value: bytes | None) -> Letter:
    """What a dead letter has in common with others of its kind: instants and values are left out."""
    try:
        letter = _decode_letter(value or b"")
    except UNREADABLE:
        return Letter("is not a dead letter of ours")
    return Letter(_PARTICULAR.sub("…", letter.reason), _PLACE.sub("", letter.where), letter.connection)


async def _read(
    bootstrap: str, topic: str, bounds: tuple[Mapping[int, int], Mapping[int, int]], take: Callable[[Any], None]
) -> None:
    """Take the records of some partitions from their starts to their ends, or what of them comes in time."""
    starts, ends = bounds
    left = {TopicPartition(topic, number): ends[number] for number, start in starts.items() if start < ends[number]}
    if not left:
        return
    async with _consuming(bootstrap) as consumer:
        consumer.assign(list(left))
        for source in left:
            consumer.seek(source, starts[source.partition])
        with suppress(TimeoutError):
            async with asyncio.timeout(READING_S):
                while left:
                    for records in (await consumer.getmany(*left, timeout_ms=500)).values():
                        for record in records:
                            take(record)
                    left = {source: end for source, end in left.items() if await consumer.position(source) < end}
