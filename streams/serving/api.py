"""The KPI table and the catalogue over HTTP, as JSON."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from streams.errors import Retry
from streams.serving.answers import answer
from streams.serving.catalogue import describe
from streams.serving.selection import parse, select
from streams.serving.table import Table


def routes(table: Table) -> list[Route]:
    """GET /api/v1/kpis, whose instants are ms UTC, and GET /api/v1/catalogue."""

    async def kpis(request: Request) -> Response:
        selection = parse(request.query_params)
        snapshot = await table.read()
        record = snapshot.round
        if record is None:
            raise Retry("round", "none has been published yet", "wait until all partitions have a clock")
        # In a thread: the whole table takes a while, in which health and metrics shall answer.
        rows = await asyncio.to_thread(select, snapshot, selection)
        return answer(
            {
                "clock": record.clock,
                "known_until": record.known_until,
                "round": record.number,
                "exact": record.exact,
                "stale": record.stale,
                "kpis": rows,
            }
        )

    async def catalogue(_: Request) -> Response:
        return answer(describe())

    return [Route("/api/v1/kpis", kpis), Route("/api/v1/catalogue", catalogue)]
