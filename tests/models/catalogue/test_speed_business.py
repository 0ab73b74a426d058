"""Speed to lead in business time, by hand: whose calendar counts when, and until when an answer is due."""

import build
import numpy as np
import pytest
from build import DAY, HOUR, MINUTE, NOON, folded, sla
from engine import counted, seen, told
from msgspec.structs import replace

from models.calendars import Hours, OwnDay, Shift, WorkCalendar
from models.codes import Codes
from models.rules import Absence, CalendarUse, Rules
from models.units import Millis

OFFICE = WorkCalendar("office", "UTC", tuple(Shift(weekday, 540, 1080) for weekday in range(5)))
EVENINGS = WorkCalendar("evenings", "UTC", tuple(Shift(weekday, 780, 1320) for weekday in range(5)))
RULES = Rules(
    roster=(build.member("ana", "north"), build.member("ben", "south"), build.member("cleo", "east")),
    sla=(sla(100 * MINUTE, time="business"),),
    calendars=(OFFICE, EVENINGS),
    team_calendars=(CalendarUse("north", "office"), CalendarUse("south", "evenings")),
)
FOUR = Millis(NOON + 4 * HOUR)
LATER = Millis(NOON + 30 * DAY)
SINCE_FOUR = build.lead(created_at=FOUR, owner="ana", owner_at=FOUR)


def times(*events, rules=RULES):
    """When business time was told of answers, and how much."""
    return [line[:2] for line in told("lead_response_time_business", *events, at=LATER, rules=rules)]


def moments(*events, rules=RULES):
    """When 50, 80 and 100 % of the SLA passed, after noon."""
    found = seen(folded(*events), rules, LATER).contributions
    names = ("sla_warnings_50", "sla_warnings_80", "sla_breaches")
    return [at - NOON for name in names for at, _ in counted(found, name)]


def due(*events, rules=RULES, at=FOUR):
    waiting = seen(folded(*events), rules, at).waiting
    return None if waiting.due is None else waiting.due - NOON


def owner(rep, at):
    return build.lead(owner=rep, owner_at=at, changed_at=at)


def test_what_lies_outside_of_hours_does_not_count():
    at = Millis(NOON + DAY - 2 * HOUR)
    assert times(SINCE_FOUR, build.call("t1", at)) == [(22 * HOUR, 3 * HOUR)]


@pytest.mark.parametrize(
    ("asked", "answered", "business"),
    [
        (FOUR + 3 * HOUR, FOUR + 4 * HOUR, []),
        (FOUR + HOUR, FOUR + 4 * HOUR, [HOUR]),
        (FOUR + 3 * HOUR, FOUR + 18 * HOUR, [HOUR]),
    ],
)
def test_an_answer_outside_of_hours_to_an_inquiry_outside_of_them_is_left_out_but_is_in_time(asked, answered, business):
    events = build.lead(created_at=asked, owner="ana", owner_at=asked), build.call("t1", answered)
    assert [value for _, value in times(*events)] == business
    assert told("responses_within_sla", *events, at=LATER, rules=RULES) != []


def test_each_owners_time_counts_by_their_own_calendar():
    given = owner("ben", FOUR + 3 * HOUR)  # at seven; the office is closed since six
    assert times(SINCE_FOUR, given, build.call("t1", FOUR + 4 * HOUR)) == [(8 * HOUR, 3 * HOUR)]
    back = owner("ana", FOUR + 210 * MINUTE)
    assert times(SINCE_FOUR, given, back, build.call("t1", FOUR + 5 * HOUR)) == [(9 * HOUR, 150 * MINUTE)]
    assert times(SINCE_FOUR, given, back, build.call("t1", FOUR + 18 * HOUR)) == [(22 * HOUR, 210 * MINUTE)]


def test_who_has_no_calendar_works_all_of_the_time():
    events = build.lead(created_at=NOON, owner="cleo", owner_at=NOON), build.call("t1", NOON + DAY)
    assert times(*events) == [(DAY, DAY)]
    assert times(build.lead(created_at=NOON), build.call("t1", NOON + DAY)) == [(DAY, DAY)]


def test_without_any_calendar_there_is_no_business_time():
    rules = replace(RULES, calendars=(), team_calendars=())
    assert times(SINCE_FOUR, build.call("t1", FOUR + HOUR), rules=rules) == []
    assert due(SINCE_FOUR, rules=rules) == 4 * HOUR + 100 * MINUTE


def test_shares_of_a_target_pass_in_business_time():
    late = build.lead(created_at=FOUR + HOUR, owner="ana", owner_at=FOUR)
    assert due(late, at=FOUR + HOUR) == DAY - 3 * HOUR + 40 * MINUTE
    assert moments(late) == [5 * HOUR + 50 * MINUTE, DAY - 3 * HOUR + 20 * MINUTE, DAY - 3 * HOUR + 40 * MINUTE]


def test_a_change_of_owner_moves_what_is_due():
    late = build.lead(created_at=FOUR + HOUR, owner="ana", owner_at=FOUR)
    given = owner("ben", FOUR + 90 * MINUTE)
    assert due(late, given, at=FOUR + HOUR) == 6 * HOUR + 40 * MINUTE
    assert moments(late, given) == [5 * HOUR + 50 * MINUTE, 6 * HOUR + 20 * MINUTE, 6 * HOUR + 40 * MINUTE]
    after = owner("ben", FOUR + 20 * HOUR)
    assert due(late, after, at=FOUR + HOUR) == due(late, at=FOUR + HOUR)


