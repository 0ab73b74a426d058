"""The oracle against values worked out by hand: in which slices a lead counts, and what happens at the same instant."""

from datetime import date
from typing import Any

import pytest
from histories import NOON, RULES, at, call, email, inquiry, lead, meeting, reply, value

from models.units import DAY, HOUR, MINUTE
from streams.local.truth import ledger_of
from streams.local.truth_facts import rules_of

OWNED = lead(created_at=NOON - HOUR, owner="cy", owner_at=NOON - DAY, lead_source="webshop")
WORKED = [
    call("c", NOON - 50 * MINUTE, rep="di", connected=True),
    reply("r", at=NOON - 45 * MINUTE, channel="email", sentiment="neutral"),
    reply("s", at=NOON - 40 * MINUTE),
    reply("b", at=NOON - 40 * MINUTE, kind="bounce", channel="email"),
    meeting(
        "m", version=NOON, booked_at=NOON - 35 * MINUTE, scheduled_at=NOON - 30 * MINUTE, rep="bo", outcome="held", kind="demo"
    ),
    meeting("n", version=NOON, booked_at=NOON - 35 * MINUTE, scheduled_at=NOON - 30 * MINUTE, rep="bo", outcome="no_show"),
    OWNED,
]


@pytest.mark.parametrize(
    ("measure", "slices"),
    [
        ("leads_created", {"rep=cy": 1, "team=south": 1, "lead_source=other": 1}),
        ("lead_response_time", {"rep=di": 1, "team=south": 1, "lead_source=other": 1, "channel=call": 1}),
        ("rep_delay", {"rep=di": 1, "team=south": 1, "lead_source=other": 1}),
        ("lead_contact_time", {"rep=di": 1, "team=south": 1, "lead_source=other": 1, "channel=call": 1}),
        ("clocks_ended", {"rep=cy": 1, "team=south": 1, "lead_source=other": 1}),
        ("touches", {"rep=di": 1, "rep=bo": 1, "team=south": 1, "team=north": 1, "channel=call": 1, "channel=meeting": 1}),
        ("touches_connected", {"rep=di": 1, "rep=bo": 1, "channel=call": 1, "channel=meeting": 1}),
        (
            "leads_contacted",
            {"rep=di": 1, "rep=bo": 1, "team=south": 1, "team=north": 1, "channel=call": 1, "channel=meeting": 1},
        ),
        ("calls", {"rep=di": 1, "team=south": 1}),
        ("calls_connected", {"rep=di": 1, "team=south": 1}),
        ("time_to_first_meeting", {"rep=bo": 1, "team=north": 1}),
        ("meetings_booked", {"rep=bo": 2, "team=north": 2}),
        ("meetings_held", {"rep=bo": 1, "team=north": 1}),
        ("demos_held", {"rep=bo": 1}),
        ("meeting_no_shows", {"rep=bo": 1}),
        ("leads_first_contacted", {"rep=di": 1, "channel=call": 1}),
        ("leads_first_reached", {"rep=di": 1, "channel=call": 1}),
        ("leads_replied", {"rep=di": 1, "channel=call": 1}),
        ("replies", {"rep=cy": 2, "channel=email": 1, "channel=unknown": 1, "sentiment=neutral": 1, "sentiment=unknown": 1}),
        ("reply_time", {"rep=cy": 2, "channel=email": 1, "channel=unknown": 1}),
        ("bounces", {"rep=cy": 1, "channel=email": 1, "lead_source=other": 1}),
        ("follow_ups_ended", {"rep=cy": 1, "team=south": 1}),
    ],
)
def test_who_is_credited_and_where(measure, slices):
    flows = ledger_of(WORKED, rules_of(RULES), NOON).flows
    counts = {
        f"{dims[0]}={values[0]}": len(found) for (each, (dims, values)), found in flows.items() if each == measure and dims
    }
    assert {name: counts.get(name, 0) for name in slices} == slices
    dims = {name.partition("=")[0] for name in slices}
    assert {name for name in counts if name.partition("=")[0] in dims} == set(slices)


