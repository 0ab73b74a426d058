"""The oracle's reading of what compares KPIs: how much of their targets they reach, and the places of reps by them."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any, NamedTuple

from streams.local.truth_facts import Rules

Gauges = Mapping[tuple[str, frozenset[tuple[str, str]]], Any]
DEVIATE = Decimal("1.959963984540054")


class Result(NamedTuple):
    """What a rep has of a KPI: a value, or how many of how many."""

    rep: str
    part: Fraction
    whole: int | None = None


def attained(gauges: Gauges, rules: Rules, clock: int) -> Iterator[tuple[str, str, Any]]:
    """By KPI and window the value that is shown of the whole over the target that was set last."""
    aims = {(kpi, window): Fraction(worth) for since, kpi, worth, window in rules.targets if since <= clock}
    for (kpi, window), aim in aims.items():
        labels = frozenset() if window == "now" else frozenset({("window", window)})
        units = ("", "_seconds", f"_{rules.money.currency.lower()}")
        for shown in (gauges[name, labels] for unit in units if (name := f"leadbeat_{kpi}{unit}", labels) in gauges):
            value, *tolerance = shown if isinstance(shown, tuple) else (shown,)
            reached = float(Fraction(value) / aim)
            yield kpi, window, (reached, *tolerance) if tolerance else reached


def places(results: Iterable[Result], *, lowest_first: bool) -> dict[str, int]:
    """The place of each rep: one more than there are who are better."""
    scores = {result.rep: _score(result, lowest_first=lowest_first) for result in results}
    return {rep: 1 + sum(_is_better(other, mine, lowest_first) for other in scores.values()) for rep, mine in scores.items()}


def _is_better(other: Decimal, mine: Decimal, lowest_first: bool) -> bool:  # noqa: FBT001
    return other < mine if lowest_first else other > mine


def _score(result: Result, *, lowest_first: bool) -> Decimal:
    """A value; of a share the end of its interval that does not flatter."""
    with localcontext() as context:
        context.prec = 40
        part = Decimal(result.part.numerator) / result.part.denominator
        if result.whole is None or not 0 <= part <= result.whole:
            return round(part / (result.whole or 1), 12)
        # The interval's ends are the two p at which part and whole·p are just so many standard deviations apart.
        n, square = Decimal(result.whole), DEVIATE**2
        middle, width = 2 * part + square, DEVIATE * (square + 4 * part * (1 - part / n)).sqrt()
        return round((middle + width if lowest_first else middle - width) / (2 * (n + square)), 12)
