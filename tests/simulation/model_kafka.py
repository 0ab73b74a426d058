"""A model of Kafka: logs, a consumer group, and what a process has of it: a producer and the reader behind a consumer."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, NamedTuple, TypeAlias, TypeVar

from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError, NotEnoughReplicasError, OffsetOutOfRangeError
from simulation.loop import SimulatedLoop
from simulation.network import Weather, exchange

from streams.producer import Message
from streams.transport import TP
from streams.transport.batch import Batch

T = TypeVar("T")

SESSION_S = 8.0
"""How long a member may be silent."""

FETCH_S = 1.0
"""How long a fetch waits for records."""


Headers: TypeAlias = tuple[tuple[str, bytes], ...]


class Stored(NamedTuple):
    """A record of a log."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass
class Log:
    """A partition's: the records from `earliest` on."""

    earliest: int = 0
    records: list[Stored] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The offset of the next record."""
        return self.earliest + len(self.records)

    def append(self, at: int, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """Add a record."""
        self.records.append(Stored(self.end, at, key, value, headers))

    def read(self, offset: int, limit: int) -> list[Stored]:
        """Records from an offset on."""
        return self.records[offset - self.earliest : offset - self.earliest + limit]


class Group:
    """The coordinator of a consumer group: who is in it, who is said to own what."""

    def __init__(self, random: Random, partitions: Sequence[TP]) -> None:
        self._random = random
        self._all = partitions
        self.generation = 0
        self.heard: dict[str, float] = {}
        self.assigned: dict[str, frozenset[TP]] = {}

    def join(self, member: str, now: float) -> tuple[int, frozenset[TP]]:
        """Whoever is new changes who owns what; the others find out when their hearts beat next."""
        new = member not in self.heard
        self.heard[member] = now
        if new:
            self.rebalance()
        return self.generation, self.assigned[member]

    def beat(self, member: str, now: float) -> int | None:
        """The generation; None for who is no member (any more)."""
        if member not in self.heard:
            return None
        self.heard[member] = now
        return self.generation

    def expire(self, now: float) -> int:
        """Put out who has been silent for too long; tells how many."""
        silent = [member for member, at in self.heard.items() if now - at > SESSION_S]
        for member in silent:
            del self.heard[member]
        if silent:
            self.rebalance()
        return len(silent)

    def rebalance(self) -> None:
        """Deal the partitions anew."""
        self.generation += 1
        members, dealt = sorted(self.heard), list(self._all)
        self._random.shuffle(members)
        self._random.shuffle(dealt)
        self.assigned = {member: frozenset(dealt[place :: len(members)]) for place, member in enumerate(members)}


class ModelKafka:
    """The brokers. `wall` tells the time in ms that records are marked with."""

    def __init__(self, partitions: int, wall: Callable[[], int], random: Random) -> None:
        self.partitions = partitions
        self.logs: dict[TP, Log] = {}
        self.shown: dict[TP, Log] = {}
        """Other logs that are shown to readers in place of the true ones."""
        self.read_only: set[str] = set()
        """Topics of which too few replicas are there to be written to."""
        self.committed: dict[TP, int] = {}
        self.groups: dict[str, Group] = {}
        self._random = random
        self._wall = wall
        self._readers: dict[str, list[asyncio.Event]] = {}

    def log(self, tp: TP) -> Log:
        """The log of a partition."""
        return self.logs.setdefault(tp, Log())

    def read(self, tp: TP) -> Log:
        """The log that readers see."""
        return self.shown.get(tp) or self.log(tp)

    def group(self, topic: str) -> Group:
        """Who reads a topic."""
        if topic not in self.groups:
            self.groups[topic] = Group(self._random, [TP(topic, number) for number in range(self.partitions)])
        return self.groups[topic]

    def append(self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """Add a record to a partition."""
        self.log(TP(topic, partition)).append(self._wall(), key, value, headers)
        for reader in self._readers.get(topic, ()):
            reader.set()

    def listen(self, topic: str) -> asyncio.Event:
        """What is set whenever something is appended to a topic."""
        self._readers.setdefault(topic, []).append(asyncio.Event())
        return self._readers[topic][-1]


class Broken:
    """How a process reaches the brokers."""

    def __init__(self, loop: SimulatedLoop, weather: Weather, kafka: ModelKafka) -> None:
        self.loop, self.weather, self.kafka = loop, weather, kafka

    async def ask(self, serve: Callable[[], T]) -> T:
        """The brokers' answer. Raises KafkaError."""
        try:
            return await exchange(self.loop, self.weather, serve)
        except TimeoutError:
            raise KafkaTimeoutError from None
        except ConnectionResetError:
            raise KafkaConnectionError from None


