"""A lead with very many touches: a few parts of it are read and written, and it counts, ends and is shown as any other."""

from typing import Any

import build
import pytest
from build import DAY, MINUTE, NOON, RULES, SECOND, sla
from engine import Engine, panes_of, sums_of
from msgspec import structs
from prometheus_client import CollectorRegistry
from stores import HASHING, record

from models.codes import Codes
from models.events import decode_logged
from models.state.lead import is_huge, unpack
from streams.inspection.unpacking import lead_rows
from streams.processing.owner import Owner, Terms
from streams.tables import Keys, read_outbox, read_states, read_whole, walk_states
from streams.telemetry import ProcessorMetrics
from streams.transport import TP, LogEnds
from streams.valuation import valuation_of

pytestmark = pytest.mark.redis

FIRST = TP("events", 0)
KEYS = Keys("lb", 0)
LEAD = "lead-1"
PATIENT = structs.replace(RULES, sla=())
STRICT = structs.replace(RULES, sla=(sla(1),), version=2)
TOUCHES = 700
LATER = NOON + DAY
TOLD = [
    build.lead(created_at=NOON, owner="ana", owner_at=NOON, segment="smb"),
    *(
        build.touch(
            f"t{number}",
            at=NOON + number * MINUTE,
            channel=("call", "email")[number % 2],
            rep=("ana", "ben")[number % 3 > 0],
        )
        for number in range(TOUCHES)
    ),
]


class Log:
    """A log of events and ticks, and the owners that read it, one after another."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis
        self.length = 0
        self.events: list[Any] = []

    async def owner(self, rules: Any = PATIENT) -> Owner:
        """The next one."""
        terms = Terms("lb", 1, Codes(rules), valuation_of(rules), 0.5, "alerts", "dead", hashing=HASHING)
        owner = Owner(self.redis, None, terms, ProcessorMetrics(CollectorRegistry()), nothing)
        owner.attach(Control())
        assert await owner.load(FIRST, LogEnds(0, self.length, nothing, nothing)) == self.length
        return owner

    async def tell(self, owner: Owner, *events: Any, clock: int = LATER) -> None:
        """Events, then a tick; all is made durable."""
        self.events += events
        records = [record(self.length + place, item) for place, item in enumerate([*events, {0: clock // SECOND}])]
        self.length += len(records)
        await owner.apply(FIRST, records)
        await owner.flush({FIRST})

    async def pages(self) -> dict[bytes, bytes]:
        return await self.redis.hgetall(KEYS.pages(LEAD))

    async def names(self) -> list[str]:
        """All keys in which something is kept of the lead by itself."""
        return sorted(key.decode() for key in await self.redis.keys("*") if LEAD in key.decode())


class Control:
    """The consumer's, of which nothing is wanted."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


async def nothing(*_: Any) -> None:
    return None


@pytest.fixture
async def log(redis):
    log = Log(redis)
    owner = await log.owner()
    for start in range(0, len(TOLD), 100):
        await log.tell(owner, *TOLD[start : start + 100])
    return log


def counted(owner: Owner) -> Any:
    totals = owner.owned[FIRST].partition.totals
    return sums_of(totals), panes_of(totals)


def truth(events: list[Any], clock: int = LATER, rules: Any = PATIENT) -> Any:
    totals = Engine(rules).take(*events).tick(clock).totals
    return sums_of(totals), panes_of(totals)


