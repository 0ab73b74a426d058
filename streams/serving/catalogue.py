"""The catalogue as it is told to people and programs: what can be asked for, and what it means."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from models.catalogue import FIGURES, VERSION
from models.kpis import Figure, Formula
from models.measures import Kind
from streams.serving.profile import OWN_CURRENCY, metrics_of, shown_by

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


def describe(currency: str = OWN_CURRENCY) -> Catalogue:
    """The catalogue of this version; metrics of money have the currency in their names."""
    boards = shown_by()
    return Catalogue(VERSION, tuple(_entry(figure, boards[figure.key], currency) for figure in FIGURES))


def _entry(figure: Figure, board: tuple[str, ...], currency: str) -> Entry:
    return Entry(
        id=figure.id,
        labels=dict(figure.labels),
        formula=str(figure.formula),
        unit=figure.unit,
        text=figure.text,
        numerator=() if figure.product or figure.of else tuple(measure.id for measure in figure.numerator),
        denominator=tuple(measure.id for measure in figure.denominator),
        windows=figure.windows,
        by=figure.dims,
        board=board,
        metrics=metrics_of(figure, currency=currency),
        leads=opened(figure),
    )


def opened(figure: Figure) -> tuple[str, ...]:
    """Of which of its two parts, `numerator` and `denominator`, it is kept who is behind it.

    All their measures must count once, and keep who is behind them.
    """
    parts = {"numerator": None if figure.product or figure.of else figure.over, "denominator": figure.under}
    return tuple(name for name, part in parts.items() if part and part.plain and all(each.drill for each in part.measures))


def _named() -> dict[str, tuple[Figure, ...]]:
    named: dict[str, tuple[Figure, ...]] = {}
    for figure in FIGURES:
        made = figure.product is not None or figure.of is not None
        group = not made and figure.numerator[0].kind is Kind.DURATION and figure.formula is not Formula.COUNT
        for name in (figure.id.rpartition("_")[0], figure.id) if group else (figure.id,):
            named[name] = (*named.get(name, ()), figure)
    return named


NAMED: Final[Mapping[str, tuple[Figure, ...]]] = _named()
"""The figures that go by a name: an id, or a duration's name for its samples, mean and quantiles together."""

BY_KEY: Final[Mapping[str, Figure]] = {figure.key: figure for figure in FIGURES}
"""Figures as the KPI table's rows name them."""

DIMS: Final = tuple(dict.fromkeys(dim for figure in FIGURES for dim in figure.dims))
"""Every dimension that some figure can be sliced by."""
