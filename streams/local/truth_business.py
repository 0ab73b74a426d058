"""The oracle's business time: a lead's time goes by the calendar of whoever owns it, one owner after another, day by day."""

from collections.abc import Iterator
from itertools import pairwise

from streams.local.truth_calendars import DAY_MS, Stretches, days_about, hours_on, shown_at
from streams.local.truth_facts import Lead, Policy, Rules

PERCENTS = (50, 80, 100)
LONGEST_MS = 1_500 * DAY_MS
"""What is not due until then never is."""


def passed_of(lead: Lead, rules: Rules, start: int, policy: Policy | None) -> dict[int, float] | None:
    """When which percents of an SLA have passed; at no time if it is never due; None without an SLA."""
    if policy is None:
        return None
    if policy.time == "wall":
        return {percent: start + policy.target_ms * percent // 100 for percent in PERCENTS}
    target: int | None = policy.target_ms
    if policy.time == "business_days":
        target = _days_worth(rules, lead.owner(start), start, policy.target_ms // DAY_MS)
    never: dict[int, float] = dict.fromkeys(PERCENTS, float("inf"))
    if target is None:
        return never
    wanted = {percent: target * percent // 100 for percent in PERCENTS}
    found: dict[int, float] = {percent: start for percent in PERCENTS if wanted[percent] == 0}
    spent = 0
    for begin, end in _worked(lead, rules, start, start + LONGEST_MS):
        for percent in PERCENTS:
            if percent not in found and spent + end - begin >= wanted[percent]:
                found[percent] = begin + wanted[percent] - spent
        spent += end - begin
        if 100 in found:  # noqa: PLR2004 - all of it
            return found
    return never


def business_span(lead: Lead, rules: Rules, start: int, end: int) -> int | None:
    """How long an answer took in business time; None if it and the inquiry lie outside of that, or nobody has a calendar."""
    if not rules.worktime.plans:
        return None
    if not any(list(_worked(lead, rules, at, at + 1)) for at in (start, end)):
        return None
    return sum(finish - begin for begin, finish in _worked(lead, rules, start, end))


def _worked(lead: Lead, rules: Rules, start: int, end: int) -> Iterator[tuple[int, int]]:
    """What is working time of a lead's owners between two instants, in order."""
    changes = [since for since, _ in lead.owners if start < since < end]
    for since, until in pairwise([start, *changes, end]):
        at = since
        while at < until:
            tomorrow = min(at + DAY_MS, until)
            yield from _open(rules, lead.owner(since), at, tomorrow)
            at = tomorrow


def _open(rules: Rules, rep: str | None, start: int, end: int) -> Stretches:
    """What is working time of a rep between two instants, in order; what overlaps counts once."""
    found: Stretches = []
    for since, until, plan in rules.turns(rep):
        low, high = max(start, since), min(end, until)
        for day in days_about(plan, low, high) if low < high else ():
            for begin, finish in hours_on(plan, day):
                found += rules.worktime.without_absences(rep, max(begin, low), min(finish, high))
    apart: Stretches = []
    for begin, finish in sorted(each for each in found if each[0] < each[1]):
        if apart and begin <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(finish, apart[-1][1]))
        else:
            apart.append((begin, finish))
    return apart


def _days_worth(rules: Rules, rep: str | None, start: int, count: int) -> int | None:
    """How much a rep works until the so-manieth working day that begins after an instant is over; None if it never is."""
    closes: dict[int, int] = {}
    at = start
    while len(closes) < count + 1 and at < start + LONGEST_MS:  # one more than asked for, since a day may end in the next round
        for since, until, plan in rules.turns(rep):
            low, high = max(at, since), min(at + 7 * DAY_MS, until)
            for day in days_about(plan, low, high) if low < high else ():
                begun = shown_at(day, 0, plan.zone)
                for begin, finish in hours_on(plan, day) if begun > start else ():
                    for _, close in rules.worktime.without_absences(rep, max(begin, since), min(finish, until)):
                        if max(begin, since) < close:
                            closes[begun] = max(close, closes.get(begun, 0))
        at += 7 * DAY_MS
    if len(closes) < count:
        return None
    close = closes[sorted(closes)[count - 1]]
    spent, at = 0, start
    while at < close:
        spent += sum(finish - begin for begin, finish in _open(rules, rep, at, min(at + DAY_MS, close)))
        at += DAY_MS
    return spent
