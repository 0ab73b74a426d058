"""What we say: the catalogue evaluated over totals, one line for each figure and slice."""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from models.grids import NONE, Columns, Grid, Oldest, grid_of
from models.kpis import Figure, Formula
from models.places import compared
from models.rules import CHANNELS, LISTS, SENTIMENTS, UNKNOWN, Rules
from models.slices import is_pair, pair_name
from models.units import Millis

Slices = Mapping[str, Sequence[str]]
"""What is sliced by, and the values that are always told, 0 included. The whole has the one empty value, pairs have none."""


Grids: TypeAlias = Mapping[tuple[str, str], Grid]
"""Grids by the key of their figure and by dimension."""

NO_GRIDS: Final[Grids] = {}


class State(StrEnum):
    """How far a value may be trusted."""

    OK = "ok"
    NO_TRAFFIC = "no_traffic"
    """Nothing to divide by."""
    INSUFFICIENT = "insufficient"
    """Fewer than the minimum n; the value is withheld."""
    STALE = "stale"
    """Of a round that is out of date, whatever it said; who serves it tells, no evaluation does."""


STATES = tuple(State)
"""States by their code."""


class Cell(NamedTuple):
    """A figure in one window. Ratios and means divide numerator by denominator; times are in ms there and in s in `value`."""

    value: float | None
    numerator: int
    denominator: int | None
    state: State


class Line(NamedTuple):
    """A figure in one slice: a cell per window; levels have the one window `now`.

    `dim` and `name` are empty for the whole; `team,lead_source` and `north,inbound` are those of a pair.
    """

    figure: Figure
    dim: str
    name: str
    cells: tuple[Cell, ...]

    @property
    def windows(self) -> tuple[str, ...]:
        """The names of the windows that the cells stand for."""
        return self.figure.windows

    @property
    def key(self) -> str:
        """Figure and slice, as the KPI table has it: `calls|rep=ana`."""
        return key_of(self.figure, self.dim, self.name)


def key_of(figure: Figure, dim: str, name: str) -> str:
    """Figure and slice, as the KPI table has them."""
    return f"{figure.key}|{dim}={name}" if dim else figure.key


def slices(rules: Rules, clock: Millis) -> dict[str, list[str]]:
    """What is sliced by, with the values that are told at an instant even where they are 0."""
    reps, teams = rules.present(clock)
    return {
        "": [""],
        "rep": reps,
        "team": teams,
        **{dim: list(rules.listed(dim)) for dim in LISTS if rules.listed(dim)},
        "channel": list(CHANNELS),
        "sentiment": [*SENTIMENTS, UNKNOWN],
        **{pair_name(pair): [] for pair in rules.pairs},
    }


def grids(
    figures: Sequence[Figure],
    columns: Columns,
    oldest: Oldest,
    told: Slices,
    minimum_n: Mapping[Formula, int],
    before: Grids = NO_GRIDS,
) -> Grids:
    """Every figure by every dimension it has, in the slices always told and those in which it is not 0.

    `before`: what was found when the columns were last taken in, with the same slices told and the same least n. What still
    stands of it is not worked out again.
    """
    pairs = [dim for dim in told if is_pair(dim)]
    found: dict[tuple[str, str], Grid] = {}

    def ask(figure: Figure, dim: str) -> Grid:
        """What is compared has most often been found already."""
        known = found.get((figure.key, dim))
        return known or grid_of(figure, dim, columns, oldest, told.get(dim, ()), minimum_n)

    for figure in figures:
        key = figure.key
        if figure.of is not None:
            grid = compared(figure, figure.of, columns.givens, ask, told.get("rep", ()))
            if grid is not None:
                found[key, grid.dim] = grid
            continue
        moved = columns.moved(figure)
        for dim in ("", *figure.dims, *filter(figure.has, pairs)):
            kept = None if moved is None or dim in moved else before.get((key, dim))
            found[key, dim] = kept or ask(figure, dim)
    return found


def evaluate(
    figures: Sequence[Figure], columns: Columns, oldest: Oldest, told: Slices, minimum_n: Mapping[Formula, int]
) -> Iterator[Line]:
    """The same as lines."""
    for grid in grids(figures, columns, oldest, told, minimum_n).values():
        for name, *cells in zip(grid.names, *(array.tolist() for array in grid[3:]), strict=True):
            yield Line(grid.figure, grid.dim, name, tuple(map(cell_of, *cells)))


def cell_of(value: float, numerator: int, denominator: int, state: int) -> Cell:
    """A cell of a grid."""
    return Cell(None if value != value else value, numerator, None if denominator == NONE else denominator, STATES[state])  # noqa: PLR0124 - NaN
