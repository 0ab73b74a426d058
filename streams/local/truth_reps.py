"""The oracle's reading of reps: how many there are, how long they stay, and how much of their time goes into selling."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from streams.local.truth_accounts import DETRACTORS, NPS, PERCENT, PROMOTERS
from streams.local.truth_facts import Rules, standing_of
from streams.local.truth_linear import Formula
from streams.local.truth_record import Json, Record
from streams.local.truth_section import Section, Told

_COUNTS = [
    *("reps_joined", "reps_left", "selling_time", "time_worked", "selling_dates"),
    *("enps_answers", "enps_promoters", "enps_detractors"),
]
_TWICE_ON_AVERAGE = {"reps_employed": 2, "reps_joined": -1, "reps_left": 1}
"""Those of the window's start and those of now."""

_TWICE_STAYING = {"reps_employed": 2, "reps_joined": -1, "reps_left": -1}
_FORMULAS = {
    "rep_turnover_ratio": Formula("ratio", {"reps_left": 2}, _TWICE_ON_AVERAGE),
    "rep_retention_ratio": Formula("ratio", _TWICE_STAYING, _TWICE_ON_AVERAGE),
    "rep_tenure_mean": Formula("mean", {"rep_tenure_total": 1}, {"reps_employed": 1}, is_level=True),
    "selling_time_ratio": Formula("ratio", {"selling_time": 1}, {"time_worked": 1}),
    "average_selling_time_mean": Formula("mean", {"selling_time": 1}, {"selling_dates": 1}),
    "enps": Formula("ratio", {"enps_promoters": 1, "enps_detractors": -1}, {"enps_answers": 1}, scale=PERCENT),
}
REPS = Section(
    counts=_COUNTS,
    levels=["reps_employed", "rep_tenure_total"],
    daily={*_COUNTS, *_FORMULAS},
    seconds={"selling_time", "time_worked", "rep_tenure_total", "rep_tenure_mean", "average_selling_time_mean"},
    formulas=_FORMULAS,
)


def told_by_reps(events: Iterable[Json], rules: Rules, known_until: int) -> Iterator[Told]:
    """What all reps tell."""
    for rep, history in standing_of(events, "rep").items():
        record = Record(history)
        yield from _employment(rep, record.head, rules, known_until)
        yield from _times(rep, record.objects("time"), rules)
        for survey in record.objects("employee_survey"):
            yield from _answer(rep, survey, rules)


def _employment(rep: str, head: dict[str, Any], rules: Rules, known_until: int) -> Iterator[Told]:
    since, until = head.get("employed_from"), head.get("employed_until")
    if since is None or since > known_until:
        return
    yield Told("reps_joined", since, {})
    if until is None or until > known_until:
        team = {"team": rules.team(rep, known_until)}
        yield Told("reps_employed", None, team)
        yield Told("rep_tenure_total", None, team, known_until - since)
    elif since <= until:
        yield Told("reps_left", until, {})


def _times(rep: str, entries: list[dict[str, Any]], rules: Rules) -> Iterator[Told]:
    """Selling and working time; each local day in which there is any once, at the first."""
    firsts: dict[date, int] = {}
    for entry in entries:
        at = entry.get("at")
        if at is None:
            continue
        day = _local_day(at, rules)
        firsts[day] = min(firsts.get(day, at), at)
        for measure, seconds in (("selling_time", "selling_seconds"), ("time_worked", "working_seconds")):
            if entry.get(seconds) is not None:
                yield Told(measure, at, _dims(rep, at, rules), entry[seconds] * 1000)
    for first in firsts.values():
        yield Told("selling_dates", first, _dims(rep, first, rules))


def _answer(rep: str, survey: dict[str, Any], rules: Rules) -> Iterator[Told]:
    """Whether one would recommend us as an employer."""
    at, score = survey.get("at"), survey.get("score")
    if at is None or score not in NPS:
        return
    dims = _dims(rep, at, rules)
    yield Told("enps_answers", at, dims)
    if score in PROMOTERS:
        yield Told("enps_promoters", at, dims)
    if score in DETRACTORS:
        yield Told("enps_detractors", at, dims)


def _dims(rep: str, at: int, rules: Rules) -> dict[str, str]:
    return {"rep": rules.rep(rep), "team": rules.team(rep, at)}


def _local_day(at: int, rules: Rules) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).astimezone(rules.zone).date()
