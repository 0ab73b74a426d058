"""Speed to lead and follow-up, by hand. A line is: how long after noon, how much, and under which values."""

import build
import pytest
from build import DAY, HOUR, MINUTE, NOON, RULES, SECOND, sla
from engine import told
from msgspec.structs import replace

CREATED = build.lead(created_at=NOON, owner="ana", owner_at=NOON, lead_source="inbound")
ANA, BEN = "ana north inbound", "ben south inbound"
NOBODY = "unassigned unassigned unknown"


def minutes(number: float) -> int:
    return NOON + round(number * MINUTE)


def test_a_response_is_the_first_attempt_by_a_person_under_who_made_it():
    events = (
        CREATED,
        build.email("t0", minutes(1), automated=True),
        build.email("t2", minutes(12), rep="ben"),
        build.call("t1", minutes(11), rep="ben"),
    )
    assert told("lead_response_time", *events) == [(11 * MINUTE, 11 * MINUTE, f"{BEN} call")]


def test_an_attempt_of_nobody_is_the_owners():
    assert told("lead_response_time", CREATED, build.call("t1", minutes(1))) == [(MINUTE, MINUTE, f"{ANA} call")]


def test_an_attempt_before_the_inquiry_answers_nothing_and_one_at_it_does():
    assert told("lead_response_time", CREATED, build.call("t1", NOON - 1)) == []
    assert told("lead_response_time", CREATED, build.call("t1", NOON)) == [(0, 0, f"{ANA} call")]


@pytest.mark.parametrize(("rep", "expected"), [("ana", [(MINUTE, MINUTE, f"{ANA} meeting")]), (None, [])])
def test_a_booking_answers_if_a_rep_made_it(rep, expected):
    booked = build.meeting(booked_at=minutes(1), scheduled_at=NOON + DAY, rep=rep)
    assert told("lead_response_time", CREATED, booked) == expected


def test_of_a_touch_and_a_booking_at_one_instant_the_touch_is_the_attempt():
    booked = build.meeting("a", booked_at=minutes(1), scheduled_at=NOON + DAY, rep="ana")
    assert told("lead_response_time", CREATED, booked, build.email("z", minutes(1))) == [(MINUTE, MINUTE, f"{ANA} email")]


def test_an_inquiry_while_one_waits_starts_no_clock_and_one_after_the_answer_does():
    events = (
        CREATED,
        build.inquiry("i1", at=minutes(1)),
        build.call("t1", minutes(2)),
        build.inquiry("i2", at=minutes(2)),
        build.inquiry("i3", at=minutes(3)),
        build.call("t2", minutes(7)),
    )
    assert [line[:2] for line in told("lead_response_time", *events)] == [(2 * MINUTE, 2 * MINUTE), (7 * MINUTE, 4 * MINUTE)]


def test_a_lead_without_inquiry_has_no_clock():
    assert told("lead_response_time", build.call("t1", NOON)) == []
    assert told("leads_awaiting_response", build.lead(owner="ana")) == []


@pytest.mark.parametrize(
    ("owners", "routing"),
    [
        ([("ana", -5)], 0),
        ([("ana", 0)], 0),
        ([("ana", 2)], 2),
        ([(None, 1), ("ana", 3)], 3),
        ([("ana", -5), (None, -1), ("ben", 1)], 1),
        ([("ana", 9)], 4),
        ([], 4),
    ],
)
def test_routing_lasts_until_somebody_owns_the_lead_and_the_rest_is_the_reps(owners, routing):
    events = [build.lead(created_at=NOON), build.call("t1", minutes(4), rep="ana")]
    events += [build.lead(owner=owner, owner_at=minutes(at)) for owner, at in owners]
    assert [value for _, value, _ in told("routing_delay", *events)] == [routing * MINUTE]
    assert [value for _, value, _ in told("rep_delay", *events)] == [(4 - routing) * MINUTE]
    assert [slices for *_, slices in told("routing_delay", *events)] == ["ana north unknown"]


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        (build.call("t1", NOON + HOUR, connected=True, rep="ben"), (HOUR, HOUR, f"{BEN} call")),
        (build.reply(at=NOON + HOUR, channel="email"), (HOUR, HOUR, f"{ANA} email")),
        (build.reply(at=NOON + HOUR), (HOUR, HOUR, f"{ANA} unknown")),
        (build.meeting(scheduled_at=NOON + HOUR, outcome="held", rep="ben"), (HOUR, HOUR, f"{BEN} meeting")),
        (build.call("t1", NOON + HOUR, connected=False), None),
        (build.email("t1", NOON + HOUR, connected=True), None),
        (build.call("t1", NOON + HOUR, connected=True, automated=True), None),
        (build.reply(at=NOON + HOUR, kind="out_of_office"), None),
        (build.meeting(scheduled_at=NOON + HOUR, outcome="no_show"), None),
        (build.reply(at=NOON - 1, channel="email"), None),
    ],
)
def test_contact_is_a_connected_call_a_reply_or_a_held_meeting(contact, expected):
    assert told("lead_contact_time", CREATED, contact) == ([] if expected is None else [expected])


