"""The oracle against values worked out by hand: the definitions of speed, activity and replies."""

from datetime import date
from typing import Any

import pytest
from histories import NOON, RULES, at, call, email, inquiry, lead, meeting, reply, touch, value

from models.units import DAY, HOUR, MINUTE, SECOND
from streams.local.truth import ledger_of
from streams.local.truth_facts import rules_of


def test_worked_example_fifty_leads_contacted_three_of_them_positive():
    events = []
    for number in range(50):
        subject = f"lead-{number}"
        events += [
            email(f"{subject}-1", NOON - 5 * HOUR, subject),
            call(f"{subject}-2", NOON - 4 * HOUR, subject, connected=number % 2 == 0),
            touch(f"{subject}-3", subject, at=NOON - 3 * HOUR, channel="message"),
        ]
    for number, sentiment in enumerate(["positive", "positive", "positive", "negative", "neutral", None]):
        events.append(reply("r", f"lead-{number}", at=NOON - HOUR, channel="email", sentiment=sentiment))
    assert value(events, "positive_reply_ratio") == 0.06
    assert value(events, "leads_first_contacted") == 50
    assert value(events, "leads_replied_positive") == 3
    assert value(events, "touches") == 150
    assert value(events, "reply_ratio") == 6 / 50


def test_worked_example_two_of_four_within_five_minutes():
    events = []
    for number, minutes in enumerate([1, 4, 6]):
        events += [
            lead(f"l{number}", created_at=NOON - HOUR),
            call("c", NOON - HOUR + minutes * MINUTE, f"l{number}"),
        ]
    events += [lead("unanswered", created_at=NOON - 10 * MINUTE), lead("not yet due", created_at=NOON - 2 * MINUTE)]
    assert value(events, "response_within_sla_ratio") == 0.5
    assert value(events, "responses_within_sla") == 2
    assert value(events, "clocks_ended") == 4
    assert value(events, "sla_breaches") == 2
    assert value(events, "sla_warnings", sla_percent="50") == 3
    assert value(events, "sla_warnings", sla_percent="80") == 2
    assert value(events, "leads_awaiting_response") == 2
    assert value(events, "leads_overdue") == 1


@pytest.mark.parametrize(("behind", "warned"), [(2 * SECOND, 1), (2 * SECOND - 1, 0)])
def test_a_share_of_the_sla_is_reached_two_seconds_behind_the_clock(behind, warned):
    half = at("2026-03-02 11:57") + 150 * SECOND
    events = [lead(created_at=at("2026-03-02 11:57"))]
    assert value(events, "sla_warnings", sla_percent="50", clock=half + behind) == warned


@pytest.mark.parametrize(("behind", "missed"), [(2 * SECOND, 1), (2 * SECOND - 1, 0)])
def test_a_lead_is_overdue_and_its_clock_ended_two_seconds_behind_the_clock(behind, missed):
    created = at("2026-03-02 11:50:00.500")
    names = ("leads_overdue", "clocks_ended", "sla_breaches")
    found = [value([lead(created_at=created)], name, clock=created + 5 * MINUTE + behind) for name in names]
    assert found == [missed] * 3


def test_the_team_of_a_level_is_the_one_of_two_seconds_ago():
    midnight = at("2026-03-02 00:00")
    events = [lead(created_at=midnight - HOUR, owner="cy")]
    assert value(events, "leads_awaiting_response_by_team", team="north", clock=midnight + 2 * SECOND - 1) == 1
    assert value(events, "leads_awaiting_response_by_team", team="south", clock=midnight + 2 * SECOND) == 1


def test_an_answer_at_the_due_instant_is_in_time():
    events = [lead(created_at=NOON - HOUR), call("c", NOON - HOUR + 5 * MINUTE)]
    assert value(events, "response_within_sla_ratio") == 1
    assert value(events, "sla_breaches") == 0
    assert value(events, "sla_warnings", sla_percent="80") == 1


def test_automated_touches_stop_no_clock_and_are_counted_apart():
    events = [lead(created_at=NOON - HOUR), email("e", NOON - HOUR + SECOND, automated=True)]
    assert value(events, "leads_awaiting_response") == 1
    assert value(events, "touches") == 0
    assert value(events, "automated_touches") == 1
    assert value(events, "leads_first_contacted") == 1
    assert value(events, "leads_contacted") == 0