CHANGES = [
    build.call("new", LATER - MINUTE, rep="ana"),
    build.touch("t5", changed_at=LATER, connected=True),
    build.deleted("touch:t6", changed_at=LATER),
    build.reply("r1", at=NOON + 9 * MINUTE, in_reply_to="t5"),
    build.restored("touch:t6", changed_at=LATER + 1),
    build.call("late", NOON - MINUTE, connected=True),
    build.meeting("m1", booked_at=NOON + DAY // 2, scheduled_at=LATER - 2 * MINUTE, rep="ben", outcome="held"),
    build.lead(stage="customer", stage_at=NOON + 300 * MINUTE),
    build.lead(owner="ben", owner_at=NOON + 5 * MINUTE),
    build.lead(changed_at=LATER, segment="enterprise"),
    build.deleted(changed_at=LATER),
    build.restored(changed_at=LATER + 1),
]


async def test_it_counts_as_if_nothing_were_special_about_it_also_when_it_is_read_again_for_each_event(log):
    for number, event in enumerate(CHANGES):
        owner = await log.owner()
        await log.tell(owner, event, clock=LATER + number * SECOND)
        assert counted(owner) == truth(log.events, LATER + number * SECOND), event


async def test_one_more_event_reads_and_writes_a_few_parts_of_it(log):
    owner = await log.owner()
    before = await log.pages(), await log.redis.hgetall(KEYS.of(2).rows(LEAD))
    await log.redis.config_resetstat()
    await log.tell(owner, build.touch("t5", changed_at=LATER, connected=True))
    commands = await log.redis.info("commandstats")
    assert (
        commands["cmdstat_hmget"]["calls"] <= 6
    )  # the head, a page, each with where the partition stands, and what the script looks at
    after = await log.pages(), await log.redis.hgetall(KEYS.of(2).rows(LEAD))
    for was, is_now in zip(before, after, strict=True):
        assert was.keys() == is_now.keys()
        assert len([part for part in was if was[part] != is_now[part]]) == 1


async def test_whoever_looks_at_a_lead_sees_it_whole(log):
    packed = await read_whole(log.redis, KEYS, LEAD)
    assert len(unpack(packed)[0].everything) == TOUCHES
    assert len({row["object"] for row in lead_rows(packed)}) == TOUCHES + 1
    walked = [state async for states in walk_states(log.redis, KEYS) for state in states.items()]
    assert walked == [(LEAD, packed)]
    assert await read_whole(log.redis, KEYS, "nobody") is None


async def test_under_other_rules_its_rows_are_made_anew_and_the_old_ones_go(log):
    owner = await log.owner(STRICT)
    assert await log.names() == [KEYS.of(3).rows(LEAD), KEYS.pages(LEAD)]
    assert counted(owner) == truth(log.events, LATER, STRICT)
    await log.tell(owner, *CHANGES[:3])
    assert counted(owner) == truth(log.events, LATER, STRICT)
    assert counted(await log.owner(STRICT)) == counted(owner)


async def test_of_an_erased_one_nothing_is_left(log):
    owner = await log.owner()
    await log.tell(owner, build.erased())
    assert await log.names() == []
    assert await read_states(log.redis, KEYS, [LEAD]) == {}
    assert counted(owner)[0] == {}
    await log.tell(owner, build.call("again", NOON))
    assert await log.names() == []


async def test_one_that_is_long_over_loses_its_pages_and_may_become_huge_again(log):
    owner = await log.owner()
    for days in (900, 931, 962):
        await log.tell(owner, clock=NOON + days * DAY)
    assert await log.names() == []
    (state,) = (await read_states(log.redis, KEYS, [LEAD])).values()
    assert not is_huge(state)
    again = NOON + 962 * DAY
    calls = [build.call(f"n{number}", again + number) for number in range(TOUCHES)]
    await log.tell(owner, *calls, clock=again + MINUTE)
    assert await log.names() == [KEYS.of(2).rows(LEAD), KEYS.pages(LEAD)]
    assert counted(owner)[0]["calls"] == counted(await log.owner())[0]["calls"]
    assert max(counted(owner)[0]["calls"]) == TOUCHES


async def test_merged_into_another_it_counts_there_and_by_itself_again_when_that_is_undone(log):
    owner = await log.owner()
    await log.tell(owner, build.merged("lead-2", of=LEAD, changed_at=LATER))
    assert counted(owner)[0] == {}
    owner = await log.owner()
    await log.tell(owner, build.call("more", NOON + MINUTE))
    await log.tell(await log.owner(), build.merged(None, of=LEAD, changed_at=LATER + 1))
    given = [decode_logged(message.value) for _, message in await read_outbox(log.redis, KEYS)]
    assert [len(unpack(each.lead)[0].objects) if each.path else 0 for each in given] == [TOUCHES, TOUCHES + 1, 0]
    owner = await log.owner()
    told = [event for event in log.events if "merged" not in type(event).__name__.lower()]
    assert counted(owner) == truth(told)
    assert counted(await log.owner()) == truth(told)
