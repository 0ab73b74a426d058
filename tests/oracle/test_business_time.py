"""Business time against a person who looks at the clock each minute: in every zone there is, about the changes of its clocks.

Each zone is looked at about one of its changes; with `BUSINESS_TIME=long` about all of them since 1970 (a quarter of an hour).
"""

import os
from datetime import timedelta
from itertools import accumulate
from random import Random
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
import pytest
from oracle.minutes import DAY_MS, EPOCH, Plan, looks, step_of, wall

from models.calendars import Hours, OwnDay, Shift, WorkCalendar
from models.units import Millis, millis
from models.worktime import Leave, Term, Worktime, _years, first_showing

LONG = os.environ.get("BUSINESS_TIME") == "long"
FIRST, LAST = 0, 2_145_916_800_000
"""The years 1970 to 2037."""

AROUND = DAY_MS // 2
ZONES = sorted(available_timezones())
PARTS = 8
HOURS = (
    [(540, 1080)],
    [(540, 750), (810, 1080)],
    [(1320, 1800)],
    [(0, 1440)],
    [(0, 150), (150, 181), (1350, 1500)],
    [(61, 119), (125, 240)],
    [(30, 90), (1380, 1440)],
    [],
)


def changes(zone: str) -> list[int]:
    """When the clocks of a zone are changed, to the hour; a day in spring for those that never are."""
    clock, found = ZoneInfo(zone), []
    step = 14 * DAY_MS
    now = offset(FIRST, clock)
    for at in range(FIRST, LAST, step):
        before, now = now, offset(at + step, clock)
        if before != now:
            low, high = at, at + step
            while high - low > DAY_MS // 24:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle, clock) == before else (low, middle)
            found.append(low // 60_000 * 60_000)
    return found or [1_774_742_400_000]


def offset(at: int, zone: ZoneInfo) -> timedelta | None:
    return (EPOCH + timedelta(milliseconds=at)).astimezone(zone).utcoffset()


def plan_of(zone: str, about: int, random: Random) -> Plan:
    """Some hours for the days about an instant, one of which has its own, and an absence for some."""
    week = {weekday: random.choice(HOURS) for weekday in range(7)}
    today = wall(about, ZoneInfo(zone)).date()
    own = {today + timedelta(days=random.randint(-1, 1)): random.choice(HOURS)} if random.random() < 0.3 else {}
    since = about + random.randint(-600, 600) * 60_000
    closed = [(since, since + random.randint(1, 300) * 60_000)] if random.random() < 0.3 else []
    return Plan(zone, week, own, closed)


def worktime(plan: Plan) -> Worktime:
    shifts = tuple(Shift(weekday, *each) for weekday, hours in plan.week.items() for each in hours)
    own = tuple(OwnDay(day, tuple(Hours(*each) for each in hours)) for day, hours in plan.own.items())
    leaves = [Leave(Millis(start), Millis(end)) for start, end in plan.closed]
    return Worktime([Term(Millis(0), WorkCalendar("some", plan.zone, shifts, own))], leaves)


def differences(plan: Plan, about: int) -> list[object]:
    """Where the two disagree; nowhere."""
    start, end = max(0, about - AROUND), about + AROUND
    step = step_of(plan, start, end)
    seen = list(looks(plan, start, end, step))
    instants = [at for at, _, _ in seen] + [seen[-1][0] + step]
    counted = [0, *accumulate(step * works for _, _, works in seen)]
    work = worktime(plan)
    begin = np.full(len(instants), start, np.int64)
    found: list[object] = []
    if work.elapsed(begin, np.array(instants)).tolist() != counted:
        found.append(("elapsed", plan, about))
    if work.is_open(np.array(instants[:-1])).tolist() != [works for _, _, works in seen]:
        found.append(("open", plan, about))
    wanted = sorted(set(counted))
    firsts = {amount: at for at, amount in zip(reversed(instants), reversed(counted), strict=True)}
    if work.deadline(begin[: len(wanted)], np.array(wanted)).tolist() != [firsts[amount] for amount in wanted]:
        found.append(("deadline", plan, about))
    return found


@pytest.mark.timeout(0 if LONG else 120)
@pytest.mark.parametrize("part", range(PARTS))
def test_it_is_what_a_clock_on_the_wall_says_in_every_zone(part):
    found: list[object] = []
    for zone in ZONES[part::PARTS]:
        random = Random(zone)
        about = changes(zone)
        for each in about if LONG else [random.choice(about)]:
            found += differences(plan_of(zone, each, random), each)
    assert found == []


@pytest.mark.parametrize(
    "planted",
    [
        lambda local, zone: millis(local.replace(tzinfo=zone)),
        lambda local, zone: millis(local.replace(tzinfo=zone, fold=1)),
        lambda local, zone: Millis(first_showing(local, zone) + 60_000 * (local.hour == 9)),
    ],
)
def test_a_mistake_would_be_seen(monkeypatch, planted):
    about = [each for each in changes("Europe/Berlin") if each > changes("Europe/Berlin")[-4]]
    plans = [(Plan("Europe/Berlin", dict.fromkeys(range(7), hours), {}, []), each) for hours in HOURS for each in about]
    assert [found for plan, each in plans for found in differences(plan, each)] == []
    monkeypatch.setattr("models.worktime.first_showing", planted)
    _years.cache_clear()
    assert [found for plan, each in plans for found in differences(plan, each)] != []
    _years.cache_clear()
