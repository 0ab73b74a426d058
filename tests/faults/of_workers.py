"""Workers that are killed, stopped and woken, cut off, or told off by Kafka."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import NamedTuple

from faults.heartbeats import Spoiler
from faults.kinds import kind
from faults.stage import HAPPENS_S, RECOVERS_S, SESSION, Machine, Missed, Stage, wall_s
from services import let_pass
from wire import Chosen, moving, never, unchanged

from streams.transport.watchdog import EXIT_CODE

CHECKPOINT = moving(b"seq")
ROUND = moving(b"round")
ASLEEP_S = 1.5 * SESSION
AWAY_S = 30.0
REBALANCING = {"PreparingRebalance", "CompletingRebalance"}
GONE_S = 10.0
"""How soon one that was woken must have let go of what is not its own any more."""

LET_GO = ("checkpoint_refused", "partition_lost")
"""What one says to whom a partition does not belong any more."""

KILLED = -9


async def killed(stage: Stage, machine: Machine) -> float:
    """Kill a machine's processor; the instant."""
    process = stage.process(machine.processor).process
    process.kill()
    at = wall_s()
    end = await stage.happens(lambda: stage.fleet.ended(process.pid), "it has ended")
    if end.code != KILLED:
        raise Missed(f"it had ended by itself, with {end.code}")
    return at


@contextmanager
def muted(stage: Stage, machine: Machine, since: Chosen) -> Iterator[None]:
    """Meanwhile a machine is not answered by Redis any more from a request on."""
    machine.redis.mutes_from = since
    try:
        yield
    finally:
        stage.ways.do(machine.redis.mend)


@kind(quick=3, full=100)
async def kill(stage: Stage, rng: Random) -> float:
    """A processor is killed at any moment, often under load; whoever takes over loads what it had."""
    machine, mark = await stage.working(rng), stage.fleet.mark()
    if rng.random() < 0.5:
        stage.crm.surge(rng)
    at = await killed(stage, machine)
    await stage.said(mark, "partition_loaded")
    return at


@kind(quick=2, full=40)
async def kill_unanswered(stage: Stage, rng: Random) -> float:
    """A processor is killed after its checkpoint was sent and stored, and before the answer."""
    machine, before = await stage.working(rng), await stage.sequences()
    partitions = [number for number, owner in stage.owners().items() if owner.machine is machine]

    async def stored() -> bool:
        after = await stage.sequences()
        return machine.redis.swallowed > 0 and any(after[number] > before[number] for number in partitions)

    with muted(stage, machine, CHECKPOINT):
        stage.crm.surge(rng)
        await stage.happens(stored, "a checkpoint is stored and not answered")
        mark = stage.fleet.mark()
        at = await killed(stage, machine)
    await stage.said(mark, "partition_loaded")
    return at


@kind(quick=1, full=20)
async def kill_in_rebalance(stage: Stage, rng: Random) -> float:
    """A processor is killed, and another one while the group is being formed anew."""
    first = await stage.working(rng)
    mark = stage.fleet.mark()
    await killed(stage, first)

    async def begun() -> bool:
        return (await group(stage, "processor")).state in REBALANCING

    await stage.happens(begun, "a rebalance")
    others = [machine for machine in stage.machines if machine is not first and machine.processor.lives]
    at = await killed(stage, rng.choice(others or [first]))
    await stage.said(mark, "partition_loaded")
    return at


class Group(NamedTuple):
    """A consumer group as Kafka describes it."""

    state: str
    members: int


async def group(stage: Stage, part: str) -> Group:
    """The group of all machines' normalisers or processors."""
    (answer,) = await stage.system.admin.describe_consumer_groups([f"{stage.system.prefix}group-{part}"])
    ((_, _, state, _, _, members, *_),) = answer.groups
    return Group(state, len(members))


@kind(quick=1, full=25)
async def kill_normaliser(stage: Stage, rng: Random) -> float:
    """A normaliser is killed at any moment."""
    machine = rng.choice([machine for machine in stage.machines if machine.normaliser.lives])
    stage.crm.surge(rng)
    process = stage.process(machine.normaliser).process
    process.kill()
    at = wall_s()
    await stage.happens(lambda: stage.fleet.ended(process.pid), "it has ended")
    return at