def test_a_meeting_booked_by_a_rep_answers_and_one_booked_by_the_lead_does_not():
    booked = {"booked_at": NOON - HOUR + MINUTE, "scheduled_at": NOON + DAY}
    by_rep = [lead(created_at=NOON - HOUR), meeting("m", version=NOON, rep="bo", **booked)]
    by_lead = [lead(created_at=NOON - HOUR), meeting("m", version=NOON, **booked)]
    assert value(by_rep, "lead_response_time_mean_seconds") == 60
    called_later = [call("later", NOON - HOUR + 9 * MINUTE), call("sooner", NOON - HOUR + 2 * MINUTE), *by_rep]
    assert value(called_later, "lead_response_time_mean_seconds") == 60
    assert value(called_later[:3], "lead_response_time_mean_seconds") == 120
    assert value(by_lead, "lead_response_time_samples") == 0
    assert value(by_lead, "time_to_first_meeting_mean_seconds") == 60
    assert value(by_lead, "meetings_booked") == 1


def test_a_second_inquiry_counts_once_the_first_is_answered():
    events = [
        lead(created_at=NOON - 60 * MINUTE),
        inquiry("again while waiting", at=NOON - 58 * MINUTE),
        call("first", NOON - 56 * MINUTE),
        inquiry("later", at=NOON - 50 * MINUTE),
        call("second", NOON - 48 * MINUTE),
        inquiry("last", at=NOON - 10 * MINUTE),
    ]
    assert value(events, "lead_response_time_samples") == 2
    assert value(events, "lead_response_time_mean_seconds") == 180
    assert value(events, "lead_response_time_max_seconds") == 240
    assert value(events, "leads_awaiting_response") == 1
    assert value(events, "oldest_lead_waiting_timestamp_seconds") == (NOON - 10 * MINUTE) / 1000
    assert value(events, "oldest_lead_waiting_due_timestamp_seconds") == (NOON - 5 * MINUTE) / 1000


def test_routing_and_rep_delay_sum_to_the_response_time():
    created = NOON - HOUR
    events = [
        lead(created_at=created),
        lead(owner=None, owner_at=created + 10 * SECOND),
        lead(owner="bo", owner_at=created + 40 * SECOND),
        call("c", created + 100 * SECOND),
    ]
    assert value(events, "routing_delay_mean_seconds") == 40
    assert value(events, "rep_delay_mean_seconds") == 60
    assert value(events, "lead_response_time_mean_seconds") == 100
    owned = [*events, lead(version=created + 1, owner="di", owner_at=created)]
    assert value(owned, "routing_delay_mean_seconds") == 0
    handed_on = [*events, lead(owner="cy", owner_at=created + 70 * SECOND)]
    assert value(handed_on, "routing_delay_mean_seconds") == 40
    never_assigned = [events[0], events[-1]]
    assert value(never_assigned, "routing_delay_mean_seconds") == 100


def test_contact_is_a_connected_call_a_reply_or_a_held_meeting_within_its_clock():
    events = [
        lead(created_at=NOON - 60 * MINUTE),
        call("no answer", NOON - 55 * MINUTE),
        inquiry("again", at=NOON - 50 * MINUTE),
        call("reached", NOON - 40 * MINUTE, connected=True),
        reply("later", at=NOON - 30 * MINUTE),
    ]
    assert value(events, "lead_contact_time_samples") == 1
    assert value(events, "lead_contact_time_mean_seconds") == 600
    at_the_start = [*events, reply("at once", at=NOON - 50 * MINUTE)]
    assert value(at_the_start, "lead_contact_time_samples") == 1
    assert value(at_the_start, "lead_contact_time_mean_seconds") == 0
    unreached = [events[0], events[1], reply("out", at=NOON - 50 * MINUTE, kind="out_of_office")]
    assert value(unreached, "lead_contact_time_samples") == 0
    held = [events[0], meeting("m", version=NOON, scheduled_at=NOON - 20 * MINUTE, outcome="held")]
    assert value(held, "lead_contact_time_mean_seconds") == 2400


