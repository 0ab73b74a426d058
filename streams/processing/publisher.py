"""The publisher: puts all partitions together, evaluates the catalogue and tells what changed. It lives with partition 0."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec
import structlog

from models.kpis import Formula
from models.rules import Rules
from models.snapshot import slices
from models.windows import NOW, WINDOWS
from streams.errors import Fatal, Retry
from streams.processing.board import Board, Standing, clock_of, standing
from streams.processing.checkpoint import Outcome, claim_table, commit_until_definite, new_token
from streams.processing.cut import Publishing, cut_round
from streams.processing.round import NOTHING, Round, Row, Told, announced, work_out
from streams.processing.telling import Telling, Topic
from streams.tables import Keys, KpiKeys, Redis, read_applied, read_changes, read_kpis
from streams.tables.kpis import RowChanges
from streams.telemetry import ProcessorMetrics

LOOK_S = 0.1
"""How often the partitions are looked at."""

SPARE_S = 0.5
"""The least time between two rounds, but for exact ones: boards are a second old."""

PATIENCE_S = 3.0
"""How long partitions may stand in different ten-second panes before the last round is marked stale."""

STILL_S = 15.0
"""How long nothing may change, where ticks come each second, before the topic is told that its rows are stale."""

_WINDOW_NAMES = tuple(window.name for window in WINDOWS)

LEISURE = 0.25
"""How many times as long as the last round took the publisher waits before the next: events have their turn."""

LONGEST_PAUSE_S = 3.0
"""How long it waits at most: a first round tells all rows, and the next one shall not wait for that."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Edition:
    """What is published: of which partitions, under which rules (with their valuation) and least n, and to which topic.

    `ticking`: ticks come each second, so that nothing new for long means that something stands still.
    """

    prefix: str
    partitions: int
    rules: Rules
    minimum_n: Mapping[Formula, int]
    topic: str
    valuation: str
    ticking: bool = False


def pause_after(took_s: float) -> float:
    """How long to wait after a look that took so long, in s."""
    return min(max(LOOK_S, LEISURE * took_s), LONGEST_PAUSE_S)


