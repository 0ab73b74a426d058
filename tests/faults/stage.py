"""One installation under fault: Leadbeat's services as machines have them, its servers, and the ways between."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import httpx
from aiokafka import TopicPartition
from children import Service
from faults.brokers import Brokers
from faults.copies import Copies
from faults.crm import Crm, telling
from faults.fleet import Fleet, Place, kept
from faults.freshness import Freshness
from faults.ways import Ways
from services import Redis, free_port, until
from system import PARTITIONS, SECRET, SESSION_S, System, installed
from wire import Wire

from streams.local.truth_page import Scraped, parse
from streams.topics import ensure

MACHINES: Final = 2
CHECKPOINT_MS: Final = 200
SUBJECT_KEY: Final = "5a" * 32

LOOK_S: Final = 0.1
START_S: Final = 90
HAPPENS_S: Final = 60
"""How long a fault may take to happen."""

RECOVERS_S: Final = 150
"""How long until everything is fresh again, on a machine that has much else to do."""

GATEWAY: Final = 0
"""The way of the gateway; machines have the next ones."""


class Missed(Exception):
    """A fault did not come to pass as it was aimed."""


@dataclass(frozen=True)
class Machine:
    """Where a normaliser and a processor run, and its wires to Kafka and Redis."""

    number: int
    normaliser: Place
    processor: Place
    kafka: list[Wire]
    redis: Wire
    processor_port: int
    ready: tuple[str, ...]
    """The addresses that say whether it is ready."""


class Owner(NamedTuple):
    """Who has loaded a partition last: which machine, by which process, from which offset."""

    machine: Machine
    process: int
    offset: int


@dataclass
class Stage:
    """What faults act upon."""

    system: System
    fleet: Fleet
    machines: list[Machine]
    brokers: Brokers
    copies: Copies
    ways: Ways
    crm: Crm
    freshness: Freshness
    folder: Path
    config: Path

    @property
    def fault(self) -> str:
        """Why it cannot go on, if so."""
        return self.fleet.fault or self.crm.fault

    # --- waiting

    async def until(self, condition: Callable[[], Any], limit_s: float, what: str) -> Any:
        """What a condition gives once it is true. Fails when the limit has passed, or a service cannot go on."""

        def checked() -> Any:
            assert not self.fault, self.fault
            return condition()

        return await until(checked, limit_s, what, LOOK_S)

    async def happens(self, condition: Callable[[], Any], what: str, limit_s: float = HAPPENS_S) -> Any:
        """The same for what must come of a fault. Raises Missed if it does not come."""
        try:
            return await self.until(condition, limit_s, what)
        except AssertionError as error:
            if self.fault:
                raise
            raise Missed(str(error)) from None

    async def said(self, mark: int, event: str, limit_s: float = HAPPENS_S, **fields: Any) -> None:
        """Wait until somebody says something."""
        told = " ".join(map(str, fields.values()))
        await self.happens(lambda: bool(self.fleet.says(mark, event, **fields)), f"somebody says {event} {told}", limit_s)

    async def ready(self) -> bool:
        """Whether all services say that they are."""
        found = [address for machine in self.machines for address in machine.ready]
        found.append(f"http://127.0.0.1:{self.system.gateway_port}/readyz")
        return all([await self._answers(address) for address in found])

    async def _answers(self, address: str) -> bool:
        try:
            return (await self.system.client.get(address, timeout=2)).is_success
        except httpx.TransportError:
            return False

    async def recovered(self, since: float) -> None:
        """Wait until a round is shown in which everything has come past an instant of the wall clock, and all are ready."""
        await self.until(lambda: self.freshness.has_come_to(since), RECOVERS_S, "a round has come past the fault")
        await self.until(self.ready, RECOVERS_S, "all services are ready")

    # --- who is who

    def owners(self) -> dict[int, Owner]:
        """Who has which partition, by who has loaded it last and lives."""
        by_name = {machine.processor.name: machine for machine in self.machines}
        found = {}
        for said in self.fleet.says(0, "partition_loaded", logger="streams.processing.owner"):
            machine, line = by_name[said.place], said.line
            found[line["partition"]] = Owner(machine, said.process, line["offset"])
        living = {place.service.process.pid for place in self.fleet.named("processor") if place.service is not None}
        return {partition: owner for partition, owner in found.items() if owner.process in living}

    async def working(self, rng: Random, partition: int | None = None) -> Machine:
        """Some machine whose processor has partitions (or this one)."""

        def some() -> list[Machine]:
            self.fleet.look()
            found = [owner.machine for number, owner in self.owners().items() if partition in {None, number}]
            return sorted({machine.number: machine for machine in found}.values(), key=lambda machine: machine.number)

        found: list[Machine] = await self.until(some, START_S, "somebody has partitions")
        return rng.choice(found)

    def process(self, place: Place) -> Service:
        """The process that runs in a place. Raises Missed if there is none."""
        if place.service is None:
            raise Missed(f"{place.name} does not run")
        return place.service

    async def sequences(self) -> dict[int, int]:
        """How many checkpoints each partition has had."""
        return {number: int(row.get("seq", 0)) for number, row in (await self.system.stored()).items()}

    async def metrics(self, machine: Machine) -> Scraped:
        """What a machine's processor tells of itself; nothing while it does not answer."""
        try:
            return parse((await self.system.client.get(f"http://127.0.0.1:{machine.processor_port}/metrics", timeout=5)).text)
        except httpx.TransportError:
            return {}

    async def picture(self) -> str:
        """How everything stands, for whoever has to find out why it does not go on."""
        lines = [f"round {await self.system.redis.hgetall('lb:{kpi}:applied')}"]
        lines += [f"partition {number}: {row}" for number, row in (await self.system.stored()).items()]
        for topic in (self.system.topics.deliveries, self.system.topics.events):
            sources = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            lines.append(f"ends {await self.system.consumer.end_offsets(sources)}")
        for machine in self.machines:
            for address in machine.ready:
                lines.append(f"{address} {(await self.system.client.get(address, timeout=5)).text.strip()}")
            told = {f"{name}{dict(labels)}": value for (name, labels), value in (await self.metrics(machine)).items()}
            lines.append(f"machine {machine.number}: { {name: value for name, value in told.items() if 'leadbeat' in name} }")
        return "\n".join(lines)


