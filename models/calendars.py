"""When an organisation works: hours of the week on a local clock, and the days that are otherwise."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from models.units import Millis, millis, moment

_WEEK = 7


class Shift(Struct, frozen=True, order=True):
    """Working time on one day of the week (Monday is 0): [start, end) in minutes after local midnight.

    A night's shift ends past 1440; it is of the day on which it begins.
    """

    weekday: int
    start: int
    end: int


class Hours(Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """Working time on some day: [start, end) in minutes after local midnight, as of a shift."""

    start: int
    end: int


class OwnDay(Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """A date with hours of its own instead of the week's: none on a holiday, fewer on half a day."""

    day: date
    hours: tuple[Hours, ...] = ()


class WorkCalendar(Struct, frozen=True, forbid_unknown_fields=True):
    """When some people work: the shifts of every week in a zone of the IANA database, and the days that are otherwise."""

    name: str
    zone: str
    shifts: tuple[Shift, ...] = ()
    days: tuple[OwnDay, ...] = ()


class WorkingHours(Struct, frozen=True):
    """The shifts of every week in a zone of the IANA database. Holidays are not known."""

    zone: str
    shifts: tuple[Shift, ...]

    def began(self, at: Millis) -> Millis | None:
        """Since when it has been working time without a break, looking back a week; None if it is not working time."""
        began, until = None, at
        for start, end in sorted(self._spans(at)):
            if start > at:
                break
            if began is None or start > until:
                began, until = start, end
            else:
                until = max(until, end)
        return began if until > at else None

    def _spans(self, at: Millis) -> Iterator[tuple[Millis, Millis]]:
        """The shifts of the local day of an instant and of the week before, as instants."""
        zone = ZoneInfo(self.zone)
        today = moment(at).astimezone(zone).date()
        for ago in range(_WEEK + 1):
            day = today - timedelta(days=ago)
            for shift in self.shifts:
                if shift.weekday == day.weekday():
                    yield _instant(day, shift.start, zone), _instant(day, shift.end, zone)


def _instant(day: date, minutes: int, zone: ZoneInfo) -> Millis:
    """When the local clock of a day shows so many minutes after midnight."""
    return millis((datetime.combine(day, time.min) + timedelta(minutes=minutes)).replace(tzinfo=zone))
