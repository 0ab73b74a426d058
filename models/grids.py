"""Figures in all slices of a dimension and all windows at once, as arrays: the arithmetic behind what we say.

Sums are gathered by name, divided, and quantiles looked up in cumulated sketches; no figure is worked out by itself.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.codes import Ints, Mask
from models.kpis import QUANTILES, Figure, Formula
from models.measures import Kind, Measure
from models.sketches import Entry, Floats, Layout, Sketches, lay_out
from models.sums import LEVEL_ROW, Sums, split_name
from models.units import Millis

States: TypeAlias = NDArray[np.uint8]

Oldest: TypeAlias = Mapping[str, tuple[Millis, Millis | None]]
"""By slice name: since when and until when the oldest open clock there should be answered."""

OK, NO_TRAFFIC, INSUFFICIENT = range(3)
"""Codes of states."""

NONE: Final = int(np.iinfo(np.int64).min)
"""Stands for a denominator that there is none of."""


class Grid(NamedTuple):
    """A figure by one dimension (none for the whole): a row for each of `names`, a column for each window, or one for now.

    `value` is NaN where it is withheld, `denominator` NONE where there is none, `state` a code.
    """

    figure: Figure
    dim: str
    names: tuple[str, ...]
    value: Floats
    numerator: Ints
    denominator: Ints
    state: States


class Columns:
    """Where sums hold which part of which measure. Sums may grow; `at_present` is to be called before they are asked again."""

    def __init__(self, sums: Sums) -> None:
        self.sums = sums
        self._known = 0
        self._of: dict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
        self._buckets: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        self._layouts: dict[tuple[str, str], Layout] = {}
        self._sketches: dict[tuple[str, str], Sketches] = {}
        self._values: Ints = np.zeros((LEVEL_ROW + 1, 1), np.int64)
        self._used: NDArray[Any] = np.zeros(1, np.bool_)

    def at_present(self) -> "Columns":
        """Take in the sums as they are now."""
        for column in range(self._known, len(self.sums)):
            measure, part, dim, name = split_name(self.sums.names[column])
            if part.startswith("b"):
                self._buckets[measure, dim].append((name, int(part[1:]), column))
                self._layouts.pop((measure, dim), None)
            else:
                self._of[measure, part, dim][name] = column
        self._known = len(self.sums)
        # The last column stands for series that are not there.
        self._values = np.zeros((LEVEL_ROW + 1, self._known + 1), np.int64)
        self._values[:, :-1] = self.sums.values[:, : self._known]
        self._used = np.any(self._values, axis=0)
        self._sketches = {}
        return self

    def names(self, measures: Sequence[Measure], dim: str) -> set[str]:
        """The slices in which one of some measures is not 0 throughout."""
        found = (self._of.get((measure.id, part, dim), {}) for measure in measures for part in ("", "n", "sum"))
        return {name for columns in found for name, column in columns.items() if self._used[column]}

    def total(self, measures: Sequence[Measure], part: str, dim: str, names: Sequence[str]) -> Ints:
        """The sum of a part of some measures: by slice, then by window, levels last."""
        total = np.zeros((len(names), LEVEL_ROW + 1), np.int64)
        for measure in measures:
            place = self._of.get((measure.id, part, dim), {}).get
            total += self._values[:, [place(name, -1) for name in names]].T
        return total

    def sketches(self, measure: Measure, dim: str) -> Sketches:
        """A duration's sketches in all slices of a dimension; its figures share them."""
        key = (measure.id, dim)
        found = self._sketches.get(key)
        if found is None:
            layout = self._layouts.get(key)
            if layout is None:
                layout = self._layouts[key] = lay_out(self._buckets.get(key, ()))
            found = self._sketches[key] = Sketches(layout, self._values[:LEVEL_ROW])
        return found


