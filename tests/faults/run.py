"""A piece of a schedule: an installation that works, its faults one after the other, and the verdict."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

import services
from faults.brokers import Brokers, brokers
from faults.crm import ZONE
from faults.judging import Verdict, judge
from faults.kinds import Kind
from faults.stage import MACHINES, Missed, Stage, staged, wall_s
from faults.ways import Ways, ways

from models.units import SECOND, Millis
from streams.local.floor import demo_rules_toml

ATTEMPTS: Final = 3
"""How often a fault is tried that does not come to pass as it is aimed."""

CALM_S: Final = 10.0
"""How long nothing happens at first: what is steady shows."""

PICTURE_S: Final = 30

PAUSE_S: Final = (0.2, 2.0)
"""Between a recovery and the next fault."""

RULES: Final = """
[[sla]]
target = "40s"

[[sla]]
target = "90s"
lead_source = "outbound"

[[sla]]
target = "20s"
segment = "enterprise"

[minimum_n]
ratio = 1
p90 = 1
p95 = 1
"""
"""Promises so short that many are broken within a run; figures are shown from one sample on."""


LISTS: Final = ("origins", "sales_regions", "campaigns", "products", "competitors", "loss_reasons", "nurture_tracks", "pairs")
TABLES: Final = ("sla", "calendars", "team_calendars", "leaderboards", "targets", "quotas", "plans")
"""Of the floor's rules what is left out: with few slices, rounds leave others their time."""


@dataclass
class Fault:
    """One fault: instants of the wall clock, in s. `wrong` is what must not have been."""

    kind: str
    began: float
    over: float = 0.0
    recovered: float = 0.0
    attempts: int = 1
    wrong: str = ""


@dataclass
class Outcome:
    """What became of a piece of a schedule."""

    seed: str
    faults: list[Fault] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Verdict)
    events: int = 0
    deliveries: int = 0
    answers: dict[int, int] = field(default_factory=dict)
    said: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    ages: dict[str, list[float]] = field(default_factory=dict)
    """By kind of fault, and in calm: how old the newest exact round was each time that it was looked at."""
    stopped: str = ""
    """Why the rest was left out, if it was."""

    @property
    def is_right(self) -> bool:
        """Whether everything came to pass, and nothing that must not."""
        return self.verdict.is_right and not self.stopped and not self.missed and not any(each.wrong for each in self.faults)


@dataclass
class Servers:
    """What all pieces of a schedule have in common."""

    brokers: Brokers
    redis: services.Redis
    wires: Ways


@asynccontextmanager
async def running(folder: Path, brokers_count: int, machines: int = MACHINES) -> AsyncIterator[Servers]:
    """The servers, and the ways to Kafka: that of the gateway, and those of the machines."""
    home = folder / "redis"
    home.mkdir()
    with ways() as wires, brokers(folder, wires, brokers_count, machines + 1) as cluster:
        redis = services.redis(home, append_only=True)
        try:
            yield Servers(cluster, redis, wires)
        finally:
            redis.server.kill()


def rules_of(now: Millis) -> str:
    """The rules of a run, as TOML."""
    told = [line for line in demo_rules_toml(now, ZONE).splitlines() if not line.startswith(LISTS)]
    tables = "\n".join(told).split("\n[[")
    return "\n[[".join(table for table in tables if not table.startswith(tuple(f"{name}]]" for name in TABLES))) + RULES


async def play(
    servers: Servers, folder: Path, plan: Sequence[Kind], seed: str, floors: int, tell: Callable[[str], None]
) -> Outcome:
    """Have some faults happen to a new installation, and judge it."""
    servers.redis.flush()
    outcome, rng = Outcome(seed), Random(seed)
    now = Millis(int(wall_s()) * SECOND)
    prefix, number = f"f{rng.randrange(2**32):08x}.", rng.randrange(10_000)
    async with staged(servers.brokers, servers.redis, servers.wires, folder, prefix, rules_of(now), number) as stage:
        stage.crm.begin(floors)
        try:
            await stage.recovered(wall_s())
            calm_since = wall_s()
            await services.let_pass(CALM_S)
            for kind in plan:
                outcome.ages.setdefault("calm", []).extend(stage.freshness.between(calm_since, wall_s()))
                await inject(stage, kind, Random(f"{seed}/{len(outcome.faults)}"), outcome, tell)
                calm_since = wall_s()
                await services.let_pass(rng.uniform(*PAUSE_S))
            outcome.verdict = await judge(stage)
        except (AssertionError, TimeoutError) as error:
            outcome.stopped = f"{type(error).__name__}: {error}"[:3000]
            (folder / "picture.txt").write_text(await pictured(stage))
        finally:
            _note(outcome, stage)
    return outcome


async def pictured(stage: Stage) -> str:
    """How everything stands, as far as can be seen."""
    try:
        return await asyncio.wait_for(stage.picture(), PICTURE_S)
    except Exception as error:  # noqa: BLE001 - what is wrong already matters more
        return repr(error)


async def inject(stage: Stage, kind: Kind, rng: Random, outcome: Outcome, tell: Callable[[str], None]) -> None:
    """One fault, and the wait until all is well again. A fault that does not come to pass is tried again."""
    for attempt in range(1, ATTEMPTS + 1):
        fault = Fault(kind.name, wall_s(), attempts=attempt)
        try:
            fault.over = await kind.inject(stage, rng)
        except Missed as missed:
            tell(f"  {kind.name}: missed: {missed}")
            await stage.recovered(wall_s())
            continue
        except AssertionError as error:
            if stage.fault:
                raise
            fault.over, fault.wrong = wall_s(), str(error)[:1000]
            tell(f"  {kind.name}: wrong: {error}")
        outcome.faults.append(fault)
        await stage.recovered(fault.over)
        fault.recovered = stage.freshness.came_to(fault.over)
        ages = stage.freshness.between(fault.began, fault.recovered)
        outcome.ages.setdefault(kind.name, []).extend(ages)
        took, back = fault.over - fault.began, fault.recovered - fault.over
        tell(
            f"  {len(outcome.faults)} {kind.name}: {took:.1f} s, recovered in {back:.1f} s, oldest {max(ages, default=0):.1f} s"
        )
        return
    outcome.missed.append(kind.name)


def _note(outcome: Outcome, stage: Stage) -> None:
    stage.fleet.look()
    outcome.events, outcome.deliveries = len(stage.crm.events), stage.crm.deliveries
    outcome.answers = dict(stage.crm.answers)
    outcome.said = dict(stage.fleet.counts())
    for end in stage.fleet.ends:
        name = f"{end.place.partition('-')[0]} {end.code}"
        outcome.ends[name] = outcome.ends.get(name, 0) + 1
