"""When people work, as settings say it: hours of the week, holidays by country, days of their own, absences.

Holidays become dates here, so that the rules depend on no list that another release may change under them.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Final, NamedTuple, TypeAlias

import holidays
from msgspec import structs
from pydantic import AfterValidator, BeforeValidator, Field

from models.calendars import Hours, OwnDay, Shift, WorkCalendar
from models.rules import OTHER, UNASSIGNED, Absence, CalendarUse, Rules
from streams.config.values import GivenName, Section, Since, Text, Zone, instant

HOLIDAYS_OF: Final = range(2000, 2050)
"""The years whose holidays are looked up; later ones can be told as `closed`."""

_TIME = "([01][0-9]|2[0-3]):([0-5][0-9])"
_INTERVAL = re.compile(f"{_TIME}-(?:{_TIME}|(24):(00))")
_A_DAY = 1440

Mistakes: TypeAlias = Iterator[tuple[tuple[int | str, ...], str]]


def hours_of(texts: Sequence[str]) -> tuple[Hours, ...]:
    """The hours of a day such as 09:00-12:30 and 13:30-18:00, or 22:00-06:00 for a night. Raises ValueError."""
    found = []
    for text in texts:
        match = _INTERVAL.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a stretch of time: write it as 09:00-12:30, a night as 22:00-06:00")
        start, end = (60 * int(hour) + int(minute) for hour, minute in (match.groups()[:2], _given(match.groups()[2:])))
        if start == end:
            raise ValueError(f"{text!r} ends where it begins: write all of a day as 00:00-24:00")
        found.append(Hours(start, end if start < end else end + _A_DAY))
    for earlier, later in pairwise(sorted(found)):
        if later.start < earlier.end:
            raise ValueError("overlap: write each stretch of a day once")
    return tuple(sorted(found))


def _given(groups: Sequence[str | None]) -> tuple[str, str]:
    hour, minute = (group for group in groups if group is not None)
    return hour, minute


def _hours(texts: tuple[str, ...]) -> tuple[str, ...]:
    hours_of(texts)
    return texts


def _country(text: str) -> str:
    country, _, subdivision = text.partition("-")
    known = holidays.list_supported_countries(include_aliases=False)
    if country not in known:
        raise ValueError(f"{country!r} is not a country whose holidays are known: use a code of ISO 3166, such as DE or DE-BE")
    if subdivision and subdivision not in known[country]:
        close = difflib.get_close_matches(subdivision, known[country], 1) or known[country][:1]
        example = f", such as {country}-{close[0]}" if close else ""
        raise ValueError(
            f"{subdivision!r} is no part of {country} whose holidays are known: leave it out, or use another{example}"
        )
    return text


@lru_cache(maxsize=64)
def holidays_of(text: str) -> tuple[date, ...]:
    """The holidays of a country, or of a part of it."""
    country, _, subdivision = text.partition("-")
    return tuple(sorted(holidays.country_holidays(country, subdiv=subdivision or None, years=HOLIDAYS_OF)))


def _day(value: object) -> date:
    try:
        day = value if isinstance(value, date) else date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("is not a date: write 2026-12-24") from None
    if isinstance(day, datetime):
        raise ValueError("is not a date: write 2026-12-24")  # noqa: TRY004 - pydantic tells of ValueErrors
    return day


Intervals: TypeAlias = Annotated[tuple[Text, ...], AfterValidator(_hours)]
"""Stretches of a day: 09:00-12:30; a night's goes on into the next day."""
Day: TypeAlias = Annotated[date, BeforeValidator(_day)]
Holidays: TypeAlias = Annotated[str, AfterValidator(_country)]


class Week(Section):
    """The hours of every week."""

    mon: Intervals = ()
    tue: Intervals = ()
    wed: Intervals = ()
    thu: Intervals = ()
    fri: Intervals = ()
    sat: Intervals = ()
    sun: Intervals = ()


class DayEntry(Section):
    """A date with hours of its own, such as half a day; it may be a holiday, too."""

    date: Day
    hours: Intervals


class CalendarEntry(Section):
    """When some people work. The zone is the organisation's unless it is given."""

    name: GivenName
    zone: Zone | None = None
    hours: Week
    holidays: Holidays | None = None
    closed: tuple[Day, ...] = ()
    days: tuple[DayEntry, ...] = ()

    def calendar(self, zone: str) -> WorkCalendar:
        """The same with holidays as dates. A day's own hours come before a holiday and before `closed`."""
        shifts = [
            Shift(weekday, each.start, each.end)
            for weekday, name in enumerate(Week.model_fields)
            for each in hours_of(getattr(self.hours, name))
        ]
        free = (*self.closed, *(holidays_of(self.holidays) if self.holidays else ()))
        own = {day: OwnDay(day) for day in free} | {each.date: OwnDay(each.date, hours_of(each.hours)) for each in self.days}
        return WorkCalendar(self.name, self.zone or zone, tuple(shifts), tuple(own[day] for day in sorted(own)))


