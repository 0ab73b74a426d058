"""A whole system of one seed: processes, servers, a sales floor and what befalls them, and a trace of it."""

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from functools import cache, cached_property
from random import Random
from typing import Any, Final, NoReturn

import msgspec
import structlog
from build import NOON
from simulation.floor import CONNECTION, OTHER_RULES, RULES, Floor
from simulation.loop import Life, Process, SimulatedLoop, passed
from simulation.model_kafka import ModelKafka
from simulation.model_redis import ModelRedis
from simulation.network import Direct, Weather, at_once
from simulation.processes import normaliser, processor

from models.rules import Rules
from models.units import MINUTE, SECOND
from streams.config import Settings
from streams.errors import Fatal
from streams.inbound.normalise import Delivery
from streams.processing.owner import Owner
from streams.tables.rules import RulesDocument, put_in_force
from streams.tables.server import load_script
from streams.topics import Topics
from streams.transport import TP

EPOCH: Final = NOON - 30 * MINUTE
"""What the wall says when a simulation begins, in ms."""

STORM_S: Final = 480.0
"""How long there are faults."""

LENGTH_S: Final = 600.0
"""How long all of it lasts."""

SCRIPTS: Final = (
    ("streams.processing", "checkpoint.lua"),
    ("streams.processing", "claim.lua"),
    ("streams.tables", "changes.lua"),
    ("streams.tables", "rules.lua"),
)

TOPICS: Final = Topics()
GARBAGE: Final = b"lead:x"
"""The key of records that nobody can read."""

SHOWN: Final = 60


@cache
def rules_of(version: int) -> Rules:
    """The rules of a version."""
    return Settings.model_validate(RULES if version == 1 else OTHER_RULES).rules()


class Violation(AssertionError):
    """Something that may never be."""


@dataclass(frozen=True)
class Scale:
    """How large a world is, drawn by its seed."""

    partitions: int
    processors: int
    normalisers: int
    leads: int
    every_s: float
    checkpoint_ms: int
    remembered: int
    """Leads that a processor keeps in memory, if it had all partitions."""

    @classmethod
    def drawn(cls, random: Random) -> "Scale":
        """One of many."""
        return cls(
            partitions=random.choice((2, 2, 3)),
            processors=random.choice((2, 2, 3)),
            normalisers=random.choice((1, 2)),
            leads=random.choice((4, 8, 14)),
            every_s=random.choice((6.0, 10.0, 20.0)),
            checkpoint_ms=random.choice((2000, 4000, 8000)),
            remembered=random.choice((2, 8, 1000)),
        )


