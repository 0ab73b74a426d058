"""Leads and funnel, by hand. A line is: how long after noon, how much, and under which values."""

import build
import pytest
from build import DAY, HOUR, MINUTE, NOON
from engine import Engine, told

from models.kpis import Formula
from models.snapshot import State

ANA = "ana north inbound"
OWNED = build.lead(owner="ana", owner_at=NOON - 9 * DAY, lead_source="inbound")


def stage(name, at, **fields):
    return build.lead(stage=name, stage_at=at, **fields)


def entries(*events):
    """When each stage was first reached, after noon."""
    stages = ("subscriber", "lead", "mql", "sal", "sql", "opportunity", "customer", "disqualified")
    found = {name: told(f"stage_entries_{name}", OWNED, *events) for name in stages}
    assert all(len(each) <= 1 for each in found.values())
    return {name: each[0][0] for name, each in found.items() if each}


def test_a_stage_is_reached_the_first_time_and_one_that_was_skipped_with_the_next():
    assert entries(stage("sal", NOON), stage("lead", NOON + HOUR), stage("sal", NOON + DAY)) == dict.fromkeys(
        ("subscriber", "lead", "mql", "sal"), 0
    )
    assert entries(stage("lead", NOON), stage("sql", NOON + HOUR)) == {
        **dict.fromkeys(("subscriber", "lead"), 0),
        **dict.fromkeys(("mql", "sal", "sql"), HOUR),
    }


def test_to_go_back_takes_nothing_away():
    back = (stage("opportunity", NOON), stage("mql", NOON + HOUR), stage(None, NOON + DAY))
    assert entries(*back) == dict.fromkeys(("subscriber", "lead", "mql", "sal", "sql", "opportunity"), 0)


def test_to_be_disqualified_is_no_step_of_the_ladder():
    assert entries(stage("mql", NOON), stage("disqualified", NOON + HOUR)) == {
        **dict.fromkeys(("subscriber", "lead", "mql"), 0),
        "disqualified": HOUR,
    }


def test_whoever_was_no_subscriber_is_a_lead_since_the_creation_at_the_latest():
    created = build.lead(created_at=NOON)
    assert entries(created) == dict.fromkeys(("subscriber", "lead"), 0)
    assert entries(created, stage("mql", NOON + HOUR))["lead"] == 0
    assert entries(created, stage("mql", NOON - HOUR)) == dict.fromkeys(("subscriber", "lead", "mql"), -HOUR)
    assert entries(created, stage("subscriber", NOON)) == {"subscriber": 0}
    assert entries(created, stage("subscriber", NOON), stage("lead", NOON + DAY)) == {"subscriber": 0, "lead": DAY}


def test_an_entry_is_the_owners_at_that_instant():
    handed_on = build.lead(owner="ben", owner_at=NOON + MINUTE)
    events = (OWNED, handed_on, stage("lead", NOON), stage("mql", NOON + HOUR))
    assert told("stage_entries_lead", *events) == [(0, 1, ANA)]
    assert told("stage_entries_mql", *events) == [(HOUR, 1, "ben south inbound")]


def test_a_conversion_counts_when_the_earlier_stage_was_reached_and_leakage_until_the_next_one_is():
    events = (OWNED, stage("lead", NOON), stage("mql", NOON + HOUR), stage("customer", NOON + DAY))
    assert told("lead_to_mql", *events) == told("lead_to_customer", *events) == [(0, 1, ANA)]
    assert told("mql_to_customer", *events) == [(HOUR, 1, ANA)]
    assert told("sql_to_customer", *events) == told("sql_to_opportunity", *events) == [(DAY, 1, ANA)]
    assert told("leads_lost_in_stage_mql", *events) == []
    assert told("leads_lost_in_stage_mql", *events[:-1]) == [(HOUR, 1, ANA)]
    assert told("leads_lost_in_stage_lead", *events[:-1]) == told("mql_to_sql", *events[:-1]) == []


def test_the_time_in_a_stage_ends_when_another_one_begins():
    events = (
        OWNED,
        stage("lead", NOON),
        stage("lead", NOON + MINUTE),
        stage("mql", NOON + HOUR),
        stage(None, NOON + 3 * HOUR),
        stage("mql", NOON + DAY),
        stage("sql", NOON + 2 * DAY),
    )
    assert told("time_in_stage_lead", *events) == [(HOUR, HOUR, ANA)]
    assert told("time_in_stage_mql", *events) == [(3 * HOUR, 2 * HOUR, ANA), (2 * DAY, DAY, ANA)]
    assert told("time_in_stage_sql", *events) == []


@pytest.mark.parametrize(
    ("events", "standing"),
    [
        ([build.lead(created_at=NOON)], {"leads_known"}),
        ([stage("mql", NOON)], {"leads_known", "leads_in_stage_mql"}),
        ([stage("mql", NOON), stage("sql", NOON + 1)], {"leads_known", "leads_in_stage_sql"}),
        ([stage("mql", NOON), stage(None, NOON + 1)], set()),
        ([build.lead(created_at=NOON), stage("mql", NOON), stage(None, NOON + 1)], {"leads_known"}),
        ([build.call("t1", NOON)], set()),
    ],
)
def test_where_a_lead_stands(events, standing):
    levels = ("leads_known", "leads_in_stage_mql", "leads_in_stage_sql")
    assert {name for name in levels if told(name, OWNED, *events)} == standing


def test_a_lead_is_qualified_at_its_creation():
    created = build.lead(created_at=NOON)
    assert told("leads_qualified", OWNED, created, stage("lead", NOON + HOUR)) == []
    assert told("leads_qualified", OWNED, created, stage("sal", NOON + DAY)) == [(0, 1, ANA)]
    assert told("leads_qualified", OWNED, stage("sal", NOON + DAY)) == []


def test_a_client_is_acquired_by_the_channel_of_the_first_touch_unless_it_was_one_before():
    sent = build.email("e1", NOON, rep="ben")
    assert told("leads_acquired", OWNED, sent) == []
    assert told("leads_acquired", OWNED, sent, stage("customer", NOON)) == [(0, 1, "ben north inbound email")]
    assert told("leads_acquired", OWNED, sent, stage("customer", NOON - 1)) == []
    assert told("leads_acquired", OWNED, stage("customer", NOON)) == []


def test_leads_grow_by_as_many_more_as_were_created_than_in_the_window_before():
    engine = Engine()
    for number, days in enumerate((0, 0, 0, 1, 1, 8, 9)):
        engine.take(build.lead(of=f"lead-{number}", created_at=NOON - days * DAY, owner="ana", owner_at=NOON - 9 * DAY))
    engine.tick(NOON)
    any_n = dict.fromkeys(Formula, 0)
    cells = {window: engine.cell("lead_growth_ratio", window, any_n) for window in ("24h", "7d", "today", "month", "30d")}
    assert {window: (cell.value, cell.numerator, cell.denominator) for window, cell in cells.items()} == {
        "24h": (0.5, 1, 2),
        "7d": (1.5, 3, 2),
        "today": (0.5, 1, 2),
        "month": (None, 5, 0),
        "30d": (None, 7, 0),
    }
    assert engine.cell("lead_growth_ratio|rep=ana", "today", any_n).value == 0.5
    assert engine.cell("lead_growth_ratio", "today").state is State.INSUFFICIENT