@asynccontextmanager
async def staged(
    brokers: Brokers, redis: Redis, wires: Ways, folder: Path, prefix: str, rules: str, seed: int
) -> AsyncIterator[Stage]:
    """An installation that works, with a CRM that does not tell yet."""
    await ensure(brokers.bootstrap, PARTITIONS, len(brokers.servers), prefix)
    async with AsyncExitStack() as ends:
        system = await ends.enter_async_context(installed(brokers.kafka, redis, folder, prefix, rules))
        ends.push_async_callback(_delete_topics, system)
        fleet = await ends.enter_async_context(kept(folder))
        config = _config(system, brokers.by(GATEWAY), redis.url, len(brokers.servers))
        crm = await ends.enter_async_context(telling(system.hook, SECRET, seed))
        freshness = await ends.enter_async_context(Freshness(system.redis).watched())
        copies = Copies(redis, system.redis)
        stage = Stage(system, fleet, [], brokers, copies, wires, crm, freshness, folder, config)
        for name in ("gateway", "exporter"):
            fleet.add(name, name, config)
        for number in range(len(brokers.ways) - 1):
            stage.machines.append(_machine(stage, number, redis))
        await stage.until(stage.ready, START_S, "all services are ready")
        yield stage


async def _delete_topics(system: System) -> None:
    topics = system.topics
    await system.admin.delete_topics([topics.deliveries, topics.events, topics.alerts, topics.kpis, topics.dead])


def _machine(stage: Stage, number: int, redis: Redis) -> Machine:
    way, wire, ports = number + 1, stage.ways.wire(redis.port), (free_port(), free_port())
    brokers, fleet = stage.brokers, stage.fleet
    config = _config(stage.system, brokers.by(way), wire.url, len(brokers.servers), *ports)
    normaliser, processor = (fleet.add(f"{name}-{number}", name, config) for name in ("normaliser", "processor"))
    ready = tuple(f"http://127.0.0.1:{port}/readyz" for port in ports)
    return Machine(number, normaliser, processor, brokers.ways[way], wire, ports[1], ready)


def _config(
    system: System, bootstrap: str, redis_url: str, replicas: int, normaliser_port: int = 0, processor_port: int = 0
) -> Path:
    return system.configure(
        redis_url=redis_url,
        bootstrap=bootstrap,
        replicas=replicas,
        normaliser_port=normaliser_port,
        processor_port=processor_port,
        subject_key=SUBJECT_KEY,
        ticks="wall",
        checkpoint_ms=CHECKPOINT_MS,
    )


SESSION: Final = SESSION_S


def wall_s() -> float:
    """Now, by the wall clock."""
    return time.time()
