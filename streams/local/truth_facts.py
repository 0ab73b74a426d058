"""What the oracle knows: the rules, and every lead as its events left it.

Plain and slow on purpose, and with nothing in common with the engine: a lead is folded from all of its events at once,
each field being simply the value of its largest version.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Json = Mapping[str, Any]

SPANS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
INSTANTS = {"created_at", "at", "booked_at", "scheduled_at"}
TIMELINES = {"owner": "owner_at", "stage": "stage_at"}
MINIMUM_N = {"mean": 1, "ratio": 10, "p50": 1, "p90": 20, "p95": 30, "max": 1}
OF_LEADS = {
    "lead_source": "lead_sources",
    "origin": "origins",
    "sales_region": "sales_regions",
    "segment": "segments",
    "campaign": "campaigns",
}
"""The fields of leads that numbers are sliced by, and where the rules list the values that they know."""

KNOWN = {"lead_source": ["inbound", "outbound"]}
BOARD_WINDOWS = ("1h", "24h", "7d", "today", "month")


# --- the rules -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Policy:
    """How soon an inquiry must be answered; a None matches anything."""

    target_ms: int
    valid_from: int
    team: str | None
    lead_source: str | None
    segment: str | None


@dataclass(frozen=True)
class Rules:
    """What the organisation has decided, from the tables of its TOML file."""

    zone: ZoneInfo
    roster: dict[str, list[tuple[int, str | None]]]
    policies: list[Policy]
    known: dict[str, list[str]]
    """The values of the fields of leads; without any, nothing is sliced by a field."""
    pairs: list[tuple[str, str]]
    grace_ms: int
    unmarked_is_held: bool
    minimum_n: dict[str, int]
    board_windows: tuple[str, ...]
    also_by: tuple[str, ...]

    def team(self, rep: str | None, at: int) -> str:
        """The rep's team at an instant, as a value to slice by."""
        if rep is None:
            return "unassigned"
        team = None
        for valid_from, name in self.roster.get(rep, []):
            if valid_from <= at:
                team = name
        return team or "other"

    def rep(self, rep: str | None) -> str:
        """The rep as a value to slice by."""
        if rep is None:
            return "unassigned"
        return rep if rep in self.roster else "other"

    def of_lead(self, fields: Mapping[str, str | None]) -> dict[str, str]:
        """The fields of a lead as values to slice by."""
        return {dim: _known(fields.get(dim), values) for dim, values in self.known.items() if values}

    def sla_ms(self, start: int, team: str, lead_source: str | None, segment: str | None) -> int | None:
        """The target of a clock that starts at an instant: most specific policy, then the latest, then the last written."""
        best: tuple[int, int, int] | None = None
        target = None
        for number, policy in enumerate(self.policies):
            pairs = [(policy.team, team), (policy.lead_source, lead_source), (policy.segment, segment)]
            named = [(wanted, actual) for wanted, actual in pairs if wanted is not None]
            if policy.valid_from > start or any(wanted != actual for wanted, actual in named):
                continue
            rank = (len(named), policy.valid_from, number)
            if best is None or rank > best:
                best, target = rank, policy.target_ms
        return target

    def configured(self, clock: int) -> dict[str, set[str]]:
        """The slice values that are shown even when they are 0."""
        teams = {rep: self.team(rep, clock) for rep in self.roster}
        return {
            "rep": {rep for rep, team in teams.items() if team != "other"},
            "team": {team for team in teams.values() if team != "other"},
            **{dim: set(values) for dim, values in self.known.items() if values},
            "channel": {"call", "email", "message", "meeting"},
        }


def _known(value: str | None, values: list[str]) -> str:
    if value is None:
        return "unknown"
    return value if value in values else "other"


