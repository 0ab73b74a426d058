"""Brokers that restart, and ways to them on which nothing passes or nobody is told that the other end is gone."""

import asyncio
from random import Random

from faults.kinds import kind
from faults.stage import SESSION, Stage, wall_s
from services import let_pass

HOLE_S = (0.8 * SESSION, 1.5 * SESSION)


@kind(quick=1, full=20)
async def broker_restart(stage: Stage, rng: Random) -> float:
    """A broker is killed, or stopped in order, and started again."""
    server = rng.choice(stage.brokers.servers)
    stage.crm.surge(rng)
    await asyncio.to_thread(rng.choice((server.kill, server.stop)))
    await asyncio.to_thread(server.start)
    return wall_s()


@kind(quick=1, full=8)
async def black_hole(stage: Stage, rng: Random) -> float:
    """Between all services and Kafka nothing passes for about a session timeout, and no connection is closed."""
    wires = [wire for way in stage.brokers.ways for wire in way]
    stage.ways.do(*(wire.hold for wire in wires))
    began = wall_s()
    try:
        stage.crm.surge(rng)
        await let_pass(rng.uniform(*HOLE_S))
    finally:
        stage.ways.do(*(wire.let_go for wire in wires))
    assert not stage.freshness.has_come_to(began + 1), "something came to pass through a black hole"
    return wall_s()


@kind(quick=0, full=8)
async def half_open(stage: Stage, rng: Random) -> float:
    """Connections of a machine, or of all, to Kafka are half open: what is sent arrives nowhere, and nobody tells."""
    machine = await stage.working(rng)
    wires = [wire for each in rng.choice(([machine], stage.machines)) for wire in each.kafka]
    before = sum(wire.connections for wire in wires)
    stage.ways.do(*(wire.forget for wire in wires))
    at = wall_s()
    await stage.happens(lambda: sum(wire.connections for wire in wires) > before, "somebody connects anew", 120)
    return at