def grid_of(figure: Figure, dim: str, columns: Columns, oldest: Oldest, always: Sequence[str], least: int) -> Grid:
    """A figure in the slices of a dimension: those `always` told, and those in which it is not 0. `least` is its minimum n."""
    if figure.formula is Formula.OLDEST:
        return _oldest(figure, dim, oldest)
    names = (*always, *sorted(columns.names(figure.measures, dim).difference(always)))
    return Grid(figure, dim, names, *_cells(figure, dim, columns, names, least))


def _oldest(figure: Figure, dim: str, oldest: Oldest) -> Grid:
    found = {name.partition("=")[2]: clock for name, clock in oldest.items() if name.partition("=")[0] == dim}
    since = np.array([at for at, _ in found.values()], np.int64).reshape(-1, 1)
    due = np.array([NONE if at is None else at for _, at in found.values()], np.int64).reshape(-1, 1)
    return Grid(figure, dim, tuple(found), since / 1000, since, due, np.full(since.shape, OK, np.uint8))


def _cells(figure: Figure, dim: str, columns: Columns, names: Sequence[str], least: int) -> tuple[Floats, Ints, Ints, States]:
    formula, measures = figure.formula, figure.numerator

    def total(some: Sequence[Measure], part: str = "") -> Ints:
        return columns.total(some, part, dim, names)[:, :LEVEL_ROW]

    if formula is Formula.LEVEL:
        return _counted(columns.total(measures, "", dim, names)[:, LEVEL_ROW:])
    if formula in {Formula.COUNT, Formula.SAMPLES}:
        return _counted(total(measures, "n" if measures[0].kind is Kind.DURATION else ""))
    if formula in {Formula.RATIO, Formula.MEAN}:
        return _divided(total(measures), total(figure.denominator), 1, least)
    if formula is Formula.MEAN_TIME:
        return _divided(total(measures, "sum"), total(measures, "n"), 1000, least)
    samples = total(measures, "n")
    state = _states(samples, least)
    value = columns.sketches(measures[0], dim).quantile(QUANTILES.get(formula, 1.0), names) / 1000
    return np.where(state == OK, value, np.nan), samples, np.full(samples.shape, NONE), state


def _counted(amounts: Ints) -> tuple[Floats, Ints, Ints, States]:
    return amounts.astype(np.float64), amounts, np.full(amounts.shape, NONE), np.full(amounts.shape, OK, np.uint8)


def _divided(numerator: Ints, denominator: Ints, scale: int, least: int) -> tuple[Floats, Ints, Ints, States]:
    state = _states(denominator, least)
    value = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator * scale, out=value, where=state == OK)
    return value, numerator, denominator, state


def _states(n: Ints, least: int) -> States:
    return np.where(n <= 0, NO_TRAFFIC, np.where(n >= least, OK, INSUFFICIENT)).astype(np.uint8)


def changed(new: Grid, old: Grid | None) -> Mask:
    """Which cells of a grid say something else than those of an earlier one of the same kind, or stand for a new slice."""
    if old is None:
        return np.ones(new.value.shape, np.bool_)
    if new.names == old.names:
        return _differ(new, old)
    place = {name: row for row, name in enumerate(old.names)}
    rows = np.array([place.get(name, -1) for name in new.names], np.int64)
    known = rows >= 0
    mask = np.ones(new.value.shape, np.bool_)
    mask[known] = _differ(_rows(new, known), _rows(old, rows[known]))
    return mask


def _differ(new: Grid, old: Grid) -> Mask:
    values = (new.value != old.value) & ~(np.isnan(new.value) & np.isnan(old.value))
    told = (new.numerator != old.numerator) | (new.denominator != old.denominator) | (new.state != old.state)
    differ: Mask = values | told
    return differ


def _rows(grid: Grid, rows: Mask | Ints) -> Grid:
    _, _, _, value, numerator, denominator, state = grid
    return grid._replace(value=value[rows], numerator=numerator[rows], denominator=denominator[rows], state=state[rows])
