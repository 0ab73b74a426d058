"""Activity, by hand. A line is: how long after noon, how much, and under which values."""

import build
import pytest
from build import DAY, HOUR, MINUTE, NOON, RULES
from engine import told
from msgspec.structs import replace

OWNED = build.lead(owner="ana", owner_at=NOON - DAY, lead_source="partner")
ANA, BEN = "ana north other", "ben north other"
FACTS = (
    OWNED,
    build.call("c1", NOON, connected=True),
    build.call("c2", NOON + 1, rep="ben"),
    build.email("e1", NOON + 2, connected=True),
    build.touch("m1", at=NOON + 3, channel="message", rep="stranger"),
    build.email("a1", NOON + 4, automated=True, rep="ben"),
    build.meeting("h1", scheduled_at=NOON + 5, outcome="held", kind="demo", rep="ben"),
    build.meeting("h2", scheduled_at=NOON + 6, outcome="no_show", kind="demo"),
    build.meeting("h3", scheduled_at=NOON + 7, outcome="cancelled"),
    build.meeting("h4", scheduled_at=NOON + 8),
    build.meeting("h5", booked_at=NOON + 9),
)


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (
            "touches",
            [
                (0, 1, f"{ANA} call"),
                (1, 1, f"{BEN} call"),
                (2, 1, f"{ANA} email"),
                (3, 1, "other other other message"),
                (5, 1, f"{BEN} meeting"),
            ],
        ),
        ("automated_touches", [(4, 1, f"{BEN} email")]),
        ("calls", [(0, 1, ANA), (1, 1, BEN)]),
        ("emails", [(2, 1, ANA)]),
        ("messages", [(3, 1, "other other other")]),
        ("calls_connected", [(0, 1, ANA)]),
        ("touches_connected", [(0, 1, f"{ANA} call"), (5, 1, f"{BEN} meeting")]),
        ("meetings_booked", [(9, 1, ANA)]),
        ("meetings_held", [(5, 1, BEN)]),
        ("demos_held", [(5, 1, BEN)]),
        ("meeting_no_shows", [(6, 1, ANA)]),
        ("meetings_cancelled", [(7, 1, ANA)]),
        ("meetings_unmarked", [(8, 1, ANA)]),
    ],
)
def test_each_thing_that_a_rep_does_is_counted_where_it_belongs(measure, expected):
    assert told(measure, *FACTS) == expected


def test_a_meeting_is_unmarked_from_the_end_of_its_grace_on():
    meeting = build.meeting(scheduled_at=NOON, rep="ana")
    assert told("meetings_unmarked", meeting, at=NOON + HOUR - 1) == []
    assert told("meetings_unmarked", meeting, at=NOON + HOUR) == [(0, 1, "ana north unknown")]
    marked = build.meeting(outcome="held", changed_at=NOON + 1)
    assert told("meetings_unmarked", meeting, marked, at=NOON + HOUR) == []


def test_unmarked_meetings_may_count_as_held():
    rules = replace(RULES, unmarked_meetings_count_as_held=True)
    meeting = build.meeting(scheduled_at=NOON, rep="ana", kind="demo")
    for measure in ("meetings_held", "demos_held", "touches"):
        assert told(measure, meeting, at=NOON + HOUR - 1, rules=rules) == []
        assert len(told(measure, meeting, at=NOON + HOUR, rules=rules)) == 1
    assert told("meetings_unmarked", meeting, at=NOON + HOUR, rules=rules) == []
    missed = build.meeting(scheduled_at=NOON, outcome="no_show")
    assert told("meetings_held", missed, at=NOON + HOUR, rules=rules) == []


def test_a_meeting_held_counts_at_its_scheduled_time_even_before_it():
    meeting = build.meeting(scheduled_at=NOON + DAY, outcome="held")
    assert [at for at, *_ in told("meetings_held", meeting, at=NOON)] == [DAY]


def test_a_meeting_held_at_no_known_time_counts_nowhere():
    meeting = build.meeting(outcome="held", kind="demo")
    for measure in ("meetings_held", "demos_held", "touches", "meetings_unmarked"):
        assert told(measure, meeting) == []
    assert told("meetings_unmarked", build.meeting(booked_at=NOON)) == []
    assert told("meeting_no_shows", build.meeting(outcome="no_show")) == []


def test_a_rescheduled_meeting_moves():
    moved = build.meeting(scheduled_at=NOON + HOUR, changed_at=NOON + 1)
    assert [at for at, *_ in told("meetings_held", build.meeting(scheduled_at=NOON, outcome="held"), moved)] == [HOUR]


def test_a_touch_that_was_replied_to_has_connected_once():
    events = (
        build.email("e1", NOON),
        build.email("e2", NOON + MINUTE),
        build.reply("r1", at=NOON + 2 * MINUTE, channel="email", in_reply_to="e1"),
        build.reply("r2", at=NOON + 3 * MINUTE, channel="email", in_reply_to="e1"),
    )
    assert [at for at, *_ in told("touches_connected", *events)] == [0]


def test_a_bounce_connects_nothing():
    assert told("touches_connected", build.email("e1", NOON), build.reply(at=NOON + 1, kind="bounce")) == []


def test_a_rep_acts_in_the_team_of_that_time():
    assert told("calls", build.call("c1", NOON, rep="ben")) == [(0, 1, "ben north unknown")]
    assert told("calls", build.call("c1", NOON + HOUR, rep="ben")) == [(HOUR, 1, "ben south unknown")]
    assert told("calls", build.call("c1", NOON + HOUR, rep="cleo")) == [(HOUR, 1, "cleo other unknown")]


def test_what_nobody_did_on_a_lead_of_nobody_is_unassigned():
    assert told("calls", build.call("c1", NOON)) == [(0, 1, "unassigned unassigned unknown")]
