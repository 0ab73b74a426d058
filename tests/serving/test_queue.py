"""The queue: read out of a real Redis, put in order, counted, and told over HTTP."""

import pytest
from build import HOUR, MINUTE, NOON
from hypothesis import given
from hypothesis import strategies as st
from published import at_noon, serving
from queued import Partitions, clock
from stored import committed

from streams.errors import Fatal, Retry
from streams.processing.checkpoint import claim_partition
from streams.processing.cut import Writes, cut_aside, cut_checkpoint
from streams.serving.queue import DIMS, Lead, Queue, RedisQueue, nearest, queue_of, tallies
from streams.tables import Keys, OpenClocks, Progress, read_open


@pytest.fixture
async def partitions(redis):
    return await Partitions.claimed(redis)


async def names(redis):
    return [lead.lead for lead in (await RedisQueue(redis, "lb", 4).read()).leads]


class TestReading:
    async def test_the_first_due_comes_first_then_the_first_who_asked_and_last_who_has_no_due_time(self, redis, partitions):
        await partitions.show(
            NOON,
            {
                clock("never", None): NOON - HOUR,
                clock("later", NOON + 2 * MINUTE): NOON - 3 * MINUTE,
                clock("next-2", NOON + MINUTE): NOON - MINUTE,
                clock("next-1", NOON + MINUTE): NOON - 2 * MINUTE,
                clock("late", NOON - MINUTE): NOON - MINUTE,
            },
        )
        assert await names(redis) == ["late", "next-1", "next-2", "later", "never"]

    async def test_a_lead_is_named_as_its_crm_names_it(self, redis, partitions):
        told = dict(zip(DIMS, ("mia", "west", "web", "fair", "dach", "smb", "launch"), strict=True))
        await partitions.show(NOON, {clock("a:b", NOON + MINUTE, **told): NOON})
        (lead,) = (await RedisQueue(redis, "lb", 4).read()).leads
        assert lead == Lead("crm", "a:b", NOON, NOON + MINUTE, overdue=False, **told)

    async def test_overdue_is_judged_by_the_due_clock_as_the_kpis_do(self, redis, partitions):
        due = NOON - 2_000
        await partitions.show(NOON, {clock("now", due): NOON - HOUR, clock("not yet", due + 1): NOON - HOUR})
        assert [lead.overdue for lead in (await RedisQueue(redis, "lb", 4).read()).leads] == [True, False]

    async def test_who_was_answered_is_gone(self, redis, partitions):
        await partitions.show(NOON, {clock("1", NOON): NOON, clock("2", NOON): NOON})
        await partitions.show(NOON, {clock("2", NOON): NOON})
        assert await names(redis) == ["2"]

    async def test_more_than_a_page_is_read_whole(self, redis, partitions):
        await partitions.show(NOON, {clock(f"{number:05}", NOON + number): NOON for number in range(23_000)})
        assert await names(redis) == [f"{number:05}" for number in range(23_000)]

    async def test_only_the_generation_that_stands_counts(self, redis):
        keys = Keys("lb", 0)
        held = await claim_partition(redis, keys, 1, "test")
        held = await committed(redis, cut_checkpoint(keys, held, Writes(open={clock("old", NOON): NOON}), Progress(clock=NOON)))
        held = await committed(redis, cut_aside(keys.of(2), held, Writes(open={clock("new", NOON): NOON})))
        assert [each.subject for each, _ in (await read_open(redis, keys)).clocks] == ["crm:old"]
        await committed(redis, cut_checkpoint(keys.of(2), held, Writes(), Progress(clock=NOON, generation=2)))
        assert [each.subject for each, _ in (await read_open(redis, keys)).clocks] == ["crm:new"]

    async def test_there_is_no_clock_until_all_partitions_have_one(self, redis):
        assert await RedisQueue(redis, "lb", 2).read() == Queue(None, [])
        keys = Keys("lb", 0)
        held = await claim_partition(redis, keys, 2, "test")
        await committed(redis, cut_checkpoint(keys, held, Writes(open={clock("1", NOON): NOON}), Progress(clock=NOON)))
        half = await RedisQueue(redis, "lb", 2).read()
        assert (half.clock, len(half.leads)) == (None, 1)

    async def test_what_are_no_open_clocks_is_refused(self, redis, partitions):
        await redis.set(Keys("lb", 0).open, "somebody else's")
        with pytest.raises(Fatal, match="WRONGTYPE"):
            await RedisQueue(redis, "lb", 4).read()

    async def test_members_of_another_version_are_refused(self, redis, partitions):
        await redis.zadd(Keys("lb", 0).open, {"not JSON": NOON})
        with pytest.raises(Fatal, match="are no open clocks of this version"):
            await RedisQueue(redis, "lb", 4).read()


