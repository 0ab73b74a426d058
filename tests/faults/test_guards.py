"""Guards are proved by removing them: each has a fault that does no harm, and does where that guard is taken out."""

import json
import math
import time
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import count

import pytest
from children import PROGRAM, Service, loads
from crowd import RULES, crowd
from faults.brokers import Brokers, brokers
from faults.crm import LATELY
from faults.heartbeats import Spoiler
from faults.judging import Verdict, compare_members, compare_panes
from faults.of_workers import CHECKPOINT, ROUND
from faults.ways import Ways, ways
from faults.without import GUARDS
from histories import Event, call
from services import Missing, Redis, until
from system import PARTITIONS, START_S, System, installed
from verdicts import judged, wrong
from wire import Wire

from models.units import MINUTE, SECOND
from streams.local.truth_facts import rules_of
from streams.local.truth_page import Scraped
from streams.transport.watchdog import EXIT_CODE

pytestmark = [pytest.mark.kafka, pytest.mark.redis, pytest.mark.timeout(240)]

LEADS = 200
ENDS_S = 20
AHEAD = 80
"""How many times over something new is told of all leads while Redis is silent."""

READS_S = 8
"""How soon what can be read is read."""

RESTS_S = 1.0
HEARTBEAT_BYTES = 64
"""No more than this is the answer to a heartbeat, and less than any other."""

FEW = 100
"""Events at once, until no more are read."""


class Harm(Exception):
    """What a guard is there to keep from happening."""


@dataclass
class Scene:
    """An installation, one guard of which may be taken out, with ways to Redis and to Kafka."""

    system: System
    wires: Ways
    brokers: Brokers
    redis: list[Wire]
    now: int
    without: str = ""

    def start(self, name: str, way: int = 0, **options):
        """Start a service by one of the ways."""
        wire = self.redis[way]
        config = self.system.configure(redis_url=wire.url, bootstrap=self.brokers.by(way), **options)
        program = ("tests.faults.without", self.without) if self.without else PROGRAM
        return self.system.start(name, config, program)

    async def round(self, clock) -> Scraped:
        """The page at a clock. Raise Harm if a service has ended over what is stored."""
        try:
            return await self.system.round(clock)
        except AssertionError as error:
            ended = [each for each in self.system.services if each.expected_to_live and each.process.poll() is not None]
            raise Harm(str(error)) if ended else error from None

    async def shown(self, events, clock) -> None:
        """Raise Harm if something is not what the events give."""
        rules, verdict = rules_of(tomllib.loads(RULES)), Verdict()
        verdict.tell("page", wrong(await self.round(clock), await judged(events, RULES, clock)))
        await compare_panes(self.system, events, rules, clock, verdict)
        await compare_members(self.system, events, rules, clock, verdict)
        if not verdict.is_right:
            raise Harm(verdict.differences)


@pytest.fixture(scope="module")
def wires() -> Iterator[Ways]:
    with ways() as wires:
        yield wires


@pytest.fixture(scope="module")
def cluster(wires, tmp_path_factory) -> Iterator[Brokers]:
    try:
        with brokers(tmp_path_factory.mktemp("kafka"), wires, 1, 2) as cluster:
            yield cluster
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture
async def scene(cluster, wires, redis_factory, topic_prefix, tmp_path) -> AsyncIterator[Scene]:
    redis: Redis = redis_factory()
    now = time.time_ns() // 1_000_000 // SECOND * SECOND
    async with installed(cluster.kafka, redis, tmp_path, topic_prefix, RULES) as system:
        yield Scene(system, wires, cluster, [wires.wire(redis.port) for _ in range(2)], now)
        for service in system.services:
            service.expected_to_live = False


def tale(scene: Scene, seed: int = 1) -> list[Event]:
    """What is told of some leads, who came lately: what they do is in the shortest panes."""
    return crowd(LEADS, scene.now, seed, LATELY)


async def fence(scene: Scene) -> None:
    """One that slept has a checkpoint that was not sent; whoever has taken over has one with more, which is not stored yet."""
    system, (theirs, ours) = scene.system, scene.redis
    events, clock = tale(scene), scene.now + MINUTE
    early, more, late = events[: 2 * LEADS], events[2 * LEADS : 4 * LEADS], events[4 * LEADS :]
    zombie = scene.start("processor")
    scene.start("exporter", way=1)
    await system.append(early)
    await system.tick_events(scene.now)
    await system.round(scene.now)
    theirs.loses_from = CHECKPOINT
    await system.append(more)
    await system.until(lambda: theirs.lost, START_S, "a checkpoint is lost")
    zombie.freeze()
    await system.append(late)
    before = {number: row["seq"] for number, row in (await system.stored()).items()}
    ours.loses_from = CHECKPOINT
    scene.start("processor", way=1)
    await system.until(lambda: ours.lost, START_S, "whoever has taken over has more")
    await system.tick_events(clock)
    scene.wires.do(theirs.mend)
    zombie.thaw()

    async def writes() -> bool:
        after = {number: row["seq"] for number, row in (await system.stored()).items()}
        return after != before or bool(zombie.says("checkpoint_refused"))

    await system.until(writes, START_S, "the one that slept writes, or is refused")
    zombie.kill()
    scene.wires.do(ours.mend)
    await scene.shown(events, clock)


async def sequence(scene: Scene) -> None:
    """Redis comes back with older data under the same claim; what was told since is of series that were there before."""
    system, events, clock = scene.system, tale(scene), scene.now + MINUTE
    calls = [call(f"c{number}", scene.now - number * SECOND, f"lead-{number}", rep="ana") for number in range(LEADS)]
    others = [event | {"object": {"kind": "touch", "id": "c"}} for event in calls]
    scene.start("processor")
    scene.start("exporter", way=1)
    await system.append([*events, *others])
    await system.tick_events(scene.now)
    await system.round(scene.now)
    await system.redis.save()
    await system.append(calls)
    await system.tick_events(scene.now + SECOND)
    await system.round(scene.now + SECOND)
    await system.crash_redis()
    await system.tick_events(clock)
    await scene.shown([*events, *others, *calls], clock)