def rules_of(toml: Json) -> Rules:
    """The rules from the tables of a configuration file (as `tomllib` reads it); other tables are not looked at."""
    zone = ZoneInfo(toml.get("organisation", {}).get("zone", "UTC"))
    roster: dict[str, list[tuple[int, str | None]]] = {}
    for entry in toml.get("roster", []):
        roster.setdefault(entry["rep"], []).append((_valid_from(entry, zone), entry.get("team")))
    meetings = toml.get("meetings", {})
    return Rules(
        zone=zone,
        roster={rep: sorted(entries, key=lambda entry: entry[0]) for rep, entries in roster.items()},
        policies=[
            Policy(
                span_ms(entry["target"]),
                _valid_from(entry, zone),
                entry.get("team"),
                entry.get("lead_source"),
                entry.get("segment"),
            )
            for entry in toml.get("sla", [{"target": "5m"}])
        ],
        known={dim: list(toml.get(table, KNOWN.get(dim, []))) for dim, table in OF_LEADS.items()},
        pairs=[(first, second) for first, second in toml.get("pairs", [])],
        grace_ms=span_ms(meetings.get("grace", "1h")),
        unmarked_is_held=meetings.get("unmarked", "unmarked") == "held",
        minimum_n={**MINIMUM_N, **toml.get("minimum_n", {})},
        board_windows=tuple(toml.get("profile", {}).get("board_windows", BOARD_WINDOWS)),
        also_by=tuple(toml.get("profile", {}).get("also_by", [])),
    )


def span_ms(text: str) -> int:
    """A span such as `5m` in milliseconds."""
    match = re.fullmatch(r"(\d+)([smhd])", text)
    if match is None:
        message = f"not a span of time: {text!r}"
        raise ValueError(message)
    return int(match[1]) * SPANS_MS[match[2]]


def midnight_ms(day: date, zone: ZoneInfo) -> int:
    """The instant at which a local day begins."""
    return _millis(datetime.combine(day, time(0), tzinfo=zone))


def _valid_from(entry: Json, zone: ZoneInfo) -> int:
    value = entry.get("from")
    if value is None:
        return 0
    if not isinstance(value, datetime):
        return midnight_ms(value, zone)
    return _millis(value if value.tzinfo else value.replace(tzinfo=zone))


# --- the facts -------------------------------------------------------------------------------------------------------


@dataclass
class Lead:
    """A lead as it stands. Instants are in ms; deleted objects are absent; timelines are sorted by effective instant."""

    created_at: int | None = None
    fields: dict[str, str | None] = field(default_factory=dict)
    owners: list[tuple[int, str | None]] = field(default_factory=list)
    stages: list[tuple[int, str | None]] = field(default_factory=list)
    inquiries: list[dict[str, Any]] = field(default_factory=list)
    touches: list[dict[str, Any]] = field(default_factory=list)
    replies: list[dict[str, Any]] = field(default_factory=list)
    meetings: list[dict[str, Any]] = field(default_factory=list)

    def owner(self, at: int) -> str | None:
        """Who owned the lead at an instant."""
        owner = None
        for effective, name in self.owners:
            if effective <= at:
                owner = name
        return owner

    @property
    def owner_now(self) -> str | None:
        """Who owns the lead as far as is known."""
        return self.owners[-1][1] if self.owners else None


Version = tuple[int, int, str]
ObjectKey = tuple[str, str] | None


def leads_of(events: Iterable[Json]) -> list[Lead]:
    """Every lead that counts, from all events, repeated and in any order: not those deleted, erased or merged into others."""
    return [_lead(history) for history in belonging(events).values() if not _is_deleted(history, None)]


def belonging(events: Iterable[Json]) -> dict[str, list[Json]]:
    """By each subject that speaks for itself and is not erased: its events, and those about whoever was merged into it.

    Of the others, what is told of their records in the CRM (that these were deleted, or merged) is left out.
    """
    histories: dict[str, list[Json]] = {}
    for event in events:
        histories.setdefault(event["subject"]["id"], []).append(event)
    erased = {subject for subject, history in histories.items() if any(event["type"] == "erased" for event in history)}
    known = {subject: history for subject, history in histories.items() if subject not in erased}
    targets = {subject: target for subject, history in known.items() if (target := _merged_into(history)) is not None}
    together: dict[str, list[Json]] = {}
    for subject, history in known.items():
        survivor = _survivor(subject, targets)
        told = [event for event in history if subject == survivor or _is_of_the_person(event)]
        if survivor not in erased:
            together.setdefault(survivor, []).extend(told)
    return together


