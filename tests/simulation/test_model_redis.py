"""The model of Redis answers as a real one does: all that a system has asked it while it worked, asked once more."""

import pytest
from redis.exceptions import ResponseError
from redis_versions import BOTH, running_redis
from simulation.loop import passed
from simulation.made_up import made_up_time
from simulation.model_kafka import SESSION_S
from simulation.model_redis import as_bytes
from simulation.redis_commands import Stream
from simulation.world import SCRIPTS, World

from streams.tables import connect
from streams.tables.server import ask, load_script

pytestmark = pytest.mark.redis

LIVES_S = 80.0
PARTS = 4
UNORDERED = {b"HGETALL", b"HVALS", b"SMEMBERS", b"SSCAN"}


@pytest.fixture(scope="module")
def lived():
    """A world that has worked for a while, under storms and crashes, and all that its Redis was asked and has answered."""
    world = World(5)
    heard = []
    answer = world.redis._answer
    world.redis._answer = lambda command: heard.append((command, answer(command))) or heard[-1][1]

    async def live():
        for number in range(2):
            world.start(f"processor-{number}")
        world.start("normaliser-0")
        world.weathers["redis"].lost_answers = 0.1
        world.weathers["redis"].late_requests = 0.05
        going = [world.loop.create_task(each) for each in (world.keep_telling(), world.keep_time())]
        for _ in range(PARTS):
            await passed(LIVES_S / PARTS)
            world.kill("processor-0")
            sleeper = world.processes["processor-1"]
            sleeper.stop()
            await passed(2 * SESSION_S)
            sleeper.wake()
        world.change_rules()
        await passed(10)
        for task in going:
            task.cancel()

    with made_up_time(world):
        world.loop.run_until_complete(live())
        world.loop.end()
    return world, heard


def comparable(command, answer):
    """An answer without what is up to a server: the order of sets and hashes, the details of what it knows of a stream."""
    if isinstance(answer, Exception):
        return type(answer)
    if isinstance(answer, list) and command[0] in UNORDERED:
        return sorted(map(repr, answer))
    if command[0] == b"EVALSHA" and isinstance(answer[-1], list):
        return answer[0], sorted(map(repr, answer[-1]))
    return as_bytes(answer) if isinstance(answer, str) else answer


@pytest.mark.parametrize("version", BOTH)
async def test_it_answers_as_a_real_one(lived, version, started):
    world, heard = lived
    asked = {command[0] for command, _ in heard}
    assert {b"EVALSHA", b"HMGET", b"HGETALL", b"ZRANGEBYSCORE", b"XRANGE", b"SSCAN"} <= asked
    assert {answer[0] for command, answer in heard if command[0] == b"EVALSHA"} >= {b"OK", b"DUP", b"FENCED"}
    async with connect(running_redis(started, version).url, timeout_s=20) as real:
        await real.flushall()
        for package, name in SCRIPTS:
            await real.script_load(load_script(package, name)[0])
        for command, answer in heard:
            try:
                found = await ask(real, *command)
            except ResponseError as error:
                found = error
            assert comparable(command, found) == comparable(command, answer), command[:6]
        assert await held(real) == {key: plain(value) for key, value in world.redis.data.items()}


def plain(value):
    return [list(number) for number in value] if isinstance(value, Stream) else dict(value)


async def held(real):
    """All that a real one holds, as the model does."""
    found = {}
    for key in await real.keys("*"):
        match await real.type(key):
            case b"hash":
                found[key] = await real.hgetall(key)
            case b"set":
                found[key] = dict.fromkeys(await real.smembers(key))
            case b"zset":
                found[key] = {member: int(at) for member, at in await real.zrange(key, 0, -1, withscores=True)}
            case _:
                found[key] = [[int(part) for part in name.split(b"-")] for name, _ in await real.xrange(key)]
    return found


def test_it_takes_back_what_was_written_since_an_instant(lived):
    world, _ = lived
    before = world.redis.copy()
    now = world.loop.time()
    world.redis.run([["HSET", "lb:{0}:applied", "claim", "99"], ["ZADD", "lb:{0}:new", "1", "x"], ["UNLINK", "lb:{1}:applied"]])
    assert world.redis.data != before
    assert world.redis.go_back([b"0", b"1"], now) == 3
    assert world.redis.data == before
