"""What changes from some rules to others, entry by entry."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import time
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from models.rules import LISTS, Rules, SlaPolicy
from models.units import SECOND, Millis, moment
from streams.local.replay_report import span

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
    before, after = ([" × ".join(pair) for pair in each.pairs] for each in (old, new))
    yield from _list("pairs", before, after)
    yield from _plain("meetings.grace", _span(old.meeting_grace_ms), _span(new.meeting_grace_ms))
    yield from _plain(
        "meetings.unmarked", *("held" if each.unmarked_meetings_count_as_held else "unmarked" for each in (old, new))
    )


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
    targets = [{_for(policy, new.zone): _span(policy.target_ms) for policy in each.sla} for each in (old, new)]
    for sign, whose, before, after in _compared(*targets):
        what = f"{before} → {after}" if sign is Sign.CHANGED else (before or after)
        yield Change(sign, "sla", f"{whose} {what}")


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
