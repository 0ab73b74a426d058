"""The KPI table and the catalogue over HTTP, as JSON, and the table as CSV."""

import asyncio
import io
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import UNSET, Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.snapshot import State
from models.units import Millis
from streams import sheets
from streams.errors import Retry
from streams.serving.answers import CSV, JSON, answer, sheet, wants_csv
from streams.serving.catalogue import Catalogue, describe
from streams.serving.documented import FAULTS, NOT_KNOWN, Operation, Parameter, Told
from streams.serving.health import is_stale
from streams.serving.selection import PAIR, VALID, KpiRow, Selection, parse, select
from streams.serving.table import Round, Snapshot, Table


class Kpis(Struct, frozen=True):
    """The rows of a round that were asked for, and the round: where its windows end (`clock`) and deadlines are judged.

    `exact`: all partitions stood there. `stale`: they stand too far apart for a new round, or the clock lies over 15 s behind;
    so is the state of every row then.
    """

    clock: Millis
    known_until: Millis
    round: int
    exact: bool
    stale: bool
    kpis: list[KpiRow]


ROUND: Final = tuple(name for name in Kpis.__struct_fields__ if name != "kpis")

COLUMNS: Final = (*KpiRow.__struct_fields__, *ROUND)
"""The columns of the CSV: always these, whatever is asked for. New ones come behind them."""

BY: Final = "A dimension, `whole` for everything together, or a configured pair of dimensions, as in `team,lead_source`."

OPERATIONS: Final = (
    Operation(
        "/api/v1/kpis",
        "getKpis",
        "kpis",
        "The values of KPIs, by window and slice. Without parameters all of them, which is several MB.",
        {
            200: Told(
                "The rows, in the catalogue's order of KPIs, then by window, labels, dimension and slice.",
                {JSON: Kpis, CSV: f"RFC 4180, with a heading: {','.join(COLUMNS)}"},
            ),
            **NOT_KNOWN,
            **FAULTS,
        },
        (
            Parameter("kpi", "An id, or a duration's name for its samples, mean and quantiles.", VALID["kpi"], repeated=True),
            Parameter("window", "A window; levels are in `now`.", VALID["window"], repeated=True),
            Parameter("by", BY, VALID["by"], repeated=True, pattern=PAIR),
            Parameter("slice", "A rep, a team or any other value; of a pair both, with a comma between.", repeated=True),
            Parameter("text", "`1` adds the definitions.", VALID["text"]),
            Parameter("format", "Else the Accept header decides; JSON where it does not.", VALID["format"]),
        ),
    ),
    Operation(
        "/api/v1/catalogue",
        "getCatalogue",
        "kpis",
        "Every KPI with its definition, and what it can be asked for by.",
        {200: Told("The catalogue of this version.", {JSON: Catalogue})},
    ),
)


def routes(table: Table, currency: str, now: Callable[[], Millis] | None = None) -> list[Route]:
    """GET /api/v1/kpis, whose instants are ms UTC, and GET /api/v1/catalogue, where money is in a currency.

    `now` is what the round's clock is held against; without it, its age says nothing.
    """

    async def kpis(request: Request) -> Response:
        selection = parse(request.query_params)
        snapshot = await table.read()
        if snapshot.round is None:
            raise Retry("round", "none has been published yet", "wait until all partitions have a clock")
        stale = is_stale(snapshot.round, now() if now else None)
        # In a thread: the whole table takes a while, in which health and metrics shall answer.
        if wants_csv(request):
            return sheet(await asyncio.to_thread(_in_csv, snapshot.round, snapshot, selection, stale), "leadbeat-kpis.csv")
        return answer(await asyncio.to_thread(_page, snapshot.round, snapshot, selection, stale))

    async def catalogue(_: Request) -> Response:
        return answer(describe(currency))

    return [Route("/api/v1/kpis", kpis), Route("/api/v1/catalogue", catalogue)]


def _page(record: Round, snapshot: Snapshot, selection: Selection, stale: bool) -> Kpis:  # noqa: FBT001 - a fact of the round
    rows = select(snapshot, selection, State.STALE if stale else None)
    return Kpis(record.clock, record.known_until, record.number, record.exact, stale, rows)


def _in_csv(record: Round, snapshot: Snapshot, selection: Selection, stale: bool) -> bytes:  # noqa: FBT001 - as above
    out = io.StringIO()
    page = _page(record, snapshot, selection, stale)
    of_round = [getattr(page, name) for name in ROUND]
    sheets.write(out, COLUMNS, ([*_cells(row), *of_round] for row in page.kpis))
    return out.getvalue().encode(errors="replace")


def _cells(row: KpiRow) -> Sequence[object]:
    cells = {name: getattr(row, name) for name in KpiRow.__struct_fields__}
    cells["labels"] = sheets.labels(row.labels.items())
    return [None if cell is UNSET else cell for cell in cells.values()]
