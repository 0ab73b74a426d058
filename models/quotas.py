"""Quotas: what reps and teams shall sell in a month, quarter or year, how much of it is due by now, what they earn then."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import Final, NamedTuple

from models.rules import OTHER, PER_YEAR, Plan, Quota, Rules
from models.units import Millis
from models.windows import LocalDays

MONTHS: Final = 12
PERCENT: Final = 100
WORKING_DAYS: Final = 5
"""How many days of a week are worked on, from Monday on."""


class Due(NamedTuple):
    """A quota of a slice (empty for the whole) in the period so far: all of it, and what is due by the end of today."""

    window: str
    slice: str
    amount: Fraction
    by_now: Fraction


def quotas(rules: Rules, clock: Millis) -> Iterator[Due]:
    """All quotas of the periods that an instant lies in, in major units."""
    if not rules.quotas:
        return
    days = LocalDays(rules.zone)
    today = days.date_of(clock)
    for window, per_year in PER_YEAR.items():
        months = MONTHS // per_year
        first = date(today.year, (today.month - 1) // months * months + 1, 1)
        end = _later(first, months)
        elapsed = Fraction(_working_days(first, today + timedelta(days=1)), _working_days(first, end))
        total: dict[str, Fraction] = defaultdict(Fraction)
        for number in range(months):
            for name, amount in _of_month(rules, days, _later(first, number)).items():
                total[name] += amount
        yield from (Due(window, name, amount, amount * elapsed) for name, amount in total.items() if amount)


class Seller(NamedTuple):
    """A rep's quota of the period so far, with the team that he is in now."""

    window: str
    team: str
    rep: str
    amount: Fraction


def sellers(rules: Rules, clock: Millis) -> Iterator[Seller]:
    """The quotas of the reps who are there at an instant, in major units."""
    for due in quotas(rules, clock):
        dim, _, rep = due.slice.partition("=")
        team = rules.team(rep, clock) if dim == "rep" else OTHER
        if team != OTHER:
            yield Seller(due.window, team, rep, due.amount)


def _of_month(rules: Rules, days: LocalDays, first: date) -> Mapping[str, Fraction]:
    """By slice: each rep's who is there when the month ends; each team's own, or else its reps'; that of all teams."""
    end = Millis(days.start_of(_later(first, 1)) - 1)
    found: dict[str, Fraction] = {}
    teams: dict[str, Fraction] = defaultdict(Fraction)
    for rep in dict.fromkeys(quota.rep for quota in rules.quotas if quota.rep is not None):
        quota, team = _in_force(rules, end, rep=rep), rules.team(rep, end)
        if quota is not None and team != OTHER:
            since = _months(days.date_of(rules.joined(rep)), first)
            percent = quota.ramp[since] if since < len(quota.ramp) else PERCENT
            found[f"rep={rep}"] = _monthly(quota) * percent / PERCENT
            teams[team] += found[f"rep={rep}"]
    for team in dict.fromkeys(quota.team for quota in rules.quotas if quota.team is not None):
        quota = _in_force(rules, end, team=team)
        if quota is not None:
            teams[team] = _monthly(quota)
    return {"": sum(teams.values(), Fraction(0)), **{f"team={team}": amount for team, amount in teams.items()}, **found}


class Earned(NamedTuple):
    """What a slice's reps (empty: all reps) earn a year on target, and their quotas for a year, as they are set now."""

    slice: str
    ote: Fraction
    quota: Fraction


def earnings(rules: Rules, clock: Millis) -> Iterator[Earned]:
    """What reps earn on target, where they have both a plan that says so and a quota; in major units."""
    total: dict[str, tuple[Fraction, Fraction]] = defaultdict(lambda: (Fraction(0), Fraction(0)))
    for rep in dict.fromkeys(plan.rep for plan in rules.plans):
        plan, quota, team = _plan(rules, clock, rep), _in_force(rules, clock, rep=rep), rules.team(rep, clock)
        if plan is not None and plan.ote is not None and quota is not None and team != OTHER:
            for name in ("", f"team={team}", f"rep={rep}"):
                ote, yearly = total[name]
                total[name] = ote + Fraction(plan.ote), yearly + _monthly(quota) * MONTHS
    yield from (Earned(name, *amounts) for name, amounts in total.items())


def _plan(rules: Rules, at: Millis, rep: str) -> Plan | None:
    """The plan that was made last."""
    valid = [plan for plan in rules.plans if plan.rep == rep and plan.valid_from <= at]
    return max(valid, key=lambda plan: plan.valid_from, default=None)


def _in_force(rules: Rules, at: Millis, rep: str | None = None, team: str | None = None) -> Quota | None:
    """The quota that was set last."""
    valid = [quota for quota in rules.quotas if (quota.rep, quota.team) == (rep, team) and quota.valid_from <= at]
    return max(valid, key=lambda quota: quota.valid_from, default=None)


def _monthly(quota: Quota) -> Fraction:
    return Fraction(quota.amount) * PER_YEAR[quota.per] / MONTHS


def _months(start: date, end: date) -> int:
    return (end.year - start.year) * MONTHS + end.month - start.month


def _later(first: date, months: int) -> date:
    years, month = divmod(first.month - 1 + months, MONTHS)
    return date(first.year + years, month + 1, 1)


def _working_days(first: date, end: date) -> int:
    days = (first + timedelta(days=number) for number in range((end - first).days))
    return sum(day.weekday() < WORKING_DAYS for day in days)
