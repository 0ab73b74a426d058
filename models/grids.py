"""Figures in all slices of a dimension and all windows at once, as arrays: the arithmetic behind what we say.

Sums are gathered by name, divided, and quantiles looked up in cumulated sketches; no figure is worked out by itself.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from fractions import Fraction
from functools import reduce
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.codes import Ints, Mask
from models.givens import Given, Givens, known_until
from models.kpis import QUANTILES, Figure, Formula, Product, Reached, Remaining
from models.measures import PREVIOUS, Kind, Measure, Sum, summed
from models.sketches import Entry, Floats, Layout, Sketches, lay_out
from models.slices import split_values
from models.sums import LEVEL_ROW, Sums, split_name
from models.units import Millis
from models.windows import NOW, WINDOW_INDEX

NO_GIVENS: Final[Givens] = {}

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


_Kind: TypeAlias = tuple[str, str]
"""A measure's id and a dimension: what series have in common that a figure reads together."""


class Columns:
    """Where sums hold which part of which measure. Sums may grow; `at_present` is to be called before they are asked again."""

    def __init__(self, sums: Sums) -> None:
        self.sums = sums
        self.minor_units = 1
        """How many minor units a major one has in which money is told."""
        self.givens: Givens = {}
        """What rules and clock give."""
        self._known = 0
        self._kinds: dict[_Kind, int] = {}
        self._kind_of: list[int] = []
        self._moved: Mapping[str, AbstractSet[str]] = {}
        self._of: dict[tuple[str, str, str], dict[str, int]] = defaultdict(dict)
        self._buckets: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        self._layouts: dict[tuple[str, str], Layout] = {}
        self._sketches: dict[tuple[str, str], Sketches] = {}
        self._values: Ints = np.zeros((LEVEL_ROW + 1, 1), np.int64)
        self._used: NDArray[Any] = np.zeros(1, np.bool_)

    def at_present(self, minor_units: int, givens: Givens = NO_GIVENS) -> "Columns":
        """Take in the sums as they are now, how many minor units of money make a major one, and what is given."""
        self.minor_units, self.givens = minor_units, givens
        for column in range(self._known, len(self.sums)):
            measure, part, dim, name = split_name(self.sums.names[column])
            self._kind_of.append(self._kinds.setdefault((measure, dim), len(self._kinds)))
            if part.startswith("b"):
                self._buckets[measure, dim].append((name, int(part[1:]), column))
                self._layouts.pop((measure, dim), None)
            else:
                self._of[measure, part, dim][name] = column
        before, self._known = self._values[:, :-1], len(self.sums)
        # The last column stands for series that are not there.
        self._values = np.zeros((LEVEL_ROW + 1, self._known + 1), np.int64)
        self._values[:, :-1] = self.sums.values[:, : self._known]
        self._used = np.any(self._values, axis=0)
        self._sketches = {}
        self._moved = self._moved_since(before)
        return self

    def _moved_since(self, before: Ints) -> Mapping[str, AbstractSet[str]]:
        """The dimensions by which each measure has moved."""
        moved = np.ones(self._known, np.bool_)
        moved[: before.shape[1]] = np.any(self._values[:, : before.shape[1]] != before, axis=0)
        kinds = list(self._kinds)
        dims: defaultdict[str, set[str]] = defaultdict(set)
        for kind in np.unique(np.array(self._kind_of, np.int64)[moved]).tolist():
            measure, dim = kinds[kind]
            dims[measure].add(dim)
        return dims

    def moved(self, figure: Figure) -> AbstractSet[str] | None:
        """By which dimensions a figure may say something else than before the sums were last taken in; None: by all.

        Only of what is of sums alone it can be known that it stands.
        """
        return set().union(*(self._moved.get(measure.id, ()) for measure in figure.measures)) if figure.of_sums else None

    def names(self, measures: Sequence[Measure], dim: str) -> set[str]:
        """The slices in which one of some measures is not 0 throughout."""
        found = (self._of.get((measure.id, part, dim), {}) for measure in measures for part in ("", "n", "sum", PREVIOUS))
        return {name for columns in found for name, column in columns.items() if self._used[column]}

    def total(self, formula: Sum, part: str, dim: str, names: Sequence[str]) -> Ints:
        """A sum, of a part of its measures unless they say which: by slice, then by window, now last.

        A level is in every window what it is now.
        """
        total = np.zeros((len(names), LEVEL_ROW + 1), np.int64)
        for term in formula.terms:
            place = self._of.get((term.measure.id, term.part or part, dim), {}).get
            columns = [place(name, -1) for name in names]
            if term.measure.ages is not None:
                total += term.times * self._age(term.measure.ages, self._values[LEVEL_ROW, columns], dim, names)
            elif term.measure.kind is Kind.LEVEL:
                total += term.times * self._values[LEVEL_ROW, columns, np.newaxis]
            else:
                total += term.times * self._values[:, columns].T
        return total

    def _age(self, counted: Measure, begun: Ints, dim: str, names: Sequence[str]) -> Ints:
        """How long it is since what a level counts began, by slice; from the sum of the instants at which it did."""
        return self.total(summed(counted), "", dim, names) * int(self.givens[known_until.id, NOW, ""]) - begun[:, np.newaxis]

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


