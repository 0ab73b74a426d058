"""Replies, by hand. A line is: how long after noon, how much, and under which values."""

import build
import pytest
from build import DAY, HOUR, MINUTE, NOON
from engine import told

OWNED = build.lead(owner="ana", owner_at=NOON - DAY, lead_source="inbound")
ANA = "ana north inbound"
SENT = build.email("e1", NOON, rep="ben")


def outcome(*events) -> set[str]:
    """Which of the cohorts of the first touch a lead belongs to."""
    cohorts = (
        "leads_first_contacted",
        "leads_first_reached",
        "leads_replied",
        "leads_replied_positive",
        "leads_replied_negative",
    )
    return {name.removeprefix("leads_") for name in cohorts if told(name, *events)}


def test_a_reply_is_the_owners_under_its_channel_and_sentiment():
    events = (OWNED, build.reply(at=NOON, channel="email", sentiment="positive"), build.reply("r2", at=NOON + 1))
    assert told("replies", *events) == [(0, 1, f"{ANA} email positive"), (1, 1, f"{ANA} unknown unknown")]


@pytest.mark.parametrize(
    ("kind", "measure"), [("human", "replies"), ("bounce", "bounces"), ("unsubscribe", "opt_outs"), ("out_of_office", None)]
)
def test_each_kind_is_counted_apart(kind, measure):
    event = build.reply(at=NOON, kind=kind, channel="email")
    assert {name for name in ("replies", "bounces", "opt_outs") if told(name, OWNED, event)} == (
        {measure} if measure else set()
    )


def test_a_bounce_is_the_owners_under_its_channel():
    assert told("bounces", OWNED, build.reply(at=NOON, kind="bounce", channel="email")) == [(0, 1, f"{ANA} email")]


def test_the_first_touch_is_the_first_by_a_person_or_automated_and_delivered():
    automated = build.email("a1", NOON - HOUR, automated=True, rep="ana")
    undelivered = build.email("a0", NOON - DAY, automated=True, delivered=False)
    held = build.meeting("m1", scheduled_at=NOON - 2 * HOUR, outcome="held", rep="ana")
    assert told("leads_first_contacted", OWNED, SENT, undelivered) == [(0, 1, "ben north inbound email")]
    assert told("leads_first_contacted", OWNED, SENT, undelivered, automated) == [(-HOUR, 1, f"{ANA} email")]
    assert told("leads_first_contacted", OWNED, SENT, undelivered, automated, held) == [(-2 * HOUR, 1, f"{ANA} meeting")]
    assert told("leads_first_contacted", OWNED, undelivered) == []


def test_of_first_touches_at_one_instant_an_object_comes_before_a_meeting_and_then_the_smaller_id():
    held = build.meeting("a", scheduled_at=NOON, outcome="held")
    assert told("leads_first_contacted", OWNED, held, SENT) == [(0, 1, "ben north inbound email")]
    assert told("leads_first_contacted", OWNED, SENT, build.call("b", NOON, automated=True)) == [(0, 1, f"{ANA} call")]


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([], {"first_contacted", "first_reached"}),
        ([build.reply(at=NOON)], {"first_contacted", "first_reached", "replied"}),
        ([build.reply(at=NOON - 1)], {"first_contacted", "first_reached"}),
        ([build.reply(at=NOON, kind="out_of_office")], {"first_contacted", "first_reached"}),
        ([build.reply(at=NOON - DAY, kind="bounce")], {"first_contacted"}),
        ([build.reply(at=NOON, kind="bounce"), build.reply("r2", at=NOON - 1)], {"first_contacted"}),
        ([build.reply(at=NOON, kind="bounce"), build.reply("r2", at=NOON)], {"first_contacted", "first_reached", "replied"}),
    ],
)
def test_a_lead_has_replied_or_bounced_or_neither(replies, expected):
    assert outcome(SENT, *replies) == expected


@pytest.mark.parametrize(
    ("sentiments", "expected"),
    [
        (["positive"], {"replied_positive"}),
        (["negative", "positive"], {"replied_positive"}),
        (["positive", "negative"], {"replied_negative"}),
        (["positive", None], {"replied_positive"}),
        (["positive", "neutral"], set()),
        ([None], set()),
    ],
)
def test_the_latest_sentiment_that_is_known_decides(sentiments, expected):
    replies = [build.reply(f"r{number}", at=NOON + number, sentiment=each) for number, each in enumerate(sentiments)]
    assert outcome(SENT, *reversed(replies)) == {"first_contacted", "first_reached", "replied"} | expected


def test_a_sentiment_before_the_first_touch_does_not_count():
    assert "replied_positive" not in outcome(SENT, build.reply(at=NOON - 1, sentiment="positive"), build.reply("r2", at=NOON))


def test_a_lead_that_was_never_touched_is_in_no_cohort():
    assert outcome(OWNED, build.reply(at=NOON, sentiment="positive")) == set()


BEFORE = (
    build.call("c1", NOON - 4 * MINUTE),
    build.email("e2", NOON - 3 * MINUTE, automated=True),
    build.email("e1", NOON - 2 * MINUTE),
    build.call("c2", NOON - MINUTE),
    build.call("later", NOON + 1),
)


@pytest.mark.parametrize(
    ("reply", "waited"),
    [
        (build.reply(at=NOON, channel="email", in_reply_to="c1"), 4 * MINUTE),
        (build.reply(at=NOON, channel="email", in_reply_to="e2"), 3 * MINUTE),
        (build.reply(at=NOON, channel="email"), 2 * MINUTE),
        (build.reply(at=NOON, channel="message"), MINUTE),
        (build.reply(at=NOON), MINUTE),
        (build.reply(at=NOON, channel="email", in_reply_to="later"), 2 * MINUTE),
        (build.reply(at=NOON, channel="email", in_reply_to="m1"), 2 * MINUTE),
        (build.reply(at=NOON - MINUTE), 0),
        (build.reply(at=NOON - HOUR), None),
        (build.reply(at=NOON, kind="bounce"), None),
    ],
)
def test_a_reply_answers_the_touch_it_names_else_the_latest_on_its_channel_else_the_latest(reply, waited):
    held = build.meeting("m1", scheduled_at=NOON, outcome="held")
    assert [value for _, value, _ in told("reply_time", *BEFORE, held, reply)] == ([] if waited is None else [waited])


def test_a_reply_time_is_the_owners_under_the_replys_channel():
    assert told("reply_time", OWNED, SENT, build.reply(at=NOON + 1, channel="call")) == [(1, 1, f"{ANA} call")]


def test_of_touches_at_one_instant_the_larger_id_is_the_latest():
    events = (build.email("a", NOON), build.email("b", NOON, rep="ben"), build.reply(at=NOON + 1, channel="email"))
    assert told("touches_connected", OWNED, *events) == [(0, 1, "ben north inbound email")]
    deleted = build.deleted("touch:b", changed_at=NOON + 1)
    assert told("touches_connected", OWNED, *events, deleted) == [(0, 1, f"{ANA} email")]
