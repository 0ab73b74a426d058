"""Business time minute by minute, as a person with a clock on the wall would count it: plain, slow, and no code of models/.

The person looks at the clock each minute and notes the latest time that it has shown so far. It is working time while that note
lies within the hours of some day. So hours that a clock skips are not worked, and what it shows a second time counts once more
only if it counted on.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAY_MS = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Plan(NamedTuple):
    """When people work: hours as minutes after midnight by weekday, days of their own, stretches without work in ms."""

    zone: str
    week: dict[int, list[tuple[int, int]]]
    own: dict[date, list[tuple[int, int]]]
    closed: list[tuple[int, int]]

    def hours(self, day: date) -> list[tuple[int, int]]:
        """The hours that begin on a date."""
        return self.own[day] if day in self.own else self.week.get(day.weekday(), [])


def wall(at: int, zone: ZoneInfo) -> datetime:
    """What the clock shows at an instant."""
    return (EPOCH + timedelta(milliseconds=at)).astimezone(zone).replace(tzinfo=None, fold=0)


def looks(plan: Plan, start: int, end: int, step: int) -> Iterator[tuple[int, datetime, bool]]:
    """Each look at the clock: the instant, the note of the latest time shown, and whether it is working time."""
    zone, hours = ZoneInfo(plan.zone), cache(partial(hours_about, plan))
    note = wall(start - 2 * DAY_MS, zone)
    for at in range(start - DAY_MS, end, step):
        note = max(note, wall(at, zone))
        if at >= start:
            absent = any(since <= at < until for since, until in plan.closed)
            yield at, note, not absent and any(begin <= note < finish for begin, finish in hours(note.date()))


def hours_about(plan: Plan, day: date) -> list[tuple[datetime, datetime]]:
    """The hours, as local times, of a date and of the one before, which may go on into it."""
    midnights = [datetime.combine(day - timedelta(days=ago), time(0)) for ago in (1, 0)]
    return [
        (midnight + timedelta(minutes=begin), midnight + timedelta(minutes=finish))
        for midnight in midnights
        for begin, finish in plan.hours(midnight.date())
    ]


def step_of(plan: Plan, start: int, end: int) -> int:
    """A minute, or a second where the zone's offsets are not of whole minutes."""
    zone = ZoneInfo(plan.zone)
    offsets = [(wall(at, zone) - wall(at, ZoneInfo("UTC"))).total_seconds() for at in (start - DAY_MS, start, end)]
    return 60_000 if all(offset % 60 == 0 for offset in offsets) else 1_000