class Publisher:
    """One claim on the KPI table."""

    def __init__(self, redis: Redis, producer: Topic, edition: Edition, metrics: ProcessorMetrics) -> None:
        self.edition = edition
        """What the next round is of; it may be replaced by one of other rules at any time."""
        self._redis = redis
        self._metrics = metrics
        self._keys = [Keys(edition.prefix, number) for number in range(edition.partitions)]
        self._table = KpiKeys(edition.prefix)
        self._telling = Telling(producer, edition.topic)
        self._board = Board(edition.partitions)
        self._said = NOTHING
        self._leaving: set[Row] = set()
        self._told: tuple[tuple[str, int], ...] = ()
        self._apart_since: float | None = None
        self._round_at = -SPARE_S
        self._held: Publishing | None = None
        self._record: dict[str, str] = {}
        self._announced: bytes | None = None

    async def run(self) -> None:
        """Claim the table and make rounds until cancelled, or until another publisher has claimed it. Raises Fatal."""
        await self._claim()
        telling = asyncio.create_task(self._telling.keep_telling())
        try:
            while self._held is not None:
                began = time.monotonic()
                try:
                    await self._look(self._held)
                except Retry as fault:
                    # Whatever of the round is not known to be written is written again.
                    self._told = ()
                    log.warning("publisher_waits", fault=repr(fault))
                await asyncio.wait([telling], timeout=pause_after(time.monotonic() - began))
                if telling.done():
                    telling.result()
        finally:
            telling.cancel()
            await asyncio.wait([telling], timeout=LOOK_S)  # what it has not sent, whoever comes next tells anew

    async def _claim(self) -> None:
        token = new_token()
        while True:
            try:
                self._held = await claim_table(self._redis, self._table, token)
                await self._adopt()
            except Retry as fault:
                log.warning("table_unreachable", fault=str(fault))
                await asyncio.sleep(LOOK_S)
            else:
                return

    async def _adopt(self) -> None:
        """Rows that an earlier publisher has left are overwritten or deleted by the first round."""
        stored = await read_kpis(self._redis, self._table, [*_WINDOW_NAMES, NOW])
        self._said = Told({}, frozenset((window, key) for window, rows in stored.rows.items() for key in rows))
        self._leaving.clear()
        self._record = dict(stored.record)

    async def _look(self, held: Publishing) -> None:
        if gone := self._leaving & self._telling.ended():
            self._leaving -= gone
            if not await self._write(held, _by_window(dict.fromkeys(gone)), {}) or self._held is None:
                return
            held = self._held
        edition = self.edition  # the same for all of the round, though another may come meanwhile
        applied = await read_applied(self._redis, self._keys)
        seen = tuple((part.token, part.seq) for part in applied if part is not None)
        now = standing([None if part is None else clock_of(part) for part in applied])
        if seen == self._told or now is None:
            if self._told and edition.ticking and time.monotonic() - self._round_at > STILL_S:
                self._announce(stale="1")
            return
        if now.apart or any(part.progress.valuation != edition.valuation for part in applied if part is not None):
            await self._wait(held, now)
            return
        self._apart_since = None
        if not now.exact and time.monotonic() - self._round_at < SPARE_S:
            return
        began = time.monotonic()
        await self._read()
        now = standing([part.clock for part in self._board.parts])
        if now is None or now.apart or any(part.valuation != edition.valuation for part in self._board.parts):
            return
        self._told = tuple((part.seen.token, part.seen.seq) for part in self._board.parts)
        self._round_at = time.monotonic()
        if await self._round(held, now, edition):
            self._metrics.round_seconds.observe(time.monotonic() - began)

    async def _read(self) -> None:
        for number, keys in enumerate(self._keys):
            changed = await read_changes(self._redis, keys, _WINDOW_NAMES, self._board.parts[number].seen)
            if changed is not None:
                self._board.take(number, changed)

    async def _wait(self, held: Publishing, now: Standing) -> None:
        at = time.monotonic()
        if self._apart_since is None:
            self._apart_since = at
        if at - self._apart_since < PATIENCE_S:
            return
        self._apart_since = at
        if await self._write(held, {}, {"stale": "1", "exact": "0", "spread_ms": str(now.spread_ms)}):
            self._announce(stale="1")

    async def _round(self, held: Publishing, now: Standing, edition: Edition) -> bool:
        """Write what changed, have it told, and tell whether that was done.

        A row that is gone stays in the table, as nothing, until its end is told.
        """
        # In a thread: thousands of rows take a while, in which events go on.
        found = await asyncio.to_thread(self._work_out, held, now, edition)
        farewells = _by_window(found.farewells)
        rows = {window: {**found.written.get(window, {}), **farewells.get(window, {})} for window in (*_WINDOW_NAMES, NOW)}
        seqs = [part.seen.seq for part in self._board.parts]
        record = _record(now, edition.rules, seqs)
        written = await self._write(held, rows, record)
        if written:
            self._metrics.round_rows.inc(sum(map(len, rows.values())))
            self._said = Told(found.grids)
            back = {(window, key) for window, key in self._leaving if key in found.written.get(window, {})}
            self._leaving = self._leaving.difference(back).union(found.farewells)
            self._telling.put(found)
            self._record = {**record, "round": str(held.round + 1)}
            self._announce()
        return written

    def _announce(self, **changes: str) -> None:
        """Have the topic told which round its rows are of, unless it has been told just that."""
        told = announced({**self._record, **changes})
        if told is not None and told != self._announced:
            self._announced = told
            self._telling.put_round(told)

    def _work_out(self, held: Publishing, now: Standing, edition: Edition) -> Round:
        return work_out(self._said, self._board.grids(edition.rules, now.clock, edition.minimum_n), held.round + 1)

    async def _write(self, held: Publishing, rows: RowChanges, record: Mapping[str, str]) -> bool:
        """Write rows and record; tell whether that was done. If not, we hold the table no more, or know nothing of it again."""
        checkpoint = cut_round(self._table, held, rows, record)
        answer = await commit_until_definite(
            self._redis, checkpoint, lambda fault: log.warning("round_retried", fault=str(fault))
        )
        if answer.written:
            self._held = checkpoint.then
            return True
        log.warning("round_refused", outcome=answer.outcome, reason=answer.reason)
        if answer.outcome is Outcome.REFUSED:
            raise Fatal(self._table.applied, answer.reason, "delete the KPI table: it is made anew")
        self._held, self._told = None, ()
        if answer.outcome is not Outcome.FENCED:
            await self._claim()
        return False


def _by_window(rows: Mapping[Row, bytes | None]) -> RowChanges:
    found: dict[str, dict[str, bytes | None]] = {window: {} for window, _ in rows}
    for (window, key), row in rows.items():
        found[window][key] = row
    return found


def _record(now: Standing, rules: Rules, seqs: Iterable[int]) -> dict[str, str]:
    """What is written beside a round's rows; `seqs` tells of which checkpoint of each partition they are."""
    told = slices(rules, now.clock)
    return {
        "rules": str(rules.version),
        "zone": rules.zone,
        "clock": str(now.clock),
        "known_until": str(now.known_until),
        "spread_ms": str(now.spread_ms),
        "exact": str(int(now.exact)),
        "seqs": " ".join(map(str, seqs)),
        "stale": "0",
        "slices": msgspec.json.encode(told).decode(),
        "published_at": str(time.time_ns() // 1_000_000),
    }
