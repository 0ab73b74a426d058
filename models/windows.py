"""Panes and windows: which stretch of time a number covers.

An occurrence falls into one pane of each size. A window is a set of whole panes of one size and slides only when the clock
enters the next one. Ten-second, five-minute and hour panes are floors on the UTC epoch; days are the organisation's local ones.
"""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from models.units import DAY, HOUR, MINUTE, SECOND, Duration, Millis, millis, moment

Instants = TypeVar("Instants", int, NDArray[np.int64])

DUE_LAG = Duration(2 * SECOND)
"""How far the due clock D stands behind the windows' clock C, so that an answer in the log is seen before its deadline."""


class Pane(StrEnum):
    """A pane size, finest first."""

    TEN_SECONDS = "10s"
    FIVE_MINUTES = "5m"
    HOUR = "1h"
    DAY = "1d"


PANE_LENGTH = {Pane.TEN_SECONDS: 10 * SECOND, Pane.FIVE_MINUTES: 5 * MINUTE, Pane.HOUR: HOUR, Pane.DAY: DAY}
"""Lengths in ms; a local day's is nominal."""

RETENTION = {Pane.TEN_SECONDS: 150 * MINUTE, Pane.FIVE_MINUTES: 50 * HOUR, Pane.HOUR: 15 * DAY, Pane.DAY: 800 * DAY}
"""How long panes are kept: twice the longest window on them (growth needs the one before), and some."""


class Window(NamedTuple):
    """A window by its name: rolling over `length_ms` of panes, or a calendar period so far (length 0)."""

    name: str
    pane: Pane
    length_ms: int = 0


WINDOWS = (
    Window("5m", Pane.TEN_SECONDS, 5 * MINUTE),
    Window("15m", Pane.TEN_SECONDS, 15 * MINUTE),
    Window("1h", Pane.TEN_SECONDS, HOUR),
    Window("4h", Pane.FIVE_MINUTES, 4 * HOUR),
    Window("24h", Pane.FIVE_MINUTES, DAY),
    Window("7d", Pane.HOUR, 7 * DAY),
    Window("30d", Pane.DAY, 30 * DAY),
    Window("60d", Pane.DAY, 60 * DAY),
    Window("90d", Pane.DAY, 90 * DAY),
    Window("today", Pane.DAY),
    Window("week", Pane.DAY),
    Window("month", Pane.DAY),
    Window("quarter", Pane.DAY),
    Window("year", Pane.DAY),
)
"""Every window, in the order in which tables list them."""

WINDOW_INDEX = {window.name: index for index, window in enumerate(WINDOWS)}
"""A window's place in WINDOWS, by name."""

DAILY = WINDOWS[WINDOW_INDEX["24h"] :]
"""The windows of a day and longer."""

NOW = "now"
"""The window name of levels, which have none."""

HORIZON_PANE = PANE_LENGTH[Pane.TEN_SECONDS]

_QUARTER_HOUR = 15 * MINUTE


class Span(NamedTuple):
    """A half-open stretch of time [start, end) in ms."""

    start: Millis
    end: Millis

    def __contains__(self, at: object) -> bool:
        """Whether an instant lies within."""
        return isinstance(at, int) and self.start <= at < self.end


EMPTY: Final = Span(Millis(0), Millis(0))
"""No time at all."""


class LocalDays:
    """Local days of an IANA zone as UTC instants. A day starts at its first instant, also where midnight does not exist."""

    def __init__(self, zone: str) -> None:
        self._zone = ZoneInfo(zone)
        self._starts: dict[int, Millis] = {}

    def start_of(self, day: date) -> Millis:
        """The first instant of a local date."""
        return millis(datetime(day.year, day.month, day.day, tzinfo=self._zone))

    def date_of(self, at: Millis) -> date:
        """The local date at an instant: the latest that has begun, also where clocks are put back past midnight."""
        day = moment(at).astimezone(self._zone).date()
        tomorrow = day + timedelta(days=1)
        return tomorrow if self.start_of(tomorrow) <= at else day

    def floor(self, at: Millis) -> Millis:
        """The start of the local day that an instant lies in."""
        # Zone offsets change at whole quarter hours of UTC, so all instants of one share their day.
        key = at // _QUARTER_HOUR
        start = self._starts.get(key)
        if start is None:
            start = self._starts[key] = self.start_of(self.date_of(at))
        return start


class Calendar:
    """Panes and windows for one organisation's zone."""

    def __init__(self, zone: str) -> None:
        self.days = LocalDays(zone)

    def pane_start(self, pane: Pane, at: Millis) -> Millis:
        """The start of the pane of a size that an instant lies in."""
        if pane is Pane.DAY:
            return self.days.floor(at)
        return Millis(at - at % PANE_LENGTH[pane])

    def pane_end(self, pane: Pane, start: Millis) -> Millis:
        """The end of the pane that starts at an instant."""
        if pane is Pane.DAY:
            return self.days.start_of(self.days.date_of(start) + timedelta(days=1))
        return Millis(start + PANE_LENGTH[pane])

    def span(self, window: Window, clock: Millis) -> Span:
        """What a window covers when the clock stands at an instant, up to the end of the clock's pane."""
        start = self.pane_start(window.pane, clock)
        end = self.pane_end(window.pane, start)
        if window.pane is not Pane.DAY:
            return Span(Millis(end - window.length_ms), end)
        today = self.days.date_of(clock)
        return Span(self.days.start_of(_first_day(window, today)), end)

    def previous_span(self, window: Window, clock: Millis) -> Span:
        """What the window before covers; windows shorter than a day have none.

        Of rolling ones it is as long and ends where the window starts. Of a calendar period it is the one before it, up to as
        many local days as there are in the period so far, today included.
        """
        if window.pane is Pane.TEN_SECONDS or window.length_ms in range(1, DAY):
            return EMPTY
        if window.pane is not Pane.DAY:
            start = self.span(window, clock).start
            return Span(Millis(start - window.length_ms), start)
        today = self.days.date_of(clock)
        first = _first_day(window, today)
        days = today - first + timedelta(days=1)
        before = first - days if window.length_ms else _first_day(window, first - timedelta(days=1))
        return Span(self.days.start_of(before), self.days.start_of(min(before + days, first)))

    def oldest_start(self, pane: Pane, clock: Millis) -> Millis:
        """The start of the oldest pane of a size that is kept: those that end at or before the retention's begin are not."""
        end = self.pane_end(pane, self.pane_start(pane, clock))
        return self.pane_start(pane, Millis(end - RETENTION[pane]))


def _first_day(window: Window, today: date) -> date:
    if window.length_ms:
        return today - timedelta(days=window.length_ms // DAY - 1)
    match window.name:
        case "week":
            return today - timedelta(days=today.weekday())
        case "month":
            return today.replace(day=1)
        case "quarter":
            return today.replace(month=today.month - (today.month - 1) % 3, day=1)
        case "year":
            return today.replace(month=1, day=1)
        case _:
            return today


def horizon(known_until: Instants) -> Instants:
    """The end of the ten-second pane in which the clock stands: a distinct subject counts at its last occurrence before it."""
    clock = known_until + DUE_LAG
    return clock - clock % HORIZON_PANE + HORIZON_PANE


def enters_horizon(at: Instants) -> Instants:
    """The due-clock instant at which an occurrence, or each of some, comes before the horizon."""
    return at - at % HORIZON_PANE - DUE_LAG
