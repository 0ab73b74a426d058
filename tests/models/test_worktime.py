"""Business time: the laws of elapsed time and deadlines, and what a calendar says on days that are otherwise."""

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from histories import at
from hypothesis import given
from hypothesis import strategies as st

from models.calendars import Hours, OwnDay, Shift, WorkCalendar
from models.codes import AT_BITS
from models.units import DAY, HOUR, MINUTE, Millis
from models.worktime import UNREACHED, Leave, Term, Worktime, always, first_showing

BERLIN = "Europe/Berlin"
BEGINNING = Millis(0)
HALVES = tuple(Shift(weekday, *hours) for weekday in range(5) for hours in ((540, 750), (810, 1080)))
OFFICE = WorkCalendar("office", BERLIN, HALVES)
NIGHTS = WorkCalendar("nights", "America/New_York", tuple(Shift(weekday, 22 * 60, 30 * 60) for weekday in range(7)))
MONDAY = at("2026-03-02 00:00", BERLIN)

STARTS = st.integers(0, 6 * 1440)
minutes = st.tuples(st.integers(0, 1439), st.integers(1, 1440)).map(lambda hours: (hours[0], hours[0] + hours[1]))
calendars = st.builds(
    lambda zone, hours, own: WorkCalendar(
        "some",
        zone,
        tuple(Shift(weekday, *each) for weekday, each in hours),
        tuple(OwnDay(day, tuple(Hours(*each) for each in found)) for day, found in own.items()),
    ),
    st.sampled_from((BERLIN, "America/Havana", "Australia/Lord_Howe", "Pacific/Apia", "UTC")),
    st.lists(st.tuples(st.integers(0, 6), minutes), min_size=1, max_size=9),
    st.dictionaries(st.dates(date(2026, 3, 20), date(2026, 4, 12)), st.lists(minutes, max_size=2), max_size=3),
)
instants = st.integers(at("2026-03-20"), at("2026-04-12")).map(Millis)
leaves = st.lists(st.tuples(instants, st.integers(1, 3 * DAY)).map(lambda each: Leave(each[0], each[0] + each[1])), max_size=3)
works = st.builds(
    lambda first, second, since, absences: Worktime([Term(BEGINNING, first), Term(since, second)], absences),
    calendars,
    calendars,
    instants,
    leaves,
)


def works_by(calendar, *absences):
    return Worktime([Term(BEGINNING, calendar)], absences)


def elapsed(work, start, end):
    return int(work.elapsed(np.array([start]), np.array([end]))[0])


def deadline(work, start, amount):
    return int(work.deadline(np.array([start]), np.array([amount]))[0])


def close(work, start, days=1):
    return int(work.close(np.array([start]), np.array([days]))[0])


def is_open(work, when):
    return bool(work.is_open(np.array([when]))[0])


@given(works, instants, st.integers(1, 20 * DAY))
def test_so_much_has_passed_at_the_deadline_and_not_before(work, start, amount):
    reached = deadline(work, start, amount)
    assert elapsed(work, start, reached) == amount
    assert elapsed(work, start, reached - 1) == amount - 1
    assert is_open(work, reached - 1)


@given(works, st.lists(instants, min_size=3, max_size=3).map(sorted))
def test_time_passes_forward_adds_up_and_is_no_more_than_there_is(work, three):
    first, second, third = three
    assert 0 <= elapsed(work, first, second) <= second - first
    assert elapsed(work, first, second) + elapsed(work, second, third) == elapsed(work, first, third)
    assert elapsed(work, second, first) == -elapsed(work, first, second)


@given(works, instants)
def test_a_millisecond_passes_where_it_is_working_time(work, when):
    assert elapsed(work, when, when + 1) == is_open(work, when)


@given(works, instants, st.lists(st.integers(1, 5 * DAY), min_size=2, max_size=2).map(sorted))
def test_what_takes_longer_is_due_later(work, start, amounts):
    less, more = (deadline(work, start, amount) for amount in amounts)
    assert less < more if amounts[0] < amounts[1] else less == more


