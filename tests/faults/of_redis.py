"""A Redis that loses data, is killed, full, slow or silent, and connections to it that break."""

import signal
from functools import partial
from random import Random

from faults.kinds import kind
from faults.stage import HAPPENS_S, START_S, Missed, Stage, wall_s
from services import let_pass
from wire import Wire

AGES_S = (1, 2, 3, 5, 8, 13)
LONG_AGES_S = (30, 60)
PAUSE_S = (6, 9)
"""A pause outlasts the patience of the workers' clients: what they sent is sent again, and was written by then."""

LONG_PAUSE_S = 30
FULL_S = 3
SLOW_S = 6
ROUND_TRIP_S = 1.0
FATAL = 2


@kind(quick=2, full=16)
async def roll_back(stage: Stage, rng: Random) -> float:
    """Redis comes back with the data of some seconds ago."""
    return await rolled_back(stage, rng, rng.choice(AGES_S))


@kind(quick=0, full=4)
async def roll_back_far(stage: Stage, rng: Random) -> float:
    """Redis comes back with the data of half a minute or a minute ago."""
    return await rolled_back(stage, rng, rng.choice(LONG_AGES_S))


async def rolled_back(stage: Stage, rng: Random, age_s: float) -> float:
    """Put data back that is so old."""
    copy = await stage.copies.take()
    older = await stage.sequences()
    stage.crm.surge(rng)
    await let_pass(age_s)
    before, mark = await stage.sequences(), stage.fleet.mark()
    if not any(before[number] > older[number] for number in before):
        raise Missed("nothing was stored meanwhile")
    await stage.copies.put_back(copy)
    at = wall_s()
    await stage.said(mark, "checkpoint_refused", outcome="ROLLED_BACK")
    return at


@kind(quick=0, full=10)
async def redis_kill(stage: Stage, rng: Random) -> float:
    """Redis is killed and started again: what it has answered is still there."""
    stage.crm.surge(rng)
    before = await stage.sequences()
    await stage.copies.crash()
    at = wall_s()
    after = await stage.sequences()
    assert all(after[number] >= before[number] for number in before), "Redis has lost what it had answered"
    return at


@kind(quick=1, full=10)
async def emptied(stage: Stage, rng: Random) -> float:
    """Redis is emptied: every processor refuses to count, and so does one that is started again; then its data is put back."""
    await stage.until(lambda: stage.system.committed("processor"), START_S, "the group has committed what is stored")
    places = stage.fleet.named("processor")
    before = {place.name: stage.process(place).process.pid for place in places}
    for place in places:
        place.kept = False
    copy = await stage.copies.empty()
    try:
        await _all_refuse(stage, before)
        again = rng.choice(places)
        again.start(stage.folder / f"again-{rng.randrange(2**32):08x}.log")
        await _all_refuse(stage, {again.name: stage.process(again).process.pid})
        rows = await stage.system.stored()
        assert not any("offset" in row for row in rows.values()), f"something was counted from nothing: {rows}"
    finally:
        await stage.copies.put_back(copy)
        for place in places:
            place.kept = True
    return wall_s()


async def _all_refuse(stage: Stage, processes: dict[str, int]) -> None:
    for name, process in processes.items():
        end = await stage.happens(partial(stage.fleet.ended, process), f"{name} refuses to count", START_S)
        assert end.code == FATAL, f"{name} ended with {end.code}"
    lines = [str(said.line) for said in stage.fleet.said if said.process in processes.values()]
    assert any("Redis was emptied" in line for line in lines), "nobody says that Redis was emptied"


@kind(quick=1, full=8)
async def full(stage: Stage, rng: Random) -> float:
    """Redis is full and takes no writes, until there is room again; no member leaves its group."""
    mark = stage.fleet.mark()
    used = (await stage.system.redis.info("memory"))["used_memory"]
    await stage.system.redis.config_set("maxmemory", used // 2)
    try:
        stage.crm.surge(rng)
        await stage.happens(lambda: takes_no_writes(stage, mark), "a checkpoint is not taken")
        await let_pass(FULL_S)
    finally:
        await stage.system.redis.config_set("maxmemory", 0)
    stays(stage, mark)
    return wall_s()


def takes_no_writes(stage: Stage, mark: int) -> bool:
    """Whether a worker was told that Redis is full."""
    return any("takes no writes" in said.line["fault"] for said in stage.fleet.says(mark, "checkpoint_retried"))


def stays(stage: Stage, mark: int) -> None:
    """See that nothing was loaded again: all are members of their group, and own what they owned."""
    stage.fleet.look()
    again = stage.fleet.says(mark, "partition_loaded", logger="streams.processing.owner")
    assert not again, f"partitions were loaded again: {again}"


@kind(quick=2, full=42)
async def pause(stage: Stage, rng: Random) -> float:
    """Redis stands still for longer than its clients wait; no member leaves its group."""
    return await paused(stage, rng, rng.uniform(*PAUSE_S))


@kind(quick=0, full=8)
async def pause_long(stage: Stage, rng: Random) -> float:
    """Redis stands still for 30 s; no member leaves its group."""
    return await paused(stage, rng, LONG_PAUSE_S)


async def paused(stage: Stage, rng: Random, seconds: float) -> float:
    """Have Redis do nothing for so long."""
    mark, process = stage.fleet.mark(), stage.copies.process
    process.send_signal(signal.SIGSTOP)
    try:
        stage.crm.surge(rng)
        await let_pass(seconds)
    finally:
        process.send_signal(signal.SIGCONT)
    at = wall_s()
    await stage.said(mark, "checkpoint_retried")
    stays(stage, mark)
    return at


@kind(quick=1, full=10)
async def redis_cut(stage: Stage, rng: Random) -> float:
    """A worker's connections to Redis break in the middle of an answer, three times."""
    machine = await stage.working(rng)
    wire = machine.redis
    for cuts in range(wire.cuts, wire.cuts + 3):
        wire.cuts_after = rng.randrange(400)
        await stage.happens(partial(_more_cuts, wire, cuts), "an answer is cut short", HAPPENS_S)
    return wall_s()


def _more_cuts(wire: Wire, than: int) -> bool:
    return wire.cuts > than


@kind(quick=0, full=6)
async def redis_slow(stage: Stage, rng: Random) -> float:
    """Each answer of Redis takes a second, for all workers; no member leaves its group."""
    mark = stage.fleet.mark()
    for machine in stage.machines:
        machine.redis.delay_s = ROUND_TRIP_S / 2
    try:
        stage.crm.surge(rng)
        await let_pass(SLOW_S)
    finally:
        for machine in stage.machines:
            machine.redis.delay_s = 0.0
    stays(stage, mark)
    return wall_s()
