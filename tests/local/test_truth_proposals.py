"""The oracle against values worked out by hand: proposals, nurtures, conversations, and touches with customers."""

from typing import Any

import pytest
from histories import (
    NOON,
    RULES,
    Event,
    call,
    deleted,
    email,
    lead,
    meeting,
    nurture,
    of_account,
    proposal,
    reply,
    restored,
    sliced,
    touch,
    value,
)

from models.units import DAY, HOUR, MINUTE

SENT, SIGNED = NOON - 3 * HOUR, NOON - HOUR


def told(events: list[Event], *names: str, **options: Any) -> list[float | None]:
    """Some numbers of a day, and levels."""
    return [value(events, name, **options) for name in names]


def test_worked_example_one_of_four_proposals_is_signed():
    events = [
        proposal("a", sent_at=SENT, signed_at=SIGNED, rep="di"),
        *(proposal(name, sent_at=SENT) for name in "bcd"),
        proposal("e", sent_at=NOON - 3 * DAY, signed_at=SIGNED),
        proposal("f", signed_at=SIGNED),
        lead(owner="bo", owner_at=SENT),
    ]
    names = ("proposals_sent", "proposals_signed", "proposals_closed", "closing_ratio")
    assert told(events, *names) == [4, 3, 1, 0.25]
    assert told(events, *names, window="7d") == [5, 3, 2, 0.4]
    by_rep = {name: count for name, count in sliced(events, "proposals_signed").items() if name.startswith("rep")}
    assert by_rep == {"rep=di": 1, "rep=bo": 2}
    assert told([*events, deleted(NOON, "ada", ("proposal", "a"))], *names[:3]) == [3, 2, 0]
    back = [deleted(NOON, "ada", ("proposal", "a")), restored(NOON + 1, "ada", ("proposal", "a"))]
    assert told([*events, *back], *names[:3]) == [4, 3, 1]


@pytest.mark.parametrize(
    ("events", "talked"),
    [
        ([call("c", SENT)], 0),
        ([call("c", SENT, connected=True)], 1),
        ([call("c", SENT, connected=True, automated=True)], 0),
        ([email("e", SENT), reply("r", at=SENT + MINUTE)], 0),
        ([reply("r", at=SENT), email("e", SENT)], 0),
        ([reply("r", at=SENT), email("e", SENT + 1)], 1),
        ([reply("r", at=SENT, kind="bounce"), email("e", SENT + 1)], 0),
        ([reply("r", at=SENT), touch("t", at=SENT + 1, channel="email", automated=True)], 0),
        ([reply("r", at=SENT), meeting("m", scheduled_at=SENT + 1, outcome="no_show")], 0),
        ([meeting("m", scheduled_at=SENT, outcome="held")], 1),
        ([meeting("m", scheduled_at=SENT, outcome="held"), call("c", SENT, connected=True)], 1),
    ],
)
def test_who_is_in_conversation(events, talked):
    assert told(events, "leads_in_conversation") == [talked]


def test_a_conversation_counts_once_in_each_slice():
    events = [
        lead(owner="bo", owner_at=NOON - 9 * DAY),
        call("a", NOON - 3 * DAY, connected=True, rep="di"),
        call("b", SENT, connected=True, rep="cy"),
        reply("r", at=SENT + 1),
        email("e", SENT + 2),
        *(proposal(f"p{number}", sent_at=SENT) for number in range(3)),
    ]
    assert told(events, "leads_in_conversation", "match_ratio") == [1, 3]
    assert told(events, "leads_in_conversation", window="7d") == [1]
    assert sliced(events, "leads_in_conversation") == {
        "rep=bo": 1,
        "rep=cy": 1,
        "rep=di": 1,
        "team=north": 1,
        "team=south": 1,
        "lead_source=unknown": 1,
    }


def test_touches_while_the_lead_is_a_customer():
    events = [
        lead(stage="customer", stage_at=SENT),
        lead(stage="disqualified", stage_at=SIGNED),
        *(call(f"c{at}", at, rep="bo") for at in (SENT - 1, SENT, SIGNED - 1, SIGNED)),
        meeting("m", scheduled_at=SENT + HOUR, outcome="held"),
        email("e", SENT + HOUR, automated=True),
        *(of_account("purchase", "p", name, at=SENT) for name in "ab"),
    ]
    assert told(events, "touches_with_customers", "client_engagement_mean") == [3, 1.5]
    assert sliced(events, "touches_with_customers") == {
        "rep=bo": 2,
        "rep=unassigned": 1,
        "team=north": 2,
        "team=unassigned": 1,
        "lead_source=unknown": 3,
        "channel=call": 2,
        "channel=meeting": 1,
    }


def test_nurtures_that_end_in_a_customer():
    rules = RULES | {"nurture_tracks": ["slow", "quick"]}
    events = [
        lead(stage="customer", stage_at=SIGNED),
        nurture("a", entered_at=SIGNED, track="slow"),
        nurture("b", entered_at=SIGNED + 1, track="quick"),
        nurture("c", entered_at=SENT, track="else"),
        nurture("d", "bob", entered_at=SENT),
        nurture("e", "bob", version=NOON, track="slow"),
    ]
    assert told(events, "nurtures", "nurtures_converted", "conversions_by_nurture_ratio") == [4, 2, 0.5]
    tracks = {name: count for name, count in sliced(events, "nurtures", rules).items() if name.startswith("nurture")}
    assert tracks == {"nurture_track=slow": 1, "nurture_track=quick": 1, "nurture_track=other": 1, "nurture_track=unknown": 1}
    assert not any(name.startswith("nurture") for name in sliced(events, "nurtures"))
