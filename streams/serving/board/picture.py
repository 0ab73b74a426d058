"""What the page shows of a round and of the queue, as it is sent."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from models.errors import LeadbeatError
from models.rules import WARNING_PERCENTS
from models.units import Duration, Millis
from streams.serving.health import STALE_AFTER
from streams.serving.queue import Lead, Queue, Tally, nearest
from streams.serving.table import Round, Snapshot, place_of

SHOWN: Final = frozenset(
    {
        "lead_response_time_p50",
        "lead_response_time_p90",
        "response_within_sla_ratio",
        "sla_breaches",
        "leads_created",
        "leads_followed_up_ratio",
        "touches",
        "calls",
        "emails",
        "call_connect_ratio",
        "replies",
        "reply_ratio",
        "meetings_booked",
        "meeting_acceptance_ratio",
        "meeting_show_ratio",
    }
)
"""The figures on the page, by their keys. All have reps and teams."""

DIMS: Final = ("rep", "team")
"""What the page sets side by side."""

LISTED: Final = 100
"""How many leads are listed that are overdue, and how many that are not."""

_encode = msgspec.json.Encoder().encode


class Cell(Struct, frozen=True):
    """One figure in one slice, as the API has it."""

    value: float | None
    numerator: int
    denominator: int | None
    state: str


class Setup(Struct, frozen=True):
    """What the page is told first: which files it must be of, its window and all that it offers, how it judges what it shows.

    Warnings are percents of the time until a lead is due.
    """

    build: str
    window: str
    windows: tuple[str, ...]
    stale_after_ms: Duration
    warning_percents: tuple[int, ...]


class Standing(Struct, frozen=True):
    """Which round stands, where its clock stands, and how far the partitions' clocks lie apart (ms)."""

    number: int
    clock: Millis
    spread_ms: int
    exact: bool
    stale: bool


class Beat(Struct, frozen=True):
    """How fresh it all is. `now` is what waiting is measured by: wall time, or the log's clock where others write the ticks.

    `round` is None before the first one; `fault` says why nothing newer can be read.
    """

    now: Millis
    round: Standing | None
    fault: dict[str, str] | None


class Kpis(Struct, frozen=True):
    """A round in one window: figures of the whole, and by the values of rep and team that are told."""

    window: str
    whole: Mapping[str, Cell]
    rep: Mapping[str, Mapping[str, Cell]]
    team: Mapping[str, Mapping[str, Cell]]


class Board(Struct, frozen=True):
    """The queue. Counts, `since` (the oldest inquiry) and lists are of what was asked for; those by rep and team of all.

    `soon` counts those due ahead who have passed the last warning. `missed` and `ahead` lie around now in the order of due,
    at most `LISTED` each.
    """

    total: int
    overdue: int
    soon: int
    since: Millis | None
    by_rep: Mapping[str, Tally]
    by_team: Mapping[str, Tally]
    missed: list[Lead]
    ahead: list[Lead]


def setup(build: str, window: str, windows: tuple[str, ...]) -> bytes:
    """The first message."""
    return _encode(Setup(build, window, windows, STALE_AFTER, WARNING_PERCENTS))


def beat(now: Millis, record: Round | None, fault: LeadbeatError | None) -> bytes:
    """The message of freshness."""
    standing = None if record is None else _standing(record)
    told = None if fault is None else {"where": fault.where, "what": fault.what, "todo": fault.todo}
    return _encode(Beat(now, standing, told))


def _standing(record: Round) -> Standing:
    return Standing(record.number, record.clock, record.spread_ms, record.exact, record.stale)


def kpis(snapshot: Snapshot, window: str) -> bytes:
    """The message of figures. Slices that are always told are there even without a row, with the others behind them."""
    told = snapshot.round.slices if snapshot.round else {}
    whole: dict[str, Cell] = {}
    slices: dict[str, dict[str, dict[str, Cell]]] = {dim: {name: {} for name in sorted(told.get(dim, ()))} for dim in DIMS}
    for key, row in snapshot.rows.get(window, {}).items():
        place = place_of(key)
        if place.figure not in SHOWN or place.dim not in ("", *DIMS):
            continue
        cells = slices[place.dim].setdefault(place.name, {}) if place.dim else whole
        cells[place.figure] = Cell(row.value, row.numerator, row.denominator, row.state)
    return _encode(Kpis(window, whole, slices["rep"], slices["team"]))


def board(queue: Queue, wanted: Mapping[str, str], now: Millis) -> bytes:
    """The message of the queue."""
    leads = queue.narrowed(wanted).leads
    missed, ahead = nearest(leads, now, LISTED)
    told = Board(
        total=len(leads),
        overdue=sum(lead.overdue for lead in leads),
        soon=sum(_soon(lead, now) for lead in leads),
        since=min((lead.since for lead in leads), default=None),
        by_rep=queue.by_rep,
        by_team=queue.by_team,
        missed=list(missed),
        ahead=list(ahead),
    )
    return _encode(told)


def _soon(lead: Lead, now: Millis) -> bool:
    return (
        lead.due is not None and 100 * (now - lead.since) >= WARNING_PERCENTS[-1] * (lead.due - lead.since) and lead.due > now
    )