@kind(quick=1, full=8)
async def lose_answer(stage: Stage, rng: Random) -> float:
    """A checkpoint is stored and its answer is lost: it is sent again, and found to be stored (`DUP`)."""
    machine = await stage.working(rng)
    before = await dups(stage, machine)
    with muted(stage, machine, CHECKPOINT):
        stage.crm.surge(rng)
        await stage.happens(lambda: machine.redis.swallowed, "a checkpoint is answered")
    at = wall_s()

    async def more() -> bool:
        return await dups(stage, machine) > before

    await stage.happens(more, "it is told that it was stored before")
    return at


async def dups(stage: Stage, machine: Machine) -> float:
    """How many checkpoints of a machine's processor were found to be stored before."""
    page = await stage.metrics(machine)
    return sum(n for (name, labels), n in page.items() if name == "leadbeat_checkpoints_total" and ("answer", "DUP") in labels)


@kind(quick=2, full=20)
async def stop(stage: Stage, rng: Random) -> float:
    """A processor stands still for 1.5 session timeouts with a checkpoint under way, and is woken: a zombie."""
    machine = await stage.working(rng)
    process = stage.process(machine.processor)
    with muted(stage, machine, CHECKPOINT):
        stage.crm.surge(rng)
        await stage.happens(lambda: machine.redis.mute, "a checkpoint is under way")
        mark = stage.fleet.mark()
        process.freeze()
    try:
        stage.crm.surge(rng)
        await let_pass(ASLEEP_S)
        await stage.said(mark, "partition_loaded")
    finally:
        process.thaw()
    return await let_go(stage, process.process.pid)


async def let_go(stage: Stage, process: int) -> float:
    """Wait until a process that was woken was refused, or finds itself put out of its group, or ends; the instant it woke."""
    woke, mark, at = time.monotonic(), stage.fleet.mark(), wall_s()
    await stage.happens(lambda: finds_out(stage, mark, process), "it lets go")
    took = time.monotonic() - woke
    assert took <= GONE_S, f"one that was woken let go only after {took:.1f} s"
    return at


def finds_out(stage: Stage, mark: int, process: int) -> bool:
    """Whether a process was told that what it had is others' now."""
    stage.fleet.look()
    put_out = (said.process == process and is_put_out(str(said.line)) for said in stage.fleet.said[mark:])
    return any(put_out) or says_or_ends(stage, mark, process, *LET_GO)


def says_or_ends(stage: Stage, mark: int, process: int, *events: str) -> bool:
    """Whether a process has said one of some things since a mark, or has ended."""
    return any(stage.fleet.says(mark, event, process=process) for event in events) or stage.fleet.ended(process) is not None


def is_put_out(line: str) -> bool:
    """Whether a line says that Kafka knows the member no more."""
    return "was not recognized" in line or "generation id is not" in line


@kind(quick=0, full=6)
async def stop_normaliser(stage: Stage, rng: Random) -> float:
    """A normaliser stands still for 1.5 session timeouts and is woken: what it was at, others have done."""
    process = stage.process(rng.choice(stage.machines).normaliser)
    everybody = len(stage.machines)

    async def are(count: int) -> bool:
        return await group(stage, "normaliser") == Group("Stable", count)

    await stage.happens(lambda: are(everybody), "all are members")
    process.freeze()
    try:
        stage.crm.surge(rng)
        await let_pass(ASLEEP_S)
        await stage.happens(lambda: are(everybody - 1), "it is put out of its group")
    finally:
        process.thaw()
    at = wall_s()
    await stage.happens(lambda: are(everybody), "it is a member again")
    return at


