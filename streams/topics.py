"""Kafka's topics: their names, how they are made, what their ticks look like, and which partition a key belongs to."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import msgspec
import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)
from aiokafka.partitioner import murmur2

from models.belief import LATEST
from models.errors import UNREADABLE
from models.state.subjects import LEAD, kind_of
from models.units import DAY, HOUR, SECOND, Duration
from streams.config import RetentionSettings, Settings
from streams.errors import Fatal, Retry
from streams.security import OPEN, RIGHTS, Security, kafka_security, refusal

log = structlog.get_logger(__name__)

TICK_KEY: Final = b"tick"
"""Key of a record that carries time, in deliveries and in events."""

MAX_RECORD_BYTES: Final = 32 * 2**20
"""The largest record that the topics take and our producers send: the largest body twice over."""

PATIENCE_S: Final = 30.0
"""How long topics may take to appear before that is a fault."""

RETRY_S: Final = 0.2

DEAD_SEGMENT: Final = Duration(HOUR)
"""How soon Kafka begins another segment of the dead letters, and compacts the one before, where what was removed still lies."""

SAFE_REPLICATION: Final = 3
"""From so many replicas on, a write needs two of them."""


KEPT: Final = RetentionSettings()


@dataclass(frozen=True)
class Topics:
    """The names of all topics. The prefix keeps installations, and tests, on one cluster apart."""

    prefix: str = ""

    @property
    def deliveries(self) -> str:
        """What the senders sent, as received, and the ticks of time."""
        return f"{self.prefix}crm.deliveries.v1"

    @property
    def events(self) -> str:
        """Canonical events, keyed by subject, and the ticks behind them."""
        return f"{self.prefix}crm.events.v1"

    @property
    def dead(self) -> str:
        """What could not be read, with the reason."""
        return f"{self.prefix}leadbeat.dead.v1"

    @property
    def alerts(self) -> str:
        """Warnings and breaches, and what became of them."""
        return f"{self.prefix}leadbeat.alerts.v1"

    @property
    def kpis(self) -> str:
        """The newest row of each KPI and slice: compacted."""
        return f"{self.prefix}leadbeat.kpis.v1"


@dataclass(frozen=True)
class TopicSpec:
    """How a topic is made. `fixed`: another number of partitions than ours would put records where nobody looks for them."""

    name: str
    partitions: int
    config: Mapping[str, str]
    fixed: bool = False


def specs(topics: Topics, partitions: int, replication: int, retention: RetentionSettings = KEPT) -> list[TopicSpec]:
    """All topics as they should be."""
    common = {"min.insync.replicas": "2" if replication >= SAFE_REPLICATION else "1"}
    large = common | {"max.message.bytes": str(MAX_RECORD_BYTES)}
    compacted = {
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0.1",
        "segment.ms": str(HOUR),
        "max.compaction.lag.ms": str(DAY),
        "delete.retention.ms": str(DAY),
    }
    removable = {
        "cleanup.policy": "compact,delete",
        "min.cleanable.dirty.ratio": "0.01",
        "segment.ms": str(DEAD_SEGMENT),
        "max.compaction.lag.ms": str(DEAD_SEGMENT),
        "delete.retention.ms": str(DAY),
    }
    return [
        TopicSpec(topics.deliveries, partitions, large | _kept(retention.deliveries), fixed=True),
        TopicSpec(topics.events, partitions, large | _kept(retention.events), fixed=True),
        TopicSpec(topics.dead, 1, large | _kept(retention.dead_letters) | removable),
        TopicSpec(topics.alerts, 1, common | _kept(retention.alerts)),
        TopicSpec(topics.kpis, 1, common | compacted),
    ]


def _kept(span: Duration) -> dict[str, str]:
    # Kafka drops whole segments: what is old is kept for as long as its segment has something new.
    return {"cleanup.policy": "delete", "retention.ms": str(span), "segment.ms": str(min(span, DAY))}


async def ensure_of(settings: Settings) -> None:
    """`ensure` as settings have it."""
    kafka = settings.kafka
    await ensure(
        kafka.bootstrap,
        kafka.partitions,
        kafka.replication_factor,
        kafka.topic_prefix,
        create=kafka.create_topics,
        retention=settings.retention,
        security=kafka_security(kafka),
    )


async def ensure(  # noqa: PLR0913 - settings
    bootstrap: str,
    partitions: int,
    replication: int = 1,
    prefix: str = "",
    *,
    create: bool = True,
    retention: RetentionSettings = KEPT,
    security: Security = OPEN,
) -> None:
    """Make the topics that are missing, wait until the cluster shows all, and check them.

    With `create` false nothing is made on purpose: asking for a topic makes a broker that is set so (the embedded one) make it.
    Raises Retry if Kafka cannot be reached or topics do not appear, Fatal if it does not let us in, refuses a topic, or has
    deliveries or events with another number of partitions.
    """
    wanted = specs(Topics(prefix), partitions, replication, retention)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **security)
    asked = _Asked(bootstrap, security)
    try:
        async with asyncio.timeout(PATIENCE_S):
            counts = await _settled(admin, wanted, replication if create else None, asked)
    except TimeoutError:
        raise asked.fault(ADVICE[create]) from None
    finally:
        await admin.close()
    _check(wanted, counts)


ADVICE: Final = {
    True: "look into the broker's log; an embedded broker makes topics itself: kafka.create_topics = false",
    False: "make them, or set kafka.create_topics = true",
}
"""What to do when topics do not appear, by whether we make them."""


class _Asked:
    """What Kafka has said so far; each new trouble is logged."""

    def __init__(self, bootstrap: str, security: Security) -> None:
        self._bootstrap = bootstrap
        self._security = security
        self._trouble, self._todo = "does not answer", CHECK
        self._told = ""

    def answered(self) -> None:
        self._trouble = ""

    async def failed(self, error: KafkaError) -> None:
        """Find out what is the matter. Raises Fatal if we are not let in."""
        why = await refusal(self._bootstrap, self._security) if isinstance(error, KafkaConnectionError) else None
        if isinstance(why, Fatal):
            raise why
        away = "cannot be reached" if isinstance(error, KafkaConnectionError) else f"answers with {error}"
        self._trouble, self._todo = (why.what, why.todo) if why else (away, CHECK)
        if self._trouble != self._told:
            self._told = self._trouble
            told = {"bootstrap": self._bootstrap, "what": self._trouble, "todo": self._todo}
            log.warning("kafka_unreachable", **told, trying_for_s=PATIENCE_S)

    def fault(self, advice: str) -> Retry:
        """Why it has taken too long; the advice is for topics that do not appear."""
        where = f"Kafka at {self._bootstrap}"
        if self._trouble:
            return Retry(where, f"{self._trouble}, tried for {PATIENCE_S:.0f} s", f"{self._todo}; then start this again")
        return Retry(where, f"topics did not appear within {PATIENCE_S:.0f} s", advice)


CHECK: Final = "check kafka.bootstrap, and that a broker runs there that this machine can reach"
"""What to do when Kafka is not there."""


@contextmanager
def reaching(bootstrap: str) -> Iterator[None]:
    """Turns what clients of Kafka raise inside into Retry."""
    try:
        yield
    except (KafkaError, TimeoutError) as error:
        what = "cannot be reached" if isinstance(error, KafkaConnectionError) else f"does not answer as it should: {error!r}"
        raise Retry(f"Kafka at {bootstrap}", what, CHECK) from None


async def _settled(admin: Any, wanted: list[TopicSpec], replication: int | None, asked: _Asked) -> dict[str, int]:
    """The number of partitions of each topic, once all are there. Tries until then; a replication says to make them."""
    while True:
        try:
            await admin.start()
            if replication is not None:
                await _create(admin, wanted, replication)
            described = await admin.describe_topics([spec.name for spec in wanted])
            _check_rights(described)
            counts = dict(_led(described))
            if len(counts) == len(wanted):
                return counts
            asked.answered()
        except KafkaError as error:
            await asked.failed(error)
        await asyncio.sleep(RETRY_S)


async def _create(admin: Any, wanted: list[TopicSpec], replication: int) -> None:
    # All topics are listed: to ask for one by name may make it, with the broker's own settings.
    there = set(await admin.list_topics())
    missing = [spec for spec in wanted if spec.name not in there]
    if not missing or not _has_controller(await admin.describe_cluster()):
        return
    made = [NewTopic(spec.name, spec.partitions, replication, topic_configs=dict(spec.config)) for spec in missing]
    answer = await admin.create_topics(made)
    for name, code, *reason in answer.topic_errors:
        # Another process may have been faster; what it made is checked like anything else.
        if code not in {0, TopicAlreadyExistsError.errno}:
            raise Fatal(f"topic {name}", f"cannot be made: {_why(code, reason)}", MAKE)
        log.info("topic_made", topic=name, already=code != 0)


MAKE: Final = "have somebody run `leadbeat topics create` who may, or make it by hand, and set kafka.create_topics = false"


def _check_rights(described: list[dict[str, Any]]) -> None:
    for topic in described:
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            raise Fatal(f"topic {topic['topic']}", "our user may not see it", RIGHTS)


def _why(code: int, reason: list[Any]) -> str:
    return f"{for_code(code).__name__} {reason[0] if reason and reason[0] else ''}".rstrip()


def _has_controller(cluster: dict[str, Any]) -> bool:
    """Whether somebody is there to make topics: not in a cluster that has just started, and never in the embedded broker."""
    return cluster["controller_id"] in {broker["node_id"] for broker in cluster["brokers"]}


def _led(described: list[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    for topic in described:
        partitions = topic["partitions"]
        if not topic["error_code"] and partitions and all(partition["leader"] >= 0 for partition in partitions):
            yield topic["topic"], len(partitions)


def _check(wanted: list[TopicSpec], counts: Mapping[str, int]) -> None:
    wrong = [spec for spec in wanted if spec.fixed and counts[spec.name] != spec.partitions]
    if wrong:
        where = ", ".join(f"topic {spec.name}" for spec in wrong)
        what = f"{counts[wrong[0].name]} partitions where kafka.partitions is {wrong[0].partitions}"
        todo = "set kafka.partitions to what is there: the number never changes for topics in use"
        raise Fatal(where, what, todo)


def record_key(subject: str) -> bytes:
    """The key under which events of a subject lie: so all of them lie in one partition, in their order."""
    return (f"lead:{subject}" if kind_of(subject) == LEAD else subject).encode()


@lru_cache(maxsize=100_000)
def partition_of(key: bytes, count: int) -> int:
    """The partition that Kafka's own clients give a key: murmur2 modulo the number of partitions."""
    return int((murmur2(key) & 0x7FFFFFFF) % count)


