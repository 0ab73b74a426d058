"""What reads questions: the API's parameters, an Accept header, cursors, and the tables that `leadbeat table` is asked for."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Final

from build import MINUTE, NOON, RULES, call
from fuzz.forms import TEXT
from fuzz.target import Target
from published import at_noon
from starlette.datastructures import QueryParams
from starlette.requests import Request

from models.codes import Codes
from streams.errors import Fatal
from streams.inspection.asking import TABLES, asked
from streams.serving import leads, waiting
from streams.serving.answers import wants_csv
from streams.serving.behind import wanted_values
from streams.serving.board import stream
from streams.serving.selection import InvalidQueryError, NotThereError, parse, select
from streams.serving.table import Snapshot
from streams.tables.members import Place

SOME: Final = 20
"""Rows of each window."""


@cache
def _snapshot() -> Snapshot:
    whole = at_noon(call("c1", NOON - MINUTE, rep="ana"))
    return Snapshot(whole.round, {window: dict(islice(rows.items(), SOME)) for window, rows in whole.rows.items()})


@cache
def _codes() -> Codes:
    return Codes(RULES)


def _kpis(data: bytes) -> None:
    rows = select(_snapshot(), parse(QueryParams(data)))
    assert all(row.id for row in rows)


def _leads(data: bytes) -> None:
    """The KPI's name stands before a question mark."""
    kpi, _, query = data.partition(b"?")
    question = leads.parse(kpi.decode(errors="replace"), QueryParams(query))
    assert 1 <= question.limit <= leads.HIGHEST_LIMIT
    wanted_values(question, _codes())


def _waiting(data: bytes) -> None:
    assert 0 <= waiting.parse(QueryParams(data)).limit <= waiting.HIGHEST_LIMIT


def _watch(data: bytes) -> None:
    assert stream.parse(QueryParams(data), "today").window


def _accept(data: bytes) -> None:
    """The Accept header and the query string, as a server hands them on."""
    accept, _, query = data.partition(b"\n")
    wants_csv(Request({"type": "http", "headers": [(b"accept", accept)], "query_string": query}))


def _table(data: bytes) -> None:
    """As an argument of the command line is read."""
    assert asked(data.decode(errors="surrogateescape"), "lb").name


def _cursor() -> str:
    return leads.encode_cursor(Place(NOON, b'["crm:lead-1",1,0]', "leads_created"))


def _questions(*texts: str) -> Callable[[], Sequence[bytes]]:
    return lambda: [text.encode() for text in texts]


OF_A_REP: Final = "by=rep&slice=ana"

TARGETS: Final[Mapping[str, Target]] = {
    "query-kpis": Target(
        _kpis,
        _questions("", f"kpi=calls&window=1h&{OF_A_REP}&text=1", "by=whole&by=team&format=csv", "window=now", "window=2h"),
        (InvalidQueryError,),
        TEXT,
    ),
    "query-leads": Target(
        _leads,
        _questions(
            f"leads_created?window=24h&{OF_A_REP}&limit=10",
            f"leads_created?window=24h&cursor={_cursor()}",
            "meeting_held_ratio?window=7d&of=denominator",
            "weather?window=24h",
        ),
        (InvalidQueryError, NotThereError),
        TEXT,
    ),
    "query-waiting": Target(
        _waiting, _questions("", "overdue=1&limit=10&rep=ana&team=north", "limit=many"), (InvalidQueryError,), TEXT
    ),
    "query-stream": Target(_watch, _questions("", "window=1h&rep=ana", "what=1"), (InvalidQueryError,), TEXT),
    "accept": Target(
        _accept, _questions("text/csv;q=0.9, application/json;q=1.000, */*\nformat=csv", "text/*;q=", "*/*"), form=TEXT
    ),
    "table-name": Target(
        _table,
        lambda: [
            *(name.encode() for name in TABLES),
            b"pane:10s:2026-03-02T12:00:10Z",
            b"lb:{2}:1:window:1h",
            b"lb:{kpi}:1h",
            "lb:{²}:1:window:1h".encode(),
        ],
        (Fatal,),
        TEXT,
    ),
}
