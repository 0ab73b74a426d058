"""The KPI table as it is served: typed, whole rounds only, kept up to date by what each round changed."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from models.errors import UNREADABLE, LeadbeatError
from models.units import Millis
from models.windows import NOW, WINDOWS
from streams.errors import Fatal
from streams.serving.cached import Cached
from streams.tables import KpiKeys, KpiTable, Redis, decode_changes, read_kpis, read_since

LOOKED_AT_S: Final = 0.1
"""How long the round that stands is taken for the last one: a look at the record costs Redis next to nothing."""

MOST_KEYS: Final = 65_536
"""Keys of rows whose parts are remembered."""

WINDOW_NAMES: Final = (*(window.name for window in WINDOWS), NOW)
"""All windows that the table has, levels' `now` last."""


FOLLOWED_S: Final = 0.5
"""How often the table is read if nobody asks: what only the last rounds have changed is kept no longer than some seconds."""


class Row(Struct, frozen=True, gc=False):
    """One figure in one slice and window. `value` is None where it is withheld, `version` the round that it was written in.

    The table has 100,000 of them, which refer to nothing: the garbage collector need not walk them.
    """

    value: float | None
    numerator: int
    denominator: int | None
    state: str
    version: int


class Round(Struct, frozen=True):
    """The record of a published round. Instants are ms UTC.

    `slices` has the values that are told even where they are 0, by all that is sliced by; those of pairs are never.
    `exact`: all partitions stood at `clock`. `stale`: they stand too far apart for a new round, or are of different rules.
    `rules`: the version of those that it goes by. `zone`: whose days they count in. Earlier releases tell neither.
    """

    number: int = msgspec.field(name="round")
    clock: Millis
    known_until: Millis
    spread_ms: int
    exact: bool
    slices: dict[str, frozenset[str]]
    published_at: Millis
    stale: bool = False
    rules: int = 0
    zone: str = ""


class Snapshot(NamedTuple):
    """One round: its record (None before the first one) and its rows by window and key.

    It never changes. The next one shares with it the windows in which nothing has changed.
    """

    round: Round | None
    rows: Mapping[str, Mapping[str, Row]]


class Table(Protocol):
    """Where rounds are read from."""

    async def read(self) -> Snapshot:
        """The round that stands. Raises Retry if it cannot be read now, Fatal if what is there is no KPI table."""
        ...


class Place(NamedTuple):
    """What a row's key says: the figure's key and the slice; `dim` and `name` are empty for the whole.

    Of a pair they are `team,lead_source` and `north,inbound`.
    """

    figure: str
    dim: str
    name: str


@lru_cache(maxsize=MOST_KEYS)
def place_of(key: str) -> Place:
    """The parts of a row's key, such as `calls|rep=ana`."""
    figure, _, named = key.partition("|")
    dim, _, name = named.partition("=")
    return Place(figure, dim, name)


class RedisTable:
    """The table in Redis. Those who ask at the same time share one read."""

    def __init__(self, redis: Redis, prefix: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._redis = redis
        self._keys = KpiKeys(prefix)
        self._cached = Cached(self._read, monotonic, LOOKED_AT_S)
        self._record: Mapping[str, str] = {}
        self._snapshot = Snapshot(None, {})

    async def read(self) -> Snapshot:
        """The round that stands, as of a moment ago. Raises Retry or Fatal."""
        return await self._cached.get()

    async def _read(self) -> Snapshot:
        """The table is a function of its record, which counts every write: where that stands, so do the rows."""
        try:
            since = await read_since(self._redis, self._keys, self._record)
            if since is None:
                table = await read_kpis(self._redis, self._keys, WINDOW_NAMES)
                # In threads: so many rows take a while, in which others shall be answered.
                self._snapshot = await asyncio.to_thread(decode, table, self._keys.applied)
                self._record = table.record
            elif since.changes:
                self._snapshot = await asyncio.to_thread(
                    advance, self._snapshot, since.record, since.changes, self._keys.changes
                )
                self._record = since.record
        except UnicodeDecodeError as error:
            raise _strange(self._keys.applied, error) from None
        return self._snapshot


async def follow(table: Table) -> None:
    """Keep a table up to date until cancelled, so that whoever asks, however seldom, waits for the last changes only."""
    while True:
        with suppress(LeadbeatError):  # Whoever asks is told.
            await table.read()
        await asyncio.sleep(FOLLOWED_S)


decode_row: Final = msgspec.json.Decoder(Row).decode
"""A row as it stands in Redis, with its types. Raises msgspec.DecodeError."""


def decode(table: KpiTable, where: str) -> Snapshot:
    """The table with its types. Raises Fatal if something else stands there."""
    try:
        rows = {window: {key: decode_row(row) for key, row in found.items()} for window, found in table.rows.items()}
        return Snapshot(_round(table.record), rows)
    except UNREADABLE as error:
        raise _strange(where, error) from None


def advance(snapshot: Snapshot, record: Mapping[str, str], changes: Iterable[bytes], where: str) -> Snapshot:
    """The table after further rounds, by what they changed. Raises Fatal if that is something else."""
    try:
        latest: dict[str, dict[str, bytes | None]] = {}
        for packed in changes:
            for window, changed in decode_changes(packed).items():
                latest.setdefault(window, {}).update(changed)
        rows = {window: _changed(held, latest[window]) if window in latest else held for window, held in snapshot.rows.items()}
        return Snapshot(_round(record), rows)
    except UNREADABLE as error:
        raise _strange(where, error) from None


def _changed(rows: Mapping[str, Row], changed: Mapping[str, bytes | None]) -> dict[str, Row]:
    after = dict(rows)
    for key, row in changed.items():
        if row is None:
            after.pop(key, None)
        else:
            after[key] = decode_row(row)
    return after


def _round(record: Mapping[str, str]) -> Round | None:
    """The record; a publisher that holds its claim but has made no round yet has left none."""
    if "clock" not in record:
        return None
    slices = msgspec.json.decode(record.get("slices") or "{}")
    return msgspec.convert({**record, "slices": slices}, Round, strict=False)


def _strange(where: str, error: Exception) -> Fatal:
    return Fatal(where, f"is not a KPI table of this version: {error}", "find out who else writes under this prefix")