async def dup(scene: Scene) -> None:
    """A checkpoint is stored and its answer is lost."""
    system, wire, events = scene.system, scene.redis[0], tale(scene)
    processor = scene.start("processor")
    scene.start("exporter", way=1)
    await system.loaded(processor)
    wire.mutes_from = CHECKPOINT
    await system.append(events)
    await system.until(lambda: wire.swallowed, START_S, "it is answered")
    scene.wires.do(wire.mend)
    await system.tick_events(scene.now)
    await scene.shown(events, scene.now)
    if processor.says("checkpoint_refused") or len(loads(processor)) > PARTITIONS:
        raise Harm("what was stored is taken for lost, and partitions are loaded again")


async def claim(scene: Scene) -> None:
    """A publisher sleeps with a round that was not sent, and wakes when there is another one."""
    system, (theirs, _), events = scene.system, scene.redis, tale(scene)
    zombie = scene.start("processor")
    scene.start("exporter", way=1)
    await system.append(events)
    await system.tick_events(scene.now)
    await system.round(scene.now)
    theirs.loses_from = ROUND
    await system.tick_events(scene.now + 20 * SECOND)
    await system.until(lambda: theirs.lost, START_S, "a round is lost")
    zombie.freeze()
    other = scene.start("processor", way=1)
    await system.loaded(other)
    await system.round(scene.now + 20 * SECOND)
    scene.wires.do(theirs.mend)
    zombie.thaw()

    def told() -> bool:
        return bool(zombie.says("round_refused") or zombie.says("publisher_stopped"))

    await system.until(told, START_S, "it is refused, or stops")
    if zombie.says("round_refused", outcome="ROLLED_BACK") or not zombie.says("round_refused", outcome="FENCED"):
        raise Harm("it took the table for its own")
    await system.tick_events(scene.now + MINUTE)
    await scene.shown(events, scene.now + MINUTE)


async def check_errors(scene: Scene) -> None:
    """All partitions are held as Redis is silent, and the heartbeat is answered with an error that the client does not know."""
    system, (kafka,) = scene.system, scene.brokers.ways[0]
    spoiler = Spoiler(f"{system.prefix}group-processor".encode())
    processor = await held_back(scene, Read())
    kafka.sees, kafka.alters = spoiler.sees, spoiler.alters
    processor.expected_to_live = False
    try:
        await system.until(lambda: spoiler.spoiled, START_S, "a heartbeat is answered with an error")
        if not await happens(lambda: processor.process.poll() is not None, ENDS_S):
            raise Harm("it goes on, though others have its partitions")
    finally:
        scene.wires.do(kafka.mend, scene.redis[0].mend)
    assert processor.process.returncode == EXIT_CODE
    assert "group coordination failed" in processor.text()


async def hold(scene: Scene) -> None:
    """Redis is silent, and much more is told of leads that are all in memory."""
    system, (kafka,), read = scene.system, scene.brokers.ways[0], Read()
    await held_back(scene, read)
    written, read.bytes = 0, 0
    try:
        for seed in range(AHEAD):
            more = tale(scene, AHEAD + seed)
            written += sum(len(json.dumps(event)) for event in more)
            await system.append(more)
        if await happens(lambda: read.bytes > written / 2, READS_S):
            raise Harm(f"{read.bytes} of {written} bytes are taken in, though nothing of it can be stored")
    finally:
        scene.wires.do(kafka.mend, scene.redis[0].mend)


class Read:
    """Counts the bytes of what a consumer reads, and knows since when there was nothing more."""

    def __init__(self) -> None:
        self.bytes, self.at = 0, math.inf

    def alters(self, answer: bytes) -> bytes:
        """Count an answer, and leave it as it is."""
        if len(answer) > HEARTBEAT_BYTES:
            self.bytes, self.at = self.bytes + len(answer), time.monotonic()
        return answer

    @property
    def rests(self) -> bool:
        """Whether something was read, and nothing more lately."""
        return time.monotonic() - self.at > RESTS_S


async def held_back(scene: Scene, read: Read) -> Service:
    """A processor to which Redis has become silent, and which reads no more of what is told of leads that it has in memory."""
    system, (kafka,) = scene.system, scene.brokers.ways[0]
    processor = scene.start("processor")
    await system.append(tale(scene))
    await system.settled(scene.now)
    scene.wires.do(scene.redis[0].hold)
    kafka.alters = read.alters
    seeds = count(2)

    async def rests() -> bool:
        await system.append(tale(scene, next(seeds))[:FEW])
        return read.rests

    await happens(rests, ENDS_S)
    return processor


async def happens(condition, limit_s: float) -> bool:
    """Whether something comes to be within a time."""
    try:
        await until(condition, limit_s, "")
    except AssertionError:
        return False
    return True


SCENARIOS: dict[str, Callable[[Scene], Awaitable[None]]] = {
    each.__name__: each for each in (fence, sequence, dup, claim, check_errors, hold)
}


def test_each_guard_has_its_fault():
    assert SCENARIOS.keys() == GUARDS.keys()


@pytest.mark.parametrize("guard", SCENARIOS)
async def test_a_fault_does_no_harm(scene, guard):
    await SCENARIOS[guard](scene)


@pytest.mark.parametrize("guard", SCENARIOS)
async def test_a_fault_does_harm_without_its_guard(scene, guard):
    scene.without = guard
    with pytest.raises(Harm):
        await SCENARIOS[guard](scene)
