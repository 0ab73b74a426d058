"""Two years of a sales floor, day by day: what is stored is what all leads add up to, and nothing outlives its retention."""

import tomllib
from collections import defaultdict
from datetime import datetime

import behind
import pytest
from crowd import RULES, crowd
from system import PARTITIONS
from verdicts import judged, wrong

from models.codes import Codes
from models.rollup import Totals
from models.state.lead import unpack
from models.sums import Sums
from models.units import DAY, HOUR, Duration, Millis
from models.windows import WINDOW_INDEX, Calendar, Pane
from streams.config import Settings
from streams.processing.adding_up import AddingUp
from streams.processing.partition import Partition
from streams.tables import Keys, read_totals, walk_states

DAYS = 880
OLD = 800
"""Days after which nothing more is told of a lead here: it may be forgotten by then."""

FORGOTTEN = 809 + 30
"""Days after its last instant at which a lead is forgotten that is in no number any more."""

LEADS = 4_000


@pytest.mark.timeout(600)
async def test_totals_are_the_sum_over_all_leads_and_old_panes_are_gone(system, now, rules):
    events = list(_in_time(crowd(LEADS, now, span=Duration(DAYS * DAY)), now))
    config = system.configure()
    processor, _ = system.start("processor", config), system.start("exporter", config)
    await system.loaded(processor)
    days = defaultdict(list)
    for event in events:
        days[(now - _told_at(event)) // DAY].append(event)
    for day in sorted(days, reverse=True):
        await system.append(days[day])
        await system.tick_events(now - day * DAY)
        if day % 100 == 0:
            await system.published(now - day * DAY)
    clock = Millis(now + HOUR)
    await system.tick_events(clock)
    page = await system.round(clock)
    assert wrong(page, await judged(events, RULES, clock)) == []
    calendar, oldest_seen = Calendar(rules.zone), dict.fromkeys(Pane, clock)
    known, oldest_member = set(), clock
    for number in range(PARTITIONS):
        keys = Keys("lb", number).of(int((await system.stored())[number]["generation"]))
        stored = await read_totals(system.redis, keys)
        async for states in walk_states(system.redis, keys):
            known |= {subject.removeprefix("crm:") for subject, state in states.items() if unpack(state)[0].everything}
        partition = await _added_up(system, keys, Codes(rules), clock)
        assert _sums(stored) == dict(partition.totals.sums.nonzero())
        members = await behind.read(system.redis, keys)
        assert members == {measure: dict(of) for measure, of in partition.members.cut(clock).changed.items()}
        oldest_member = min(oldest_member, *(at for of in members.values() for at in of.values()))
        assert len(stored.panes) == len([key async for key in system.redis.scan_iter(f"{keys.part('pane')}:*")])
        for pane in stored.panes:
            assert pane.start >= calendar.oldest_start(Pane(pane.size), clock), pane
            oldest_seen[Pane(pane.size)] = min(oldest_seen[Pane(pane.size)], pane.start)
    assert oldest_seen[Pane.DAY] < clock - 795 * DAY
    assert calendar.oldest_start(Pane.DAY, clock) <= oldest_member < clock - 795 * DAY
    forgotten = {subject: at for subject, at in _created(events).items() if subject not in known}
    assert len(forgotten) > LEADS // 100
    assert all(at < now - FORGOTTEN * DAY for at in forgotten.values())


@pytest.fixture
def rules():
    """Those that the crowd is judged by."""
    return Settings.model_validate(tomllib.loads(RULES)).rules()


def _created(events):
    """When leads were created, by subject."""
    told = [event for event in events if event["type"] == "lead.upserted" and "created_at" in event["data"]]
    return {event["subject"]["id"]: _told_at(event) for event in told}


def _in_time(events, now):
    """All but what is told lately of old leads."""
    old = {subject for subject, at in _created(events).items() if at < now - OLD * DAY}
    return (event for event in events if event["subject"]["id"] not in old or _told_at(event) < now - DAY)


def _told_at(event):
    return int(datetime.fromisoformat(event["timestamp"]).timestamp() * 1000)


async def _added_up(system, keys, codes, clock):
    """A partition into which all states are added, from nothing."""
    partition = Partition(keys.partition, codes, PARTITIONS, Totals(codes))
    partition.totals.advance(clock)
    adding_up = AddingUp(partition, frozenset())
    async for states in walk_states(system.redis, keys):
        adding_up.take(states)
    return partition


def _sums(stored):
    sums = Sums(stored.series)
    for window, chunks in stored.windows.items():
        for number, packed in chunks.items():
            sums.set_chunk(WINDOW_INDEX[window], number, packed)
    for number, packed in stored.levels.items():
        sums.set_chunk(len(WINDOW_INDEX), number, packed)
    return dict(sums.nonzero())
