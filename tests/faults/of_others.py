"""The gateway, the clocks, and what is to be forgotten."""

from random import Random

from faults.kinds import kind
from faults.of_redis import stays
from faults.of_workers import killed
from faults.stage import Stage, wall_s
from services import let_pass


@kind(quick=1, full=15)
async def kill_gateway(stage: Stage, rng: Random) -> float:
    """The gateway is killed while deliveries come in."""
    place = stage.fleet.places["gateway"]
    stage.crm.surge(rng)
    process = stage.process(place).process
    process.kill()
    await stage.happens(lambda: stage.fleet.ended(process.pid), "it has ended")
    return wall_s()


@kind(quick=1, full=6)
async def erasure(stage: Stage, rng: Random) -> float:
    """A lead is erased, a processor killed, and all that was ever told of the lead is delivered once more."""
    name = await stage.crm.erase(rng)
    mark = stage.fleet.mark()
    await killed(stage, await stage.working(rng))
    await stage.crm.tell_again(name)
    await stage.said(mark, "partition_loaded")
    return wall_s()


HOUR_S = 3600.0
JUMPS_S = {"processor": (-HOUR_S, HOUR_S), "normaliser": (-HOUR_S, -30.0, 2.0), "gateway": (-240.0, 240.0)}
"""How far whose clock jumps. The clock of who ticks may be ahead no further than what is shown may be old."""

JUMPED_S = 6.0


@kind(quick=1, full=8)
async def clock_jump(stage: Stage, rng: Random) -> float:
    """The wall clock of a service jumps, by up to an hour, and some seconds later back; no partition is loaded again."""
    mark, name = stage.fleet.mark(), rng.choice(sorted(JUMPS_S))
    place = rng.choice(stage.fleet.named(name))
    place.clock.set(rng.choice(JUMPS_S[name]))
    try:
        stage.crm.surge(rng)
        await let_pass(JUMPED_S)
    finally:
        place.clock.set(0.0)
    stays(stage, mark)
    return wall_s()