@kind(quick=1, full=10)
async def stop_publisher(stage: Stage, rng: Random) -> float:
    """The publisher stands still for 1.5 session timeouts with a round under way, and is woken when there is another one."""
    machine = await stage.working(rng, partition=0)
    process = stage.process(machine.processor)
    with muted(stage, machine, ROUND):
        await stage.happens(lambda: machine.redis.mute, "a round is under way")
        mark = stage.fleet.mark()
        process.freeze()
    try:
        await let_pass(ASLEEP_S)
        await stage.said(mark, "publisher_started")
    finally:
        process.thaw()
    mark, at = stage.fleet.mark(), wall_s()
    told = ("round_refused", "publisher_stopped")
    await stage.happens(lambda: says_or_ends(stage, mark, process.process.pid, *told), "it publishes no more")
    took = wall_s() - at
    assert took <= GONE_S, f"a publisher that was woken let go only after {took:.1f} s"
    return at


@kind(quick=0, full=8)
async def cut_off(stage: Stage, rng: Random) -> float:
    """A machine hears of neither Kafka nor Redis with memory ahead, then of Redis again: what it has is refused."""
    machine = await stage.working(rng)
    process = stage.process(machine.processor).process.pid
    mark = stage.fleet.mark()
    machine.redis.mutes_from = CHECKPOINT
    stage.crm.surge(rng)
    try:
        await stage.happens(lambda: machine.redis.mute, "a checkpoint is under way")
        stage.ways.do(machine.redis.hold, *(wire.hold for wire in machine.kafka))
        await let_pass(rng.choice((ASLEEP_S, ASLEEP_S, AWAY_S)))
        await stage.said(mark, "partition_loaded")
        stage.ways.do(machine.redis.mend)
        at = wall_s()
        await stage.happens(lambda: says_or_ends(stage, mark, process, *LET_GO), "it is refused")
    finally:
        stage.ways.do(machine.redis.mend, *(wire.let_go for wire in machine.kafka))
    return at


@kind(quick=1, full=8)
async def cut_off_from_kafka(stage: Stage, rng: Random) -> float:
    """The publisher's machine hears of Kafka no more, but of Redis: it publishes no more when others have taken over."""
    machine = await stage.working(rng, partition=0)
    process = stage.process(machine.processor).process.pid
    mark = stage.fleet.mark()
    stage.ways.do(*(wire.hold for wire in machine.kafka))
    try:
        await stage.said(mark, "publisher_started")
        mark, at = stage.fleet.mark(), wall_s()
        await stage.until(lambda: stage.freshness.has_come_to(at), RECOVERS_S, "others publish")
        await stage.until(
            lambda: says_or_ends(stage, mark, process, "publisher_stopped"),
            GONE_S,
            "it publishes no more",
        )
        mark = stage.fleet.mark()
        await let_pass(GONE_S / 2)
        assert not stage.fleet.says(mark, "publisher_started", process=process), "it publishes again"
        assert not stage.fleet.says(mark, "round_refused"), "it gets in the way of whoever publishes now"
    finally:
        stage.ways.do(*(wire.let_go for wire in machine.kafka))
    return wall_s()


@kind(quick=1, full=8)
async def heartbeat(stage: Stage, rng: Random) -> float:
    """Redis is silent to a processor, and Kafka answers its heartbeat with an error that its client does not know: it ends."""
    machine = await stage.working(rng)
    process = stage.process(machine.processor).process.pid
    mark = stage.fleet.mark()
    spoiler = Spoiler(f"{stage.system.prefix}group-processor".encode())
    stage.ways.do(machine.redis.hold)
    try:
        stage.crm.surge(rng)
        for wire in machine.kafka:
            wire.sees, wire.alters = spoiler.sees, spoiler.alters
        await stage.happens(lambda: spoiler.spoiled, "a heartbeat is answered with an error")
        end = await stage.happens(lambda: stage.fleet.ended(process), "it ends", HAPPENS_S / 3)
    finally:
        stage.ways.do(machine.redis.let_go)
        for wire in machine.kafka:
            wire.sees, wire.alters = never, unchanged
    assert end.code == EXIT_CODE, f"one whose heartbeat had failed ended with {end.code}"
    assert stage.fleet.says(mark, "stuck", process=process), "the watchdog did not say why"
    return wall_s()
