"""What a section of the catalogue tells, as the oracle lists it."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from streams.local.truth_linear import Formula


class Section(NamedTuple):
    """Names of counts, durations, ratios, means and levels; of ratios and means the numerator, and what makes the denominator.

    `growths` are of which count. `daily` is what is told in windows of a day and longer only. `money` are the counts, levels,
    means and parts of these that are amounts: they are reckoned with in minor units, and shown in major ones under a name that
    ends with the currency's. `seconds` are those that are spans: reckoned with in ms, and shown in seconds under a name that
    ends so. `formulas` are figures of sums of measures.
    """

    counts: Sequence[str] = ()
    durations: Sequence[str] = ()
    ratios: Mapping[str, tuple[str, tuple[str, ...]]] = {}
    means: Mapping[str, tuple[str, tuple[str, ...]]] = {}
    growths: Mapping[str, str] = {}
    levels: Sequence[str] = ()
    level_ratios: Mapping[str, tuple[str, str]] = {}
    daily: AbstractSet[str] = frozenset()
    money: AbstractSet[str] = frozenset()
    seconds: AbstractSet[str] = frozenset()
    formulas: Mapping[str, Formula] = {}


class Told(NamedTuple):
    """Something that counts: a measure, when (None: it is so now), where, and how much."""

    measure: str
    at: int | None
    dims: dict[str, str]
    amount: int = 1