def grid_of(
    figure: Figure, dim: str, columns: Columns, oldest: Oldest, always: Sequence[str], minimum_n: Mapping[Formula, int]
) -> Grid:
    """A figure in the slices of a dimension: those `always` told, and those in which it is not 0."""
    if figure.formula is Formula.OLDEST:
        return _oldest(figure, dim, oldest)
    names = (*always, *sorted(columns.names(figure.measures, dim).difference(always)))
    if figure.product is not None:
        return Grid(
            figure, dim, names, *_derived(figure, figure.product, _Place(columns, dim, names, figure.windows, minimum_n))
        )
    return Grid(figure, dim, names, *_cells(figure, dim, columns, names, minimum_n.get(figure.formula, 0)))


def _oldest(figure: Figure, dim: str, oldest: Oldest) -> Grid:
    found = {name.partition("=")[2]: clock for name, clock in oldest.items() if name.partition("=")[0] == dim}
    since = np.array([at for at, _ in found.values()], np.int64).reshape(-1, 1)
    due = np.array([NONE if at is None else at for _, at in found.values()], np.int64).reshape(-1, 1)
    return Grid(figure, dim, tuple(found), since / 1000, since, due, np.full(since.shape, OK, np.uint8))


def _cells(figure: Figure, dim: str, columns: Columns, names: Sequence[str], least: int) -> tuple[Floats, Ints, Ints, States]:
    formula, over, measure = figure.formula, figure.over, figure.numerator[0]
    scale = columns.minor_units if figure.money else 1000 if figure.seconds else 1
    told = [WINDOW_INDEX.get(window, LEVEL_ROW) for window in figure.windows]

    def total(some: Sum, part: str = "") -> Ints:
        return columns.total(some, part, dim, names)[:, told]

    if formula in {Formula.COUNT, Formula.SAMPLES, Formula.LEVEL}:
        return _counted(total(over, "n" if measure.kind is Kind.DURATION else ""), scale)
    if figure.under is not None:
        return _divided(total(over), total(figure.under), scale, least)
    if formula is Formula.MEAN_TIME:
        return _divided(total(over, "sum"), total(over, "n"), 1000, least)
    samples = total(over, "n")
    state = _states(samples, least)
    value = columns.sketches(measure, dim).quantile(QUANTILES.get(formula, 1.0), names)[:, told] / 1000
    return np.where(state == OK, value, np.nan), samples, np.full(samples.shape, NONE), state


class _Place(NamedTuple):
    """Where figures are multiplied: which slices and windows."""

    columns: Columns
    dim: str
    names: Sequence[str]
    windows: Sequence[str]
    minimum_n: Mapping[Formula, int]

    def total(self, formula: Sum, part: str = "", window: str = "") -> Ints:
        """A sum in all of these slices and windows, or in the one window."""
        windows = [window] * len(self.windows) if window else self.windows
        rows = [WINDOW_INDEX.get(name, LEVEL_ROW) for name in windows]
        return self.columns.total(formula, part, self.dim, self.names)[:, rows]

    def given(self, given: Given, window: str = "") -> list[list[Fraction | None]]:
        """What is given in them."""
        found = self.columns.givens.get
        slices = [f"{self.dim}={name}" if self.dim and given.dims is not None else "" for name in self.names]
        return [[found((given.id, window or each, name)) for each in self.windows] for name in slices]


class _Part(NamedTuple):
    """A number that is multiplied, by slice and window, as numerator and denominator. `n`: what it stands on, if it does."""

    over: NDArray[Any]
    under: NDArray[Any]
    known: Mask
    n: Ints | None = None
    least: int = 0


