"""What the oracle knows: the rules, and every lead as its events left it.

Plain and slow on purpose, and with nothing in common with the engine: a lead is folded from all of its events at once,
each field being simply the value of its largest version.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from streams.local.truth_calendars import Plan, Worktime, worktime_of
from streams.local.truth_money import Money, PlanRow, QuotaRow, money_of, plan_row, quota_row
from streams.local.truth_record import Json, Record, is_deleted, millis_of, version_of

SPANS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
TIMES = {**dict.fromkeys(SPANS_MS, "wall"), "bm": "business", "bh": "business", "bd": "business_days"}
Roster = dict[str, list[tuple[int, str | None]]]
MINIMUM_N = {"mean": 1, "ratio": 10, "p50": 1, "p90": 20, "p95": 30, "max": 1}
OF_LEADS = {
    "lead_source": "lead_sources",
    "origin": "origins",
    "sales_region": "sales_regions",
    "segment": "segments",
    "campaign": "campaigns",
}
"""The fields of leads that numbers are sliced by, and where the rules list the values that they know."""

LISTED = {
    "product": "products",
    "competitor": "competitors",
    "loss_reason": "loss_reasons",
    "nurture_track": "nurture_tracks",
}
"""What else numbers are sliced by where the rules list its values."""

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
    time: str
    """Wall time, business time or business days."""


@dataclass(frozen=True)
class Rules:
    """What the organisation has decided, from the tables of its TOML file."""

    zone: ZoneInfo
    roster: Roster
    policies: list[Policy]
    known: dict[str, list[str]]
    """The values of the fields of leads; without any, nothing is sliced by a field."""
    pairs: list[tuple[str, str]]
    grace_ms: int
    unmarked_is_held: bool
    minimum_n: dict[str, int]
    board_windows: tuple[str, ...]
    also_by: tuple[str, ...]
    money: Money
    deal_stages: list[tuple[str, int]]
    """The qualified stages of the pipeline, each with its probability in percent."""
    listed: dict[str, list[str]]
    referral_origins: list[str]
    after_purchase_ms: int
    """How long a purchase makes a customer."""
    gross_margin_percent: int | None
    quotas: list[QuotaRow]
    """Oldest first."""
    plans: list[PlanRow]
    """Oldest first."""
    targets: list[tuple[int, str, str, str]]
    """From when on, of which KPI, how much, and in which window; the one that counts last."""
    leaderboards: list[tuple[str, str | None]]
    """Of which KPI, and what comes first."""
    worktime: Worktime

    def turns(self, rep: str | None) -> Iterator[tuple[int, int, Plan]]:
        """By which calendar a rep works from when until when."""
        return self.worktime.turns(rep, partial(self.team, rep), [since for since, _ in self.roster.get(rep or "", [])])

    def team(self, rep: str | None, at: int) -> str:
        """The rep's team at an instant, as a value to slice by."""
        return team_of(self.roster, rep, at)

    def plan(self, rep: str | None, at: int) -> PlanRow | None:
        """The plan of a rep of the roster at an instant."""
        made = [plan for plan in self.plans if plan.rep == rep and rep in self.roster and plan.since <= at]
        return made[-1] if made else None

    def rep(self, rep: str | None) -> str:
        """The rep as a value to slice by."""
        if rep is None:
            return "unassigned"
        return rep if rep in self.roster else "other"

    def of_lead(self, fields: Mapping[str, str | None]) -> dict[str, str]:
        """The fields of a lead as values to slice by."""
        return {dim: _known(fields.get(dim), values) for dim, values in self.known.items() if values}

    def of_list(self, dim: str, value: str | None) -> dict[str, str]:
        """A value to slice by, if the rules list any."""
        return {dim: _known(value, self.listed[dim])} if self.listed[dim] else {}

    def sla_ms(self, start: int, team: str, lead_source: str | None, segment: str | None) -> int | None:
        """The target of a clock that starts at an instant: most specific policy, then the latest, then the last written."""

    def sla(self, start: int, team: str, lead_source: str | None, segment: str | None) -> Policy | None:
        """The policy for a clock that starts at an instant: most specific policy, then the latest, then the last written."""
        best: tuple[int, int, int] | None = None
        applies = None
        for number, policy in enumerate(self.policies):
            pairs = [(policy.team, team), (policy.lead_source, lead_source), (policy.segment, segment)]
            named = [(wanted, actual) for wanted, actual in pairs if wanted is not None]
            if policy.valid_from > start or any(wanted != actual for wanted, actual in named):
                continue
            rank = (len(named), policy.valid_from, number)
            if best is None or rank > best:
                best, applies = rank, policy
        return applies

    def configured(self, clock: int) -> dict[str, set[str]]:
        """The slice values that are shown even when they are 0."""
        teams = {rep: self.team(rep, clock) for rep in self.roster}
        return {
            "rep": {rep for rep, team in teams.items() if team != "other"},
            "team": {team for team in teams.values() if team != "other"},
            **{dim: set(values) for dim, values in self.known.items() if values},
            "channel": {"call", "email", "message", "meeting"},
        }