def test_each_clock_has_the_first_contact_before_the_next_one_starts():
    events = (
        CREATED,
        build.call("t1", minutes(1)),
        build.inquiry("i1", at=minutes(5)),
        build.reply("r1", at=minutes(5), channel="email"),
        build.reply("r2", at=minutes(6), channel="email"),
    )
    assert [line[:2] for line in told("lead_contact_time", *events)] == [(5 * MINUTE, 0)]
    assert [line[:2] for line in told("lead_contact_time", *events, build.reply("r3", at=minutes(4)))] == [
        (4 * MINUTE, 4 * MINUTE),
        (5 * MINUTE, 0),
    ]


@pytest.mark.parametrize(
    ("answer", "known", "hits", "ended", "passed"),
    [
        (1, 60, [(1, "ana")], [(1, "ana")], (0, 0, 0)),
        (3, 60, [(3, "ana")], [(3, "ana")], (1, 0, 0)),
        (5, 60, [(5, "ana")], [(5, "ana")], (1, 1, 0)),
        (6, 60, [], [(5, "ana")], (1, 1, 1)),
        (None, 5, [], [(5, "ana")], (1, 1, 1)),
        (None, 4.99, [], [], (1, 1, 0)),
        (None, 4, [], [], (1, 1, 0)),
        (None, 2.5, [], [], (1, 0, 0)),
        (None, 2.49, [], [], (0, 0, 0)),
        (4, 2.49, [(4, "ana")], [(4, "ana")], (0, 0, 0)),
        (6, 2.49, [], [], (0, 0, 0)),
    ],
)
def test_a_clock_ends_with_an_answer_in_time_or_at_its_due_time(answer, known, hits, ended, passed):
    events = [CREATED] if answer is None else [CREATED, build.call("t1", minutes(answer))]

    def seen(measure):
        return [(at / MINUTE, slices.split()[0]) for at, _, slices in told(measure, *events, at=minutes(known))]

    assert seen("responses_within_sla") == hits
    assert seen("clocks_ended") == ended
    assert tuple(len(seen(name)) for name in ("sla_warnings_50", "sla_warnings_80", "sla_breaches")) == passed


def test_an_answer_at_half_time_spares_the_warning_and_one_a_millisecond_later_does_not():
    assert told("sla_warnings_50", CREATED, build.call("t1", minutes(2.5))) == []
    assert told("sla_warnings_50", CREATED, build.call("t1", minutes(2.5) + 1)) == [(150 * SECOND, 1, ANA)]


def test_a_miss_is_the_owners_at_the_due_time_whoever_answers_later():
    moved = build.lead(owner="ben", owner_at=minutes(3), changed_at=NOON + 1)
    late = build.call("t1", minutes(30), rep="ana")
    assert told("clocks_ended", CREATED, moved, late) == [(5 * MINUTE, 1, "ben north inbound")]
    assert told("sla_breaches", CREATED, moved, late) == [(5 * MINUTE, 1, "ben north inbound")]
    assert told("sla_warnings_50", CREATED, moved, late) == [(150 * SECOND, 1, ANA)]


def test_without_a_policy_nothing_is_due_and_yet_the_lead_waits():
    rules = replace(RULES, sla=())
    for measure in ("clocks_ended", "responses_within_sla", "sla_breaches", "leads_overdue"):
        assert told(measure, CREATED, rules=rules) == told(measure, CREATED, build.call("t1", NOON), rules=rules) == []
    assert told("leads_awaiting_response", CREATED, rules=rules) == [(0, 1, ANA)]


def test_the_policy_is_that_of_the_owners_team_at_the_start_and_the_lead_as_it_is_now():
    policies = (
        sla(5 * MINUTE),
        sla(MINUTE, team="north", lead_source="inbound", segment="smb"),
        sla(9 * MINUTE, team="unassigned"),
    )
    rules = replace(RULES, sla=policies)
    assert [at for at, *_ in told("sla_breaches", CREATED, rules=rules)] == [5 * MINUTE]
    assert [at for at, *_ in told("sla_breaches", CREATED, build.lead(segment="smb"), rules=rules)] == [MINUTE]
    assert [at for at, *_ in told("sla_breaches", build.lead(created_at=NOON), rules=rules)] == [9 * MINUTE]


def test_passing_a_lead_on_does_not_change_how_soon_it_is_due():
    rules = replace(RULES, sla=(sla(5 * MINUTE), sla(MINUTE, team="south")))
    passed_on = build.lead(owner="cleo", owner_at=NOON + 1, changed_at=NOON + 1)
    assert [at for at, *_ in told("sla_breaches", CREATED, passed_on, rules=rules)] == [5 * MINUTE]


