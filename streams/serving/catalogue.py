"""The catalogue as it is told to people and programs: what can be asked for, and what it means."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from models.catalogue import FIGURES, VERSION
from models.kpis import Figure, Formula
from models.measures import Kind
from models.windows import NOW, WINDOWS
from streams.serving.profile import metrics_of, shown_by

WHOLE: Final = "whole"
"""What asks for everything together, beside the dimensions that it can be sliced by."""


class Entry(Struct, frozen=True):
    """One figure. `windows` are all that the KPI table has it in, `board` the dimensions that Prometheus has it by.

    `by` are the dimensions that it can be sliced by, alone and in pairs: those of leads if their values are listed. `leads`: of
    which of its parts, `numerator` and `denominator`, it is kept who is behind it.
    """

    id: str
    labels: dict[str, str]
    formula: str
    unit: str
    text: str
    numerator: tuple[str, ...]
    denominator: tuple[str, ...]
    windows: tuple[str, ...]
    by: tuple[str, ...]
    board: tuple[str, ...]
    metrics: tuple[str, ...]
    leads: tuple[str, ...]


class Catalogue(Struct, frozen=True):
    """All figures. `version` counts up when a definition changes."""

    version: int
    kpis: tuple[Entry, ...]


def describe() -> Catalogue:
    """The catalogue of this version."""
    boards = shown_by()
    return Catalogue(VERSION, tuple(_entry(figure, boards[figure.key]) for figure in FIGURES))


def _entry(figure: Figure, board: tuple[str, ...]) -> Entry:
    return Entry(
        id=figure.id,
        labels=dict(figure.labels),
        formula=str(figure.formula),
        unit=figure.unit,
        text=figure.text,
        numerator=tuple(measure.id for measure in figure.numerator),
        denominator=tuple(measure.id for measure in figure.denominator),
        windows=tuple(window.name for window in WINDOWS) if figure.windowed else (NOW,),
        by=figure.dims,
        board=board,
        metrics=metrics_of(figure),
        leads=opened(figure),
    )


def opened(figure: Figure) -> tuple[str, ...]:
    """Of which of its two parts, `numerator` and `denominator`, it is kept who is behind it: where all measures keep that."""
    parts = {"numerator": figure.numerator, "denominator": figure.denominator}
    return tuple(name for name, measures in parts.items() if measures and all(measure.drill for measure in measures))


def _named() -> dict[str, tuple[Figure, ...]]:
    named: dict[str, tuple[Figure, ...]] = {}
    for figure in FIGURES:
        measure = figure.numerator[0]
        group = measure.kind is Kind.DURATION and figure.formula is not Formula.COUNT
        for name in (measure.id, figure.id) if group else (figure.id,):
            named[name] = (*named.get(name, ()), figure)
    return named


NAMED: Final[Mapping[str, tuple[Figure, ...]]] = _named()
"""The figures that go by a name: an id, or a duration's name for its samples, mean and quantiles together."""

BY_KEY: Final[Mapping[str, Figure]] = {figure.key: figure for figure in FIGURES}
"""Figures as the KPI table's rows name them."""

DIMS: Final = tuple(dict.fromkeys(dim for figure in FIGURES for dim in figure.dims))
"""Every dimension that some figure can be sliced by."""
