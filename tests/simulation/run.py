"""One seed, from beginning to end."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from simulation.faults import Faults
from simulation.invariants import Invariants
from simulation.loop import passed
from simulation.made_up import made_up_time
from simulation.rest import judge
from simulation.world import LENGTH_S, STORM_S, Violation, World

from models.units import MINUTE

REST_S: Final = LENGTH_S - 15
"""When no more time is told: what is in the logs by then is all."""

RECOVERY_S: Final = 60.0
"""How long all may take to catch up after the last fault."""


CATCHING_UP: Final = 5 * MINUTE
"""More than a clock is ever ahead."""


@dataclass
class Outcome:
    """What became of a seed."""

    seed: int
    trace: str
    faults: Counter[str]
    effects: Counter[str]
    lost: int = 0
    doubled: int = 0
    violation: str = ""
    lately: list[str] = field(default_factory=list)


FAULTS: Final = (
    *(
        "another log",
        "clock jump",
        "crash",
        "full",
        "garbage",
        "glimpse",
        "late request",
        "lost answer",
        "lost request",
        "night",
    ),
    *("pause", "read only", "rebalance", "rollback", "rules changed", "stop", "storm", "wipe"),
)
EFFECTS: Final = ("DUP", "FENCED", "HELD", "OK", "REFUSED", "ROLLED_BACK", "looks", "rejoins")


def missing(faults: Counter[str], effects: Counter[str]) -> list[str]:
    """Which faults have not happened, and which have had no effect."""
    return [name for name in FAULTS if not faults[name]] + [name for name in EFFECTS if not effects[name]]


def run(seed: int, scripts: dict[str, str] | None = None, tell: Callable[[str], None] | None = None) -> Outcome:
    """Simulate ten minutes. What went wrong is told, not raised. `tell` is told each line of the trace."""
    world = World(seed, scripts, tell)
    invariants = Invariants(world)
    violation = ""
    with made_up_time(world):
        try:
            world.loop.run_until_complete(_live(world, invariants))
        except Violation as error:
            violation = str(error)
        finally:
            world.hearers.clear()
            world.loop.end()
    return Outcome(
        seed, world.trace, world.counts, world.effects, invariants.lost, invariants.doubled, violation, list(world.lately)
    )


async def _live(world: World, invariants: Invariants) -> None:
    for number in range(world.scale.normalisers):
        world.start(f"normaliser-{number}")
    for number in range(world.scale.processors):
        world.start(f"processor-{number}")
    going = [asyncio.create_task(each) for each in (world.keep_telling(), world.keep_time(), Faults(world).befall())]
    await _until(world, STORM_S, going)
    ends = world.ends()
    await _until(world, STORM_S + RECOVERY_S, going)
    behind = {tp.partition: end for tp, end in ends.items() if world.applied(tp) < end}
    if behind:
        raise Violation(f"{RECOVERY_S:.0f} s after the last fault, nobody is where these logs ended then: {behind}")
    world.sleep_over(CATCHING_UP)  # a clock that was ahead stands until its time has come
    await _until(world, REST_S, going)
    world.rest()
    await _until(world, LENGTH_S, going)
    judge(world, invariants)


async def _until(world: World, at: float, going: list["asyncio.Task[None]"]) -> None:
    while world.loop.time() < at:
        await passed(1)
        check(world, going)


def check(world: World, going: list["asyncio.Task[None]"]) -> None:
    """Raise what has gone wrong."""
    if world.broken is not None:
        raise world.broken
    for task in going:
        if task.done() and task.exception():
            raise task.exception()  # type: ignore[misc]
    if world.loop.failures:
        raise Violation(f"an error that nobody has seen: {world.loop.failures[0]}")
