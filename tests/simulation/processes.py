"""The processes: the real normaliser, worker and consumer, on models of Kafka and Redis."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry
from simulation.loop import passed
from simulation.model_kafka import Producer, Reader
from simulation.network import Client

from models.units import SECOND
from streams.errors import Retry
from streams.inbound.normaliser import Normaliser
from streams.processing.worker import FENCED_LIMIT_S, Worker
from streams.producer import Message
from streams.tables import check_layout
from streams.telemetry import NormaliserMetrics, ProcessorMetrics
from streams.topics import Topics
from streams.transport import BatchConsumer, Lasting
from streams.transport.batch import Batch
from streams.transport.delivery import Delivery

if TYPE_CHECKING:
    from simulation.world import World

BEAT_S = 2.0
"""Between two heartbeats."""

QUEUED = 4
"""Batches between fetch and delivery."""


class Consumer(BatchConsumer):
    """The real one without Faust: heartbeats, fetches and deliveries are driven here. All else is its own."""

    def __init__(self, owner: Any, reader: Reader) -> None:
        self.owner = owner
        self.failure = asyncio.get_running_loop().create_future()
        self._delivery = Delivery(self.reload)
        self._applying = asyncio.Lock()
        self._application = None
        self._releasing = set()
        self._thread = reader
        self._fetched: asyncio.Queue[Batch] = asyncio.Queue(QUEUED)
        owner.attach(self)

    async def keep_fetching(self) -> None:
        """Fetch for ever."""
        while True:
            active = self._delivery.open()
            fetched = await self._getmany(active, 0) if active else {}
            for batches in fetched.values():
                for batch in batches:
                    await self._fetched.put(batch)
            if not active:
                await passed(BEAT_S / 4)

    async def keep_delivering(self) -> None:
        """Deliver for ever."""
        while True:
            await self.deliver(await self._fetched.get())

    async def keep_member(self, name: str) -> None:
        """Join the group, and again whenever it has another generation."""
        reader, group, loop = self._thread, self._thread.group, asyncio.get_running_loop()
        while True:
            with suppress(KafkaError):
                generation, mine = await reader.ask(lambda: group.join(name, loop.time()))
                reader.member = True
                for tp in sorted(mine):
                    self._start(tp, self._delivery.add(tp))
                await self._beat(name, generation)
                reader.member = False
                await self._let_go()

    async def _beat(self, name: str, generation: int) -> None:
        """Tell the group that we live, until it is of another generation. A heartbeat may get lost."""
        group, loop = self._thread.group, asyncio.get_running_loop()
        while True:
            await passed(BEAT_S)
            with suppress(KafkaError):
                if await self._thread.ask(lambda: group.beat(name, loop.time())) != generation:
                    return

    sleep = staticmethod(passed)
    """Faust's."""

    @property
    def flow_active(self) -> bool:
        """Faust's."""
        return True


async def processor(name: str, world: "World") -> None:
    """Work as a processor until something ends it, which is raised."""
    loop, settings = world.loop, world.settings
    weathers, topic = world.weathers, Topics().events
    client, producer = Client(loop, weathers["redis"], world.redis), Producer(loop, weathers["kafka"], world.kafka)
    await check_layout(client, settings.redis.prefix, settings.kafka.partitions)
    worker = Worker(settings, client, producer, ProcessorMetrics(CollectorRegistry()))
    await worker.ruling.look()
    world.owners[name.partition(".")[0]] = worker.owner
    consumer = Consumer(worker.owner, Reader(loop, weathers["kafka"], world.kafka, topic, world.batch()))
    fenced = Lasting("a partition is claimed by another process", FENCED_LIMIT_S, lambda: bool(worker.owner.fenced))
    background = [worker.keep_checkpoints, worker.keep_offsets, worker.keep_to_the_rules, worker.keep_asking_redis]
    await serve(name, consumer, [*background, partial(watch, fenced)])


class Outlet:
    """What the normaliser sends to."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    async def send(self, records: Iterable[Message]) -> None:
        """Return when all are acknowledged."""
        try:
            await self._producer.send_all(records)
        except KafkaError as error:
            raise Retry("Kafka", f"did not take records: {error!r}", "they are sent again") from error


async def normaliser(name: str, world: "World") -> None:
    """Work as a normaliser until something ends it, which is raised."""
    weather, kind = world.weathers["kafka"], name.partition(".")[0]
    outlet = Outlet(Producer(world.loop, weather, world.kafka))
    owner = Normaliser(world.settings, outlet, NormaliserMetrics(CollectorRegistry()), lambda: world.wall_of(kind) / SECOND)
    consumer = Consumer(owner, Reader(world.loop, weather, world.kafka, Topics().deliveries, world.batch()))
    await serve(name, consumer, [owner.relay.run, owner.ticker.run, owner.keep_offsets])


async def serve(name: str, consumer: Consumer, background: Iterable[Callable[[], Coroutine[Any, Any, None]]]) -> None:
    """Run a consumer and what is beside it until something ends, and raise that."""
    works = [*background, consumer.keep_fetching, consumer.keep_delivering, partial(consumer.keep_member, name)]
    tasks = [asyncio.create_task(work()) for work in works]
    await asyncio.wait([*tasks, consumer.failure], return_when=asyncio.FIRST_COMPLETED)
    if consumer.failure.done():
        raise consumer.failure.result()
    for task in tasks:
        if task.done():
            task.result()


async def watch(check: Callable[[float], str | None]) -> None:
    """The watchdog, so far as it looks after fences."""
    while True:
        await passed(BEAT_S)
        if complaint := check(asyncio.get_running_loop().time()):
            raise Retry("watchdog", complaint, "it is started again")
