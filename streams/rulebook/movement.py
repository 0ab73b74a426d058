"""How the numbers would move: every lead that is stored, evaluated under two sets of rules. Nothing is written."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

import numpy as np

from models.catalogue import KPIS
from models.codes import Codes, Ints, Mask
from models.contributions import Contributions, Evaluation, evaluate
from models.givens import givens
from models.grids import Columns
from models.kpis import Figure, Formula
from models.rollup import Totals
from models.rules import Rules
from models.snapshot import Cell, Line, slices
from models.snapshot import evaluate as lines_of
from models.state.absorption import whole
from models.state.facts import facts
from models.state.lead import unpack
from models.units import Millis
from models.windows import DUE_LAG
from streams.tables import BUCKETS, Keys, Redis, count_states, read_applied, walk_states

WINDOWS: Final = ("now", "24h", "7d", "30d")
"""The windows whose numbers are compared; levels have the window `now`."""

DIMS: Final = ("", "rep", "team")
"""The slices whose numbers are compared: the whole first."""

FORMULAS: Final = (Formula.COUNT, Formula.RATIO, Formula.MEAN, Formula.MEAN_TIME, Formula.LEVEL, Formula.DERIVED)
"""The kinds of figure that are compared: those that are exact."""

ALL: Final = 100


class Movement(NamedTuple):
    """A figure that would change in a slice: by window, what it says now and then; None where the slice is not told."""

    figure: Figure
    dim: str
    name: str
    windows: Mapping[str, tuple[Cell | None, Cell | None]]


class Moved(NamedTuple):
    """What would change: how many of the leads looked at contribute otherwise, and the numbers, the whole's first."""

    leads: int
    changed: int
    movements: Sequence[Movement]


class Side:
    """One set of rules, and what the leads add up to under it."""

    def __init__(self, rules: Rules, clock: Millis) -> None:
        self.codes = Codes(rules)
        self.totals = Totals(self.codes)
        self.totals.advance(clock)

    def lines(self) -> dict[str, Line]:
        """The figures that are compared, by their keys; however few samples they have."""
        figures = [figure for figure in KPIS if figure.formula in FORMULAS]
        rules, clock = self.codes.rules, self.totals.clock or Millis(0)
        columns = Columns(self.totals.sums).at_present(rules.money.minor_units, givens(rules, clock))
        found = lines_of(figures, columns, {}, slices(rules, clock), {})
        return {line.key: line for line in found if line.dim in DIMS}


async def move(
    redis: Redis, partitions: Sequence[Keys], old: Rules, new: Rules, percent: int, tell: Callable[[int, int], None]
) -> Moved | None:
    """Evaluate all leads, or so many percent of them, under both; None before there is a clock.

    `tell` is told how many have been looked at, and of how many. Raises Retry and Fatal.
    """
    applied = await read_applied(redis, partitions)
    clocks = [part.progress.clock for part in applied if part is not None and part.progress.clock is not None]
    if not clocks:
        return None
    clock = Millis(min(clocks))
    sides = Side(old, clock), Side(new, clock)
    # A lead's bucket is a hash of its id, so some buckets are a fair sample.
    buckets = range(-(-BUCKETS * percent // ALL))
    total = sum([await count_states(redis, keys, buckets) for keys in partitions])
    leads = changed = 0
    for keys in partitions:
        async for states in walk_states(redis, keys, buckets):
            changed += await asyncio.to_thread(add, sides, states, Millis(clock - DUE_LAG))
            leads += len(states)
            tell(leads, total)
    return Moved(leads, changed, list(movements(*sides)))


def add(sides: tuple[Side, Side], states: Mapping[str, bytes], known_until: Millis) -> int:
    """Add leads to both sides; how many of them contribute otherwise."""
    leads = [whole(unpack(packed)[0], subject) for subject, packed in states.items()]
    evaluations = []
    for side in sides:
        evaluation = evaluate([facts(lead, side.codes) for lead in leads], side.codes, known_until)
        side.totals.add(evaluation.contributions)
        evaluations.append(evaluation)
    old, new = evaluations
    return int(np.count_nonzero(_differing(len(leads), old, new, _Shared(*(side.codes for side in sides)))))


class _Shared:
    """Codes that two sets of rules have in common: where a code of either stands among the names of both."""

    def __init__(self, old: Codes, new: Codes) -> None:
        self._codes = old, new
        self._tables: dict[str, tuple[Ints, Ints]] = {}

    def of(self, side: int, dim: str, codes: Ints) -> Ints:
        """Some codes of a side, as codes in common."""
        if dim not in self._tables:
            names = [[each.name(dim, code) for code in range(each.width(dim))] for each in self._codes]
            numbers = {name: number for number, name in enumerate(dict.fromkeys([*names[0], *names[1]]))}
            old, new = (np.array([numbers[name] for name in each], np.int64) for each in names)
            self._tables[dim] = old, new
        return self._tables[dim][side][codes]


def _differing(leads: int, old: Evaluation, new: Evaluation, shared: _Shared) -> Mask:
    """Which leads contribute otherwise; where a measure is sliced by others, all that contribute to it."""
    differ = np.zeros(leads, np.bool_)
    alike: list[tuple[Contributions, Contributions]] = []
    for before, after in zip(_by_measure(old), _by_measure(new), strict=True):
        if [each.slices for each in before] == [each.slices for each in after]:
            alike += zip(before, after, strict=True)
        else:
            differ[np.concatenate([each.of for each in (*before, *after)])] = True
    for mine, theirs in alike:
        was, is_now = _rows(mine, 0, shared), _rows(theirs, 1, shared)
        differ |= np.bincount(was[0], minlength=leads) != np.bincount(is_now[0], minlength=leads)
        was, is_now = (rows[:, ~differ[rows[0]]] for rows in (was, is_now))  # as many rows of each lead now
        differ[was[0][(was != is_now).any(axis=0)]] = True
    return differ


def _by_measure(evaluation: Evaluation) -> list[list[Contributions]]:
    return [list(found) for _, found in groupby(evaluation.contributions, key=attrgetter("measure"))]


def _rows(found: Contributions, side: int, shared: _Shared) -> Ints:
    """A measure's contributions as columns whose first row is the lead; equal ones come in the same order under any rules."""
    named = [shared.of(side, dim, codes) for dim, codes in zip(found.dims, found.by, strict=True)]
    return np.array([found.of, found.at, found.value, *named])


def movements(before: Side, after: Side) -> Iterator[Movement]:
    """The numbers that differ, the whole's first."""
    old, new = before.lines(), after.lines()
    keys = sorted({**old, **new}, key=lambda key: DIMS.index((new.get(key) or old[key]).dim))
    for key in keys:
        line = new.get(key) or old[key]
        was, is_now = (_cells(lines.get(key)) for lines in (old, new))
        pairs = {window: (was.get(window), is_now.get(window)) for window in WINDOWS}
        differing = {window: pair for window, pair in pairs.items() if _worth(pair[0]) != _worth(pair[1])}
        if differing:
            yield Movement(line.figure, line.dim, line.name, differing)


def _worth(cell: Cell | None) -> float:
    """What a cell says; that there is nothing to divide, or no such slice, is no news beside a 0."""
    return 0.0 if cell is None or cell.value is None else cell.value


def _cells(line: Line | None) -> Mapping[str, Cell]:
    return {} if line is None else dict(zip(line.windows, line.cells, strict=True))
