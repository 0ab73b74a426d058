"""Working hours: what a local clock shows, as instants."""

from datetime import UTC, timedelta

import pytest
from histories import at
from hypothesis import example, given
from hypothesis import strategies as st

from models.calendars import Shift, WorkingHours
from models.units import DAY, MINUTE, Millis, moment

BERLIN = "Europe/Berlin"
OFFICE = tuple(Shift(weekday, 9 * 60, 18 * 60) for weekday in range(5))
ALWAYS = tuple(Shift(weekday, 0, 1440) for weekday in range(7))

minutes = st.integers(0, 1440)
shifts = st.builds(
    lambda weekday, ends: Shift(weekday, *sorted(ends)),
    st.integers(0, 6),
    st.tuples(minutes, minutes).filter(lambda ends: ends[0] != ends[1]),
)
hours = st.builds(WorkingHours, st.just("UTC"), st.lists(shifts, max_size=6).map(tuple))
instants = st.integers(at("1999-01-01"), at("2099-01-01")).map(Millis)


@pytest.mark.parametrize(
    ("when", "since"),
    [
        ("2026-03-02 08:59:59.999", None),
        ("2026-03-02 09:00", "2026-03-02 09:00"),
        ("2026-03-02 17:59:59.999", "2026-03-02 09:00"),
        ("2026-03-02 18:00", None),
        ("2026-03-06 12:00", "2026-03-06 09:00"),
        ("2026-03-07 12:00", None),
        ("2026-03-08 12:00", None),
        ("2026-03-30 09:30", "2026-03-30 09:00"),  # the first day of summer time
    ],
)
def test_an_office_works_by_its_own_clock(when, since):
    assert WorkingHours(BERLIN, OFFICE).began(at(when, BERLIN)) == (since and at(since, BERLIN))


def test_a_night_is_one_stretch_through_midnight_and_through_the_change_of_clocks():
    nights = WorkingHours(BERLIN, (Shift(5, 22 * 60, 1440), Shift(6, 0, 6 * 60)))
    since = at("2026-03-28 22:00", BERLIN)
    assert nights.began(at("2026-03-29 05:59", BERLIN)) == since
    assert nights.began(at("2026-03-29 06:00", BERLIN)) is None
    assert at("2026-03-29 06:00", BERLIN) - since == 7 * 60 * MINUTE  # one hour of that night is left out


def test_who_always_works_has_worked_for_a_week():
    assert WorkingHours(BERLIN, ALWAYS).began(at("2026-03-02 12:00", BERLIN)) == at("2026-02-23 00:00", BERLIN)


def test_who_never_works_does_not():
    assert WorkingHours(BERLIN, ()).began(at("2026-03-02 12:00", BERLIN)) is None


@given(hours, instants)
@example(WorkingHours("UTC", (Shift(0, 0, 1),)), at("2026-03-02 00:01"))
def test_it_is_working_time_if_the_clock_shows_a_time_of_a_shift(hours, now):
    local = moment(now).astimezone(UTC)
    minute = (local - local.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(minutes=1)
    works = any(shift.weekday == local.weekday() and shift.start <= minute < shift.end for shift in hours.shifts)
    assert (hours.began(now) is not None) == works


@given(hours, instants, st.floats(0, 1))
def test_a_stretch_has_no_break_and_begins_after_one(hours, now, share):
    since = hours.began(now)
    if since is None or now - since >= 6 * DAY:
        return
    assert since <= now
    between = Millis(since + round(share * (now - since)))
    assert hours.began(between) == since
    assert hours.began(Millis(since - 1)) is None
