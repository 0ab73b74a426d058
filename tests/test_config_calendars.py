"""Settings of who works when: hours, holidays, days of their own, whose calendar is whose, absences, SLAs in business time."""

from datetime import date

import pytest
from histories import at

from models.calendars import Hours, Shift
from models.rules import Absence, CalendarUse
from models.units import DAY, HOUR, MINUTE
from streams.config import load
from streams.config.calendars import HOLIDAYS_OF, hours_of
from streams.errors import Fatal

PEOPLE = """
organisation.zone = "UTC"
roster = [{ rep = "ana", team = "north" }, { rep = "ben", team = "north" }]
"""
OFFICE = """
[[calendars]]
name = "office"
zone = "Asia/Tokyo"
hours = { mon = ["13:30-18:00", "09:00-12:30"], sun = ["22:00-06:00"] }
"""


@pytest.fixture
def read(tmp_path, monkeypatch):
    monkeypatch.delenv("LEADBEAT_CONFIG", raising=False)

    def reading(text):
        file = tmp_path / "leadbeat.toml"
        file.write_text(text)
        return load(file)

    return reading


@pytest.fixture
def mistakes(read, tmp_path):
    file = tmp_path / "leadbeat.toml"

    def telling(text):
        with pytest.raises(Fatal) as caught:
            read(text)
        _, *lines = caught.value.what.split("\n  ")
        return [line.replace(f"{file}: ", "") for line in lines]

    return telling


def test_a_calendar_has_the_hours_of_a_week_in_its_zone(read):
    (calendar,) = read(OFFICE).rules().calendars
    assert (calendar.name, calendar.zone, calendar.days) == ("office", "Asia/Tokyo", ())
    assert calendar.shifts == (Shift(0, 540, 750), Shift(0, 810, 1080), Shift(6, 1320, 1800))


def test_its_zone_is_the_organisations_unless_it_is_given(read):
    text = 'organisation.zone = "Europe/Berlin"\ncalendars = [{ name = "a", hours = { mon = ["00:00-24:00"] } }]'
    (calendar,) = read(text).rules().calendars
    assert (calendar.zone, calendar.shifts) == ("Europe/Berlin", (Shift(0, 0, 1440),))


def test_holidays_are_dates_and_a_days_own_hours_come_before_them(read):
    extra = """
    holidays = "DE-BE"
    closed = [2026-12-24, 2026-12-28]
    days = [{ date = 2026-12-24, hours = ["09:00-12:00"] }, { date = 2026-10-03, hours = ["10:00-11:00"] }]
    """
    (calendar,) = read(OFFICE + extra).rules().calendars
    days = {own.day: own.hours for own in calendar.days}
    assert days[date(2026, 12, 24)] == (Hours(540, 720),)
    assert days[date(2026, 10, 3)] == (Hours(600, 660),)
    assert days[date(2026, 12, 25)] == days[date(2026, 3, 8)] == days[date(2026, 12, 28)] == ()  # Women's Day is Berlin's
    assert date(2026, 3, 9) not in days
    assert {day.year for day in days} == set(HOLIDAYS_OF)
    assert list(calendar.days) == sorted(calendar.days, key=lambda own: own.day)


def test_parts_of_a_country_have_holidays_of_their_own(read):
    found = []
    for place in ("US", "DE", "DE-BY", "DE-BE"):
        (calendar,) = read(f'{OFFICE}holidays = "{place}"').rules().calendars
        found.append({own.day for own in calendar.days if own.day.year == 2026})
    us, germany, bavaria, berlin = found
    assert date(2026, 7, 3) in us  # the fourth is a Saturday
    assert germany == bavaria & berlin
    assert date(2026, 1, 6) in bavaria - germany


def test_teams_and_reps_use_calendars_from_when_on(read):
    text = f"""{PEOPLE}
    team_calendars = [
        {{ team = "north", calendar = "office" }},
        {{ team = "unassigned", calendar = "office", from = 2026-03-01 }},
    ]
    rep_calendars = [{{ rep = "ben", calendar = "office", from = 2026-03-01T09:00:00 }}, {{ rep = "ben", from = 2026-04-01 }}]
    {OFFICE}"""
    rules = read(text).rules()
    assert rules.team_calendars == (CalendarUse("north", "office"), CalendarUse("unassigned", "office", at("2026-03-01")))
    assert rules.rep_calendars == (
        CalendarUse("ben", "office", at("2026-03-01 09:00")),
        CalendarUse("ben", None, at("2026-04-01")),
    )