def test_the_one_who_acted_is_credited_else_the_owner_then_and_the_team_of_that_time():
    yesterday = at("2026-03-01 13:00")
    events = [
        lead(created_at=yesterday - HOUR, version=yesterday, owner="cy", owner_at=yesterday - HOUR),
        call("by cy, still north", yesterday),
        lead(owner="bo", owner_at=NOON - 3 * HOUR),
        call("by bo, the owner", NOON - 2 * HOUR),
        call("by cy, now south", NOON - HOUR, rep="cy"),
        call("by a stranger", NOON - HOUR, rep="zoe"),
    ]
    assert [value(events, "calls_by_rep", rep=rep) for rep in ("bo", "cy", "di", "other")] == [1, 2, 0, 1]
    assert [value(events, "calls_by_team", team=team) for team in ("north", "south", "other")] == [2, 1, 1]
    assert value(events, "calls_by_rep", rep="unassigned") is None


def test_levels_belong_to_the_owner_now():
    events = [
        lead(created_at=NOON - HOUR, owner="bo"),
        lead(owner="cy", owner_at=NOON - MINUTE),
        lead("eve", created_at=NOON - 2 * MINUTE),
    ]
    assert value(events, "leads_awaiting_response_by_rep", rep="bo") == 0
    assert value(events, "leads_awaiting_response_by_rep", rep="cy") == 1
    assert value(events, "leads_awaiting_response_by_team", team="south") == 1
    assert value(events, "leads_overdue_by_team", team="south") == 1
    assert value(events, "leads_awaiting_response_by_rep", rep="unassigned") == 1
    assert value(events, "leads_overdue_by_rep", rep="unassigned") is None
    assert value(events, "sla_breaches_by_rep", rep="bo") == 1


def test_policies_the_most_specific_in_force_at_the_start_applies():
    sla = [
        {"target": "10m"},
        {"target": "1m", "from": date(2026, 3, 2)},
        {"target": "1h", "lead_source": "outbound"},
        {"target": "2h", "team": "north", "lead_source": "outbound"},
        {"target": "3h", "segment": "large", "from": date(2026, 3, 3)},
    ]
    created = NOON - 30 * MINUTE

    def due(**data: Any) -> float:
        events = [lead(created_at=created, **data)]
        return (
            value(events, "oldest_lead_waiting_due_timestamp_seconds", rules=RULES | {"sla": sla}) * 1000 - created
        ) / MINUTE

    assert due() == 1
    assert due(segment="large") == 1
    assert due(lead_source="outbound") == 60
    assert due(lead_source="outbound", owner="bo", version=created, owner_at=created) == 120
    before = [lead(created_at=at("2026-03-01 23:59:59"))]
    assert value(before, "oldest_lead_waiting_due_timestamp_seconds", rules=RULES | {"sla": sla}) == (
        at("2026-03-02 00:09:59") / 1000
    )
    without = RULES | {"sla": []}
    assert value(before, "oldest_lead_waiting_due_timestamp_seconds", rules=without) is None
    assert value(before, "oldest_lead_waiting_timestamp_seconds", rules=without) == at("2026-03-01 23:59:59") / 1000


def test_never_contacted_is_judged_seven_days_after_creation():
    created = NOON - 7 * DAY - 2 * SECOND
    assert value([lead(created_at=created)], "never_contacted_ratio") == 1
    assert value([lead(created_at=created + 1)], "leads_judged") == 0
    late = [lead(created_at=created), reply("r", at=created + 7 * DAY)]
    assert value(late, "never_contacted_ratio") == 0
    too_late = [lead(created_at=created), reply("r", at=created + 7 * DAY + 1)]
    assert value(too_late, "never_contacted_ratio") == 1