def _derived(figure: Figure, product: Product, place: _Place) -> tuple[Floats, Ints, Ints, States]:
    """Numerators and denominators are multiplied as integers of any size, and divided once."""
    times = [_part_of(part, place) for part in product.times]
    per = [_part_of(part, place) for part in product.per]
    shape = len(place.names), len(place.windows)
    divided, enough, least_n = np.ones(shape, np.bool_), np.ones(shape, np.bool_), np.full(shape, NONE)
    for part in times + per:
        divided &= part.known & (part.under > 0).astype(np.bool_)
        if part.n is not None:
            enough &= part.n >= part.least
            least_n = np.where(least_n == NONE, part.n, np.minimum(least_n, part.n))
    inner = (part for part, what in zip(times, product.times, strict=True) if what in product.inner)
    for part in (*per, *inner):
        divided &= (part.over > 0).astype(np.bool_)
    told = divided & enough
    value = np.full(shape, np.nan)
    scale = place.columns.minor_units if figure.money else 1
    over = _multiplied([*(part.over for part in times), *(part.under for part in per)], told)
    under = _multiplied([*(part.under for part in times), *(part.over for part in per)], told) * scale
    value[told] = over / under
    state = np.where(divided, np.where(enough, OK, INSUFFICIENT), NO_TRAFFIC).astype(np.uint8)
    return value, np.maximum(least_n, 0), np.full(shape, NONE), state


def _multiplied(parts: Sequence[NDArray[Any]], told: Mask) -> NDArray[Any]:
    """The product of what is told, as integers of any size."""
    return reduce(np.multiply, (part[told].astype(object) for part in parts))


def _part_of(part: Figure | Given | Remaining | Reached | int, place: _Place) -> _Part:
    shape = len(place.names), len(place.windows)
    whole, known = np.ones(shape, np.int64), np.ones(shape, np.bool_)
    match part:
        case Figure(formula=Formula.MEAN_TIME):
            n = place.total(part.over, "n")
            return _Part(place.total(part.over, "sum"), n, known, n, place.minimum_n.get(part.formula, 0))
        case Figure(under=Sum() as under):
            n = place.total(under)
            return _Part(place.total(part.over), n, known, n, place.minimum_n.get(part.formula, 0))
        case Figure() | int():
            return _Part(whole * part if isinstance(part, int) else place.total(part.over), whole, known)
        case Given():
            return _fractions(place.given(part), shape)
        case Reached():
            return _reached(part, place)
        case left:
            done = place.total(left.done, window=left.window).tolist()
            pairs = (zip(*each, strict=True) for each in zip(place.given(left.given, left.window), done, strict=True))
            return _fractions(
                [[None if aim is None else max(aim - so_far, Fraction(0)) for aim, so_far in row] for row in pairs], shape
            )


def _reached(part: Reached, place: _Place) -> _Part:
    """How many reps reached what is given to them, of how many."""
    reached, asked = np.zeros((2, len(place.names), len(place.windows)), np.int64)
    aims = [(window, name, aim) for (given, window, name), aim in place.columns.givens.items() if given == part.aim.id]
    sellers = [split_values(*name.split("=", 1)) for _, name, _ in aims]
    done = place.columns.total(part.done, "", "rep", [rep for _, rep in sellers]).tolist()
    for (window, _, aim), (team, _), found in zip(aims, sellers, done, strict=True):
        cell = place.names.index(team if place.dim else ""), place.windows.index(window)
        asked[cell] += 1
        reached[cell] += found[WINDOW_INDEX[window]] >= aim
    known = np.ones(asked.shape, np.bool_)
    return _Part(reached, asked, known, asked, place.minimum_n.get(Formula.MEAN, 0))


def _fractions(values: Sequence[Sequence[Fraction | None]], shape: tuple[int, int]) -> _Part:
    flat = [value for row in values for value in row]
    over, under = (
        np.array([getattr(each or Fraction(0), name) for each in flat], object) for name in ("numerator", "denominator")
    )
    known = np.array([each is not None for each in flat], np.bool_)
    return _Part(over.reshape(shape), under.reshape(shape), known.reshape(shape))


def _counted(amounts: Ints, scale: int) -> tuple[Floats, Ints, Ints, States]:
    return amounts / scale, amounts, np.full(amounts.shape, NONE), np.full(amounts.shape, OK, np.uint8)


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
