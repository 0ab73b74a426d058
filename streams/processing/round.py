"""What a round says beyond the one before it: which rows of the KPI table are written, and which go."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
from msgspec import Struct

from models.grids import NO_TRAFFIC, NONE, Grid, changed
from models.snapshot import NO_GRIDS, STATES, Grids, key_of
from models.windows import NOW, WINDOW_INDEX

Row: TypeAlias = tuple[str, str]
"""Window and key: what a row of the KPI table is kept under."""

Rows: TypeAlias = dict[str, dict[str, bytes]]
"""Rows as JSON, by window and key."""


class Told(NamedTuple):
    """What was told last, and further rows that are there, of which nothing else is known."""

    grids: Grids
    left: frozenset[Row] = frozenset()


NOTHING: Final = Told(NO_GRIDS)


class Round(NamedTuple):
    """A round worked out: rows as JSON that say something else now, and the last words of those that go; and all it says."""

    written: Rows
    farewells: dict[Row, bytes]
    grids: Grids


class _Content(Struct):
    """What a row says; `version` is the round in which it was written."""

    value: float | None
    numerator: int
    denominator: int | None
    state: str
    version: int


class Announced(Struct, frozen=True):
    """What the topic is told of a round beside its rows: where it stands, and whether no newer one can be had.

    Instants are ms UTC.
    """

    round: int
    clock: int
    known_until: int
    exact: bool
    published_at: int
    stale: bool = False
    rules: int = 0


def announced(record: Mapping[str, str]) -> bytes | None:
    """The record of a round, as JSON for the topic; None before the first round."""
    return _encode(msgspec.convert(record, Announced, strict=False)) if "clock" in record else None


_encode = msgspec.json.Encoder().encode
_STATES: Final = [state.value for state in STATES]


def work_out(told: Told, grids: Grids, version: int) -> Round:
    """What a round says after what was told."""
    written: Rows = {window: {} for window in (*WINDOW_INDEX, NOW)}
    for kind, grid in grids.items():
        _write(grid, told.grids.get(kind), version, written)
    gone = {row for kind, grid in told.grids.items() for row in _vanished(grid, grids.get(kind))}
    # What was left and is back has a new slice, so it is written.
    gone.update((window, key) for window, key in told.left if key not in written.get(window, {}))
    farewell = _encode(_Content(None, 0, None, _STATES[NO_TRAFFIC], version))
    return Round({window: rows for window, rows in written.items() if rows}, dict.fromkeys(gone, farewell), grids)


def _write(grid: Grid, before: Grid | None, version: int, written: Rows) -> None:
    if before is not None and before.figure is not grid.figure and before.figure.windows != grid.figure.windows:
        before = None
    if before is grid:
        return
    mask = changed(grid, before)
    rows, columns = (places.tolist() for places in np.nonzero(mask))
    if not rows:
        return
    keys = [key_of(grid.figure, grid.dim, name) for name in grid.names]
    tables = [written[window] for window in grid.figure.windows]
    cells = (array[mask].tolist() for array in (grid.value, grid.numerator, grid.denominator, grid.state))
    for row, column, value, numerator, denominator, state in zip(rows, columns, *cells, strict=True):
        told = None if value != value else value  # noqa: PLR0124 - NaN
        under = None if denominator == NONE else denominator
        tables[column][keys[row]] = _encode(_Content(told, numerator, under, _STATES[state], version))


def _vanished(grid: Grid, after: Grid | None) -> Iterator[Row]:
    if after is grid:
        return
    same = after is not None and after.figure is grid.figure
    if after is not None and same and after.names == grid.names:
        return
    windows = () if after is None else grid.figure.windows if same else after.figure.windows
    left = set(grid.names).difference(() if after is None else after.names)
    for window in grid.figure.windows:
        for name in left if window in windows else grid.names:
            yield window, key_of(grid.figure, grid.dim, name)
