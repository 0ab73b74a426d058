"""What we say: the catalogue evaluated over totals, one line for each figure and slice."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from models.kpis import QUANTILES, Figure, Formula
from models.measures import Kind, Measure
from models.rules import CHANNELS, LISTS, SENTIMENTS, UNKNOWN, Rules
from models.sketches import maximum, quantile
from models.slices import is_pair, pair_name
from models.sums import LEVEL_ROW, Sums, split_name
from models.units import Millis
from models.windows import NOW, WINDOWS

Slices = Mapping[str, Sequence[str]]
"""What is sliced by, and the values that are always told, 0 included. The whole has the one empty value, pairs have none."""

Oldest = Mapping[str, tuple[Millis, Millis | None]]
"""By slice name: since when and until when the oldest open clock there should be answered."""

_WINDOW_NAMES = tuple(window.name for window in WINDOWS)


class State(StrEnum):
    """How far a value may be trusted."""

    OK = "ok"
    NO_TRAFFIC = "no_traffic"
    """Nothing to divide by."""
    INSUFFICIENT = "insufficient"
    """Fewer than the minimum n; the value is withheld."""


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
        return _WINDOW_NAMES if self.figure.windowed else (NOW,)

    @property
    def key(self) -> str:
        """Figure and slice, as the KPI table has it: `calls|rep=ana`."""
        return f"{self.figure.key}|{self.dim}={self.name}" if self.dim else self.figure.key


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


class _Index:
    """The columns of merged sums by what they hold."""

    def __init__(self, sums: Sums) -> None:
        self.rows: dict[tuple[str, str, str, str], list[int]] = {}
        self._buckets: dict[tuple[str, str, str], list[tuple[int, list[int]]]] = defaultdict(list)
        self._sketches: dict[tuple[str, str, str], list[dict[int, int]]] = {}
        self.names: dict[tuple[str, str], set[str]] = defaultdict(set)
        for series, values in sums.nonzero():
            measure, part, dim, name = split_name(series)
            self.names[measure, dim].add(name)
            if part.startswith("b"):
                self._buckets[measure, dim, name].append((int(part[1:]), values))
            else:
                self.rows[measure, part, dim, name] = values

    def total(self, measures: tuple[Measure, ...], part: str, dim: str, name: str) -> list[int]:
        rows = [self.rows.get((measure.id, part, dim, name), _ZEROS) for measure in measures]
        return rows[0] if len(rows) == 1 else [sum(values) for values in zip(*rows, strict=True)]

    def sketches(self, measure: Measure, dim: str, name: str) -> list[dict[int, int]]:
        """A duration's counts by bucket, one sketch a window; its figures share them."""
        key = (measure.id, dim, name)
        found = self._sketches.get(key)
        if found is None:
            buckets = sorted(self._buckets[key])
            found = self._sketches[key] = [
                {number: values[row] for number, values in buckets if values[row]} for row in range(LEVEL_ROW)
            ]
        return found


_ZEROS = [0] * (LEVEL_ROW + 1)


def evaluate(
    figures: Sequence[Figure], sums: Sums, oldest: Oldest, told: Slices, minimum_n: Mapping[Formula, int]
) -> Iterator[Line]:
    """Every figure in every slice it has: those always told, and those in which it is not 0."""
    index = _Index(sums)
    pairs = [dim for dim in told if is_pair(dim)]
    for figure in figures:
        for dim in ("", *figure.dims, *filter(figure.has, pairs)):
            yield from _lines(figure, dim, index, oldest, told, minimum_n)


def _lines(
    figure: Figure, dim: str, index: _Index, oldest: Oldest, told: Slices, minimum_n: Mapping[Formula, int]
) -> Iterator[Line]:
    if figure.formula is Formula.OLDEST:
        for name in (name for name in oldest if name.partition("=")[0] == dim):
            since, due = oldest[name]
            cell = Cell(since / 1000, since, due, State.OK)
            yield Line(figure, dim, name.partition("=")[2], (cell,))
        return
    found = set().union(*(index.names[measure.id, dim] for measure in figure.measures))
    always = told.get(dim, ())
    for name in (*always, *sorted(found.difference(always))):
        yield Line(figure, dim, name, tuple(_cells(figure, dim, name, index, minimum_n)))


def _cells(figure: Figure, dim: str, name: str, index: _Index, minimum_n: Mapping[Formula, int]) -> Iterator[Cell]:
    formula, measures = figure.formula, figure.numerator
    least = minimum_n.get(formula, 0)
    if formula is Formula.LEVEL:
        amount = index.total(measures, "", dim, name)[LEVEL_ROW]
        yield Cell(float(amount), amount, None, State.OK)
    elif formula in {Formula.COUNT, Formula.SAMPLES}:
        part = "n" if measures[0].kind is Kind.DURATION else ""
        for amount in index.total(measures, part, dim, name)[:LEVEL_ROW]:
            yield Cell(float(amount), amount, None, State.OK)
    elif formula in {Formula.RATIO, Formula.MEAN}:
        over, under = index.total(measures, "", dim, name), index.total(figure.denominator, "", dim, name)
        yield from (_divided(a, b, 1, least) for a, b in zip(over[:LEVEL_ROW], under[:LEVEL_ROW], strict=True))
    elif formula is Formula.MEAN_TIME:
        over, under = index.total(measures, "sum", dim, name), index.total(measures, "n", dim, name)
        yield from (_divided(a, b, 1000, least) for a, b in zip(over[:LEVEL_ROW], under[:LEVEL_ROW], strict=True))
    else:
        yield from _from_sketch(figure, dim, name, index, least)


def _divided(numerator: int, denominator: int, scale: int, least: int) -> Cell:
    state = _state(denominator, least)
    value = numerator / (denominator * scale) if state is State.OK else None
    return Cell(value, numerator, denominator, state)


def _from_sketch(figure: Figure, dim: str, name: str, index: _Index, least: int) -> Iterator[Cell]:
    measure = figure.numerator[0]
    samples = index.total((measure,), "n", dim, name)
    share = QUANTILES.get(figure.formula)
    for n, sketch in zip(samples[:LEVEL_ROW], index.sketches(measure, dim, name), strict=True):
        state = _state(n, least)
        value: float | None = None
        if state is State.OK:
            value = maximum(sketch) if share is None else quantile(sketch, share)
        yield Cell(None if value is None else value / 1000, n, None, state)


def _state(n: int, least: int) -> State:
    if n <= 0:
        return State.NO_TRAFFIC
    return State.OK if n >= least else State.INSUFFICIENT
