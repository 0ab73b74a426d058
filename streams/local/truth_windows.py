"""Which stretch of time each window covers, and the window before it, as the oracle reckons it."""

from datetime import UTC, date, datetime, timedelta

from streams.local.truth_facts import Rules, midnight_ms

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
ROLLING = {
    "5m": (5 * MINUTE, 10 * SECOND),
    "15m": (15 * MINUTE, 10 * SECOND),
    "1h": (HOUR, 10 * SECOND),
    "4h": (4 * HOUR, 5 * MINUTE),
    "24h": (DAY, 5 * MINUTE),
    "7d": (7 * DAY, HOUR),
}
"""Rolling windows: their length and the step in which they move."""


def windows_at(clock: int, zone_rules: Rules) -> dict[str, tuple[int, int]]:
    """Each window's first instant and the first one after it, at a clock in ms."""
    windows = {}
    for name, (length, step) in ROLLING.items():
        end = clock // step * step + step
        windows[name] = (end - length, end)
    zone, today = zone_rules.zone, local_day(clock, zone_rules)
    end = midnight_ms(today + timedelta(days=1), zone)
    for name, first in first_days(today).items():
        windows[name] = (midnight_ms(first, zone), end)
    return windows


def local_day(clock: int, zone_rules: Rules) -> date:
    """The local day in which the clock stands."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=clock)).astimezone(zone_rules.zone).date()


def first_days(today: date) -> dict[str, date]:
    """The first local day of each window that is made of local days; the last is today."""
    return {
        "30d": today - timedelta(days=29),
        "60d": today - timedelta(days=59),
        "90d": today - timedelta(days=89),
        "today": today,
        "week": today - timedelta(days=today.weekday()),
        "month": today.replace(day=1),
        "quarter": today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1),
        "year": today.replace(month=1, day=1),
    }


def windows_before(clock: int, zone_rules: Rules) -> dict[str, tuple[int, int]]:
    """What each window that is as long as a day is compared with: the stretch before it."""
    windows = windows_at(clock, zone_rules)
    found = {}
    for name in ("24h", "7d"):
        start, end = windows[name]
        found[name] = (start - (end - start), start)
    for name, (first, beyond) in days_before(local_day(clock, zone_rules)).items():
        found[name] = (midnight_ms(first, zone_rules.zone), midnight_ms(beyond, zone_rules.zone))
    return found


def days_before(today: date) -> dict[str, tuple[date, date]]:
    """The first local day of each window before, and the day that follows its last: as many days as there are so far."""
    found = {}
    for name, first in first_days(today).items():
        so_far = (today - first).days + 1
        if name.endswith("d"):
            found[name] = (first - timedelta(days=so_far), first)
        else:
            eve = first - timedelta(days=1)
            days = [eve - timedelta(days=number) for number in range(400)]
            period = sorted(day for day in days if first_days(day)[name] == first_days(eve)[name])
            found[name] = (period[0], period[:so_far][-1] + timedelta(days=1))
    return found
