"""Partitions that are told events and saved to a real Redis, without Kafka: what the owner does, step by step."""

from collections.abc import Iterable

import behind
from ticking import tick

from models.codes import Codes
from models.events import Event
from models.rollup import Totals
from models.rules import Rules
from models.units import Millis
from streams.processing.checkpoint import claim_partition, commit_until_definite
from streams.processing.cut import cut_checkpoint
from streams.processing.partition import Partition
from streams.processing.writes import writes_of
from streams.tables import Applied, Keys, Progress, Redis
from streams.topics import partition_of
from streams.valuation import valuation_of


def empty(keys: Keys, rules: Rules) -> Partition:
    """The memory of a partition of which nothing is known. Only one deliveries partition ticks."""
    return Partition(keys.partition, Codes(rules), 1, Totals(Codes(rules)))


class Kept:
    """A partition, claimed and without facts."""

    def __init__(self, redis: Redis, keys: Keys, held: Applied, rules: Rules) -> None:
        self.redis, self.keys, self.held = redis, keys, held
        self.valuation = valuation_of(rules).encode()
        self.partition = empty(keys, rules)
        self.due: dict[str, Millis] = {}

    async def save(self) -> None:
        cut = self.partition.cut()
        self.due |= cut.due
        progress = Progress(1, "", self.partition.clock, dict(self.partition.ticks), valuation=self.valuation)
        checkpoint = cut_checkpoint(self.keys, self.held, writes_of(cut), progress)
        assert (await commit_until_definite(self.redis, checkpoint)).written
        self.partition.saved()
        self.held = checkpoint.then

    async def tell(self, *events: Event) -> None:
        self.partition.remember(dict.fromkeys(self.partition.missing(event.subject.id for event in events)))
        self.partition.apply((1, event) for event in events)
        await self.save()

    async def until(self, clock: int) -> None:
        tick(self.partition, {0: Millis(clock)}, self.due)
        await self.save()

    async def stored(self, generation: int = 1) -> behind.Members:
        """The members that are stored."""
        return behind.stored(await behind.read(self.redis, self.keys.of(generation)))

    async def expected(self, rules: Rules) -> behind.Members:
        """The members that must be stored, by the states and some rules."""
        assert self.partition.clock is not None
        return await behind.of_stored_states(self.redis, self.keys, rules, self.partition.clock)


class Floor:
    """All partitions of a prefix."""

    def __init__(self, parts: list[Kept]) -> None:
        self.parts = parts

    @classmethod
    async def claimed(cls, redis: Redis, rules: Rules, count: int = 4, prefix: str = "lb") -> "Floor":
        keys = [Keys(prefix, number) for number in range(count)]
        return cls([Kept(redis, each, await claim_partition(redis, each, count, "test"), rules) for each in keys])

    async def tell(self, events: Iterable[Event], clock: int) -> None:
        """Tell each event to its partition, then let all clocks stand at an instant."""
        events = list(events)
        for part in self.parts:
            of_part = [event for event in events if self.part_of(event.subject.id) is part]
            if of_part:
                await part.tell(*of_part)
            await part.until(clock)

    def part_of(self, subject: str) -> Kept:
        return self.parts[partition_of(f"lead:{subject}".encode(), len(self.parts))]
