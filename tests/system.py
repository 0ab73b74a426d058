"""One Leadbeat as it is run: services as child processes on real servers, and the ways in and out of it.

Time is the test's: `ticks = "external"`. Events go in as signed webhooks, or straight into a topic where load counts.
"""

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from children import PROGRAM, Service, end, loads
from histories import Event
from services import Kafka, free_port, until
from services import Redis as RedisServer

from models.units import SECOND
from streams.dead_letters.marks import is_letter
from streams.local.deliveries import Batch, post, secret_of
from streams.local.truth_page import Scraped, parse
from streams.tables import Redis, connect
from streams.topics import TICK_KEY, Topics, encode_tick, encode_ticks, ensure, partition_of

PARTITIONS = 4
CONNECTION = "crm"
TOKEN = "token_of_the_crm_0123456789"
SECRET = secret_of(1)
SESSION_S = 6
"""How long a dead member keeps its partitions; as short as brokers allow."""

START_S = 40
"""How long services may take to start, and a group to be formed, on a machine that has much else to do."""

ROUND_S = 240
LOAD_S = 120
LOG_BATCH_BYTES = 512 * 1024
LAST_WORDS = 2_000

Appended: TypeAlias = tuple[bytes | None, bytes, list[tuple[str, bytes]]]
"""A record's key, value and headers."""