def test_a_level_is_the_owners_now_in_the_team_of_the_due_clock():
    events = (CREATED, build.lead(owner="ben", owner_at=minutes(2), changed_at=NOON + 1))
    assert told("leads_awaiting_response", *events, at=minutes(1)) == [(0, 1, "ben north inbound")]
    assert told("leads_awaiting_response", *events, at=minutes(10)) == [(0, 1, BEN)]
    assert told("leads_overdue", *events, at=minutes(5) - 1) == []
    assert told("leads_overdue", *events, at=minutes(5)) == [(0, 1, "ben north inbound")]
    assert told("leads_awaiting_response", build.lead(created_at=NOON)) == [(0, 1, NOBODY)]


def test_an_answered_lead_no_longer_waits():
    answered = (CREATED, build.call("t1", minutes(9)))
    assert told("leads_awaiting_response", *answered) == told("leads_overdue", *answered) == []


def test_a_lead_is_created_under_its_owner_then():
    assert told("leads_created", CREATED, build.lead(owner="ben", owner_at=minutes(1))) == [(0, 1, ANA)]
    assert told("leads_created", build.inquiry(at=NOON)) == []


@pytest.mark.parametrize(
    ("fact", "followed_up"),
    [
        (build.email("t1", NOON - DAY), True),
        (build.meeting(scheduled_at=NOON + DAY, outcome="held"), True),
        (build.email("t1", NOON, automated=True), False),
        (build.meeting(booked_at=NOON, scheduled_at=NOON + DAY, rep="ana"), False),
        (build.reply(at=NOON), False),
    ],
)
def test_a_lead_is_followed_up_by_any_touch_by_a_person(fact, followed_up):
    assert told("leads_followed_up", CREATED, fact) == ([(0, 1, ANA)] if followed_up else [])
    assert told("leads_followed_up", fact) == []


JUDGED_AT = NOON + 7 * DAY


@pytest.mark.parametrize(("contact", "never"), [(JUDGED_AT, False), (JUDGED_AT + 1, True), (NOON - DAY, False)])
def test_a_lead_is_judged_after_a_week_by_whether_there_was_contact(contact, never):
    events = (CREATED, build.call("t1", contact, connected=True))
    judged = [(7 * DAY, 1, ANA)]
    assert told("leads_judged", *events, at=JUDGED_AT - 1) == told("leads_never_contacted", *events, at=JUDGED_AT - 1) == []
    assert told("leads_judged", *events, at=JUDGED_AT) == judged
    assert told("leads_never_contacted", *events, at=JUDGED_AT) == (judged if never else [])


def test_a_lead_without_creation_is_never_judged():
    events = (build.inquiry(at=NOON), build.call("t1", NOON))
    assert told("leads_judged", *events, at=NOON + 8 * DAY) == told("leads_never_contacted", *events, at=NOON + 8 * DAY) == []


TOUCHED = (CREATED, build.call("t1", minutes(1)), build.email("t2", minutes(2)), build.email("t3", minutes(9)))


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([build.reply(at=minutes(2))], [(2 * MINUTE, 2, ANA)]),
        ([build.reply(at=minutes(2), kind="bounce")], []),
        ([build.reply("r2", at=minutes(9)), build.reply("r1", at=minutes(1))], [(MINUTE, 1, ANA)]),
        ([build.lead(stage="customer", stage_at=minutes(5))], [(5 * MINUTE, 2, ANA)]),
        ([build.lead(stage="disqualified", stage_at=minutes(10))], [(10 * MINUTE, 3, ANA)]),
        ([build.lead(stage="sql", stage_at=minutes(10))], []),
        ([build.lead(stage="customer", stage_at=minutes(1)), build.reply(at=minutes(9))], [(9 * MINUTE, 3, ANA)]),
        ([build.reply(at=NOON)], []),
        ([], []),
    ],
)
def test_follow_up_lasts_until_the_first_reply_else_the_first_close(ends, expected):
    assert told("follow_up_attempts", *TOUCHED, *ends) == expected
    assert told("follow_ups_ended", *TOUCHED, *ends) == [(at, 1, slices) for at, _, slices in expected]


def test_the_first_meeting_is_the_first_booking_from_the_first_inquiry_on_whoever_made_it():
    events = (
        CREATED,
        build.meeting("early", booked_at=NOON - 1, scheduled_at=NOON),
        build.meeting("late", booked_at=minutes(9), rep="ben"),
        build.meeting("own", booked_at=minutes(8)),
        build.meeting("unbooked", scheduled_at=minutes(1)),
    )
    assert told("time_to_first_meeting", *events) == [(8 * MINUTE, 8 * MINUTE, ANA)]
    assert told("time_to_first_meeting", *events[1:]) == []
    assert told("time_to_first_meeting", CREATED) == []


def test_of_bookings_at_one_instant_the_first_id_is_the_meeting():
    events = (
        CREATED,
        build.meeting("b", booked_at=minutes(11), rep="ana"),
        build.meeting("a", booked_at=minutes(11), rep="ben"),
    )
    assert told("time_to_first_meeting", *events) == [(11 * MINUTE, 11 * MINUTE, BEN)]
