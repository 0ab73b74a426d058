"""What changes from some rules to others, entry by entry."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, time
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from models.calendars import Hours, Shift
from models.rules import LISTS, Absence, CalendarUse, Plan, Quota, Rules, SlaPolicy
from models.units import DAY, SECOND, Millis, moment
from streams.config.values import WEEKDAYS
from streams.local.replay_report import span, told_target

FEW_DAYS: Final = 3
FULL_DAY: Final = 1440

_Key = TypeVar("_Key")


class Sign(StrEnum):
    """What became of an entry."""

    ADDED = "+"
    REMOVED = "-"
    CHANGED = "~"


class Change(NamedTuple):
    """One entry that is not as it was."""

    sign: Sign
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.sign} {self.where}: {self.what}"


def changes(old: Rules, new: Rules) -> Iterator[Change]:
    """Everything that differs; versions are no content."""
    yield from _plain("zone", old.zone, new.zone)
    yield from _roster(old, new)
    yield from _sla(old, new)
    for where in LISTS.values():
        yield from _list(where, getattr(old, where), getattr(new, where), ", which counts as other")
    yield from _list("referral_origins", old.referral_origins, new.referral_origins)
    before, after = ([" × ".join(pair) for pair in each.pairs] for each in (old, new))
    yield from _list("pairs", before, after)
    yield from _plain("customers.after_purchase_days", *(str(each.customer_ms // DAY) for each in (old, new)))
    yield from _plain("meetings.grace", _span(old.meeting_grace_ms), _span(new.meeting_grace_ms))
    yield from _plain(
        "meetings.unmarked", *("held" if each.unmarked_meetings_count_as_held else "unmarked" for each in (old, new))
    )
    yield from _plain("money.currency", old.money.currency, new.money.currency)
    yield from _rates(old, new)
    before, after = ([f"{stage.name} at {stage.probability} %" for stage in each.deal_stages] for each in (old, new))
    yield from _list("deal_stages", before, after)
    yield from _plain("money.gross_margin_percent", *(_percent(each.gross_margin_percent) for each in (old, new)))
    yield from _targets(old, new)
    yield from _quotas(old, new)
    yield from _plans(old, new)
    yield from _calendars(old, new)
    for where in ("team_calendars", "rep_calendars"):
        yield from _uses(where, getattr(old, where), getattr(new, where), new.zone)
    before, after = ([_absence(absence, each) for absence in each.absences] for each in (old, new))
    yield from _list("absences", before, after)


def _calendars(old: Rules, new: Rules) -> Iterator[Change]:
    calendars = [{calendar.name: calendar for calendar in each.calendars} for each in (old, new)]
    for sign, name, before, after in _compared(*calendars):
        if sign is not Sign.CHANGED:
            yield Change(sign, "calendars", name)
            continue
        yield from _plain(f"calendars.{name}.zone", before.zone, after.zone)
        mine, theirs = ([_hours(f"{WEEKDAYS[shift.weekday]} ", shift) for shift in each.shifts] for each in (before, after))
        yield from _list(f"calendars.{name}.hours", mine, theirs)
        days = [{own.day: ", ".join(_hours("", each) for each in own.hours) for own in each.days} for each in (before, after)]
        yield from (Change(*told) for told in _days(f"calendars.{name}.days", *days))


def _days(where: str, old: Mapping[date, str], new: Mapping[date, str]) -> Iterator[tuple[Sign, str, str]]:
    """The days that are otherwise; where many come or go, as holidays do, how many."""
    found: dict[Sign, list[str]] = {}
    for sign, day, before, after in _compared(old, new):
        what = f"{before or 'closed'} → {after or 'closed'}" if sign is Sign.CHANGED else (before or after or "closed")
        found.setdefault(sign, []).append(f"{day} {what}")
    for sign, told in found.items():
        few = told if len(told) <= FEW_DAYS else [*told[:FEW_DAYS], f"and {len(told) - FEW_DAYS} more"]
        yield from ((sign, where, each) for each in few)


def _hours(of: str, hours: Shift | Hours) -> str:
    start, end = (f"{minutes // 60 % 24:02}:{minutes % 60:02}" for minutes in (hours.start, hours.end))
    return f"{of}{start}-{'24:00' if hours.end == FULL_DAY else end}"


def _uses(where: str, old: Sequence[CalendarUse], new: Sequence[CalendarUse], zone: str) -> Iterator[Change]:
    uses = [{(use.name, use.valid_from): use.calendar or "none" for use in each} for each in (old, new)]
    yield from _entries(where, uses, lambda name, since: f"{name}{_from(since, zone)}")


def _absence(absence: Absence, rules: Rules) -> str:
    calendar = rules.calendar(absence.rep, absence.start)
    since, until = (_from(at, calendar.zone if calendar else rules.zone) for at in (absence.start, absence.end))
    return f"{absence.rep}{since} until{until.removeprefix(' from')}"


def _rates(old: Rules, new: Rules) -> Iterator[Change]:
    rates = [{(rate.currency, rate.valid_from): rate.worth for rate in each.money.rates} for each in (old, new)]
    yield from _entries("money.rates", rates, lambda currency, since: f"{currency}{_from(since, new.zone)}")


def _targets(old: Rules, new: Rules) -> Iterator[Change]:
    targets = [{(each.kpi, each.window, each.valid_from): each.value for each in rules.targets} for rules in (old, new)]
    yield from _entries("targets", targets, lambda kpi, window, since: f"{kpi} ({window}){_from(since, new.zone)}")
    boards = [{(each.kpi,): each.best or "as usual" for each in rules.leaderboards} for rules in (old, new)]
    yield from _entries("leaderboards", boards, str)


def _quotas(old: Rules, new: Rules) -> Iterator[Change]:
    quotas = [{(each.rep, each.team, each.valid_from): _quota(each) for each in rules.quotas} for rules in (old, new)]
    yield from _entries("quotas", quotas, lambda rep, team, since: f"{rep or f'team {team}'}{_from(since, new.zone)}")


def _quota(quota: Quota) -> str:
    ramp = f", at first {', '.join(f'{percent} %' for percent in quota.ramp)}" if quota.ramp else ""
    return f"{quota.amount} a {quota.per}{ramp}"


def _plans(old: Rules, new: Rules) -> Iterator[Change]:
    plans = [{(each.rep, each.valid_from): _plan(each) for each in rules.plans} for rules in (old, new)]
    yield from _entries("plans", plans, lambda rep, since: f"{rep}{_from(since, new.zone)}")


def _plan(plan: Plan) -> str:
    return f"{plan.commission_percent} %{f', {plan.ote} a year on target' if plan.ote else ''}"


def _percent(share: int | None) -> str:
    return "not told" if share is None else f"{share} %"


def _list(where: str, old: Sequence[str], new: Sequence[str], meaning: str = "") -> Iterator[Change]:
    yield from (Change(Sign.ADDED, where, value) for value in new if value not in old)
    yield from (Change(Sign.REMOVED, where, f"{value}{meaning}") for value in old if value not in new)
    if old != new and set(old) == set(new):
        yield Change(Sign.CHANGED, where, "another order")


def _plain(where: str, old: str, new: str) -> Iterator[Change]:
    if old != new:
        yield Change(Sign.CHANGED, where, f"{old} → {new}")


def _roster(old: Rules, new: Rules) -> Iterator[Change]:
    teams = [{(entry.rep, entry.valid_from): entry.team for entry in each.roster} for each in (old, new)]
    for sign, (rep, since), before, after in _compared(*teams):
        known = f"{rep}{_from(since, new.zone)}"
        what = f"{_in(before)} → {_in(after)}" if sign is Sign.CHANGED else _in(before if sign is Sign.REMOVED else after)
        yield Change(sign, "roster", f"{known} {what}")


def _sla(old: Rules, new: Rules) -> Iterator[Change]:
    targets = [{(_for(policy, new.zone),): told_target(policy) for policy in each.sla} for each in (old, new)]
    yield from _entries("sla", targets, str)


def _entries(where: str, sides: Sequence[Mapping[Any, str]], label: Callable[..., str]) -> Iterator[Change]:
    """Entries of old and new rules that say something else, came or went; `label` says whose each is, from its key."""
    for sign, key, before, after in _compared(*sides):
        what = f"{before} → {after}" if sign is Sign.CHANGED else (before or after)
        yield Change(sign, where, f"{label(*key)} {what}")


def _compared(old: Mapping[_Key, Any], new: Mapping[_Key, Any]) -> Iterator[tuple[Sign, _Key, Any, Any]]:
    """Keys that came or stay with something else, then those that went."""
    for key, value in new.items():
        if key not in old:
            yield Sign.ADDED, key, None, value
        elif old[key] != value:
            yield Sign.CHANGED, key, old[key], value
    for key, value in old.items():
        if key not in new:
            yield Sign.REMOVED, key, value, None


def _for(policy: SlaPolicy, zone: str) -> str:
    named = [f"{name} {value}" for name in ("team", "lead_source", "segment") if (value := getattr(policy, name)) is not None]
    return f"{', '.join(named) or 'all leads'}{_from(policy.valid_from, zone)}"


def _in(team: str | None) -> str:
    return "has left" if team is None else f"in {team}"


def _from(since: Millis, zone: str) -> str:
    """From when on; nothing for ever since. A local midnight is a date."""
    if since == 0:
        return ""
    local = moment(since).astimezone(ZoneInfo(zone))
    return f" from {local.date()}" if local.time() == time() else f" from {local.isoformat(timespec='seconds')}"


def _span(ms: int) -> str:
    return span(ms / SECOND)
