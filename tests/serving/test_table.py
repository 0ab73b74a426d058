"""The KPI table, read out of a real Redis."""

import asyncio

import pytest
from build import MINUTE, NOON, call
from published import at_noon, publish
from services import free_port

from streams.errors import Fatal, Retry
from streams.processing.checkpoint import claim_table
from streams.serving.table import LOOKED_AT_S, Place, RedisTable, Snapshot, follow, place_of
from streams.tables import KpiKeys, connect

PREFIX = "lb"


class Watch:
    """Monotonic time that stands until it is moved."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
async def redis(redis_server):
    client = connect(redis_server.url)
    yield client
    await client.aclose()


def full(snapshot: Snapshot) -> dict[str, dict]:
    return {window: dict(rows) for window, rows in snapshot.rows.items() if rows}


async def test_what_was_published_is_read(redis):
    published = at_noon(call("c1", NOON - MINUTE, rep="ana"))
    await publish(redis, PREFIX, published)
    read = await RedisTable(redis, PREFIX).read()
    assert read.round == published.round
    assert full(read) == full(published)


async def test_before_the_first_round_there_is_none(redis):
    assert (await RedisTable(redis, PREFIX).read()).round is None
    await claim_table(redis, KpiKeys(PREFIX), "abc")
    assert (await RedisTable(redis, PREFIX).read()).round is None


async def test_a_read_is_taken_for_the_present_for_a_moment(redis):
    watch = Watch()
    table = RedisTable(redis, PREFIX, monotonic=watch)
    assert (await table.read()).round is None
    await publish(redis, PREFIX, at_noon())
    watch.now += LOOKED_AT_S - 0.001
    assert (await table.read()).round is None
    watch.now += 0.001
    assert (await table.read()).round is not None


async def test_those_who_ask_together_share_one_read(redis):
    table = RedisTable(redis, PREFIX)
    await publish(redis, PREFIX, at_noon())
    first, *others = await asyncio.gather(*(table.read() for _ in range(5)))
    assert all(other is first for other in others)


async def test_a_redis_that_is_gone_and_comes_back():
    watch = Watch()
    gone = connect(f"redis://127.0.0.1:{free_port()}/0", timeout_s=0.5)
    table = RedisTable(gone, PREFIX, monotonic=watch)
    errors = []
    for _ in range(2):
        with pytest.raises(Retry) as caught:
            await table.read()
        errors.append(caught.value)
    assert errors[0] is errors[1]
    watch.now += LOOKED_AT_S
    with pytest.raises(Retry) as caught:
        await table.read()
    assert caught.value is not errors[0]
    await gone.aclose()


@pytest.mark.parametrize(
    ("where", "field", "value"),
    [
        ("1h", "calls", "not JSON"),
        ("1h", "calls", '{"value":"1","numerator":1,"denominator":null,"state":"ok","version":1}'),
        ("1h", b"calls|rep=\xff", "{}"),
        ("applied", "clock", "noon"),
        ("applied", "slices", "[]"),
    ],
)
async def test_what_is_no_kpi_table_is_refused(redis, where, field, value):
    await publish(redis, PREFIX, at_noon())
    keys = KpiKeys(PREFIX)
    await redis.hset(keys.applied if where == "applied" else keys.window(where), field, value)
    with pytest.raises(Fatal, match="is not a KPI table of this version"):
        await RedisTable(redis, PREFIX).read()


async def test_followed_it_is_read_though_nobody_asks_and_whatever_is_wrong():
    reads = asyncio.Queue()

    class Away:
        async def read(self):
            reads.put_nowait(None)
            raise Retry("redis", "is away")

    following = asyncio.create_task(follow(Away()))
    async with asyncio.timeout(10):
        for _ in range(2):
            await reads.get()
    following.cancel()


def test_a_key_says_its_figure_and_slice():
    assert place_of("calls") == Place("calls", "", "")
    assert place_of("sla_warnings{sla_percent=50}") == Place("sla_warnings{sla_percent=50}", "", "")
    assert place_of("calls|rep=a|b=c") == Place("calls", "rep", "a|b=c")