def _merged_into(history: list[Json]) -> str | None:
    """Whom a lead was last merged into, or that this was undone."""
    told = [event for event in history if event["type"] == "merged"]
    if not told:
        return None
    named = [event["into"] and f"{event['into']['kind']}:{event['into']['id']}" for event in told]
    _, last = max((_version(event, name), name) for event, name in zip(told, named, strict=True))
    return None if last is None else last.split(":", 1)[1]


def _survivor(subject: str, targets: Mapping[str, str]) -> str:
    """The end of the chain; of a circle the smallest id."""
    way: list[str] = []
    while subject in targets:
        if subject in way:
            return min(way[way.index(subject) :])
        way.append(subject)
        subject = targets[subject]
    return subject


def _is_of_the_person(event: Json) -> bool:
    """Whether an event tells of the person or one of its objects, rather than of the CRM's record of that person."""
    return event["type"].endswith(".upserted") or event.get("object") is not None


def _is_deleted(history: list[Json], key: ObjectKey) -> bool:
    """Whether the largest of the deletions and restorations is a deletion; of equal versions the deletion is."""
    marks = [
        (_instant(event["timestamp"]), event.get("sequence", 0), event["type"] == "deleted")
        for event in history
        if event["type"] in {"deleted", "restored"} and _object_key(event) == key
    ]
    return bool(marks) and max(marks)[2]


def _lead(history: list[Json]) -> Lead:
    fields: dict[ObjectKey, dict[str, tuple[Version, Any]]] = {}
    timelines: dict[str, dict[int, tuple[Version, Any]]] = {"owner": {}, "stage": {}}
    for event in history:
        if not event["type"].endswith(".upserted"):
            continue
        key = _object_key(event)
        known = fields.setdefault(key, {})
        for name, raw in event["data"].items():
            if name in TIMELINES.values():
                continue
            value = _instant(raw) if name in INSTANTS and raw is not None else raw
            version = _version(event, raw if value is raw else _isoformat(value))
            if name in TIMELINES:
                effective = _instant(event["data"].get(TIMELINES[name], event["timestamp"]))
                _keep_larger(timelines[name], effective, version, value)
            else:
                _keep_larger(known, name, version, value)
    head = {name: value for name, (_, value) in fields.pop(None, {}).items()}
    lead = Lead(head.get("created_at"), {name: head.get(name) for name in OF_LEADS})
    lead.owners = sorted((effective, value) for effective, (_, value) in timelines["owner"].items())
    lead.stages = sorted((effective, value) for effective, (_, value) in timelines["stage"].items())
    lists = {"inquiry": lead.inquiries, "touch": lead.touches, "reply": lead.replies, "meeting": lead.meetings}
    for key, known in fields.items():
        if key is not None and not _is_deleted(history, key):
            lists[key[0]].append({"id": key[1]} | {name: value for name, (_, value) in known.items()})
    return lead


def _object_key(event: Json) -> ObjectKey:
    named = event.get("object")
    return (named["kind"], named["id"]) if named else None


def _keep_larger(known: dict[Any, tuple[Version, Any]], name: object, version: Version, value: object) -> None:
    if name not in known or version > known[name][0]:
        known[name] = (version, value)


def _version(event: Json, value: object) -> Version:
    return _instant(event["timestamp"]), event.get("sequence", 0), json.dumps(value, ensure_ascii=False)


def _instant(text: str) -> int:
    return _millis(datetime.fromisoformat(text))


def _millis(moment: datetime) -> int:
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _isoformat(at: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).isoformat(timespec="milliseconds")
