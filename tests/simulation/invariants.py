"""What must hold of a world at every instant, and what when it has come to rest.

What is stored is compared with the log by the audit, which takes of the workers' code the meaning of events and leads and
nothing of how they get there; what it adds up to with the oracle of the demo, which takes nothing at all.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
from simulation.loop import PROCESS
from simulation.network import at_once
from simulation.world import TOPICS, Violation, World, rules_of

from models.codes import Codes
from models.members import DRILLED
from models.units import SECOND
from streams.audit.added_up import AddedUp, add_up
from streams.audit.comparing import compare_leads, compare_totals
from streams.audit.findings import Differences
from streams.audit.rederived import Rederived
from streams.tables import Keys
from streams.tables.keys import BUCKETS
from streams.tables.still import read_still
from streams.topics import TICK_KEY, decode_ticks
from streams.transport import TP, fingerprint
from streams.valuation import decode_valuation

LOOKS: Final = 0.015
"""The share of checkpoints after which all that a partition has stored is compared with its log."""


class Invariants:
    """Looks at each script that a world's Redis has run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._looks = world.lot("looks")
        self._holders: dict[int, bytes] = {}
        self._offsets: dict[int, int] = {}
        self._clocks: dict[int, list[int | None]] = defaultdict(lambda: [None])
        self._ticks: dict[int, dict[int, int]] = defaultdict(dict)
        self._claimed_at: dict[tuple[int, int], float] = {}
        self._claims: dict[tuple[str, int], int] = {}
        self._turned_at = -1.0
        self.lost = self.doubled = 0
        world.hearers.append(self.hear)
        world.watchers.append(self.look)
        world.turned.append(self.forget)

    def forget(self) -> None:
        """Redis holds something older: what was seen later is no more."""
        self._turned_at = self._world.loop.time()
        for number in range(self._world.scale.partitions):
            stored = self._world.stored(number)
            self._holders[number] = stored.get(b"token", b"")
            self._offsets[number] = int(stored.get(b"offset") or 0)

    def hear(self, level: str, told: Mapping[str, Any]) -> None:
        """Fail the world if a process says that something is wrong that is not."""
        who = PROCESS.get().name, told.get("partition", 0)
        if told["event"] == "partition_loaded":
            self._claims[who] = told["claim"]
        if level not in {"error", "critical"} or told["event"] == "failed":  # what it fails with is looked at itself
            return
        if told["event"] == "checkpoint_refused":
            claimed_at = self._claimed_at[who[1], self._claims[who]]
            if told["outcome"] == "FENCED" or (told["outcome"] == "ROLLED_BACK" and self._turned_at >= claimed_at):
                return
        self._world.fail(Violation(f"an error for no reason: {dict(told)}"))

    def look(self, name: str, keys: list[bytes], args: list[bytes], answer: list[bytes]) -> None:
        """Raise Violation if a script did what it may not."""
        number = keys[0].partition(b"{")[2].partition(b"}")[0]
        if not number.isdigit() or answer[0] != b"OK":
            if answer[0] == b"REFUSED":
                raise Violation(f"refused by validation: {answer[1].decode()}")
            return
        partition = int(number)
        if name == "claim.lua":
            self._holders[partition] = args[0]
            self._claimed_at[partition, int(self._world.stored(partition)[b"claim"])] = self._world.loop.time()
        elif name == "checkpoint.lua":
            if args[1] != self._holders.get(partition):
                raise Violation(f"partition {partition}: a checkpoint of somebody who does not hold it was taken")
            if args[2] == b"seq":
                self._after_checkpoint(partition)

    def _after_checkpoint(self, partition: int) -> None:
        stored, log = self._world.stored(partition), self._world.kafka.log(TP(TOPICS.events, partition))
        if not stored.get(b"offset"):
            return
        offset, before = int(stored[b"offset"]), self._offsets.get(partition, 0)
        if "Redis was emptied" in self._world.may_refuse and self._world.emptied:
            raise Violation(f"partition {partition}: counted from nothing in a Redis that was emptied")
        if offset < before or offset > log.end:
            raise Violation(f"partition {partition}: from offset {before} to {offset} of {log.end}")
        self._offsets[partition] = offset
        if offset and stored[b"fingerprint"].decode() != fingerprint(log.records[offset - 1]):
            raise Violation(f"partition {partition}: not the fingerprint of record {offset - 1}")
        clock = int(stored[b"clock"]) if stored[b"clock"] else None
        if clock != self._clock_at(partition, offset):
            raise Violation(f"partition {partition}: clock {clock} at offset {offset}, not {self._clock_at(partition, offset)}")
        if self._looks.random() < LOOKS:
            self.compare(partition)

    def _clock_at(self, partition: int, offset: int) -> int | None:
        """Where the clock stands before an offset: the least of all newest ticks, never backwards."""
        clocks, ticks = self._clocks[partition], self._ticks[partition]
        for record in self._world.kafka.log(TP(TOPICS.events, partition)).records[len(clocks) - 1 : offset]:
            told = decode_ticks(record.value) if record.key == TICK_KEY else None
            for source, at in (told or {}).items():
                ticks[source] = max(at * SECOND, ticks.get(source, 0))
            complete = len(ticks) == self._world.scale.partitions
            clocks.append(max(min(ticks.values()), clocks[-1] or 0) if complete else clocks[-1])
        return clocks[offset]

    # --- what is stored against the log

    def compare(self, partition: int) -> AddedUp:
        """All that is stored of a partition against its log up to where it stands. Raises Violation."""
        world, keys = self._world, Keys("lb", partition)
        still = at_once(read_still(world.direct, keys, sorted(set(DRILLED.values()))))
        progress, found = still.applied.progress, Differences()
        valuation = decode_valuation(progress.valuation)
        codes = Codes(rules_of(valuation.rules if valuation else 1))
        derived = Rederived(codes, world.scale.partitions)
        derived.take(world.kafka.log(TP(TOPICS.events, partition)).records[: progress.offset])
        derived.ends_at(progress.offset or 0)
        derived.settle()
        added_up = add_up(derived.all_states(), codes, progress.clock)
        compare_totals(partition, still, added_up, codes, found)
        stored = {name.decode(): packed for bucket in range(BUCKETS) for name, packed in self._states(keys, bucket)}
        compare_leads(partition, stored, {name: derived.state(name) for name in {*stored, *derived.subjects()}}, found)
        world.effects["looks"] += 1
        if found.count:
            self._count(found)
            told = "\n".join(map(str, found.shown[:10]))
            raise Violation(f"partition {partition} at offset {progress.offset}: {found.count} differences\n{told}")
        return added_up

    def _states(self, keys: Keys, bucket: int) -> Iterable[tuple[bytes, bytes]]:
        return self._world.redis.data.get(keys.state(bucket).encode(), {}).items()

    def _count(self, found: Differences) -> None:
        """What is stored less of than there should be was lost, what is stored more of was counted twice."""
        for each in found.shown:
            if each.stored.isdigit() and each.derived.isdigit() and int(each.stored) > int(each.derived):
                self.doubled += 1
            else:
                self.lost += 1


def messages(world: World, topic: str) -> Iterator[dict[str, Any]]:
    """What a topic has been told, in its order."""
    return (msgspec.json.decode(record.value or b"null") for record in world.kafka.log(TP(topic, 0)).records)
