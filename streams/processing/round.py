"""What a round says beyond the one before it: which rows of the KPI table are written, and which go."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
from msgspec import Struct

from models.grids import Grid, changed
from models.snapshot import Cell, State, cell_of, key_of, windows_of

Row: TypeAlias = tuple[str, str]
"""Window and key: what a row of the KPI table is kept under."""

Grids: TypeAlias = Mapping[tuple[str, str], Grid]
"""Grids by the key of their figure and by dimension."""


class Told(NamedTuple):
    """What was told last, and further rows that are there, of which nothing else is known."""

    grids: Grids
    left: frozenset[Row] = frozenset()


NOTHING: Final = Told({})


class Round(NamedTuple):
    """A round worked out: rows as JSON that say something else now, and the last words of those that go; and all it says."""

    written: dict[Row, bytes]
    farewells: dict[Row, bytes]
    grids: Grids


class _Content(Struct):
    """What a row says; `version` is the round in which it was written."""

    value: float | None
    numerator: int
    denominator: int | None
    state: State
    version: int


_GONE: Final = Cell(None, 0, None, State.NO_TRAFFIC)

_encode = msgspec.json.Encoder().encode


def work_out(told: Told, grids: Iterable[Grid], version: int) -> Round:
    """What a round says after what was told."""
    current = {(grid.figure.key, grid.dim): grid for grid in grids}
    written: dict[Row, bytes] = {}
    for kind, grid in current.items():
        written.update(_written(grid, told.grids.get(kind), version))
    gone = {row for kind, grid in told.grids.items() for row in _vanished(grid, current.get(kind))}
    # What was left and is back has a new slice, so it is written.
    gone |= told.left.difference(written)
    return Round(written, dict.fromkeys(gone, _row(_GONE, version)), current)


def _written(grid: Grid, before: Grid | None, version: int) -> Iterator[tuple[Row, bytes]]:
    mask = changed(grid, before)
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return
    windows = windows_of(grid.figure)
    keys = [key_of(grid.figure, grid.dim, name) for name in grid.names]
    cells = zip(*(array[mask].tolist() for array in (grid.value, grid.numerator, grid.denominator, grid.state)), strict=True)
    for row, column, cell in zip(rows.tolist(), columns.tolist(), cells, strict=True):
        yield (windows[column], keys[row]), _row(cell_of(*cell), version)


def _vanished(grid: Grid, after: Grid | None) -> Iterator[Row]:
    left = set(grid.names).difference(after.names if after is not None else ())
    keys = [key_of(grid.figure, grid.dim, name) for name in left]
    return ((window, key) for key in keys for window in windows_of(grid.figure))


def _row(cell: Cell, version: int) -> bytes:
    return _encode(_Content(*cell, version))
