"""Figures that compare another one: with its target, and between reps. There are two for each KPI; rules ask for some."""

from collections.abc import Iterable

from models.kpis import Figure, Formula, board
from models.measures import Sum

ATTAINMENT = "target_attainment_ratio"
RANK = "rank"

_ATTAINED = "The value of the KPI ÷ its configured target, in the window that the target is set for."
_PLACED = (
    "The place of each rep of the roster by the KPI; equals share a place, and the next one is left out. "
    "Ratios are compared by the end of their 95 % Wilson interval that is worse for the rep."
)


def comparisons(kpis: Iterable[Figure]) -> tuple[Figure, ...]:
    """For each KPI that can be compared: how much of its target it reaches; then the places of reps by each."""
    compared = [kpi for kpi in kpis if is_compared(kpi)]
    return (*map(_attainment, compared), *(_rank(kpi) for kpi in compared if "rep" in kpi.dims))


def is_compared(figure: Figure) -> bool:
    """Whether targets and leaderboards can name a KPI: by its id alone, and it is no instant."""
    return not figure.labels and figure.of is None and figure.formula is not Formula.OLDEST


def _attainment(kpi: Figure) -> Figure:
    return Figure(ATTAINMENT, Formula.ATTAINMENT, Sum(kpi.terms), None, _ATTAINED, board.NONE, _labels(kpi), kpi.only, of=kpi)


def _rank(kpi: Figure) -> Figure:
    return Figure(RANK, Formula.PLACE, Sum(kpi.terms), None, _PLACED, board.REPS, _labels(kpi), kpi.only, of=kpi)


def _labels(kpi: Figure) -> tuple[tuple[str, str], ...]:
    return (("kpi", kpi.id),)
