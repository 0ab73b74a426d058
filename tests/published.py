"""Published rounds for tests: the core's lines as the KPI table has them, in memory or in Redis, and the application on top."""

from collections.abc import Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import httpx
import msgspec
from build import NOON, RULES
from engine import Engine
from prometheus_client.parser import text_string_to_metric_families

from models.errors import LeadbeatError
from models.rules import Rules
from models.snapshot import Line, Slices, slices
from models.units import Millis
from models.windows import DUE_LAG
from streams.config import Settings
from streams.serving.app import create
from streams.serving.behind import Behind, Question
from streams.serving.queue import Queue
from streams.serving.sources import Sources
from streams.serving.table import Round, Row, Snapshot
from streams.tables import KpiKeys, Redis

Sample = tuple[str, tuple[tuple[str, str], ...]]
"""A series: its metric, and its labels in order."""


Content = TypeVar("Content")


class Shelf(Generic[Content]):
    """A table, or a queue, in memory, that may be out of reach."""

    def __init__(self, content: Content | LeadbeatError) -> None:
        self.content = content

    async def read(self) -> Content:
        if isinstance(self.content, LeadbeatError):
            raise self.content
        return self.content


class Nobody:
    """No leads are behind any number."""

    async def read(self, question: Question) -> Behind:
        return Behind(NOON, exact=True, leads=(), rest=None)


NOBODY = Queue(NOON, ())


def shelves(snapshot: Snapshot | LeadbeatError, queue: Queue | LeadbeatError = NOBODY) -> Sources:
    """All that is served, in memory."""
    return Sources(Shelf(snapshot), Shelf(queue), Nobody())


def round_of(told: Slices, clock: int = NOON, **record: Any) -> Round:
    """A round's record; exact unless something else is said."""
    usual = {
        "number": 7,
        "known_until": Millis(clock - DUE_LAG),
        "spread_ms": 0,
        "exact": True,
        "published_at": Millis(clock + 150),
    }
    named = {dim: frozenset(names) for dim, names in told.items()}
    return Round(clock=Millis(clock), slices=named, **(usual | record))


def snapshot_of(lines: Iterable[Line], told: Slices, clock: int = NOON, **record: Any) -> Snapshot:
    """A round as it is read."""
    rows: dict[str, dict[str, Row]] = {}
    for line in lines:
        for window, cell in zip(line.windows, line.cells, strict=True):
            rows.setdefault(window, {})[line.key] = Row(*cell[:3], state=str(cell.state), version=7)
    return Snapshot(round_of(told, clock, **record), rows)


def at_noon(*events: Any, rules: Rules = RULES, clock: int = NOON, **record: Any) -> Snapshot:
    """The round after some events."""
    engine = Engine(rules).take(*events).tick(clock)
    return snapshot_of(engine.lines().values(), slices(rules, Millis(clock)), clock, **record)


async def publish(redis: Redis, prefix: str, snapshot: Snapshot) -> None:
    """Write a round as the publisher does: record and rows at once."""
    keys = KpiKeys(prefix)
    async with redis.pipeline(transaction=True) as pipeline:
        if snapshot.round is not None:
            pipeline.hset(keys.applied, mapping=_record(snapshot.round))
        for window, rows in snapshot.rows.items():
            pipeline.hset(keys.window(window), mapping={key: msgspec.json.encode(row) for key, row in rows.items()})
        await pipeline.execute()


def _record(record: Round) -> Mapping[str, str]:
    fields: dict[str, Any] = msgspec.to_builtins(record)
    told = msgspec.json.encode({dim: sorted(names) for dim, names in record.slices.items()}).decode()
    texts = {name: value if isinstance(value, str) else str(int(value)) for name, value in fields.items() if name != "slices"}
    return {"claim": "3", "token": "abc", "slices": told, **texts}


@asynccontextmanager
async def serving(snapshot: Snapshot | LeadbeatError, settings: Settings | None = None, queue: Queue | LeadbeatError = NOBODY):
    """A client of the application over a table and a queue. Unless the settings say so, the clock's age says nothing."""
    settings = settings or Settings(ticks="external")
    transport = httpx.ASGITransport(app=create(settings, shelves(snapshot, queue)))
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        yield client


def samples(page: str) -> dict[Sample, float]:
    """Every sample of a page; no series may be there twice, and none with a time."""
    found: dict[Sample, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found
            assert sample.timestamp is None
            found[key] = sample.value
    return found


def of_kpis(found: Mapping[Sample, float], metrics: Iterable[str]) -> dict[Sample, float]:
    """Only the samples of some metrics."""
    known = set(metrics)
    return {key: value for key, value in found.items() if key[0] in known}