def team_of(roster: Roster, rep: str | None, at: int) -> str:
    """The rep's team at an instant, as a value to slice by."""
    if rep is None:
        return "unassigned"
    team = None
    for valid_from, name in roster.get(rep, []):
        if valid_from <= at:
            team = name
    return team or "other"


def _known(value: str | None, values: list[str]) -> str:
    if value is None:
        return "unknown"
    return value if value in values else "other"


def rules_of(toml: Json) -> Rules:
    """The rules from the tables of a configuration file (as `tomllib` reads it); other tables are not looked at."""
    zone = ZoneInfo(toml.get("organisation", {}).get("zone", "UTC"))
    roster: Roster = {}
    for entry in toml.get("roster", []):
        roster.setdefault(entry["rep"], []).append((_valid_from(entry, zone), entry.get("team")))
    roster = {rep: sorted(entries, key=lambda entry: entry[0]) for rep, entries in roster.items()}
    meetings = toml.get("meetings", {})
    money = toml.get("money", {})
    return Rules(
        zone=zone,
        roster=roster,
        policies=[
            Policy(
                span_ms(entry["target"]),
                _valid_from(entry, zone),
                entry.get("team"),
                entry.get("lead_source"),
                entry.get("segment"),
                TIMES[re.sub("[0-9]", "", entry["target"])],
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
        money=money_of(
            money.get("currency", "EUR"),
            [(entry["currency"], _valid_from(entry, zone), entry["rate"]) for entry in money.get("rates", [])],
        ),
        deal_stages=[(entry["name"], entry.get("probability", 0)) for entry in toml.get("deal_stages", [])],
        listed={dim: list(toml.get(table, [])) for dim, table in LISTED.items()},
        referral_origins=list(toml.get("referral_origins", ["referral"])),
        after_purchase_ms=toml.get("customers", {}).get("after_purchase_days", 365) * SPANS_MS["d"],
        gross_margin_percent=money.get("gross_margin_percent"),
        quotas=sorted(
            (quota_row(entry, _valid_from(entry, zone)) for entry in toml.get("quotas", [])), key=lambda entry: entry.since
        ),
        plans=sorted(
            (plan_row(entry, _valid_from(entry, zone)) for entry in toml.get("plans", [])), key=lambda plan: plan.since
        ),
        targets=sorted(
            ((_valid_from(entry, zone), entry["kpi"], entry["value"], entry["window"]) for entry in toml.get("targets", [])),
            key=lambda entry: entry[0],
        ),
        leaderboards=[(entry["kpi"], entry.get("best")) for entry in toml.get("leaderboards", [])],
        worktime=worktime_of(toml, zone.key, _instant_of, partial(team_of, roster)),
    )


def span_ms(text: str) -> int:
    """A span such as `5m` in milliseconds."""
    match = re.fullmatch(r"(\d+)b?([smhd])", text)
    if match is None:
        message = f"not a span of time: {text!r}"
        raise ValueError(message)
    return int(match[1]) * SPANS_MS[match[2]]


def midnight_ms(day: date, zone: ZoneInfo) -> int:
    """The instant at which a local day begins."""
    return millis_of(datetime.combine(day, time(0), tzinfo=zone))


def _valid_from(entry: Json, zone: ZoneInfo) -> int:
    return _instant_of(entry.get("from"), zone)


def _instant_of(value: Any, zone: ZoneInfo) -> int:
    if value is None:
        return 0
    if not isinstance(value, datetime):
        return midnight_ms(value, zone)
    return millis_of(value if value.tzinfo else value.replace(tzinfo=zone))


# --- the facts -------------------------------------------------------------------------------------------------------


@dataclass
class Owned:
    """What has attributes and an owner. Timelines are sorted by effective instant."""

    fields: dict[str, str | None] = field(default_factory=dict)
    owners: list[tuple[int, str | None]] = field(default_factory=list)

    def owner(self, at: int) -> str | None:
        """Who was the owner at an instant."""
        owner = None
        for effective, name in self.owners:
            if effective <= at:
                owner = name
        return owner

    @property
    def owner_now(self) -> str | None:
        """Who is the owner as far as is known."""
        return self.owners[-1][1] if self.owners else None


@dataclass
class Lead(Owned):
    """A lead as it stands. Instants are in ms; deleted objects are absent."""

    created_at: int | None = None
    stages: list[tuple[int, str | None]] = field(default_factory=list)
    inquiries: list[dict[str, Any]] = field(default_factory=list)
    touches: list[dict[str, Any]] = field(default_factory=list)
    replies: list[dict[str, Any]] = field(default_factory=list)
    meetings: list[dict[str, Any]] = field(default_factory=list)
    deals: list[dict[str, Any]] = field(default_factory=list)
    """Each with a timeline of its own, `stages`."""
    proposals: list[dict[str, Any]] = field(default_factory=list)
    nurtures: list[dict[str, Any]] = field(default_factory=list)


def leads_of(events: Iterable[Json]) -> list[Lead]:
    """Every lead that counts, from all events, repeated and in any order: not those deleted, erased or merged into others."""
    return [_lead(Record(history)) for history in standing_of(events, "lead").values()]


def standing_of(events: Iterable[Json], kind: str) -> dict[str, list[Json]]:
    """All that belongs to each subject of a kind that is not deleted."""
    return {subject: history for subject, history in belonging(events, kind).items() if not is_deleted(history, None)}


def belonging(events: Iterable[Json], kind: str = "lead") -> dict[str, list[Json]]:
    """By each subject that speaks for itself and is not erased: its events, and those about whoever was merged into it.

    Of the others, what is told of their records in the CRM (that these were deleted, or merged) is left out.
    """
    histories: dict[str, list[Json]] = {}
    for event in events:
        if event["subject"]["kind"] == kind:
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
    """Whom a subject was last merged into, or that this was undone."""
    told = [event for event in history if event["type"] == "merged" and _is_of_one_kind(event)]
    if not told:
        return None
    named = [event["into"] and f"{event['into']['kind']}:{event['into']['id']}" for event in told]
    _, last = max((version_of(event, name), name) for event, name in zip(told, named, strict=True))
    return None if last is None else last.split(":", 1)[1]


def _is_of_one_kind(event: Json) -> bool:
    return event["into"] is None or event["into"]["kind"] == event["subject"]["kind"]


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


def _lead(record: Record) -> Lead:
    return Lead(
        fields={name: record.head.get(name) for name in OF_LEADS},
        owners=record.timeline("owner"),
        created_at=record.head.get("created_at"),
        stages=record.timeline("stage"),
        inquiries=record.objects("inquiry"),
        touches=record.objects("touch"),
        replies=record.objects("reply"),
        meetings=record.objects("meeting"),
        deals=record.objects("deal", "stage"),
        proposals=record.objects("proposal"),
        nurtures=record.objects("nurture"),
    )


def is_connected(touch: dict[str, Any]) -> bool:
    """Whether it is a call that reached the person."""
    return touch["channel"] == "call" and bool(touch.get("connected"))


def channel_of(reply: dict[str, Any]) -> str:
    """The channel of a reply as a value to slice by."""
    return reply.get("channel") or "unknown"
