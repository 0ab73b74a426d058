"""The gateway, the clocks, and what is to be forgotten."""

from random import Random

from faults.kinds import kind
from faults.of_workers import killed
from faults.stage import Stage, wall_s


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