def test_days_of_an_absence_are_those_of_the_calendar_that_the_rep_works_by(read):
    text = f"""{PEOPLE}
    rep_calendars = [{{ rep = "ben", calendar = "office" }}]
    absences = [
        {{ rep = "ana", from = 2026-03-02, until = 2026-03-02 }},
        {{ rep = "ben", from = 2026-03-02, until = 2026-03-04 }},
        {{ rep = "ben", from = 2026-03-05T12:00:00, until = 2026-03-05T13:00:00Z }},
    ]
    {OFFICE}"""
    tokyo = "Asia/Tokyo"
    assert read(text).rules().absences == (
        Absence("ana", at("2026-03-02"), at("2026-03-03")),
        Absence("ben", at("2026-03-02", tokyo), at("2026-03-05", tokyo)),
        Absence("ben", at("2026-03-05 12:00", tokyo), at("2026-03-05 13:00")),
    )


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("5m", (5 * MINUTE, "wall")),
        ("5bm", (5 * MINUTE, "business")),
        ("2bh", (2 * HOUR, "business")),
        ("3bd", (3 * DAY, "business_days")),
    ],
)
def test_targets_are_of_wall_or_of_business_time(read, target, told):
    (policy,) = read(f'sla = [{{ target = "{target}" }}]').rules().sla
    assert (policy.target_ms, policy.time) == told


@pytest.mark.parametrize("target", ["0bm", "bm", "5bs", "5b", "5BM", "1.5bh"])
def test_what_is_no_target_is_refused(mistakes, target):
    (found,) = mistakes(f'sla = [{{ target = "{target}" }}]')
    assert found.startswith("sla[0].target: ")


def test_business_time_is_for_targets_only(mistakes):
    (found,) = mistakes('meetings.grace = "2bh"')
    assert found == "meetings.grace: is in business time (bh), which is for SLA targets only: give wall time with s, m, h or d"


def test_a_night_goes_on_into_the_next_day():
    assert hours_of(["22:00-06:00"]) == (Hours(1320, 1800),)
    assert hours_of(["00:00-24:00"]) == (Hours(0, 1440),)
    assert hours_of([]) == ()


@pytest.mark.parametrize(
    ("texts", "what"),
    [
        (["9-18"], "write it as 09:00-12:30"),
        (["24:00-06:00"], "write it as"),
        (["09:00-25:00"], "write it as"),
        (["09:00-09:00"], "all of a day as 00:00-24:00"),
        (["09:00-12:00", "11:59-13:00"], "overlap"),
        (["22:00-06:00", "23:00-23:30"], "overlap"),
    ],
)
def test_what_are_no_hours_is_refused_with_what_to_write(texts, what):
    with pytest.raises(ValueError, match=what):
        hours_of(texts)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (OFFICE + 'holidays = "XX"', "calendars[0].holidays: 'XX' is not a country whose holidays are known: use a code"),
        (
            OFFICE + 'holidays = "DE-BER"',
            "calendars[0].holidays: 'BER' is no part of DE whose holidays are known: leave it out",
        ),
        (OFFICE + 'closed = ["soon"]', "calendars[0].closed[0]: is not a date: write 2026-12-24"),
        (OFFICE + "closed = [2026-12-24T10:00:00]", "calendars[0].closed[0]: is not a date: write 2026-12-24"),
        ('calendars = [{ name = "a" }]', "calendars[0].hours: is missing"),
        ('calendars = [{ name = "a", hours = { mo = [] } }]', "calendars[0].hours.mo: is not a setting: did you mean mon?"),
        (OFFICE + OFFICE, "calendars[1].name: is the same as in calendars[0]"),
        (
            OFFICE + "days = [{ date = 2026-12-24, hours = [] }, { date = 2026-12-24, hours = [] }]",
            "calendars[0].days[1].date: is the same as in calendars[0].days[0]",
        ),
        ('team_calendars = [{ team = "east" }]', "team_calendars[0].team: 'east' is not a team of the roster"),
        ('rep_calendars = [{ rep = "zoe" }]', "rep_calendars[0].rep: 'zoe' is not a rep of the roster"),
        ('absences = [{ rep = "zoe", from = 2026-03-02, until = 2026-03-02 }]', "absences[0].rep: 'zoe' is not a rep"),
        (
            'team_calendars = [{ team = "other", calendar = "office" }]',
            "team_calendars[0].calendar: 'office' is not among calendars",
        ),
        (
            'team_calendars = [{ team = "other" }, { team = "other", from = 1970-01-01 }]',
            "team_calendars[1].from: is the same as in team_calendars[0]",
        ),
        (PEOPLE + 'absences = [{ rep = "ana", from = 2026-03-02 }]', "absences[0].until: is missing"),
        (
            PEOPLE + 'absences = [{ rep = "ana", from = 2026-03-02, until = 2026-03-01 }]',
            "absences[0].until: is before it begins: give the last day, or the instant of coming back",
        ),
    ],
)
def test_mistakes_are_told_with_their_place(mistakes, text, what):
    (found,) = mistakes(text)
    assert found.startswith(what)


def test_an_absence_without_its_days_in_the_environment_is_a_mistake(mistakes, monkeypatch):
    monkeypatch.setenv("LEADBEAT_ABSENCES", '[{"rep": "ana", "from": null, "until": "2026-03-01"}]')
    (found,) = mistakes(PEOPLE)
    assert found == "LEADBEAT_ABSENCES[0].from: is missing"