class World:
    """Everything. `scripts` may replace the text of scripts, by name; `tell` is told each line of the trace."""

    def __init__(self, seed: int, scripts: dict[str, str] | None = None, tell: Callable[[str], None] | None = None) -> None:
        self.seed = seed
        self._tell = tell
        self.scale = Scale.drawn(self.lot("scale"))
        self.loop = SimulatedLoop()
        self.counts: Counter[str] = Counter()
        self.effects: Counter[str] = Counter()
        self._digest = hashlib.sha256()
        self.lately: deque[str] = deque(maxlen=SHOWN)
        self.redis = ModelRedis(self.loop.time, self._observed)
        for package, name in SCRIPTS:
            source, digest = load_script(package, name)
            self.redis.load(name, (scripts or {}).get(name, source), digest)
        self.kafka = ModelKafka(self.scale.partitions, self.wall, self.lot("group"))
        self.weathers = {name: Weather(self.lot(name), self._count) for name in ("redis", "kafka")}
        self.direct = Direct(self.loop, self.weathers["redis"], self.redis)
        self.floor = Floor(self.lot("floor"), self.scale.leads)
        self.processes: dict[str, Process] = {}
        self.turned: list[Callable[[], None]] = []
        """Who is to know that Redis holds something older."""
        self.hearers: list[Callable[[str, MutableMapping[str, Any]], None]] = []
        self.emptied = False
        self.watchers: list[Callable[[str, list[bytes], list[bytes], Any], None]] = []
        self.clock_off: dict[str, int] = {}
        self.may_refuse: set[str] = set()
        self.tables = RULES
        """The rules in force, as the configuration has them."""
        self.broken: BaseException | None = None
        self._births: Counter[str] = Counter()
        self._lives = self.lot("lives")
        self._resting: set[str] = set()
        self._stands_at = 2**62
        self._slept_ms = 0
        self.owners: dict[str, Owner] = {}
        """Of each process of a processor's kind that has begun to work, the owner of its partitions."""

    # --- what everybody needs

    def lot(self, name: str) -> Random:
        """Chance, for one purpose: what one draws does not change what others draw."""
        return Random(f"{self.seed} {name}")

    def wall(self) -> int:
        """The true time, in ms."""
        return EPOCH + self._slept_ms + int(self.loop.time() * SECOND)

    def wall_of(self, kind: str) -> int:
        """What a process takes for the time, in ms."""
        return min(self.wall() + self.clock_off.get(kind, 0), self._stands_at)

    def batch(self) -> int:
        """How many records a process fetches at most."""
        return self._lives.choice((1, 3, 20, 200))

    def tell(self, *what: object) -> None:
        """Add a line to the trace."""
        line = f"{self.loop.time():10.4f} {' '.join(map(str, what))}"
        self.lately.append(line)
        if self._tell is not None:
            self._tell(line)
        self._digest.update(line.encode() + b"\n")

    @property
    def trace(self) -> str:
        """What tells this run from any other."""
        return self._digest.hexdigest()

    def _count(self, kind: str) -> None:
        self.counts[kind] += 1

    def befall(self, kind: str, *details: object) -> None:
        """A fault happens."""
        self.counts[kind] += 1
        self.tell("fault", kind, *details)

    def fail(self, error: BaseException) -> None:
        """End the simulation with an error; the first one counts."""
        if self.broken is None:
            self.broken = error

    @property
    def tps(self) -> list[TP]:
        """The partitions of events."""
        return [TP(TOPICS.events, number) for number in range(self.scale.partitions)]

    @cached_property
    def settings(self) -> Settings:
        """What all processes are told when they start."""
        own = {
            "kafka": {"partitions": self.scale.partitions},
            "checkpoint_ms": self.scale.checkpoint_ms,
            "worker": {"subject_key": "00" * 16},
            "connections": [{"name": CONNECTION, "provider": "standard", "secrets": ["whsec_" + "A" * 32], "token": "t" * 32}],
        }
        return Settings.model_validate(RULES | own)

    def _observed(self, name: str, keys: list[bytes], args: list[bytes], answer: Any) -> None:
        kind = answer[0].decode()
        if name == "checkpoint.lua":
            self.effects[kind] += 1
            self.tell(keys[0].decode(), args[2].decode(), kind, args[3].decode(), answer[1].decode())
        elif name == "claim.lua":
            self.tell(keys[0].decode(), "claim", kind)
        try:
            for watch in self.watchers:
                watch(name, keys, args, answer)
        except Violation as error:
            self.fail(error)

    # --- processes

    def start(self, kind: str) -> None:
        """Start a process, and again whenever it ends."""
        self._births[kind] += 1
        name = f"{kind}.{self._births[kind]}"
        process = self.processes[kind] = Process(self.loop, name)
        run = processor if kind.startswith("processor") else normaliser
        task = process.start(run(name, self))
        task.add_done_callback(lambda ended: self._ended(kind, process, ended), context=Context())
        self.tell("start", name)

    def _ended(self, kind: str, process: Process, task: "asyncio.Task[None]") -> None:
        if process.life is Life.DEAD or task.cancelled():
            return
        process.kill()
        self.owners.pop(kind, None)
        error = task.exception()
        self.tell("end", process.name, error)
        if isinstance(error, Fatal):
            self._refused(error)
        elif error is None or type(error).__module__ != "streams.errors":
            self.fail(error or Violation(f"{process.name} ended by itself"))
        if kind not in self._resting:
            self.loop.later(self._lives.uniform(0.2, 4.0), self._again, kind, process)

    def _again(self, kind: str, before: Process) -> None:
        if self.processes.get(kind) is before and kind not in self._resting:
            self.start(kind)

    def _refused(self, error: Fatal) -> None:
        reason = next((reason for reason in self.may_refuse if reason in str(error)), None)
        if reason is None:
            self.fail(Violation(f"refused for no reason: {error}"))
        else:
            self.effects["REFUSED"] += 1

    def kill(self, kind: str, *, again: bool = True) -> None:
        """End a process on the spot; another takes its place, unless it shall rest."""
        process = self.processes[kind]
        process.kill()
        self.owners.pop(kind, None)
        self.tell("killed", process.name)
        if again:
            self._resting.discard(kind)
            self.loop.later(self._lives.uniform(0.2, 4.0), self._again, kind, process)
        else:
            self._resting.add(kind)

    def revive(self, kind: str) -> None:
        """Let a process that rests work again."""
        if kind in self._resting:
            self._resting.discard(kind)
            self.start(kind)

    # --- what happens

    async def keep_telling(self) -> None:
        """Have the floor's CRM post until the storm is over."""
        random = self.lot("posts")
        deliveries = TOPICS.deliveries
        while self.loop.time() < STORM_S:
            await passed(random.expovariate(1 / self.scale.every_s))
            events = [event for _ in range(random.choice((1, 3, 8))) for event in self.floor.tell(self.wall())]
            body = msgspec.json.encode(events)
            if random.random() < 0.02:
                body = random.choice((b"", b"{", b'{"type":"lead.upserted"}', b"\xff\xfe"))
                self.floor.take_back(events)
            headers = tuple(Delivery(CONNECTION, self.wall(), {}, body).record_headers())
            self.kafka.append(deliveries, random.randrange(self.scale.partitions), None, body, headers)
            if random.random() < 0.01:
                tp = random.choice(self.tps)
                self.kafka.append(*tp, GARBAGE, random.choice((b"", b"{}", b"\xff", b'{"type":"?"}')))
                self.befall("garbage", tp.partition)

    async def keep_time(self) -> None:
        """Put silent members out of their groups."""
        while True:
            await passed(1)
            for group in self.kafka.groups.values():
                self.effects["rejoins"] += group.expire(self.loop.time())

    def go_back(self, slots: list[bytes], since: float) -> int:
        """Have Redis lose what was written to some slots from an instant on; tells how many writes those were."""
        lost = self.redis.go_back(slots, since)
        for turn in self.turned:
            turn()
        return lost

    def replace(self, data: dict[bytes, Any]) -> None:
        """Have Redis hold other data."""
        self.emptied = not data
        self.redis.replace(data)
        for turn in self.turned:
            turn()

    @contextmanager
    def refusing(self, why: str) -> Iterator[None]:
        """Within, processes may refuse to work for this reason."""
        self.may_refuse.add(why)
        yield
        self.may_refuse.discard(why)

    def unloaded(self, tp: TP) -> None:
        """See that nobody has loaded a partition."""
        if any(tp in owner.owned for kind, owner in self.owners.items() if self.processes[kind].life is Life.RUNNING):
            self.fail(Violation(f"partition {tp.partition}: loaded with another log than was applied"))

    def hear(self, _: object, level: str, told: MutableMapping[str, Any]) -> NoReturn:
        """What a process logs. An error is a violation, unless it is known to be none."""
        for hears in self.hearers:
            hears(level, told)
        raise structlog.DropEvent

    def sleep_over(self, span_ms: int) -> None:
        """Let time pass in which nothing was."""
        self._slept_ms += span_ms

    def change_rules(self) -> None:
        """Somebody changes his mind."""
        self.tables = OTHER_RULES
        self.befall("rules changed")
        at_once(put_in_force(self.direct, "lb", RulesDocument(rules_of(2), self.wall(), "somebody")))

    # --- how far all is

    def stored(self, number: int) -> dict[bytes, bytes]:
        """What is stored of how far a partition has come."""
        return dict(self.redis.data.get(b"lb:{%d}:applied" % number, {}))

    def rest(self) -> None:
        """Let time stand still for all processes: no more of it gets into the logs."""
        self._stands_at = min(self._stands_at, self.wall())

    @property
    def resting(self) -> bool:
        """Whether no more time is told."""
        return self._stands_at < 2**62

    def ends(self) -> dict[TP, int]:
        """Where the logs of events end."""
        return {tp: self.kafka.log(tp).end for tp in self.tps}

    def applied(self, tp: TP) -> int:
        """How far a partition has come in somebody's memory; what tells nothing need not be stored."""
        return max((owner.applied(tp) or 0 for owner in self.owners.values()), default=0)

    def loaded(self) -> list[bool]:
        """Of each partition that somebody has, whether he has loaded it."""
        return [share.loaded for owner in self.owners.values() for share in owner._control._delivery.shares.values()]

    def lag(self) -> int:
        """How much there is to do: deliveries, events, messages."""
        events = sum(self.kafka.log(tp).end - int(self.stored(tp.partition).get(b"offset") or 0) for tp in self.tps)
        deliveries = sum(
            self.kafka.log(tp).end - self.kafka.committed.get(tp, 0)
            for tp in (TP(TOPICS.deliveries, number) for number in range(self.scale.partitions))
        )
        waiting = sum(len(self.redis.data.get(b"lb:{%d}:outbox" % number, ())) for number in range(self.scale.partitions))
        return events + deliveries + waiting