@given(works, instants, st.integers(1, 4))
def test_working_days_are_over_one_after_another_each_at_its_last_working_time(work, start, days):
    closes = [close(work, start, each) for each in range(1, days + 1)]
    assert all(is_open(work, each - 1) for each in closes)
    assert all(start < each for each in closes)


@given(works, st.lists(instants, min_size=1, max_size=9))
def test_many_instants_say_what_each_says_by_itself(work, many):
    start, end, amount = (np.array(each) for each in (many, many[::-1], [each % HOUR for each in many]))
    assert work.elapsed(start, end).tolist() == [elapsed(work, *each) for each in zip(many, many[::-1], strict=True)]
    assert work.deadline(start, amount).tolist() == [deadline(work, each, each % HOUR) for each in many]
    assert work.is_open(start).tolist() == [is_open(work, each) for each in many]


def test_nothing_is_asked_of_no_instants():
    nothing = np.empty(0, np.int64)
    work = works_by(OFFICE)
    for found in (work.elapsed(nothing, nothing), work.deadline(nothing, nothing), work.close(nothing, nothing)):
        assert found.tolist() == []
    assert work.is_open(nothing).tolist() == []


def test_a_lunch_break_and_a_weekend_do_not_count():
    work = works_by(OFFICE)
    assert elapsed(work, at("2026-03-06 17:50", BERLIN), at("2026-03-09 09:05", BERLIN)) == 15 * MINUTE
    assert deadline(work, at("2026-03-06 12:20", BERLIN), 20 * MINUTE) == at("2026-03-06 13:40", BERLIN)
    assert deadline(work, at("2026-03-06 17:50", BERLIN), 10 * MINUTE) == at("2026-03-06 18:00", BERLIN)
    assert deadline(work, at("2026-03-06 17:50", BERLIN), 10 * MINUTE + 1) == at("2026-03-09 09:00", BERLIN) + 1
    assert deadline(work, at("2026-03-07 12:00", BERLIN), 0) == at("2026-03-07 12:00", BERLIN)


def test_a_night_is_of_the_day_on_which_it_begins():
    new_york = "America/New_York"
    work = works_by(NIGHTS)
    assert elapsed(work, at("2026-03-06 12:00", new_york), at("2026-03-07 12:00", new_york)) == 8 * HOUR
    assert elapsed(work, at("2026-03-07 12:00", new_york), at("2026-03-08 12:00", new_york)) == 7 * HOUR
    assert close(work, at("2026-03-07 03:00", new_york)) == at("2026-03-09 06:00", new_york)


@pytest.mark.parametrize("weeks", [1, 60, 200, 777])
def test_working_days_go_on_for_years(weeks):
    work = works_by(OFFICE)
    friday = date(2026, 2, 27) + timedelta(weeks=weeks)
    assert close(work, at("2026-02-28 00:00", BERLIN), 5 * weeks) == at(f"{friday} 18:00", BERLIN)
    assert close(work, at("2026-02-28 00:00", BERLIN), 5 * weeks + 2) == at(f"{friday + timedelta(days=4)} 18:00", BERLIN)


def test_days_may_have_hours_of_their_own_or_none():
    days = (OwnDay(date(2026, 3, 3)), OwnDay(date(2026, 3, 4), (Hours(540, 600),)))
    work = works_by(WorkCalendar("some", BERLIN, HALVES, days))
    assert elapsed(work, MONDAY, MONDAY + 3 * DAY) == 9 * HOUR
    assert elapsed(work, MONDAY + DAY, MONDAY + 3 * DAY) == HOUR
    assert close(work, MONDAY + 12 * HOUR) == at("2026-03-04 10:00", BERLIN)


def test_who_is_absent_does_not_work():
    away = Leave(at("2026-03-03 11:00", BERLIN), at("2026-03-05 00:00", BERLIN))
    work = works_by(OFFICE, away, Leave(away.start, Millis(away.start + 1)))
    assert elapsed(work, MONDAY + DAY, MONDAY + 4 * DAY) == 2 * HOUR + 8 * HOUR
    assert [close(work, MONDAY + 12 * HOUR, days) for days in (1, 2)] == [away.start, at("2026-03-05 18:00", BERLIN)]