def test_attempts_end_with_the_first_reply_or_else_with_the_close():
    calls = [call(f"c{hour}", NOON - hour * HOUR) for hour in (9, 8, 7, 3)]
    closed = lead(stage="disqualified", stage_at=NOON - 2 * HOUR)
    assert value(calls, "follow_ups_ended") == 0
    assert value([*calls, closed], "follow_up_attempts") == 4
    owned = [lead(owner="bo", owner_at=NOON - 9 * HOUR), lead(owner="cy", owner_at=NOON - HOUR)]
    twice = [*calls, *owned, lead(stage="customer", stage_at=NOON), closed, call("after", NOON - MINUTE)]
    assert value(twice, "follow_up_attempts") == 4
    assert value(twice, "follow_up_attempts", window="1h") == 0
    assert value(twice, "follow_ups_ended", window="1h") == 0
    credited = ledger_of(twice, rules_of(RULES), NOON).flows
    assert credited["follow_up_attempts", (("rep",), ("bo",))] == [(NOON - 2 * HOUR, 4)]
    assert credited["follow_ups_ended", (("rep",), ("bo",))] == [(NOON - 2 * HOUR, 1)]
    replied = [*calls, closed, reply("r", at=NOON - 7 * HOUR), reply("auto", at=NOON - 8 * HOUR, kind="out_of_office")]
    assert value(replied, "follow_up_attempts") == 3
    assert value(replied, "follow_up_attempts_mean") == 3
    assert value([reply("first", at=NOON - 9 * HOUR - 1), *calls, closed], "follow_ups_ended") == 0


def test_a_reply_answers_the_touch_it_names_else_the_last_on_its_channel_else_the_last():
    events = [
        email("e1", NOON - 50 * MINUTE),
        email("e2", NOON - 40 * MINUTE, automated=True),
        call("c1", NOON - 30 * MINUTE),
        call("c2", NOON - 5 * MINUTE),
    ]

    def waited(**data: Any) -> float:
        found = value([*events, reply("r", at=NOON - 20 * MINUTE, **data)], "reply_time_mean_seconds")
        return float(found) / 60

    assert waited(in_reply_to="e1") == 30
    assert waited(in_reply_to="c2", channel="email") == 20
    assert waited(channel="email") == 20
    assert waited(channel="message") == 10
    assert waited() == 10
    assert value([*events, reply("r", at=NOON - 20 * MINUTE)], "touches_connected") == 1
    assert value([*events, reply("r", at=NOON - 20 * MINUTE, channel="email")], "touches_connected") == 0
    assert value([*events, reply("r", at=NOON - HOUR)], "reply_time_samples") == 0
    assert value([*events, reply("r", at=NOON - HOUR)], "replies") == 1


def test_bounces_leave_the_denominator_unless_a_person_replied():
    def contacted(subject: str) -> dict[str, Any]:
        return email("e", NOON - HOUR, subject, automated=True)

    events = [
        contacted("silent"),
        *(contacted("bounced"), reply("b", "bounced", at=NOON - HOUR + 1, kind="bounce")),
        *(contacted("both"), reply("b", "both", at=NOON - HOUR + 1, kind="bounce"), reply("r", "both", at=NOON)),
        *(contacted("away"), reply("o", "away", at=NOON, kind="out_of_office")),
        *(contacted("off"), reply("u", "off", at=NOON, kind="unsubscribe")),
        email("undelivered", NOON - HOUR, "not reached", automated=True, delivered=False),
    ]
    assert value(events, "leads_first_contacted") == 5
    assert value(events, "leads_first_reached") == 4
    assert value(events, "reply_ratio") == 0.25
    assert [value(events, name) for name in ("replies", "bounces", "opt_outs")] == [1, 2, 1]


def test_the_latest_classified_reply_tells_the_sentiment():
    events = [
        call("c", NOON - 5 * HOUR, rep="bo"),
        reply("before", at=NOON - 6 * HOUR, sentiment="negative"),
        reply("first", at=NOON - 4 * HOUR, sentiment="negative"),
        reply("second", at=NOON - 3 * HOUR, sentiment="positive"),
        reply("third", at=NOON - 2 * HOUR),
    ]
    assert value(events, "positive_reply_ratio_by_rep", rep="bo") == 1
    assert value(events, "leads_replied_positive_by_channel", channel="call") == 1
    assert value(events, "negative_reply_ratio") == 0


