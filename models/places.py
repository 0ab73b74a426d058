"""Figures that compare another one, from its grid: how much of its target it reaches, and the places of reps by it."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import sqrt
from typing import Final

import numpy as np

from models.givens import Givens, ahead_of, target_of
from models.grids import NO_TRAFFIC, NONE, OK, Grid
from models.kpis import Figure, Formula
from models.measures import PREVIOUS, Kind
from models.windows import NOW

Z: Final = 1.959963984540054
"""The normal deviate of a 95 % interval."""

DIGITS: Final = 12
"""Ends of intervals that differ by less are the same."""

Ask = Callable[[Figure, str], Grid]
"""Works out a figure by a dimension."""


def compared(figure: Figure, of: Figure, givens: Givens, ask: Ask, reps: Sequence[str]) -> Grid | None:
    """What a figure says of the one that it compares; None where rules do not ask for it. `reps`: those of the roster."""
    return placed(figure, of, givens, ask, reps) if figure.formula is Formula.PLACE else attained(figure, of, givens, ask)


def attained(figure: Figure, of: Figure, givens: Givens, ask: Ask) -> Grid | None:
    """The value of a figure over its targets, in the windows that have one; None if none has."""
    targets = {window: givens[key] for window in of.windows if (key := (target_of(of.id).id, window, "")) in givens}
    if not targets:
        return None
    found = ask(of, "")
    columns = [place for place, window in enumerate(of.windows) if window in targets]
    value, state = found.value[:, columns], found.state[:, columns]
    reached = [
        [
            float(Fraction(each) / target) if told == OK else np.nan
            for each, told, target in zip(*row, targets.values(), strict=True)
        ]
        for row in zip(value.tolist(), state.tolist(), strict=True)
    ]
    told_in = figure._replace(only=tuple(targets) if figure.windowed else ())
    numerator, none = found.numerator[:, columns], np.full(value.shape, NONE)
    return Grid(told_in, "", found.names, np.array(reached), numerator, none, state)


def placed(figure: Figure, of: Figure, givens: Givens, ask: Ask, reps: Sequence[str]) -> Grid | None:
    """The places of some reps by a figure; None if it has no leaderboard. Who has no value has no place."""
    ahead = givens.get((ahead_of(of.id).id, NOW, ""))
    if ahead is None or not reps:
        return None
    is_wait = of.unit == "seconds" and of.numerator[0].kind is Kind.DURATION
    sign = -1 if ahead < 0 or (ahead == 0 and is_wait) else 1
    found = ask(of, "rep")
    rows = [found.names.index(rep) for rep in reps]
    parts = (found.value, found.numerator, found.denominator, found.state)
    scores = [
        [sign * _score(of, *cell, side=-sign) for cell in zip(*row, strict=True)]
        for row in zip(*(part[rows].tolist() for part in parts), strict=True)
    ]
    score = np.round(np.array(scores, np.float64).reshape(len(reps), -1), DIGITS)
    known = ~np.isnan(score)
    place = (score[:, np.newaxis, :] < score[np.newaxis, :, :]).sum(axis=1) + 1  # of NaN nothing is true
    state = np.where(known, OK, found.state[rows]).astype(np.uint8)
    places = np.where(known, place, 0)
    return Grid(figure, "rep", tuple(reps), np.where(known, place, np.nan), places, np.full(places.shape, NONE), state)


def _score(of: Figure, value: float, numerator: int, denominator: int, state: int, *, side: int) -> float:
    """What decides about a place: of shares the upper (`side` 1) or lower (-1) end of the interval; NaN without one."""
    if state != NO_TRAFFIC and _has_trials(of) and 0 <= numerator <= denominator:
        return wilson(numerator, denominator, side)
    return value if state == OK else np.nan


def _has_trials(of: Figure) -> bool:
    """Whether it tells how many of how many: no growth, and nothing of amounts or times."""
    counted = all(term.times > 0 and term.part != PREVIOUS for term in of.terms)
    return of.share and counted and not any(measure.money or measure.seconds for measure in of.measures)


def wilson(successes: int, n: int, side: int) -> float:
    """The upper (`side` 1) or lower (-1) end of the 95 % score interval of a share (Wilson 1927, JASA 22:209)."""
    share, square = successes / n, Z * Z / n
    if share == max(0, side):  # it ends there; the formula does but for rounding
        return share
    return (share + square / 2 + side * Z * sqrt(share * (1 - share) / n + square / n / 4)) / (1 + square)
