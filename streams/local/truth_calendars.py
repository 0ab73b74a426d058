"""The oracle's calendars: when somebody works, day by day, as stretches of instants.

A local time is the first instant at which the clock on the wall shows it, or a later one. Whoever has no calendar works all of
the time, in whole days of the organisation's zone.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import holidays

Json = Mapping[str, Any]
Hours = list[tuple[int, int]]
Stretches = list[tuple[int, int]]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FOREVER = 2**42 - 1
"""No instant lies behind it."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Plan(NamedTuple):
    """A calendar: minutes after midnight by weekday, and by date where a day has hours of its own."""

    zone: str
    week: dict[int, Hours]
    own: dict[date, Hours]

    def hours(self, day: date) -> Hours:
        """The hours that begin on a date."""
        return self.own[day] if day in self.own else self.week.get(day.weekday(), [])


class Use(NamedTuple):
    """Whose calendar is which from an instant on."""

    name: str
    since: int
    calendar: str | None


@dataclass(frozen=True)
class Worktime:
    """Who works when."""

    zone: str
    plans: dict[str, Plan]
    teams: list[Use]
    reps: list[Use]
    absences: list[tuple[str, int, int]]

    def plan(self, rep: str | None, team: str, at: int) -> Plan:
        """By what somebody of a team works at an instant."""
        name = _latest(self.reps, rep, at) or _latest(self.teams, team, at)
        return Plan(self.zone, {weekday: [(0, 1440)] for weekday in range(7)}, {}) if name is None else self.plans[name]

    def turns(self, rep: str | None, team: Callable[[int], str], moves: Sequence[int]) -> Iterator[tuple[int, int, Plan]]:
        """By what somebody works from when until when; `moves` are the instants at which the team may change."""
        edges = {0, *moves, *(use.since for use in (*self.teams, *self.reps))}
        for start, end in pairwise([*sorted(edges), FOREVER]):
            yield start, end, self.plan(rep, team(start), start)

    def without_absences(self, rep: str | None, start: int, end: int) -> Stretches:
        """A stretch without what of it the rep is away."""
        parts = [(start, end)]
        for name, since, until in self.absences:
            if name == rep:
                cut = [((begin, min(finish, since)), (max(begin, until), finish)) for begin, finish in parts]
                parts = [(begin, finish) for pair in cut for begin, finish in pair if begin < finish]
        return parts


def _latest(uses: list[Use], name: str | None, at: int) -> str | None:
    calendar, known = None, -1
    for use in uses:
        if use.name == name and known < use.since <= at:
            calendar, known = use.calendar, use.since
    return calendar


def days_about(plan: Plan, start: int, end: int) -> Iterator[date]:
    """The dates whose hours may lie between two instants."""
    first, last = (wall(at, plan.zone).date() for at in (start, min(end, FOREVER)))
    for number in range((last - first).days + 4):
        yield first + timedelta(days=number - 2)


def hours_on(plan: Plan, day: date) -> Stretches:
    """The hours of a date as instants."""
    return [(shown_at(day, begin, plan.zone), shown_at(day, finish, plan.zone)) for begin, finish in plan.hours(day)]


def wall(at: int, zone: str) -> datetime:
    """What the clock on the wall shows."""
    return (EPOCH + timedelta(milliseconds=at)).astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


@cache
def shown_at(day: date, minutes: int, zone: str) -> int:
    """The first instant at which the clock shows a time of a day, or a later one."""
    wanted = datetime.combine(day, time(0)) + timedelta(minutes=minutes) - datetime(1970, 1, 1)  # noqa: DTZ001 - on the wall
    wanted_ms = wanted // timedelta(milliseconds=1)
    about = wanted_ms // DAY_MS * DAY_MS
    for (since, offset), (until, _) in pairwise([*_offsets(about, zone), (about + 3 * DAY_MS, 0)]):
        at = max(since, wanted_ms - offset)
        if at < until:
            return at
    raise AssertionError(zone)


@cache
def _offsets(about: int, zone: str) -> list[tuple[int, int]]:
    """How far a zone's clock is ahead, since when, from a day before an instant to two days after it."""
    found = [(about - 2 * DAY_MS, _offset(about - 2 * DAY_MS, zone))]
    for at in range(about - 2 * DAY_MS, about + 3 * DAY_MS, HOUR_MS):
        if _offset(at + HOUR_MS, zone) != _offset(at, zone):
            low, high = at, at + HOUR_MS
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset(middle, zone) == _offset(at, zone) else (low, middle)
            found.append((high, _offset(high, zone)))
    return found


def _offset(at: int, zone: str) -> int:
    ahead = (EPOCH + timedelta(milliseconds=at)).astimezone(ZoneInfo(zone)).utcoffset()
    return 0 if ahead is None else ahead // timedelta(milliseconds=1)


def worktime_of(toml: Json, zone: str, valid_from: Callable[[Any, ZoneInfo], int], team: Callable[[str, int], str]) -> Worktime:
    """Who works when, from the tables of a configuration file; `valid_from` reads a date as the instant at which it begins."""
    teams, reps = (
        [
            Use(entry[kind], valid_from(entry.get("from"), ZoneInfo(zone)), entry.get("calendar"))
            for entry in toml.get(f"{kind}_calendars", [])
        ]
        for kind in ("team", "rep")
    )
    plans = {entry["name"]: _plan(entry, zone) for entry in toml.get("calendars", [])}
    found = Worktime(zone, plans, teams, reps, [])
    for entry in toml.get("absences", []):
        rep, since, until = entry["rep"], entry["from"], entry["until"]
        about = valid_from(since, ZoneInfo(zone))
        local = ZoneInfo(found.plan(rep, team(rep, about), about).zone)
        end = until if isinstance(until, datetime) else until + timedelta(days=1)
        found.absences.append((rep, valid_from(since, local), valid_from(end, local)))
    return found


def _plan(entry: Json, zone: str) -> Plan:
    own: dict[date, Hours] = {}
    if entry.get("holidays"):
        country, _, part = entry["holidays"].partition("-")
        own = {day: [] for day in holidays.country_holidays(country, subdiv=part or None, years=range(2000, 2050))}
    own |= {day: [] for day in entry.get("closed", [])}
    own |= {each["date"]: _hours(each["hours"]) for each in entry.get("days", [])}
    week = {number: _hours(entry["hours"].get(name, [])) for number, name in enumerate(WEEKDAYS)}
    return Plan(entry.get("zone", zone), week, own)


def _hours(texts: Sequence[str]) -> Hours:
    found = []
    for text in texts:
        numbers = [int(number) for number in re.findall(r"\d\d", text)]
        begin, finish = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
        found.append((begin, finish if finish > begin else finish + 1440))
    return found