def test_a_lead_counts_under_its_own_fields_as_they_are_now_and_in_pairs_of_which_it_has_both():
    lists = {"origins": ["fair"], "segments": ["smb", "large"], "campaigns": ["spring"]}
    told = lists | {"pairs": [["rep", "segment"], ["team", "channel"]]}
    events = [
        lead(created_at=NOON - HOUR, owner="bo", owner_at=NOON - DAY, origin="fair", segment="smb", sales_region="dach"),
        lead(version=NOON, segment="large", campaign="autumn"),
        call("c", NOON - MINUTE, rep="di"),
    ]
    flows = ledger_of(events, rules_of(RULES | told), NOON).flows
    slices = {measure: {key[0]: key[1] for each, key in flows if each == measure} for measure in ("leads_created", "touches")}
    own = {("lead_source",): ("unknown",), ("origin",): ("fair",), ("segment",): ("large",), ("campaign",): ("other",)}
    created = {("rep",): ("bo",), ("team",): ("north",), ("rep", "segment"): ("bo", "large")}
    touched = {("rep",): ("di",), ("team",): ("south",), ("channel",): ("call",), ("rep", "segment"): ("di", "large")}
    assert slices["leads_created"] == {(): ()} | own | created
    assert slices["touches"] == {(): ()} | own | touched | {("team", "channel"): ("south", "call")}


def test_a_pair_shows_what_one_of_its_dimensions_shows_and_both_have():
    rules = RULES | {"pairs": [["team", "lead_source"], ["rep", "channel"]]}
    events = [lead(created_at=NOON - HOUR, owner="bo", lead_source="inbound"), call("c", NOON - MINUTE, rep="di")]

    def paired(name: str, **labels: str) -> float | None:
        return value(events, name, rules=rules, **labels)

    assert paired("calls_by_team_and_lead_source", team="south", lead_source="inbound") == 1
    assert paired("calls_by_team_and_lead_source", team="north", lead_source="inbound") is None
    assert paired("lead_response_time_mean_seconds_by_rep_and_channel", rep="di", channel="call") == 59 * 60
    assert paired("lead_response_time_p50_seconds_by_rep_and_channel", rep="di", channel="call") is None
    assert paired("touches_by_rep_and_channel", rep="di", channel="call") == 1
    assert paired("calls_by_rep_and_channel", rep="di", channel="call") is None


def test_what_happens_at_the_instant_of_an_inquiry_answers_it():
    booked = [inquiry("i", at=NOON - HOUR), meeting("m", version=NOON, booked_at=NOON - HOUR, rep="bo")]
    assert value(booked, "time_to_first_meeting_mean_seconds") == 0
    assert value(booked, "lead_response_time_mean_seconds") == 0


def test_a_reply_at_the_instant_of_a_touch_answers_it():
    events = [email("e", NOON - HOUR), reply("r", at=NOON - HOUR)]
    assert value(events, "reply_time_mean_seconds") == 0
    assert value(events, "leads_replied") == 1


def test_the_first_touch_decides_whatever_was_told_first():
    told = [call("later", NOON - HOUR), email("sooner", NOON - 2 * HOUR, automated=True)]
    assert value(told, "leads_first_contacted_by_channel", channel="email") == 1
    assert value(told, "leads_first_contacted_by_channel", channel="call") == 0


def test_at_one_instant_touches_come_in_the_order_of_what_they_say():
    def first(*told: Any) -> list[str]:
        reps = ("unassigned", "other", "bo", "di")
        return [rep for rep in reps if value(list(told), "leads_first_contacted_by_rep", rep=rep)]

    tied = [call("b", NOON - HOUR), email("a", NOON - HOUR)]
    assert value(tied, "leads_first_contacted_by_channel", channel="call") == 1
    by_di, by_bo, by_stranger = (call(name, NOON - HOUR, rep=rep) for name, rep in (("a", "di"), ("b", "bo"), ("c", "zoe")))
    assert first(by_di, by_bo) == ["bo"]
    assert first(by_di, by_bo, by_stranger) == ["other"]
    assert first(by_di, by_bo, by_stranger, call("d", NOON - HOUR)) == ["unassigned"]


def test_a_rule_holds_from_its_first_instant():
    midnight = at("2026-03-02 00:00")
    events = [lead(created_at=midnight, owner="cy", owner_at=midnight), call("c", midnight)]
    assert value(events, "calls_by_team", team="south") == 1
    rules = RULES | {"sla": [{"target": "1h"}, {"target": "1m", "from": date(2026, 3, 2)}]}
    waiting = [lead(created_at=midnight)]
    assert value(waiting, "oldest_lead_waiting_due_timestamp_seconds", rules=rules) == (midnight + MINUTE) / 1000
