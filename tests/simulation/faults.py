"""What befalls a world: each seed has its own share of each kind, so that some meet few kinds and those often."""

import asyncio
from typing import Final

from simulation.floor import RULES
from simulation.loop import Life, passed
from simulation.model_kafka import SESSION_S, Log
from simulation.network import Weather
from simulation.world import STORM_S, TOPICS, World

from models.units import DAY, HOUR

CALM: Final = {"lost_requests": 0.0, "lost_answers": 0.0, "late_requests": 0.0}
LOGS_OF_OTHERS: Final = "another"


class Faults:
    """All that befalls one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = random = world.lot("faults")
        self._firm_since = 0.0
        self._nights: tuple[int, ...] = (3 * HOUR, 20 * HOUR, 16 * DAY, 45 * DAY, 805 * DAY)
        self._pause_s = random.choice((4.0, 8.0, 16.0))
        shares = {kind: random.choice((0, 1, 1, 4)) for kind in KINDS}
        self._shares = shares if any(shares.values()) else dict.fromkeys(KINDS, 1)

    async def befall(self) -> None:
        """Have something happen now and then, from when all partitions are stored until the storm is over.

        Each ends by itself; some go on beside the next.
        """
        world, beside = self._world, set[asyncio.Task[None]]()
        while not all(world.kafka.committed.get(tp) for tp in world.tps):
            await passed(1)
        self._firm_since = world.loop.time()
        while True:
            await passed(self._random.expovariate(1 / self._pause_s))
            if world.loop.time() >= STORM_S - 45:
                break
            kind = self._random.choices(list(self._shares), list(self._shares.values()))[0]
            what = getattr(self, f"_{kind}")
            if kind in ALONE:
                await what()
            else:
                beside.add(asyncio.create_task(what()))
        await asyncio.gather(*beside)
        for weather in world.weathers.values():
            weather.calm = True

    def _someone(self, kinds: str = "") -> str | None:
        running = [
            kind
            for kind, process in sorted(self._world.processes.items())
            if process.life is Life.RUNNING and kind.startswith(kinds)
        ]
        return self._random.choice(running) if running else None

    async def _crash(self) -> None:
        kind = self._someone()
        if kind:
            self._world.befall("crash", kind)
            self._world.kill(kind)

    async def _stop(self) -> None:
        """A process sleeps, mostly for longer than its partitions are kept for it."""
        kind = self._someone()
        if kind:
            process = self._world.processes[kind]
            span = SESSION_S * self._random.choice((0.3, 1.5, 1.5, 3.0))
            self._world.befall("stop", process.name, f"{span:.1f}")
            process.stop()
            await passed(span)
            process.wake()

    async def _rebalance(self) -> None:
        for group in self._world.kafka.groups.values():
            group.rebalance()
        self._world.befall("rebalance")

    async def _rollback(self) -> None:
        """Redis loses its last writes, of some partitions or of all."""
        world = self._world
        slots = [b"%d" % number for number in range(world.scale.partitions)]
        lost = self._random.sample(slots, self._random.randint(1, len(slots)))
        since = max(
            self._random.choice((world.loop.time() - self._random.choice((1, 10, 30)), self._last_facts(lost[0]))),
            self._firm_since,
        )
        world.befall("rollback", *lost, world.go_back(lost, since))

    def _last_facts(self, slot: bytes) -> float:
        """When a checkpoint last brought facts."""
        past = self._world.redis.past.get(slot, ())
        return max((at for at, before in past if any(b":state:" in key for key in before)), default=self._world.loop.time())

    async def _wipe(self) -> None:
        """Redis is emptied, and restored after a while."""
        await emptied(self._world, "wipe", self._random.choice((1, 3, 10, 25)))

    async def _glimpse(self) -> None:
        """For a moment an empty Redis answers, while a partition is being loaded."""
        self._world.kafka.groups[TOPICS.events].rebalance()
        while all(self._world.loaded()):
            await passed(0.001)
        await passed(self._random.uniform(0, 0.05))
        await emptied(self._world, "glimpse", self._random.uniform(0.001, 0.01))

    async def _another_log(self) -> None:
        """Kafka shows another log than was applied, to processors that have just started."""
        world, random = self._world, self._random
        tp = random.choice(world.tps)
        offset = int(world.stored(tp.partition).get(b"offset") or 0)
        if offset < 10:
            return
        kinds = self._end_all("processor")
        log = world.kafka.log(tp)
        shown, why = self._other(log, offset)
        world.befall("another log", tp.partition, why)
        with world.refusing(why):
            world.kafka.shown[tp] = shown
            for kind in kinds:
                world.revive(kind)
            await passed(random.uniform(8, 15))
            world.unloaded(tp)
            self._end_all("processor")
            del world.kafka.shown[tp]
        for kind in kinds:
            world.revive(kind)

    def _other(self, log: Log, offset: int) -> tuple[Log, str]:
        match self._random.choice(("shorter", "trimmed", LOGS_OF_OTHERS)):
            case "shorter":
                return Log(
                    log.earliest, log.records[: offset - log.earliest - self._random.randint(1, 5)]
                ), "behind the log's end"
            case "trimmed":  # further than whatever is still under way to Redis
                return Log(log.end + self._random.randint(1, 5)), "past the log's retention"
            case _:
                records = [record._replace(value=b"{}", timestamp=record.timestamp + 1) for record in log.records]
                return Log(log.earliest, records), "another record stands before"

    def _end_all(self, kinds: str = "") -> list[str]:
        """Have all processes, or all of a kind, rest."""
        found = [kind for kind in sorted(self._world.processes) if kind.startswith(kinds)]
        for kind in found:
            self._world.kill(kind, again=False)
        return found

    async def _night(self) -> None:
        """Everything is down for hours or weeks."""
        world, span = self._world, self._random.choice(self._nights)
        if span > DAY:  # after 830 days in which nothing is told leads are forgotten, and the oracle forgets nobody
            self._nights = (3 * HOUR, 20 * HOUR)
        world.befall("night", span // HOUR, "hours")
        kinds = self._end_all()
        await passed(self._random.uniform(1, 5))
        world.sleep_over(span)
        for kind in kinds:
            world.revive(kind)

    async def _storm(self) -> None:
        """Requests and answers get lost, or come late."""
        name, weather = self._weather()
        shares = {kind: self._random.choice((0, 0.05, 0.3)) for kind in CALM}
        self._world.befall("storm", name, shares)
        for kind, share in shares.items():
            setattr(weather, kind, share)
        await passed(self._random.uniform(3, 30))
        for kind in CALM:
            setattr(weather, kind, 0.0)

    async def _pause(self) -> None:
        """A server answers nobody for a while."""
        name, weather = self._weather()
        span = self._random.choice((2.0, 4.0, 10.0, 30.0))
        self._world.befall("pause", name, span)
        weather.paused_until = self._world.loop.time() + span

    def _weather(self) -> tuple[str, Weather]:
        name = self._random.choice(sorted(self._world.weathers))
        return name, self._world.weathers[name]

    async def _full(self) -> None:
        """Redis takes no writes for a while."""
        self._world.befall("full")
        self._world.redis.full = True
        await passed(self._random.uniform(2, 20))
        self._world.redis.full = False

    async def _read_only(self) -> None:
        """A topic has too few replicas to be written to for a while."""
        topic = self._random.choice((TOPICS.events, TOPICS.alerts))
        self._world.befall("read only", topic)
        self._world.kafka.read_only.add(topic)
        await passed(self._random.uniform(2, 20))
        self._world.kafka.read_only.discard(topic)

    async def _clock_jump(self) -> None:
        """A machine's clock is set wrong, and right again later."""
        kind = self._someone("normaliser")
        if kind:
            minutes = self._random.choice((-60, -3, -0.2, 0.1, 1, 3))
            self._world.befall("clock jump", kind, minutes)
            self._world.clock_off[kind] = int(minutes * 60_000)
            await passed(self._random.uniform(5, 40))
            self._world.clock_off[kind] = 0

    async def _other_rules(self) -> None:
        world = self._world
        if world.tables is RULES and not world.may_refuse and not world.redis.full:
            self._world.change_rules()


async def emptied(world: World, kind: str, span: float) -> None:
    """For so many s Redis is empty, and then as it was."""
    world.befall(kind)
    copy = world.redis.copy()
    with world.refusing("Redis was emptied"):
        world.replace({})
        await passed(span)
        world.replace(copy)
        world.tell("restored")
        await passed(10)


KINDS: Final = tuple(
    name.removeprefix("_")
    for name, found in vars(Faults).items()
    if name.startswith("_") and asyncio.iscoroutinefunction(found)
)
"""All kinds of faults."""

ALONE: Final = frozenset(("wipe", "glimpse", "another_log", "night"))
"""While these last, nothing else begins."""