LEADS = st.lists(st.tuples(st.none() | st.integers(0, 50), st.integers(0, 50), st.sampled_from("abc")), max_size=30).map(
    lambda rows: queue_of(
        [OpenClocks(25, [(clock(str(n), due, rep=rep), since) for n, (due, since, rep) in enumerate(rows)])], 1
    )
)


class TestCounting:
    @given(LEADS, st.integers(0, 50), st.integers(0, 10))
    def test_the_nearest_on_both_sides_of_an_instant_are_neighbours_in_the_queue(self, queue, instant, count):
        missed, ahead = nearest(queue.leads, instant, count)
        late = [lead for lead in queue.leads if lead.due is not None and lead.due <= instant]
        rest = [lead for lead in queue.leads if lead not in late]
        assert list(missed) == late[max(0, len(late) - count) :]
        assert list(ahead) == rest[:count]

    @given(LEADS)
    def test_tallies_add_up_to_the_queue(self, queue):
        by_rep = tallies(queue.leads, "rep").values()
        assert sum(tally.waiting for tally in by_rep) == len(queue.leads)
        assert sum(tally.overdue for tally in by_rep) == sum(lead.overdue for lead in queue.leads)


QUEUE = queue_of(
    [
        OpenClocks(
            NOON,
            [
                (clock("1", NOON - MINUTE), NOON - 2 * MINUTE),
                (clock("2", NOON + MINUTE, rep="ben", team="south"), NOON - MINUTE),
                (clock("3", None, rep="ben", team="south", lead_source="web", segment="smb"), NOON),
            ],
        )
    ],
    1,
)


async def ask(query="", queue=QUEUE):
    async with serving(at_noon(), queue=queue) as client:
        response = await client.get(f"/api/v1/waiting?{query}")
    return response.status_code, response.json()


class TestApi:
    async def test_it_tells_who_waits_and_how_many_by_rep_and_team(self):
        status, answer = await ask()
        assert status == 200
        assert (answer["clock"], answer["known_until"]) == (NOON, NOON - 2_000)
        assert (answer["total"], answer["overdue"]) == (3, 1)
        assert answer["by_rep"] == {"ben": {"waiting": 2, "overdue": 0}, "ana": {"waiting": 1, "overdue": 1}}
        assert answer["by_team"] == {"south": {"waiting": 2, "overdue": 0}, "north": {"waiting": 1, "overdue": 1}}
        assert answer["waiting"][0] == {
            "connection": "crm",
            "lead": "1",
            "since": NOON - 2 * MINUTE,
            "due": NOON - MINUTE,
            "overdue": True,
            "rep": "ana",
            "team": "north",
            "lead_source": "inbound",
            **dict.fromkeys(("origin", "sales_region", "segment", "campaign"), "unknown"),
        }

    @pytest.mark.parametrize(
        ("query", "leads"),
        [
            ("rep=ben", ["2", "3"]),
            ("team=south&lead_source=web", ["3"]),
            ("segment=smb", ["3"]),
            ("origin=unknown&rep=ana", ["1"]),
            ("rep=nobody", []),
            ("overdue=1", ["1"]),
            ("overdue=0&rep=", ["2", "3"]),
        ],
    )
    async def test_it_can_be_narrowed_and_counts_what_is_left(self, query, leads):
        _, answer = await ask(query)
        assert [lead["lead"] for lead in answer["waiting"]] == leads
        assert answer["total"] == len(leads)

    async def test_a_limit_shortens_the_list_and_not_the_counts(self):
        _, answer = await ask("limit=1")
        assert ([lead["lead"] for lead in answer["waiting"]], answer["total"]) == (["1"], 3)
        assert (await ask("limit=0"))[1]["waiting"] == []

    @pytest.mark.parametrize(
        "query", ["limit=1001", "limit=-1", "limit=x", "limit=²", "limit=99999999999", "overdue=yes", "who=ben"]
    )
    async def test_a_question_that_cannot_be_meant_is_refused(self, query):
        status, answer = await ask(query)
        assert status == 400
        assert answer["where"] in {"limit", "overdue", "query"}

    async def test_before_there_is_a_clock_and_without_redis_it_is_unavailable(self):
        assert (await ask(queue=Queue(None, ())))[0] == 503
        assert (await ask(queue=Retry("redis", "is away")))[0] == 503
