"""Business time: how much of it lies between instants, and when so much of it will have passed; of many instants at once.

A calendar's hours are local. `first_showing` says which instant a local time is: the first at which the clock shows it, or a
later one. So a time that is left out when clocks go forward is the instant at which they do, of a time that comes twice the
first is meant, and hours that follow one another leave no gap. What lies between is counted in real milliseconds.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from models.calendars import Hours, OwnDay, Shift, WorkCalendar
from models.units import Millis, millis, moment

Ints: TypeAlias = NDArray[np.int64]

UNREACHED: Final = 2**42 - 1
"""Stands for an instant that never comes; in the year 2109, later than all that facts may tell."""

_FIRST_YEAR, _LAST_YEAR = 1969, 2109
_WEEK = 7
_SECOND = timedelta(seconds=1)


class Term(NamedTuple):
    """From an instant on, until the next term, work goes by a calendar."""

    since: Millis
    calendar: WorkCalendar


class Leave(NamedTuple):
    """A stretch without work: [start, end)."""

    start: Millis
    end: Millis


def always(zone: str) -> WorkCalendar:
    """The calendar of those who have none: all of the time is working time, and every local day of a zone a working day."""
    return WorkCalendar("", zone, tuple(Shift(weekday, 0, 1440) for weekday in range(_WEEK)))


def first_showing(local: datetime, zone: ZoneInfo) -> Millis:
    """The first instant at which the clock of a zone shows a local time, or a later one."""
    early = millis(local.replace(tzinfo=zone))
    late = millis(local.replace(tzinfo=zone, fold=1))
    return early if early <= late else _forward(late, early, zone)


def _forward(before: int, after: int, zone: ZoneInfo) -> Millis:
    """The whole second, after one instant and not after another, at which the clock of a zone goes forward."""
    low, high = before // 1000, after // 1000
    offset = _shown(high, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _shown(middle, zone).utcoffset() == offset else (middle, high)
    return Millis(high * 1000)


def _shown(seconds: int, zone: ZoneInfo) -> datetime:
    return moment(Millis(seconds * 1000)).astimezone(zone)


class _Stretches(NamedTuple):
    """Working time by local days, some of it overlapping: [start, end), and when the day began on which each begins."""

    start: Ints
    end: Ints
    day: Ints

    def within(self, start: int, end: int) -> "_Stretches":
        """What of it lies within a stretch of time."""
        starts, ends = np.maximum(self.start, start), np.minimum(self.end, end)
        some = starts < ends
        return _Stretches(starts[some], ends[some], self.day[some])


_EMPTY: Final[Ints] = np.empty(0, np.int64)
_NOTHING: Final = _Stretches(_EMPTY, _EMPTY, _EMPTY)


class _Years:
    """The working time of a calendar by the years in which it begins, each worked out at most once."""

    def __init__(self, calendar: WorkCalendar) -> None:
        self._zone = ZoneInfo(calendar.zone)
        self._week: list[list[Hours]] = [[] for _ in range(_WEEK)]
        for shift in calendar.shifts:
            self._week[shift.weekday].append(Hours(shift.start, shift.end))
        self._own = {own.day: own for own in calendar.days}
        self._known: dict[int, _Stretches] = {}

    def of(self, year: int) -> _Stretches:
        """That of one year."""
        found = self._known.get(year)
        if found is None:
            day, after = date(year, 1, 1), date(year + 1, 1, 1)
            days = (day + timedelta(days=number) for number in range((after - day).days))
            rows = [row for each in days for row in self._of_day(each)]
            columns = np.array(rows, np.int64).reshape(-1, len(_Stretches._fields)).T
            found = self._known[year] = _Stretches(*columns)
        return found

    def _of_day(self, day: date) -> Iterable[tuple[int, int, int]]:
        own: OwnDay | None = self._own.get(day)
        hours = self._week[day.weekday()] if own is None else own.hours
        if not hours:
            return
        midnight = datetime.combine(day, time.min)
        began = first_showing(midnight, self._zone)
        for each in hours:
            start, end = (
                first_showing(midnight + timedelta(minutes=minutes), self._zone) for minutes in (each.start, each.end)
            )
            if start < end:
                yield start, end, began


@lru_cache(maxsize=256)
def _years(calendar: WorkCalendar) -> _Years:
    return _Years(calendar)


class _Reach(NamedTuple):
    """Working time as it is known of some years: stretches that do not touch, and how much there is before the end of each.

    `day` and `close` are of the days that have any: when each began, and when its last working time ends.
    """

    first: int
    last: int
    start: Ints
    end: Ints
    passed: Ints
    day: Ints
    close: Ints


class Worktime:
    """The working time of somebody: terms by calendars, the first from the beginning on, without absences."""

    def __init__(self, terms: Sequence[Term], absences: Sequence[Leave] = ()) -> None:
        self._parts = [(start, end, _years(calendar)) for start, end, calendar in _present(terms, absences)]
        self._reach = _Reach(_LAST_YEAR + 1, _FIRST_YEAR - 1, _EMPTY, _EMPTY, _EMPTY, _EMPTY, _EMPTY)

    def elapsed(self, start: Ints, end: Ints) -> Ints:
        """How much working time lies between instants, in ms; less than nothing if they are the other way round."""
        known = self._known(start, end)
        return _passed(known, end) - _passed(known, start)

    def deadline(self, start: Ints, amount: Ints) -> Ints:
        """The earliest instant until which some working time has passed; the start for none, UNREACHED if that never comes."""
        known = self._known(start)
        wanted = _passed(known, start) + amount
        while len(wanted) and known.last < _LAST_YEAR and (not len(known.passed) or wanted.max() > known.passed[-1]):
            known = self._extended(known.first, 2 * known.last - known.first + 1)
            wanted = _passed(known, start) + amount
        found = known.passed.searchsorted(wanted)
        reached = found < len(known.passed)
        at = np.full(len(start), UNREACHED, np.int64)
        rows = found[reached]
        at[reached] = known.end[rows] - (known.passed[rows] - wanted[reached])
        return np.where(amount > 0, at, start)

    def close(self, start: Ints, days: Ints) -> Ints:
        """When the so-manieth working day after that of an instant is over; UNREACHED if that never comes."""
        known = self._known(start)
        found = known.day.searchsorted(start, side="right") + days - 1
        while known.last < _LAST_YEAR and len(found) and found.max() >= len(known.day):
            known = self._extended(known.first, 2 * known.last - known.first + 1)
            found = known.day.searchsorted(start, side="right") + days - 1
        at = np.full(len(start), UNREACHED, np.int64)
        reached = found < len(known.day)
        at[reached] = known.close[found[reached]]
        return at

    def is_open(self, at: Ints) -> "NDArray[np.bool_]":
        """Which instants are in working time."""
        known = self._known(at)
        found = known.start.searchsorted(at, side="right") - 1
        within = found >= 0
        within[within] = at[within] < known.end[found[within]]
        return within

    def _known(self, *instants: Ints) -> _Reach:
        """Working time of all years that some instants lie in, and of some days around them at least."""
        known = self._reach
        if not len(instants[0]):
            return known
        low = moment(Millis(min(int(each.min()) for each in instants))).year - 1
        high = moment(Millis(max(int(each.max()) for each in instants))).year + 1
        first, last = max(_FIRST_YEAR, min(low, known.first)), min(_LAST_YEAR, max(high, known.last))
        return known if (first, last) == known[:2] else self._extended(first, last)

    def _extended(self, first: int, last: int) -> _Reach:
        years = range(first, min(last, _LAST_YEAR) + 1)
        parts = [years_of.of(year).within(start, end) for start, end, years_of in self._parts for year in years]
        found = _Stretches(*(np.concatenate(column) for column in zip(_NOTHING, *parts, strict=True)))
        self._reach = _Reach(first, years[-1], *_joined(found), *_days(found))
        return self._reach


def _present(terms: Sequence[Term], absences: Sequence[Leave]) -> Iterable[tuple[int, int, WorkCalendar]]:
    """The stretches in which somebody works by a calendar, without those in which they are absent."""
    ends = [*(term.since for term in terms[1:]), UNREACHED]
    for (since, calendar), end in zip(terms, ends, strict=True):
        start: int = since
        for absence in sorted(absences):
            if start < min(absence.start, end):
                yield start, min(absence.start, end), calendar
            start = max(start, absence.end)
        if start < end:
            yield start, end, calendar


def _joined(found: _Stretches) -> tuple[Ints, Ints, Ints]:
    """Stretches that do not touch one another, and how much there is before the end of each."""
    order = found.start.argsort(kind="stable")
    start, end = found.start[order], np.maximum.accumulate(found.end[order])
    begins = np.ones(len(start), np.bool_)
    begins[1:] = start[1:] > end[:-1]
    last = np.append(begins[1:], np.ones(min(1, len(start)), np.bool_))
    start, end = start[begins], end[last]
    return start, end, (end - start).cumsum()


def _days(found: _Stretches) -> tuple[Ints, Ints]:
    """When each day began that has working time, and when its last working time ends."""
    day, place = np.unique(found.day, return_inverse=True)
    close = np.zeros(len(day), np.int64)
    np.maximum.at(close, place, found.end)
    return day, close


def _passed(known: _Reach, at: Ints) -> Ints:
    """How much working time there is before instants, of all that is known."""
    if not len(known.start):
        return np.zeros(len(at), np.int64)
    found = known.start.searchsorted(at, side="right") - 1
    rows = np.maximum(found, 0)
    return np.where(found < 0, 0, known.passed[rows] - np.maximum(0, known.end[rows] - at))