def test_a_waiting_lead_turns_when_a_share_passes_and_not_before():
    late = folded(build.lead(created_at=FOUR + HOUR, owner="ana", owner_at=FOUR))
    turns, at = [], FOUR + HOUR
    while (change := seen(late, RULES, at).next_change) and change < NOON + 3 * DAY:
        turns.append(change - NOON)
        at = change
    shares = [5 * HOUR + 50 * MINUTE, DAY - 3 * HOUR + 20 * MINUTE, DAY - 3 * HOUR + 40 * MINUTE]
    assert [each for each in turns if each in shares] == shares


@pytest.mark.parametrize(
    ("days", "asked", "until"),
    [
        (1, FOUR, DAY + 6 * HOUR),
        (1, NOON - 4 * HOUR, DAY + 6 * HOUR),  # before the office opens: this day is not counted
        (2, FOUR, 2 * DAY + 6 * HOUR),
        (5, FOUR, 7 * DAY + 6 * HOUR),
        (1, NOON + 5 * DAY, 7 * DAY + 6 * HOUR),  # on a Saturday
    ],
)
def test_a_business_day_is_over_when_the_next_day_of_work_is(days, asked, until):
    rules = replace(RULES, sla=(sla(days * DAY, time="business_days"),))
    assert due(build.lead(created_at=asked, owner="ana", owner_at=asked), rules=rules, at=asked) == until


def test_a_holiday_and_an_absence_are_no_days_of_work():
    holiday = replace(
        OFFICE, days=(OwnDay(build.moment(NOON + DAY).date()), OwnDay(build.moment(NOON + 3 * DAY).date(), (Hours(600, 660),)))
    )
    away = Absence("ana", Millis(NOON + 2 * DAY - 12 * HOUR), Millis(NOON + 3 * DAY - 12 * HOUR))
    rules = replace(RULES, sla=(sla(DAY, time="business_days"),), calendars=(holiday, EVENINGS), absences=(away,))
    assert due(SINCE_FOUR, rules=rules) == 3 * DAY - HOUR
    assert moments(SINCE_FOUR, rules=rules) == [4 * HOUR + 90 * MINUTE, 3 * DAY - 2 * HOUR + 24 * MINUTE, 3 * DAY - HOUR]


@pytest.mark.parametrize("time", ["business", "business_days"])
def test_what_nobody_works_for_is_never_due_and_in_time_whenever_it_is_answered(time):
    never = replace(RULES, sla=(sla(DAY, time=time),), absences=(Absence("ana", Millis(FOUR + HOUR), Millis(2**42)),))
    assert due(SINCE_FOUR, rules=never) is None
    assert moments(SINCE_FOUR, rules=never) == []
    answered = SINCE_FOUR, build.call("t1", NOON + 20 * DAY)
    assert len(told("responses_within_sla", *answered, at=LATER, rules=never)) == 1


def test_policies_in_wall_time_stand_beside_those_in_business_time():
    rules = replace(RULES, sla=(*RULES.sla, sla(5 * MINUTE, team="south")))
    assert due(build.lead(created_at=FOUR, owner="ben", owner_at=FOUR), rules=rules) == 4 * HOUR + 5 * MINUTE
    assert due(SINCE_FOUR, rules=rules) == 4 * HOUR + 100 * MINUTE


def test_a_lead_that_business_time_puts_off_is_kept_for_as_long_as_it_may_breach():
    away = replace(RULES, absences=(Absence("ana", FOUR, Millis(NOON + 700 * DAY)),))
    late = folded(SINCE_FOUR, build.call("t1", NOON + 900 * DAY))
    assert counted(seen(late, away, Millis(NOON + 950 * DAY)).contributions, "sla_breaches") != []


def test_reps_of_one_calendar_and_no_absences_share_what_is_known_of_it():
    codes = Codes(replace(RULES, roster=(*RULES.roster, build.member("dora", "north"))))
    ana, ben, dora = (codes.worktime(codes.rep.code(name)) for name in ("ana", "ben", "dora"))
    assert ana is dora
    assert ana is not ben
    assert codes.worktime(0).elapsed(np.array([0]), np.array([DAY])).tolist() == [DAY]


def test_a_reps_own_calendar_comes_before_the_teams_until_it_ends():
    own = (CalendarUse("ana", "evenings", FOUR), CalendarUse("ana", None, Millis(NOON + DAY)))
    rules = replace(RULES, rep_calendars=own)
    assert [term and term.name for _, term in rules.calendar_terms("ana")] == ["office", "evenings", "office"]
    assert [term and term.name for _, term in rules.calendar_terms("cleo")] == [None]
    assert rules.calendar(None, FOUR) is None


def test_a_team_may_have_no_calendar_any_more_and_nobody_one():
    uses = (*RULES.team_calendars, CalendarUse("north", None, FOUR), CalendarUse("unassigned", "office"))
    rules = replace(RULES, team_calendars=uses)
    assert [(since, term and term.name) for since, term in rules.calendar_terms("ana")] == [(0, "office"), (FOUR, None)]
    assert due(build.lead(created_at=FOUR + HOUR), rules=rules, at=FOUR + HOUR) == DAY - 3 * HOUR + 40 * MINUTE
