"""Figures that are sums of measures, or one such sum divided by another."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

Terms = Mapping[str, int]
"""How often each measure is taken: flows of a window, and levels as they are now."""

NOTHING: Terms = MappingProxyType({})


class Formula(NamedTuple):
    """A figure. A ratio or a mean is shown if its denominator is large enough; a sum has none.

    `is_level` is one that is of now and of no window.
    """

    kind: Literal["sum", "ratio", "mean"]
    numerator: Terms
    denominator: Terms = NOTHING
    scale: int = 1
    is_level: bool = False

    def value(self, amount_of: Callable[[str], int], units: int, minimum_n: Mapping[str, int]) -> float | None:
        """The figure from its measures' amounts; `units` of what it is reckoned in make one of what it is shown in."""
        told = total(self.numerator, amount_of) * self.scale
        if self.kind == "sum":
            return told / units
        n = total(self.denominator, amount_of)
        return told / (n * units) if n > 0 and n >= minimum_n[self.kind] else None


def total(terms: Terms, amount_of: Callable[[str], int]) -> int:
    """The sum of some measures."""
    return sum(times * amount_of(measure) for measure, times in terms.items())


def both(*several: Terms) -> Terms:
    """Terms together; what cancels out is left out."""
    names = dict.fromkeys(name for terms in several for name in terms)
    added = {name: sum(terms.get(name, 0) for terms in several) for name in names}
    return {name: times for name, times in added.items() if times}
