"""The oracle's reading of quotas: looked up month by month, and what is due by now counted day by day."""

from calendar import monthrange
from datetime import date, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from streams.local.truth_facts import Rules, midnight_ms
from streams.local.truth_money import PERIODS

SATURDAY = 5


def period_of(window: str, today: date) -> list[date]:
    """All days of the month, quarter or year that a day lies in."""
    month = next(first for first in range(1, 13, PERIODS[window]) if first <= today.month < first + PERIODS[window])
    last = month + PERIODS[window] - 1
    start, end = date(today.year, month, 1), date(today.year, last, monthrange(today.year, last)[1])
    return [start + timedelta(days=number) for number in range((end - start).days + 1)]


def quota_of(rules: Rules, dim: str, name: str, days: list[date]) -> Fraction:
    """What a rep, a team or all of them shall sell in the months of some days."""
    last_days = [day for day in days if (day + timedelta(days=1)).day == 1]
    teams = {team for entries in rules.roster.values() for _, team in entries if team} | {row.team for row in rules.quotas}
    total = Fraction(0)
    for last in last_days:
        if dim == "rep":
            total += _of_rep(rules, name, last) or 0
        else:
            total += sum((_of_team(rules, team, last) for team in teams if team and name in {"", team}), Fraction(0))
    return total


def earned_on_target(rules: Rules, at: int) -> Fraction | None:
    """What all reps who have both a plan and a quota earn a year on target, for each unit of these quotas."""
    paid = sold = Fraction(0)
    for rep in rules.roster:
        plan, own = rules.plan(rep, at), [row for row in rules.quotas if row.rep == rep and row.since <= at]
        if plan and plan.ote and own and rules.team(rep, at) != "other":
            paid += Fraction(plan.ote)
            sold += Fraction(own[-1].amount) * 12 / own[-1].months
    return paid / sold if sold else None


def due_by_now(quota: Fraction, days: list[date], today: date) -> Fraction:
    """The share of a quota that is due at the end of today."""
    working = [day for day in days if day.weekday() < SATURDAY]
    return quota * len([day for day in working if day <= today]) / len(working)


def _of_team(rules: Rules, team: str, last: date) -> Fraction:
    own = [row for row in rules.quotas if row.team == team and row.since < _end(last, rules.zone)]
    if own:
        return Fraction(own[-1].amount) / own[-1].months
    there = [rep for rep in rules.roster if rules.team(rep, _end(last, rules.zone) - 1) == team]
    return sum((_of_rep(rules, rep, last) or Fraction(0) for rep in there), Fraction(0))


def _of_rep(rules: Rules, rep: str, last: date) -> Fraction | None:
    end = _end(last, rules.zone)
    own = [row for row in rules.quotas if row.rep == rep and row.since < end]
    if not own or rules.team(rep, end - 1) == "other":
        return None
    joined = min(since for since, _ in rules.roster[rep])
    month, months = last, 0
    while months < len(own[-1].ramp) and _end(month.replace(day=1) - timedelta(days=1), rules.zone) > joined:
        month, months = month.replace(day=1) - timedelta(days=1), months + 1
    percent = own[-1].ramp[months] if months < len(own[-1].ramp) else 100
    return Fraction(own[-1].amount) / own[-1].months * percent / 100


def _end(last: date, zone: ZoneInfo) -> int:
    return midnight_ms(last + timedelta(days=1), zone)