class _DeliveriesTick(msgspec.Struct, frozen=True):
    at: int


class _EventsTick(msgspec.Struct, frozen=True):
    at: dict[int, int]


_deliveries_tick = msgspec.json.Decoder(_DeliveriesTick)
_events_tick = msgspec.json.Decoder(_EventsTick)


def encode_tick(at: int) -> bytes:
    """The value of a tick in deliveries: its time in whole seconds since the epoch."""
    return msgspec.json.encode({"at": at})


def decode_tick(value: bytes | None) -> int | None:
    """The time of a tick in deliveries in seconds, or None for a value that is no tick."""
    tick = _decoded(_deliveries_tick, value)
    return tick.at if tick is not None and _believable(tick.at) else None


def encode_ticks(at: Mapping[int, int]) -> bytes:
    """The value of a tick in events: per deliveries partition, the time in seconds that it has reached."""
    return msgspec.json.encode({"at": {str(partition): at[partition] for partition in sorted(at)}})


def decode_ticks(value: bytes | None) -> dict[int, int] | None:
    """What a tick in events tells, deliveries partition → seconds, or None for a value that is no tick."""
    ticks = _decoded(_events_tick, value)
    if ticks is None or not all(partition >= 0 and _believable(at) for partition, at in ticks.at.items()):
        return None
    at: dict[int, int] = ticks.at
    return at


def _decoded(decoder: msgspec.json.Decoder[Any], value: bytes | None) -> Any:
    try:
        return decoder.decode(value or b"")
    except UNREADABLE:
        return None


def _believable(at: int) -> bool:
    """Seconds, from 1970 to 2099 as with events: what milliseconds taken for seconds are not."""
    return 0 <= at < LATEST // SECOND