class TeamCalendarEntry(Section):
    """A team works by a calendar from an instant on; without `calendar` by none from then on."""

    team: Text
    calendar: Text | None = None
    since: Since = Field(default=None, alias="from")


class RepCalendarEntry(Section):
    """A rep works by a calendar of their own; without `calendar` by the team's from then on."""

    rep: Text
    calendar: Text | None = None
    since: Since = Field(default=None, alias="from")


class AbsenceEntry(Section):
    """`rep` does not work from a date, through another one; or until an instant, at which they are back."""

    rep: Text
    since: Since = Field(alias="from")
    until: Since


class Entries(NamedTuple):
    """All that settings say of who works when."""

    calendars: Sequence[CalendarEntry]
    teams: Sequence[TeamCalendarEntry]
    reps: Sequence[RepCalendarEntry]
    absences: Sequence[AbsenceEntry]


def with_worktime(rules: Rules, said: Entries) -> Rules:
    """The rules, and who works when. Dates of an absence are days of the calendar that the rep works by then."""
    rules = structs.replace(
        rules,
        calendars=tuple(each.calendar(rules.zone) for each in said.calendars),
        team_calendars=tuple(CalendarUse(use.team, use.calendar, instant(use.since, rules.zone)) for use in said.teams),
        rep_calendars=tuple(CalendarUse(use.rep, use.calendar, instant(use.since, rules.zone)) for use in said.reps),
    )
    return structs.replace(rules, absences=tuple(_absence(rules, each) for each in said.absences))


def _absence(rules: Rules, entry: AbsenceEntry) -> Absence:
    calendar = rules.calendar(entry.rep, instant(entry.since, rules.zone))
    zone = rules.zone if calendar is None else calendar.zone
    last = entry.until
    until = last if isinstance(last, datetime) else last + timedelta(days=1)
    return Absence(entry.rep, instant(entry.since, zone), instant(until, zone))


def mistakes_in(said: Entries, rules: Rules) -> Mistakes:
    """What single values cannot tell: names that nobody has, entries that are there twice, absences that end too early.

    The rules are those of the same settings without absences.
    """
    reps = {entry.rep for entry in rules.roster}
    teams = {entry.team for entry in rules.roster if entry.team} | {UNASSIGNED, OTHER}
    yield from _twins("calendars", "name", [each.name for each in said.calendars])
    for number, each in enumerate(said.calendars):
        for (_, index, key), what in _twins(f"calendars[{number}].days", "date", [own.date for own in each.days]):
            yield ("calendars", number, "days", index, key), what
    yield from _strangers("team_calendars", "team", [use.team for use in said.teams], teams)
    yield from _strangers("rep_calendars", "rep", [use.rep for use in said.reps], reps)
    for section, uses in (("team_calendars", rules.team_calendars), ("rep_calendars", rules.rep_calendars)):
        yield from _twins(section, "from", [(use.name, use.valid_from) for use in uses])
        for number, use in enumerate(uses):
            if use.calendar not in (None, *(each.name for each in said.calendars)):
                yield (section, number, "calendar"), f"{use.calendar!r} is not among calendars"
    yield from _strangers("absences", "rep", [entry.rep for entry in said.absences], reps)
    for number, entry in enumerate(said.absences):
        if entry.since is None or entry.until is None:
            yield ("absences", number, "from" if entry.since is None else "until"), "is missing"
        else:
            absence = _absence(rules, entry)
            if absence.end <= absence.start:
                yield ("absences", number, "until"), "is before it begins: give the last day, or the instant of coming back"


def _twins(section: str, key: str, values: Sequence[object]) -> Iterator[tuple[tuple[str, int, str], str]]:
    for number, value in enumerate(values):
        first = values.index(value)
        if first < number:
            yield (section, number, key), f"is the same as in {section}[{first}]"


def _strangers(section: str, kind: str, names: Sequence[str], known: set[str]) -> Mistakes:
    for number, name in enumerate(names):
        if name not in known:
            yield (section, number, kind), f"{name!r} is not a {kind} of the roster"
