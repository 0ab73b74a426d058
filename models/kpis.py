"""What a KPI is: a figure, which is a formula over measures with a unit, a definition and the places it is shown in.

Figures are data. A duration measure makes several (samples, mean, p50, p90, p95, max); every other formula makes one.
"""

from enum import IntFlag, StrEnum
from typing import NamedTuple

from models.measures import SKETCHED, Kind, Measure, Quotient
from models.slices import dims_of


class Formula(StrEnum):
    """How a figure's value comes from its measures."""

    COUNT = "count"
    RATIO = "ratio"
    MEAN = "mean"
    SAMPLES = "samples"
    MEAN_TIME = "mean_time"
    P50 = "p50"
    P90 = "p90"
    P95 = "p95"
    MAX = "max"
    LEVEL = "level"
    OLDEST = "oldest"


QUANTILES = {Formula.P50: 0.5, Formula.P90: 0.9, Formula.P95: 0.95}
"""The share of samples that lie at or below each quantile formula."""

MINIMUM_N = {
    Formula.MEAN: 1,
    Formula.MEAN_TIME: 1,
    Formula.RATIO: 10,
    Formula.P50: 1,
    Formula.P90: 20,
    Formula.P95: 30,
    Formula.MAX: 1,
}
"""How many a figure must stand on before its value is told; configurable."""


class board(IntFlag):  # noqa: N801 - reads as a word in the catalogue: board.REPS
    """Where the default profile shows a figure beside the whole."""

    NONE = 0
    REPS = 1
    """By rep and by team."""
    SOURCES = 2
    """By where leads come from, and by channel."""


class Figure(NamedTuple):
    """One published number: its id and labels, formula, what it is made of, and where it is shown."""

    id: str
    formula: Formula
    numerator: tuple[Measure, ...]
    denominator: tuple[Measure, ...]
    text: str
    shown: board = board.NONE
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def measures(self) -> tuple[Measure, ...]:
        """All measures in the formula."""
        return self.numerator + self.denominator

    @property
    def dims(self) -> tuple[str, ...]:
        """The dimensions that all its measures have; of quantiles, those that sketches are kept for."""
        first, *others = (measure.dims for measure in self.measures)
        shared = tuple(dim for dim in first if all(dim in dims for dims in others))
        return tuple(dim for dim in shared if dim in SKETCHED) if self.sketched else shared

    @property
    def sketched(self) -> bool:
        """Whether its value comes from a sketch."""
        return self.formula in QUANTILES or self.formula is Formula.MAX

    def has(self, dim: str) -> bool:
        """Whether it can be sliced by a dimension, or a pair of them; no sketches are kept for pairs."""
        dims = dims_of(dim)
        return set(dims) <= set(self.dims) and (len(dims) == 1 or not self.sketched)

    @property
    def unit(self) -> str:
        """`seconds`, `ratio`, `timestamp_seconds` or empty for counts."""
        match self.formula:
            case Formula.MEAN_TIME | Formula.P50 | Formula.P90 | Formula.P95 | Formula.MAX:
                return "seconds"
            case Formula.RATIO:
                return "ratio"
            case Formula.OLDEST:
                return "timestamp_seconds"
            case _:
                return ""

    @property
    def windowed(self) -> bool:
        """Whether it has windows; levels are now."""
        return self.formula not in {Formula.LEVEL, Formula.OLDEST}

    @property
    def key(self) -> str:
        """Id and labels, as in `sla_warnings{sla_percent=50}`: unique in the catalogue."""
        labels = ",".join(f"{name}={value}" for name, value in self.labels)
        return f"{self.id}{{{labels}}}" if labels else self.id


def count(measure: Measure, shown: board = board.NONE) -> Figure:
    """A measure as it is."""
    return Figure(measure.id, Formula.COUNT, (measure,), (), measure.text, shown)


def labelled(name: str, measure: Measure, **labels: str) -> Figure:
    """A measure that is one of several under a common name."""
    return Figure(name, Formula.COUNT, (measure,), (), measure.text, board.NONE, tuple(labels.items()))


def ratio(name: str, quotient: Quotient, shown: board = board.NONE) -> Figure:
    """A share; told from 10 up."""
    return _quotient(name, Formula.RATIO, quotient, shown)


def mean(name: str, quotient: Quotient, shown: board = board.NONE) -> Figure:
    """An amount per one; told from 1 up."""
    return _quotient(name, Formula.MEAN, quotient, shown)


def _quotient(name: str, formula: Formula, quotient: Quotient, shown: board) -> Figure:
    over, under = quotient.numerator.measures, quotient.denominator.measures
    text = f"{_told(over)} ÷ {_told(under)}"
    return Figure(name, formula, over, under, text, shown)


def _told(measures: tuple[Measure, ...]) -> str:
    ids = " + ".join(measure.id for measure in measures)
    return ids if len(measures) == 1 else f"({ids})"


def latency(measure: Measure, shown: board = board.NONE) -> tuple[Figure, ...]:
    """A duration: samples and mean (exact), p50, p90, p95 and max (within 1 %). Slices show samples, mean, p50 and p90."""
    formulas = {
        "samples": (Formula.SAMPLES, shown, "how many"),
        "mean": (Formula.MEAN_TIME, shown, "mean"),
        "p50": (Formula.P50, shown, "median"),
        "p90": (Formula.P90, shown, "90th percentile"),
        "p95": (Formula.P95, board.NONE, "95th percentile"),
        "max": (Formula.MAX, board.NONE, "longest"),
    }
    return tuple(
        Figure(f"{measure.id}_{suffix}", formula, (measure,), (), f"{measure.text} ({words})", where)
        for suffix, (formula, where, words) in formulas.items()
    )


def level_now(measure: Measure, shown: board = board.NONE) -> Figure:
    """A level."""
    return Figure(measure.id, Formula.LEVEL, (measure,), (), measure.text, shown)


def oldest(name: str, measure: Measure, shown: board = board.NONE) -> Figure:
    """The inquiry and due time of the oldest of those that a level counts."""
    text = "Inquiry time and due time of the lead that has waited longest."
    return Figure(name, Formula.OLDEST, (measure,), (), text, shown)


def parts(figures: tuple[Figure, ...]) -> tuple[Figure, ...]:
    """The measures that stand in ratios and means of a catalogue and have no figure of their own, as counts.

    They are shown wherever a figure that they stand in is shown.
    """
    own = {figure.id for figure in figures}
    found: dict[str, Figure] = {}
    for figure in figures:
        for measure in figure.measures if figure.denominator else ():
            if measure.id not in own and measure.kind is Kind.FLOW:
                known = found.get(measure.id, count(measure))
                found[measure.id] = known._replace(shown=known.shown | figure.shown)
    return tuple(found.values())
