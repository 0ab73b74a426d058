"""What a storm has left behind: on the topics, and of the gateway."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from aiokafka import TopicPartition
from fuzz.storm.request import LEGITIMATE
from fuzz.storm.run import Seen, digest
from system import CONNECTION, PARTITIONS, System

SETTLING_S: Final = 600


class _Subject(msgspec.Struct):
    id: str


class _Event(msgspec.Struct):
    subject: _Subject


@dataclass(frozen=True)
class Judgement:
    """`accepted`: how much was let in that was not proven. `lost`: good events that did not arrive. `faults`: all else."""

    accepted: int
    lost: int
    faults: list[str]


async def judged(system: System, seen: Seen) -> Judgement:
    """What lies in the topics, held against what was sent."""
    end = await system.ends(system.topics.deliveries)

    async def normalised() -> bool:
        return await system.committed("normaliser") == end

    await system.until(normalised, SETTLING_S, "the normaliser has read all deliveries")
    faults = [f"{fault} ({count} times)" for fault, count in seen.faults.items()]
    there: Counter[bytes] = Counter()
    strange = 0

    def take_delivery(record: Any) -> None:
        nonlocal strange
        connection = dict(record.headers)["connection"].decode()
        if connection == CONNECTION and (found := digest(record.value)) in seen.sent:
            there[found] += 1
        elif connection != LEGITIMATE:
            strange += 1

    await consume(system, system.topics.deliveries, PARTITIONS, take_delivery)
    for body, sent in seen.sent.items():
        if not seen.acknowledged[body] <= there[body] <= sent:
            faults.append(f"of a body {seen.acknowledged[body]} were acknowledged, {sent} sent, and {there[body]} are there")
    letters: Counter[str] = Counter()
    await consume(system, system.topics.dead, 1, lambda record: letters.update([_connection(record.value)]))
    dead = sum(count * seen.dead[body] for body, count in there.items())
    if letters != Counter({CONNECTION: dead} if dead else {}):
        faults.append(f"dead letters are {dict(letters)}, and should be {dead} of {CONNECTION}")
    arrived: set[str] = set()
    decode = msgspec.json.Decoder(_Event).decode
    prefix = f"{LEGITIMATE}:"

    def take_event(record: Any) -> None:
        subject = decode(record.value).subject.id
        if subject.startswith(prefix):
            arrived.add(subject.removeprefix(prefix))

    await consume(system, system.topics.events, PARTITIONS, take_event)
    return Judgement(seen.accepted_unsigned + strange, len(seen.legitimate - arrived), faults)


def _connection(letter: bytes) -> str:
    return str(msgspec.json.decode(letter)["connection"])


async def consume(system: System, topic: str, partitions: int, take: Callable[[Any], object]) -> None:
    """Take all records that a topic has now, some at a time."""
    sources = [TopicPartition(topic, number) for number in range(partitions)]
    system.consumer.assign(sources)
    await system.consumer.seek_to_beginning(*sources)
    ends = await system.consumer.end_offsets(sources)
    while any([await system.consumer.position(source) < ends[source] for source in sources]):
        for records in (await system.consumer.getmany(timeout_ms=500)).values():
            for record in records:
                take(record)
