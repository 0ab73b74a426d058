"""Whether this process lives, and whether what it serves is fresh."""

import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.errors import LeadbeatError
from models.units import SECOND, Duration, Millis
from streams.errors import Retry
from streams.serving.answers import JSON, Refusal, answer, refusal
from streams.serving.documented import Operation, Told
from streams.serving.table import Round, Table

STALE_AFTER = Duration(15 * SECOND)
"""How far the round's clock may lie behind wall time while what is served counts as fresh."""


class Alive(Struct, frozen=True):
    """The process answers."""

    alive: bool = True


class Ready(Struct, frozen=True):
    """What is served is fresh."""

    ready: bool = True


OPERATIONS: Final = (
    Operation("/livez", "isAlive", None, "Whether this process lives.", {200: Told("It does.", {JSON: Alive})}),
    Operation(
        "/readyz",
        "isReady",
        None,
        "Whether there is a fresh round.",
        {200: Told("There is.", {JSON: Ready}), 503: Told("There is none.", {JSON: Refusal})},
    ),
)


def wall() -> Millis:
    """This machine's time."""
    return Millis(time.time_ns() // 1_000_000)


def is_stale(record: Round, now: Millis | None) -> bool:
    """Whether a round is out of date: it says so itself, or its clock lies too far behind `now`; None: that says nothing."""
    return record.stale or (now is not None and now - record.clock > STALE_AFTER)


def routes(table: Table, *, ticks_are_wall: bool, now: Callable[[], Millis] = wall) -> list[Route]:
    """GET /livez: 200 while the process answers. GET /readyz: 200 while there is a fresh round, else 503 with the reason.

    Where others write the ticks (replay, simulation), the clock says nothing about freshness, and any round will do.
    """

    async def livez(_: Request) -> Response:
        return answer(Alive())

    async def readyz(_: Request) -> Response:
        try:
            record = (await table.read()).round
            fault = _fault(record, now() if ticks_are_wall else None)
        except LeadbeatError as error:
            return refusal(error, 503)
        return refusal(fault, 503) if fault else answer(Ready())

    return [Route("/livez", livez), Route("/readyz", readyz)]


def _fault(record: Round | None, now: Millis | None) -> Retry | None:
    if record is None:
        return Retry("round", "none has been published yet", "wait until all partitions have a clock")
    behind_ms = 0 if now is None else now - record.clock
    if behind_ms <= STALE_AFTER:
        return None
    return Retry("clock", f"stands {behind_ms / SECOND:.1f} s behind", "see whether workers run and keep up with the log")
