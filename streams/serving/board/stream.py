"""The stream behind the page: server-sent events, each the whole of what it tells, sent when that has changed.

So a page that has lost its connection needs nothing but a new one, and one that reads slowly misses only what is outdated.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from models.errors import LeadbeatError
from models.units import Millis
from models.windows import WINDOW_INDEX
from streams.errors import Retry
from streams.serving.answers import JSON, Refusal, refusal
from streams.serving.board import picture
from streams.serving.documented import NOT_KNOWN, Operation, Parameter, Told
from streams.serving.queue import DIMS, Queue
from streams.serving.selection import check
from streams.serving.sources import Sources
from streams.serving.table import Round, Row, Snapshot

LOOK_S: Final = 0.25
"""How often a stream looks for something new."""

BEAT_S: Final = 1.0
"""How often it says that it is there even if there is nothing new: the page takes silence for a lost connection."""

MOST_WATCHERS: Final = 200
"""Streams at a time: they must not take the server's connections away from Prometheus."""

USUAL_WINDOW: Final = "today"

HEADERS: Final = {"x-accel-buffering": "no"}


OPERATION: Final = Operation(
    "/api/v1/stream",
    "watch",
    "page",
    "What the live page listens to. It may change with the page.",
    {
        200: Told("Events without end, each the whole of what it tells.", {"text/event-stream": "Server-sent events: JSON."}),
        **NOT_KNOWN,
        503: Told(f"{MOST_WATCHERS} watch already.", {JSON: Refusal}),
    },
    (
        Parameter("window", "The window of the figures; if there is no such one, that of a page that names none."),
        *(Parameter(dim, f"Only the leads of this {dim.replace('_', ' ')}.") for dim in DIMS),
    ),
)


class Page(NamedTuple):
    """Which files the page is of, and which windows it offers."""

    build: str
    windows: tuple[str, ...]

    @property
    def usual(self) -> str:
        """The window of a page that names none."""
        return USUAL_WINDOW if USUAL_WINDOW in self.windows else self.windows[0]


class Selection(NamedTuple):
    """What a page shows: the KPIs' window, and whose leads."""

    window: str
    wanted: dict[str, str]


class Look(NamedTuple):
    """What there was to see a moment ago; what could not be read is None, and the fault says why."""

    snapshot: Snapshot | None
    queue: Queue | None
    fault: LeadbeatError | None


def parse(query: QueryParams, usual: str) -> Selection:
    """The selection that a query string means; an empty parameter does not count, nor does a window that there is none of.

    So a page whose address is wrong there has its figures, and can say so. Raises InvalidQueryError.
    """
    for name in query:
        check("query", name, ("window", *DIMS))
    window = query.get("window", "")
    return Selection(window if window in WINDOW_INDEX else usual, {dim: query[dim] for dim in DIMS if query.get(dim)})


class _Figures(NamedTuple):
    """A window's rows, with the slices that are told of them, and the message that they make."""

    rows: Mapping[str, Row] | None
    slices: Mapping[str, frozenset[str]]
    message: bytes


@dataclass
class _Told:
    """What a page has been told."""

    messages: dict[str, bytes] = field(default_factory=dict)
    look: Look = field(default_factory=lambda: Look(None, None, None))
    record: Round | None = None
    beat_at: float = float("-inf")

    def news(self, name: str, data: bytes) -> bytes:
        """The event that tells something, or nothing if it has been told."""
        if self.messages.get(name) == data:
            return b""
        self.messages[name] = data
        return event(name, data)


class Streams:
    """All open streams over some sources, for the pages of a build. They end when `closing` is set.

    `now` is None where the log's clock takes the place of wall time.
    """

    def __init__(self, sources: Sources, page: Page, now: Callable[[], Millis] | None, closing: asyncio.Event) -> None:
        self._sources = sources
        self.page = page
        self._now = now
        self._closing = closing
        self._figures: dict[str, _Figures] = {}
        self._queue: Queue | None = None
        self._boards: dict[tuple[tuple[str, str], ...], bytes] = {}
        self.watchers = 0

    async def watch(self, selection: Selection) -> AsyncIterator[bytes]:
        """The events for one page."""
        self.watchers += 1
        try:
            yield event("setup", picture.setup(self.page.build, selection.window, self.page.windows))
            told = _Told()
            while not self._closing.is_set():
                if news := self._news(told, selection, await self._look()):
                    yield news
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), LOOK_S)
        finally:
            self.watchers -= 1

    async def _look(self) -> Look:
        snapshot: Snapshot | None = None
        try:
            snapshot = await self._sources.table.read()
            queue = await self._sources.queue.read()
        except LeadbeatError as fault:
            return Look(snapshot, None, fault)
        return Look(snapshot, queue, None)

    def _news(self, told: _Told, selection: Selection, look: Look) -> bytes:
        """What the page does not know yet: figures and queue, once there is a clock, and behind them how fresh they are."""
        record = look.snapshot.round if look.snapshot else told.record
        now = self._now() if self._now else Millis(record.clock if record else 0)
        news = b""
        if look.snapshot is not None and look.snapshot.round and look.snapshot is not told.look.snapshot:
            news += told.news("kpis", self._kpis(look.snapshot, look.snapshot.round, selection.window))
        if look.queue is not None and look.queue.clock and look.queue is not told.look.queue:
            news += told.news("queue", self._board(look.queue, selection.wanted, now))
        if news or record != told.record or look.fault != told.look.fault or time.monotonic() - told.beat_at >= BEAT_S:
            told.beat_at = time.monotonic()
            news += event("beat", picture.beat(now, record, look.fault))
        told.look, told.record = look, record
        return news

    def _kpis(self, snapshot: Snapshot, record: Round, window: str) -> bytes:
        """What a window shows is encoded once for all who watch, and anew only when it can have changed."""
        rows = snapshot.rows.get(window)
        known = self._figures.get(window)
        if known is None or known.rows is not rows or known.slices != record.slices:
            known = self._figures[window] = _Figures(rows, record.slices, picture.kpis(snapshot, window))
        return known.message

    def _board(self, queue: Queue, wanted: Mapping[str, str], now: Millis) -> bytes:
        """So is a queue: what becomes due within a second the pages see by themselves."""
        if queue is not self._queue:
            self._queue, self._boards = queue, {}
        asked = tuple(wanted.items())
        if asked not in self._boards:
            self._boards[asked] = picture.board(queue, wanted, now)
        return self._boards[asked]


def event(name: str, data: bytes) -> bytes:
    """A server-sent event. JSON has no line breaks, so its data is one line."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


def route(streams: Streams) -> Route:
    """GET /api/v1/stream."""

    async def stream(request: Request) -> Response:
        selection = parse(request.query_params, streams.page.usual)
        if streams.watchers >= MOST_WATCHERS:
            return refusal(
                Retry("stream", f"{MOST_WATCHERS} pages watch already", "close some, or start another exporter"), 503
            )
        if request.method == "HEAD":
            return Response(headers=HEADERS, media_type="text/event-stream")
        return StreamingResponse(streams.watch(selection), headers=HEADERS, media_type="text/event-stream")

    return Route(OPERATION.path, stream)
