"""The publisher: puts all partitions together, evaluates the catalogue and tells what changed. It lives with partition 0."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import structlog

from models.kpis import Formula
from models.rules import Rules
from models.snapshot import Cell, Line, State, slices
from models.windows import NOW, WINDOWS
from streams.errors import Fatal, Retry
from streams.processing.board import Part, Standing, clock_of, lines, standing
from streams.processing.checkpoint import Outcome, claim_table, commit_until_definite, new_token
from streams.processing.cut import Publishing, cut_round
from streams.tables import Keys, KpiKeys, Redis, read_applied, read_changes, read_kpis

LOOK_S = 0.2
"""How often the partitions are looked at."""

SPARE_S = 0.8
"""The least time between two rounds, but for exact ones: boards are a second old."""

PATIENCE_S = 3.0
"""How long partitions may stand in different ten-second panes before the last round is marked stale."""

_WINDOW_NAMES = tuple(window.name for window in WINDOWS)

log = structlog.get_logger(__name__)

Row = tuple[str, str]
"""Window and line: what a row is kept under."""


class Topic(Protocol):
    """Where changed rows are sent: aiokafka's producer."""

    async def send(self, topic: str, value: bytes | None, key: bytes) -> Any:
        """Put one message on its way; None for a row that is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Edition:
    """What is published: of which partitions, under which rules and least n, and to which topic."""

    prefix: str
    partitions: int
    rules: Rules
    minimum_n: Mapping[Formula, int]
    topic: str


class Publisher:
    """One claim on the KPI table."""

    def __init__(self, redis: Redis, producer: Topic, edition: Edition) -> None:
        self._redis = redis
        self._keys = [Keys(edition.prefix, number) for number in range(edition.partitions)]
        self._table = KpiKeys(edition.prefix)
        self._rules = edition.rules
        self._minimum_n = edition.minimum_n
        self._producer = producer
        self._topic = edition.topic
        self._parts = [Part() for _ in self._keys]
        self._rows: dict[Row, Cell] = {}
        self._told: tuple[tuple[str, int], ...] = ()
        self._apart_since: float | None = None
        self._round_at = -SPARE_S

    async def run(self) -> None:
        """Claim the table and make rounds until cancelled, or until another publisher has claimed it. Raises Fatal."""
        held: Publishing | None = await self._claim()
        while held is not None:
            try:
                held = await self._look(held)
            except Retry as fault:
                log.warning("publisher_waits", fault=str(fault))
            await asyncio.sleep(LOOK_S)

    async def _claim(self) -> Publishing:
        token = new_token()
        while True:
            try:
                held = await claim_table(self._redis, self._table, token)
                await self._adopt()
            except Retry as fault:
                log.warning("table_unreachable", fault=str(fault))
                await asyncio.sleep(LOOK_S)
            else:
                return held

    async def _adopt(self) -> None:
        """Rows that an earlier publisher has left are overwritten or deleted by the first round."""
        stored = await read_kpis(self._redis, self._table, [*_WINDOW_NAMES, NOW])
        self._rows = {(window, key): _UNKNOWN for window, rows in stored.rows.items() for key in rows}

    async def _look(self, held: Publishing) -> Publishing | None:
        applied = await read_applied(self._redis, self._keys)
        seen = tuple((part.token, part.seq) for part in applied if part is not None)
        now = standing([None if part is None else clock_of(part) for part in applied])
        if seen == self._told or now is None:
            return held
        if now.apart:
            return await self._wait(held)
        self._apart_since = None
        if not now.exact and time.monotonic() - self._round_at < SPARE_S:
            return held
        await self._read()
        now = standing([part.clock for part in self._parts])
        if now is None or now.apart:
            return held
        self._told = tuple((part.seen.token, part.seen.seq) for part in self._parts)
        self._round_at = time.monotonic()
        return await self._round(held, now)

    async def _read(self) -> None:
        for keys, part in zip(self._keys, self._parts, strict=True):
            changed = await read_changes(self._redis, keys, _WINDOW_NAMES, part.seen)
            if changed is not None:
                part.take(changed)

    async def _wait(self, held: Publishing) -> Publishing | None:
        now = time.monotonic()
        if self._apart_since is None:
            self._apart_since = now
        if now - self._apart_since < PATIENCE_S:
            return held
        self._apart_since = now
        return await self._write(held, {}, {"stale": "1"})

    async def _round(self, held: Publishing, now: Standing) -> Publishing | None:
        rows = dict(_rows(lines(self._parts, self._rules, now.clock, self._minimum_n)))
        changed = {row: cell for row, cell in rows.items() if self._rows.get(row) != cell}
        gone = [row for row in self._rows if row not in rows]
        version = held.round + 1
        encoded: dict[Row, bytes | None] = {row: _encode(cell, version) for row, cell in changed.items()}
        encoded.update((row, None) for row in gone)
        next_held = await self._write(held, encoded, self._record(now))
        if next_held is not None:
            self._rows = rows
            for (window, key), value in encoded.items():
                await self._producer.send(self._topic, value=value, key=f"{key}@{window}".encode())
        return next_held

    def _record(self, now: Standing) -> dict[str, str]:
        told = slices(self._rules, now.clock)
        return {
            "clock": str(now.clock),
            "known_until": str(now.known_until),
            "spread_ms": str(now.spread_ms),
            "exact": str(int(now.exact)),
            "stale": "0",
            "slices": msgspec.json.encode(told).decode(),
            "published_at": str(time.time_ns() // 1_000_000),
        }

    async def _write(self, held: Publishing, rows: Mapping[Row, bytes | None], record: Mapping[str, str]) -> Publishing | None:
        tables: dict[str, dict[str, bytes | None]] = {}
        for (window, key), value in rows.items():
            tables.setdefault(window, {})[key] = value
        checkpoint = cut_round(self._table, held, tables, record)
        answer = await commit_until_definite(
            self._redis, checkpoint, lambda fault: log.warning("round_retried", fault=str(fault))
        )
        if answer.written:
            return checkpoint.then
        log.warning("round_refused", outcome=answer.outcome, reason=answer.reason)
        if answer.outcome is Outcome.REFUSED:
            raise Fatal(self._table.applied, answer.reason, "delete the KPI table: it is made anew")
        if answer.outcome is Outcome.FENCED:
            return None
        return await self._claim()


_UNKNOWN = Cell(None, -1, None, State.NO_TRAFFIC)
"""What is assumed of a row that an earlier publisher left: equal to no cell, so the first round writes or deletes it."""


def _rows(table: Iterator[Line]) -> Iterator[tuple[Row, Cell]]:
    for line in table:
        key = line.key
        for window, cell in zip(line.windows, line.cells, strict=True):
            yield (window, key), cell


def _encode(cell: Cell, version: int) -> bytes:
    row = {
        "value": cell.value,
        "numerator": cell.numerator,
        "denominator": cell.denominator,
        "state": cell.state,
        "version": version,
    }
    return msgspec.json.encode(row)