class Producer(Broken):
    """A process's producer. What it could not send may be there, and is sent again by whoever wants it there."""

    async def send_all(self, records: Iterable[Message]) -> None:
        """Return when all are acknowledged; those of a partition stand in their order."""
        for record in records:
            await self.ask(partial(self._append, record))

    def _append(self, record: Message) -> None:
        if record.topic in self.kafka.read_only:
            raise NotEnoughReplicasError
        self.kafka.append(record.topic, record.partition or 0, record.key, record.value)


class Reader(Broken):
    """What stands in for the consumer's thread: positions, and fetches from them of so many records at most."""

    def __init__(self, loop: SimulatedLoop, weather: Weather, kafka: ModelKafka, topic: str, largest: int) -> None:
        super().__init__(loop, weather, kafka)
        self.group = kafka.group(topic)
        self.member = False
        self._largest = largest
        self._positions: dict[TP, tuple[int, int]] = {}
        self._ends: dict[TP, int] = {}
        self._news = kafka.listen(topic)

    async def inside(self, function: Callable[..., T], *arguments: Any) -> T:
        """What a function answers over there. Positions are set here."""
        if function == self.seek_to:
            return function(*arguments)
        return await self.ask(lambda: function(*arguments))

    def seek_to(self, tp: TP, offset: int, epoch: int) -> None:
        """Read on from an offset."""
        self._positions[tp] = (offset, epoch)
        self._news.set()

    def ends(self, tp: TP) -> tuple[int, int]:
        """Where a log begins and ends."""
        log = self.kafka.read(tp)
        self._ends[tp] = log.end
        return log.earliest, log.end

    def committed(self, tp: TP) -> int | None:
        """What the group has committed."""
        return self.kafka.committed.get(tp)

    def read_one(self, tp: TP, offset: int) -> Stored | None:
        """The record at an offset."""
        return next(iter(self.kafka.read(tp).read(offset, 1)), None)

    def commit_offsets(self, offsets: Mapping[TP, int]) -> bool:
        """Commit offsets, if we are in the group."""
        if self.member:
            self.kafka.committed |= offsets
        return self.member

    def is_member(self) -> bool:
        """Whether we are in the group as far as we know."""
        return self.member

    def end_of(self, tp: TP) -> int | None:
        """The end of a log, as last seen."""
        return self._ends.get(tp)

    async def getmany(self, active: AbstractSet[TP], _: float) -> dict[TP, list[Batch]]:
        """Some records of each partition, of which there may be none. Raises OffsetOutOfRangeError."""
        self._news.clear()
        if not any(self._waits(tp) for tp in active):
            waiting = self.loop.later(FETCH_S, self._news.set)
            await self._news.wait()
            waiting.cancel()
        if not any(self._waits(tp) for tp in active):
            return {}
        try:
            found = await self.ask(lambda: {tp: self._some(tp) for tp in sorted(active) if self._waits(tp)})
        except (KafkaTimeoutError, KafkaConnectionError):
            return {}  # a fetcher keeps trying
        batches = {}
        for tp, (records, position) in found.items():
            if records and self._positions.get(tp) == position:
                self._positions[tp] = records[-1].offset + 1, position[1]
                batches[tp] = [Batch(tp, position[1], list(records))]
        return batches

    def _waits(self, tp: TP) -> bool:
        position, log = self._positions.get(tp), self.kafka.read(tp)
        return position is not None and position[0] != log.end

    def _some(self, tp: TP) -> tuple[list[Stored], tuple[int, int]]:
        position, log = self._positions[tp], self.kafka.read(tp)
        if not log.earliest <= position[0] <= log.end:
            raise OffsetOutOfRangeError({tp: position[0]})
        self._ends[tp] = log.end
        return log.read(position[0], self.weather.random.randint(1, self._largest)), position
