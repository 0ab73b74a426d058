"""The oracle's business time, by hand: it is compared with the engine, so somebody has to have looked at it."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from histories import at, lead, touch, value

from models.units import HOUR, MINUTE
from streams.local.truth_calendars import hours_on, shown_at, wall
from streams.local.truth_facts import rules_of

BERLIN = "Europe/Berlin"
OFFICE = {
    "name": "office",
    "zone": BERLIN,
    "hours": {day: ["09:00-12:30", "13:30-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
}
RULES = {
    "organisation": {"zone": BERLIN},
    "roster": [{"rep": "bo", "team": "north"}, {"rep": "cy", "team": "south"}],
    "calendars": [OFFICE],
    "team_calendars": [{"team": "north", "calendar": "office"}],
    "minimum_n": {"mean": 1, "ratio": 1},
}
FRIDAY, MONDAY = at("2026-03-06 17:50", BERLIN), at("2026-03-09 09:05", BERLIN)


def business(*events, clock=MONDAY + HOUR, **rules):
    return value([*events], "lead_response_time_business_mean_seconds", clock=clock, rules=RULES | rules)


def due(*events, clock=MONDAY + HOUR, **rules):
    found = value([*events], "oldest_lead_waiting_due_timestamp_seconds", clock=clock, rules=RULES | rules)
    return None if found is None else round(found * 1000)


def test_a_weekend_does_not_count():
    asked = lead(created_at=FRIDAY, owner="bo")
    assert business(asked, touch("t1", at=MONDAY, channel="call")) == 15 * 60
    assert business(asked, touch("t1", at=FRIDAY + 20 * MINUTE, channel="call"), clock=FRIDAY + HOUR) == 10 * 60
    assert business(asked, touch("t1", at=MONDAY, channel="call"), calendars=[], team_calendars=[]) is None


def test_outside_of_hours_is_left_out():
    asked = lead(created_at=FRIDAY + HOUR, owner="bo")
    assert business(asked, touch("t1", at=MONDAY - HOUR, channel="call")) is None
    assert business(asked, touch("t1", at=MONDAY, channel="call")) == 5 * 60


def test_each_owner_has_their_own_time():
    given = lead(owner="cy", owner_at=MONDAY - HOUR)
    asked = lead(created_at=FRIDAY, owner="bo", owner_at=FRIDAY)
    assert business(asked, given, touch("t1", at=MONDAY, channel="call")) == 10 * 60 + 60 * 60


@pytest.mark.parametrize(
    ("target", "until"),
    [
        ("15bm", "2026-03-09 09:05"),
        ("10bm", "2026-03-06 18:00"),
        ("4bh", "2026-03-09 13:50"),
        ("1bd", "2026-03-09 18:00"),
        ("3bd", "2026-03-11 18:00"),
        ("1h", "2026-03-06 18:50"),
    ],
)
def test_targets_are_due_when_so_much_was_worked(target, until):
    asked = lead(created_at=FRIDAY, owner="bo", owner_at=FRIDAY)
    assert due(asked, sla=[{"target": target}]) == at(until, BERLIN)


def test_holidays_days_of_their_own_and_absences_do_not_count():
    asked = lead(created_at=FRIDAY, owner="bo", owner_at=FRIDAY)
    office = OFFICE | {"holidays": "DE-BE", "closed": [date(2026, 3, 10)]}
    office |= {"days": [{"date": date(2026, 3, 11), "hours": ["10:00-11:00"]}]}
    away = [{"rep": "bo", "from": date(2026, 3, 9), "until": date(2026, 3, 9)}]
    assert due(asked, sla=[{"target": "1bd"}], calendars=[office], absences=away) == at("2026-03-11 11:00", BERLIN)
    assert due(asked, sla=[{"target": "80bm"}], calendars=[office], absences=away) == at("2026-03-12 09:10", BERLIN)


def test_what_nobody_works_for_is_never_due():
    never = [OFFICE | {"hours": {}}]
    assert due(lead(created_at=FRIDAY, owner="bo", owner_at=FRIDAY), sla=[{"target": "1bd"}], calendars=never) is None


def test_absent_days_are_those_of_the_calendar():
    tokyo = [OFFICE | {"zone": "Asia/Tokyo"}]
    said = {"absences": [{"rep": "bo", "from": date(2026, 3, 9), "until": date(2026, 3, 9)}]}
    ((_, since, until),) = rules_of(RULES | said | {"calendars": tokyo}).worktime.absences
    assert (since, until) == (at("2026-03-09", "Asia/Tokyo"), at("2026-03-10", "Asia/Tokyo"))


def test_a_time_that_a_clock_leaves_out_or_shows_twice_is_when_it_first_shows_it_or_a_later_one():
    assert shown_at(date(2026, 3, 29), 150, BERLIN) == at("2026-03-29 01:00")
    assert shown_at(date(2026, 10, 25), 150, BERLIN) == at("2026-10-25 00:30")
    assert wall(at("2026-10-25 00:30"), BERLIN).hour == 2
    plan = rules_of(RULES).worktime.plans["office"]
    assert hours_on(plan, date(2026, 3, 8)) == []
    assert ZoneInfo(plan.zone).key == BERLIN