def test_meetings_count_when_they_are_scheduled_and_unmarked_ones_after_their_grace():
    booked = meeting("m", version=NOON - 9 * HOUR, booked_at=NOON - 9 * HOUR, scheduled_at=NOON - 3 * HOUR, kind="demo")
    moved = meeting("m", version=NOON - 8 * HOUR, scheduled_at=NOON - HOUR - 2 * SECOND)
    assert value([booked], "meetings_unmarked") == 1
    assert value([booked, moved], "meetings_unmarked") == 1
    assert value([booked, moved], "meetings_unmarked", clock=NOON - 1) == 0
    held = meeting("m", version=NOON, outcome="held")
    assert [value([booked, moved, held], name) for name in ("meetings_held", "demos_held", "touches", "calls")] == [1, 1, 1, 0]
    assert value([booked, moved, held], "touches", window="4h") == 1
    missed = meeting("m", version=NOON, outcome="no_show")
    other = meeting("n", version=NOON, scheduled_at=NOON - HOUR, outcome="held")
    assert value([booked, missed, other], "meeting_show_ratio") == 0.5
    cancelled = meeting("m", version=NOON, outcome="cancelled")
    assert value([booked, cancelled], "meeting_show_ratio") is None
    cleared = meeting("m", version=NOON + 1, outcome=None)
    assert value([booked, cancelled, cleared], "meetings_unmarked") == 1
    counted = RULES | {"meetings": {"grace": "30m", "unmarked": "held"}}
    assert value([booked, moved], "meetings_held", rules=counted) == 1
    assert value([booked, moved], "meetings_unmarked", rules=counted) == 0


def test_a_lead_is_contacted_once_at_its_last_touch_before_the_pane_ends():
    events = [call("c1", NOON - 2 * HOUR), call("c2", NOON - MINUTE), call("c3", NOON + 10 * SECOND, version=NOON)]
    assert value(events, "leads_contacted") == 1
    assert value(events, "leads_contacted", window="5m") == 1
    assert value(events, "leads_contacted", clock=NOON + 10 * SECOND, window="5m") == 1
    assert value(events[:1], "leads_contacted", window="5m") == 0
    assert value(events[1::-1], "leads_contacted", window="5m") == 1
    in_the_pane = call("c", NOON + 10 * SECOND - 1, version=NOON)
    assert value([in_the_pane], "leads_contacted") == value([in_the_pane], "touches") == 1
    assert (value(events[2:], "leads_contacted"), value(events[2:], "touches")) == (0, 1)


def test_of_contacts_at_the_same_instant_a_call_comes_before_a_reply_and_that_before_a_meeting():
    owned = lead(created_at=NOON - 2 * HOUR, owner="bo", owner_at=NOON - 2 * HOUR)
    held = meeting("a", version=NOON, scheduled_at=NOON - HOUR, rep="di", outcome="held")
    answer = reply("b", at=NOON - HOUR)
    reached = call("c", NOON - HOUR, rep="cy", connected=True)

    def credited(*events: Any) -> list[int]:
        told = [reply("later", at=NOON - MINUTE), *events, owned]
        return [value(told, "lead_contact_time_samples_by_rep", rep=rep) for rep in ("bo", "cy", "di")]

    assert credited(held) == [0, 0, 1]
    assert credited(held, answer) == [1, 0, 0]
    assert credited(held, answer, reached) == [0, 1, 0]
    assert credited(held, call("d", NOON - HOUR, rep="di", connected=True), reached) == [0, 1, 0]


def test_the_first_meeting_is_the_first_that_was_booked_after_the_first_inquiry():
    events = [
        meeting("m3", version=NOON, booked_at=NOON - HOUR, rep="di"),
        meeting("m2", version=NOON, booked_at=NOON - 3 * HOUR, rep="cy"),
        meeting("m1", version=NOON, booked_at=NOON - 5 * HOUR, rep="bo"),
        inquiry("i2", at=NOON - 2 * HOUR),
        inquiry("i1", at=NOON - 4 * HOUR),
    ]
    assert value(events, "time_to_first_meeting_mean_seconds") == 3600
    assert value(events, "time_to_first_meeting_samples") == 1
    assert value(events, "meetings_booked") == 3