@dataclass
class System:
    """An installation of its own: topics under a prefix, an empty Redis, a folder for configurations and logs."""

    kafka: Kafka
    redis_server: RedisServer
    folder: Path
    prefix: str
    rules: str
    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer
    admin: AIOKafkaAdminClient
    redis: Redis
    client: httpx.AsyncClient
    gateway_port: int = field(default_factory=free_port)
    exporter_port: int = field(default_factory=free_port)
    services: list[Service] = field(default_factory=list)
    appended: int = 0
    _numbers: Iterable[int] = field(default_factory=itertools.count)

    @property
    def topics(self) -> Topics:
        return Topics(self.prefix)

    # --- configuration and services

    def configure(
        self,
        rules: str | None = None,
        redis_url: str = "",
        partitions: int = PARTITIONS,
        processor_port: int = 0,
        normaliser_port: int = 0,
        subject_key: str = "",
        sections: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
        bootstrap: str = "",
        replicas: int = 1,
        **plain: Any,
    ) -> Path:
        """A configuration file; `plain` are keys of its top level, such as `checkpoint_ms=50`, `sections` more of others."""
        plain = {"ticks": "external", "checkpoint_ms": 50} | plain
        kafka: dict[str, Any] = {
            "bootstrap": bootstrap or self.kafka.bootstrap,
            "partitions": partitions,
            "replication_factor": replicas,
            "topic_prefix": self.prefix,
            "group": f"{self.prefix}group",
            "session_timeout_s": SESSION_S,
        }
        connection = {"token": TOKEN, "secrets": [SECRET]}
        worker = {"processor_port": processor_port, "normaliser_port": normaliser_port} | (
            {"subject_key": subject_key} if subject_key else {}
        )
        path = self.folder / f"{next(iter(self._numbers))}.toml"
        parts = [
            *(f"{name} = {json.dumps(value)}" for name, value in plain.items()),
            self.rules if rules is None else rules,
            _table("[kafka]", {**kafka, **sections.get("kafka", {})}),
            _table("[redis]", {"url": redis_url or self.redis_server.url, **sections.get("redis", {})}),
            _table("[worker]", worker | dict(sections.get("worker", {}))),
            _table("[gateway]", {"port": self.gateway_port}),
            _table("[exporter]", {"port": self.exporter_port}),
            _table("[[connections]]", {"name": CONNECTION} | dict(sections.get("connections", connection))),
        ]
        path.write_text("\n".join(parts))
        return path

    def start(self, name: str, config: Path, program: Sequence[str] = PROGRAM) -> Service:
        """Start `gateway`, `exporter`, `worker` (both parts, kept alive), or one part: `normaliser`, `processor`."""
        service = Service.start(name, config, self.folder / f"{len(self.services)}-{name}.log", program)
        self.services.append(service)
        return service

    async def until(self, condition: Callable[[], Any], limit_s: float, what: str) -> Any:
        """What a condition gives once it is true. Fails if a service ends meanwhile, or when the limit has passed.

        A failure has a note of what each service said last.
        """

        def checked() -> Any:
            for service in self.services:
                service.check()
            return condition()

        try:
            return await until(checked, limit_s, what)
        except AssertionError as failure:
            for service in self.services:
                failure.add_note(f"{service.name} said last:\n{service.text()[-LAST_WORDS:]}")
            raise

    async def crash_redis(self) -> None:
        """Kill Redis and start it again, with what it last saved."""
        self.redis_server.server.kill()
        self.redis_server.server.start()
        await self.redis.connection_pool.disconnect()

    async def loaded(self, processor: Service, partitions: int = PARTITIONS) -> None:
        """Wait until a processor has loaded so many partitions."""
        await self.until(lambda: len(loads(processor)) >= partitions, START_S, f"{processor.name} has its partitions")

    # --- in

    async def post(self, events: Sequence[Event], identity: str = "") -> None:
        """Deliver events as one signed webhook; returns when it is acknowledged."""
        batch = Batch(identity or f"msg_{next(iter(self._numbers))}", tuple(events))
        await post(self.client, self.hook, SECRET, batch)

    @property
    def hook(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}/hooks/{TOKEN}"

    async def accepting(self) -> None:
        """Wait until the gateway is ready."""
        await self.until(lambda: self._answers(self.gateway_port, "readyz"), START_S, "the gateway is ready")

    async def deliver(self, batches: Iterable[Sequence[Event]], received_at: int) -> None:
        """Append deliveries to their topic, as the gateway writes them."""
        headers = [("connection", CONNECTION.encode()), ("received_at", b"%d" % received_at)]
        records = [(None, json.dumps(events).encode(), headers) for events in batches]
        by_partition = {partition: records[partition::PARTITIONS] for partition in range(PARTITIONS)}
        await self._append(self.topics.deliveries, by_partition)

    async def append(self, events: Iterable[Event]) -> None:
        """Append events to their topic, as the normaliser writes them."""
        by_partition = defaultdict[int, list[Appended]](list)
        for event in events:
            named = {name: _of_connection(event[name]) for name in ("subject", "into") if event.get(name)}
            key = f"lead:{named['subject']['id']}".encode()
            by_partition[partition_of(key, PARTITIONS)].append((key, json.dumps(event | named).encode(), []))
            self.appended += 1
        await self._append(self.topics.events, by_partition)

    @asynccontextmanager
    async def under_load(
        self, events: Sequence[Event], more: Callable[[], Sequence[Event]] | None = None
    ) -> AsyncIterator[None]:
        """Append events, and `more` (else the same again) whenever few wait: however fast the workers are, there is work.

        What tells nothing new is applied, but not stored as long as nothing else is: with the same again, some go on waiting.
        """
        enough = False

        async def feed() -> None:
            await self.append(events)
            while not enough:
                await self.until(few_wait, LOAD_S, "the workers keep up")
                await self.append(more() if more else events)

        async def few_wait() -> bool:
            return enough or await self.waiting() < len(events)

        feeding = asyncio.create_task(feed())
        try:
            yield
        finally:
            enough = True
            await feeding

    async def tick(self, clock: int) -> None:
        """Append a tick to every deliveries partition."""
        record: Appended = (TICK_KEY, encode_tick(clock // SECOND), [])
        await self._append(self.topics.deliveries, {partition: [record] for partition in range(PARTITIONS)})

    async def tick_events(self, clock: int) -> None:
        """Append a tick of all deliveries partitions to every events partition, as the normaliser passes it on."""
        record: Appended = (TICK_KEY, encode_ticks(dict.fromkeys(range(PARTITIONS), clock // SECOND)), [])
        await self._append(self.topics.events, {partition: [record] for partition in range(PARTITIONS)})

    async def _append(self, topic: str, by_partition: Mapping[int, Sequence[Appended]]) -> None:
        sent = []
        for partition, records in by_partition.items():
            batch = self.producer.create_batch()
            for key, value, headers in records:
                if batch.append(key=key, value=value, headers=headers, timestamp=None) is None:
                    sent.append(await self.producer.send_batch(batch, topic, partition=partition))
                    batch = self.producer.create_batch()
                    assert batch.append(key=key, value=value, headers=headers, timestamp=None)
            sent.append(await self.producer.send_batch(batch, topic, partition=partition))
        await asyncio.gather(*sent)

    # --- out

    async def round(self, clock: int) -> Scraped:
        """Every series of the exporter's page once the round stands in which all partitions have come to a clock."""
        await self.published(clock)
        pages: list[Scraped] = []

        async def stands() -> bool:
            page = await self.scrape()
            pages[:] = [page]
            return clock_of(page) == clock

        await self.until(stands, START_S, "the exporter shows the round")
        return pages[0]

    async def published(self, clock: int) -> None:
        """Wait until the round stands in which all partitions have come to a clock."""

        async def stands() -> bool:
            record = await self.redis.hgetall("lb:{kpi}:applied")
            return (record.get(b"clock"), record.get(b"exact")) == (b"%d" % clock, b"1")

        await self.until(stands, ROUND_S, f"the exact round of {clock}")

    async def scrape(self) -> Scraped:
        """Every series of the exporter's page; none while it does not answer."""
        try:
            return parse((await self.client.get(f"http://127.0.0.1:{self.exporter_port}/metrics")).text)
        except httpx.TransportError:
            return {}

    async def told(self, topic: str) -> list[dict[str, Any]]:
        """All that a topic of one partition holds, as JSON."""
        (records,) = await self.records(topic, 1)
        return [json.loads(record.value) for record in records]

    async def letters(self) -> list[dict[str, Any]]:
        """All dead letters that were ever there, as JSON; their topic also tells who was erased."""
        (records,) = await self.records(self.topics.dead, 1)
        return [json.loads(record.value) for record in records if is_letter(record) and record.value is not None]

    async def records(self, topic: str, partitions: int = PARTITIONS) -> list[list[Any]]:
        """All that a topic holds now, by partition."""
        sources = [TopicPartition(topic, number) for number in range(partitions)]
        self.consumer.assign(sources)
        await self.consumer.seek_to_beginning(*sources)
        ends = await self.consumer.end_offsets(sources)
        found: dict[TopicPartition, list[Any]] = {source: [] for source in sources}
        while any([await self.consumer.position(source) < ends[source] for source in sources]):
            for source, records in (await self.consumer.getmany(timeout_ms=500)).items():
                found[source] += records
        return list(found.values())

    async def ends(self, topic: str) -> int:
        """How many records a topic has had."""
        offsets = await self.consumer.end_offsets([TopicPartition(topic, number) for number in range(PARTITIONS)])
        return sum(offsets.values())

    async def alerts(self) -> list[dict[str, Any]]:
        """All alerts that were sent, once nothing waits to be sent."""
        await self.until(self._nothing_waits, START_S, "the outboxes are empty")
        return await self.told(self.topics.alerts)

    async def stored(self) -> dict[int, dict[str, str]]:
        """What is stored of each partition's progress."""
        found: dict[int, dict[Any, Any]] = {
            number: await self.redis.hgetall(f"lb:{{{number}}}:applied") for number in range(PARTITIONS)
        }
        return {number: {name.decode(): text.decode() for name, text in row.items()} for number, row in found.items()}

    async def offsets(self) -> int:
        """How many records of the events topic are applied and stored."""
        return sum(int(row.get("offset") or 0) for row in (await self.stored()).values())

    async def waiting(self) -> int:
        """How many events that were appended are yet to be applied and stored."""
        return self.appended - await self.offsets()

    async def settled(self, clock: int) -> int:
        """Tick on in the events topic, from a clock, until nothing is left to be told; the clock of the tick behind all."""
        while True:
            end = await self.ends(self.topics.events) + PARTITIONS
            await self.tick_events(clock)

            async def applied(end: int = end) -> bool:
                return await self.offsets() >= end

            await self.until(applied, ROUND_S, "the tick is applied")
            if await self._nothing_waits() and await self.ends(self.topics.events) == end:
                return clock
            clock += SECOND

    async def _nothing_waits(self) -> bool:
        return not any([await self.redis.xlen(f"lb:{{{number}}}:outbox") for number in range(PARTITIONS)])

    async def claims(self) -> int:
        """How often partitions were claimed."""
        return sum(int(row.get("claim", 0)) for row in (await self.stored()).values())

    async def committed(self, part: str) -> int:
        """The offsets that the group of a part, `normaliser` or `processor`, has committed to Kafka, added up."""
        try:
            offsets = await self.admin.list_consumer_group_offsets(f"{self.prefix}group-{part}")
        except GroupCoordinatorNotAvailableError:
            return 0  # there has been no group yet
        return sum(max(each.offset, 0) for each in offsets.values())

    async def _answers(self, port: int, path: str) -> bool:
        try:
            return (await self.client.get(f"http://127.0.0.1:{port}/{path}")).is_success
        except httpx.TransportError:
            return False


@asynccontextmanager
async def installed(kafka: Kafka, redis_server: RedisServer, folder: Path, prefix: str, rules: str) -> AsyncIterator[System]:
    """An installation with its topics and no service yet; all that were started are ended with it."""
    await ensure(kafka.bootstrap, PARTITIONS, 1, prefix)
    options = {"enable_idempotence": True, "max_batch_size": LOG_BATCH_BYTES}
    async with (
        AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, **options) as producer,
        AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap) as consumer,
        _administrating(kafka.bootstrap) as admin,
        connect(redis_server.url) as redis,
        httpx.AsyncClient(timeout=30) as client,
    ):
        system = System(kafka, redis_server, folder, prefix, rules, producer, consumer, admin, redis, client)
        try:
            yield system
        finally:
            end(system.services)


@asynccontextmanager
async def _administrating(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


def _of_connection(subject: Mapping[str, str]) -> dict[str, str]:
    return {**subject, "id": f"{CONNECTION}:{subject['id']}"}


def _table(head: str, values: Mapping[str, Any]) -> str:
    flat = {
        f"{name}.{inner}" if inner else name: each
        for name, value in values.items()
        for inner, each in (value.items() if isinstance(value, Mapping) else [("", value)])
    }
    return "\n".join([head, *(f"{name} = {json.dumps(value)}" for name, value in flat.items()), ""])


def clock_of(page: Scraped) -> float | None:
    """The clock of an exact round in ms; None if there is no such round."""
    if page.get(("leadbeat_round_exact", frozenset())) != 1:
        return None
    return page["leadbeat_clock_timestamp_seconds", frozenset()] * SECOND