def test_an_absence_may_begin_after_a_calendar_has_ended():
    since = Millis(MONDAY + DAY)
    away = Leave(Millis(MONDAY + 2 * DAY), Millis(MONDAY + 3 * DAY))
    work = Worktime([Term(BEGINNING, always("UTC")), Term(since, OFFICE)], [away])
    assert elapsed(work, MONDAY, MONDAY + 4 * DAY) == DAY + 2 * 8 * HOUR


def test_a_week_or_two_may_pass_before_somebody_works_again():
    away = Leave(MONDAY, at("2031-01-01"))
    work = works_by(OFFICE, away)
    assert deadline(work, MONDAY, 1) == at("2031-01-01 09:00", BERLIN) + 1
    assert close(works_by(OFFICE, away), MONDAY) == at("2031-01-01 18:00", BERLIN)


@pytest.mark.parametrize("work", [works_by(WorkCalendar("never", BERLIN)), works_by(OFFICE, Leave(BEGINNING, UNREACHED))])
def test_what_is_never_done_is_never_due(work):
    assert deadline(work, MONDAY, 1) == close(work, MONDAY) == UNREACHED == 2**AT_BITS - 1
    assert elapsed(work, MONDAY, MONDAY + 400 * DAY) == 0
    assert not is_open(work, MONDAY)


def test_far_away_instants_are_known_too():
    work = works_by(OFFICE)
    early, late = at("1970-01-02 08:00", BERLIN), at("2099-12-31 20:00", BERLIN)
    assert deadline(work, early, 1) == at("1970-01-02 09:00", BERLIN) + 1
    assert deadline(work, late, 1) == at("2100-01-01 09:00", BERLIN) + 1
    assert elapsed(work, early, late) > 0
    assert deadline(work, late, 10**12) == UNREACHED


@pytest.mark.parametrize("zone", ["UTC", "America/Havana", "Pacific/Apia", "Europe/Berlin"])
def test_who_has_no_calendar_works_all_of_the_time_and_days_end_at_midnight(zone):
    work = works_by(always(zone))
    start, end = at("2011-12-01"), at("2012-12-01")
    assert elapsed(work, start, end) == end - start
    assert deadline(work, start, 1234) == start + 1234
    assert close(work, at("2012-06-01 12:00", zone)) == at("2012-06-03 00:00", zone)


@pytest.mark.parametrize(
    ("local", "zone", "shown"),
    [
        ("2026-03-29 02:00", BERLIN, "2026-03-29T01:00"),  # left out: when the clock goes forward
        ("2026-03-29 02:59", BERLIN, "2026-03-29T01:00"),
        ("2026-03-29 03:00", BERLIN, "2026-03-29T01:00"),
        ("2026-10-25 02:30", BERLIN, "2026-10-25T00:30"),  # twice: the first time
        ("2011-12-30 12:00", "Pacific/Apia", "2011-12-30T10:00"),  # a day that is left out
        ("1972-01-07 00:10", "Africa/Monrovia", "1972-01-07T00:44:30"),
    ],
)
def test_a_local_time_is_when_the_clock_first_shows_it_or_a_later_one(local, zone, shown):
    assert first_showing(datetime.fromisoformat(local), ZoneInfo(zone)) == at(shown)


def test_hours_that_follow_one_another_leave_no_gap_when_clocks_change():
    quarters = tuple(Shift(6, start, start + 15) for start in range(0, 1440, 15))
    quarters += tuple(Shift(weekday, 0, 1440) for weekday in range(6))
    for zone in (BERLIN, "Australia/Lord_Howe", "America/Havana"):
        days = [at(f"2026-{month:02}-01") for month in range(1, 13)]
        work = works_by(WorkCalendar("quarters", zone, quarters))
        assert all(elapsed(work, *each) == each[1] - each[0] for each in pairwise(days))
