"""Looking at Kafka: brokers, topics, groups. Nothing is written, and no topic made."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from models.units import Millis
from streams.config import KafkaSettings, Settings
from streams.errors import Retry
from streams.inspection.seen import Bounds, GroupSeen, LogSeen, TopicSeen
from streams.inspection.tails import READING_S, read_bounds, read_dead, read_tail
from streams.security import kafka_security, refusal
from streams.telemetry import silenced
from streams.topics import Topics, reaching

PATIENCE_S: Final = 5.0
"""How long Kafka may take for one answer."""

_Seen = TypeVar("_Seen")


async def look_at_log(settings: Settings, clock: Callable[[], Millis]) -> LogSeen:
    """Kafka as it is now. Raises Retry or Fatal if it cannot be reached; with less than that, the rest is still told."""
    kafka = settings.kafka
    with silenced():
        try:
            async with _administrator(kafka) as admin:
                return await _look(settings, admin, clock)
        except Retry as fault:
            raise await refusal(kafka.bootstrap, kafka_security(kafka)) or fault from None


async def _look(settings: Settings, admin: AIOKafkaAdminClient, clock: Callable[[], Millis]) -> LogSeen:
    kafka = settings.kafka
    topics, faults = Topics(settings.kafka.topic_prefix), []

    async def tried(what: str, limit_s: float, answer: Awaitable[_Seen]) -> _Seen | None:
        try:
            async with asyncio.timeout(limit_s):
                return await answer
        except (KafkaError, TimeoutError) as error:
            faults.append(Retry(what, f"could not be looked at: {error!r}", "see whether this user may, and the broker's log"))
            return None

    with reaching(kafka.bootstrap):
        async with asyncio.timeout(PATIENCE_S):
            brokers = len((await admin.describe_cluster())["brokers"])
            # All topics are listed: to ask for one by name may make it.
            there = {topic["topic"]: topic for topic in await admin.describe_topics()}
    ours = [name for name in (topics.deliveries, topics.events, topics.dead, topics.alerts, topics.kpis) if name in there]
    config = await tried("settings of topics", PATIENCE_S, _config(admin, ours)) or {}
    seen = {name: _topic(there[name], config.get(name, {})) for name in ours}
    bounds = await tried("offsets", PATIENCE_S, read_bounds(kafka, seen)) or Bounds({}, {})
    at = clock()
    groups = {f"{settings.kafka.group}-normaliser": topics.deliveries, f"{settings.kafka.group}-processor": topics.events}
    return LogSeen(
        at,
        brokers,
        seen,
        bounds,
        await tried("consumer groups", PATIENCE_S, _groups(admin, groups)),
        await tried("deliveries", 3 * READING_S, read_tail(kafka, topics.deliveries, bounds, _names(settings))),
        await tried("dead letters", 2 * READING_S, read_dead(kafka, topics.dead, bounds, at)),
        faults,
    )


def _names(settings: Settings) -> frozenset[str]:
    return frozenset(connection.name for connection in settings.connections)


@asynccontextmanager
async def _administrator(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=kafka.bootstrap, request_timeout_ms=int(PATIENCE_S * 1000), **kafka_security(kafka)
    )
    try:
        with reaching(kafka.bootstrap):
            async with asyncio.timeout(PATIENCE_S):
                await admin.start()
        yield admin
    finally:
        await admin.close()


def _topic(described: Mapping[str, Any], config: Mapping[str, str]) -> TopicSeen:
    partitions = described["partitions"]
    return TopicSeen(
        len(partitions),
        frozenset(each["partition"] for each in partitions if each["leader"] < 0),
        frozenset(each["partition"] for each in partitions if len(each["isr"]) < len(each["replicas"])),
        min((len(each["replicas"]) for each in partitions), default=0),
        config,
    )


async def _config(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(resources) if resources else ():
        for _, _, _, name, entries in answer.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


async def _groups(admin: AIOKafkaAdminClient, topics: Mapping[str, str]) -> dict[str, GroupSeen]:
    # One by one: of several at once the client misreads the answer.
    return {name: await _group(admin, name, topic) for name, topic in topics.items()}


async def _group(admin: AIOKafkaAdminClient, name: str, topic: str) -> GroupSeen:
    try:
        (answer,) = await admin.describe_consumer_groups([name])
    except GroupCoordinatorNotAvailableError:
        return GroupSeen("Dead", 0, frozenset(), {})  # there has been no group at all yet
    ((_, _, state, _, _, members, *_),) = answer.groups
    owned: set[int] = set()
    for *_, assignment in members:
        for assigned, partitions in ConsumerProtocolMemberAssignment.decode(assignment).assignment if assignment else ():
            owned.update(partitions if assigned == topic else ())
    offsets = await admin.list_consumer_group_offsets(name)
    committed = {source.partition: each.offset for source, each in offsets.items() if source.topic == topic}
    return GroupSeen(state, len(members), frozenset(owned), committed)
