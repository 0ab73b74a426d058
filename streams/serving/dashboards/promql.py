"""PromQL and definitions of the catalogue's figures, for panels.

Several exporters tell the same numbers: an expression takes the greatest over them, and never adds them up.
"""

from collections.abc import Iterable
from typing import Final

from models.catalogue import FIGURES
from models.kpis import MINIMUM_N, Figure, Formula
from models.measures import Kind, Measure, Sum
from streams.serving.catalogue import BY_KEY
from streams.serving.profile import PUBLISHED, metric_name, metrics_of

WINDOW: Final = "$window"
"""The variable that chooses a window."""

WEEKS: Final = 4
"""How far back the hours of the week look, whatever the dashboard's range."""

_SAMPLES: Final = {figure.numerator[0]: figure for figure in FIGURES if figure.formula is Formula.SAMPLES}

_ANY_CURRENCY: Final = "[a-z]{3}"
"""Metrics of money have their currency in their names, which differs between installations."""

_HOUR_S: Final = 3600
_ALIVE_S: Final = 60


def value(key: str, dim: str = "", window: str = WINDOW) -> str:
    """What a figure says: of the whole, or by a dimension, of which the variable of its name chooses the values."""
    figure = BY_KEY[key]
    return _greatest(metric_name(figure, dim, currency=_ANY_CURRENCY), figure, dim, window)


def age(key: str, dim: str = "") -> str:
    """Seconds since an instant that a figure tells."""
    return f"time() - {value(key, dim)}"


def due_in(key: str, dim: str = "") -> str:
    """Seconds until the due time beside such an instant; negative once it has passed."""
    figure = BY_KEY[key]
    _, due = metrics_of(figure, dim)
    return f"{_greatest(due, figure, dim, WINDOW)} - time()"


def numerator(key: str, dim: str = "", window: str = WINDOW) -> str:
    """How many of a ratio's n count for it."""
    return _added_up(BY_KEY[key].over, dim, window)


def n(key: str, dim: str = "", window: str = WINDOW) -> str:
    """How many a ratio, mean or statistic stands on."""
    figure = BY_KEY[key]
    return _added_up(figure.under or figure.over, dim, window)


def _added_up(formula: Sum, dim: str, window: str) -> str:
    return formula.told(lambda measure: value(_told_as(measure), dim, window), " * ")


def told_apart(label: str, rows: Iterable[tuple[str, str]]) -> str:
    """Several expressions as the rows of one, told apart by a label that the query gives them; each comes with its name."""
    return " or ".join(f'label_replace({expression}, "{label}", "{name}", "", "")' for name, expression in rows)


def ratio_by_hour_of_week(key: str) -> str:
    """A ratio by the local hour of the week: sums over the weeks, one by the other; told from the least n of ratios."""
    over, under = (_summed_by_hour_of_week(part(key, window="1h")) for part in (numerator, n))
    return f"{over} / ({under} >= {MINIMUM_N[BY_KEY[key].formula]})"


def mean_by_hour_of_week(key: str) -> str:
    """A mean time by the local hour of the week, each hour by how many it stands on."""
    one, many = value(key, window="1h"), n(key, window="1h")
    return f"{_summed_by_hour_of_week(f'{one} * {many}')} / ({_summed_by_hour_of_week(many)} > 0)"


def n_by_hour_of_week(key: str) -> str:
    """How many such a figure stands on, by the local hour of the week."""
    return f"{_summed_by_hour_of_week(n(key, window='1h'))} > 0"


def _summed_by_hour_of_week(expression: str) -> str:
    """An expression of the window 1h as it stood at each full hour, summed by the hour of the week that it is about.

    Which hour that was the middle of it tells, on the organisation's clocks. An hour at whose end the pipeline stood still is
    left out: what was told then was about an earlier one.
    """
    middle = f"(max(leadbeat_utc_offset_seconds) + time() - {_HOUR_S // 2})"
    weekday = f'count_values("hour", hour{middle}) * on () group_left () day_of_week{middle}'
    fresh = f"on () (time() - max(leadbeat_clock_timestamp_seconds) < {_ALIVE_S})"
    each = f'count_values by (hour) ("weekday", {weekday}) * on () group_left () ({expression} and {fresh})'
    return f"sum by (weekday, hour) (sum_over_time(({each})[{WEEKS}w:1h]))"


def definition(*keys: str) -> str:
    """What figures mean, as Markdown: the catalogue's own words, and from how many samples on they are told."""
    figures = [BY_KEY[key] for key in keys]
    measures = dict.fromkeys(measure for figure in figures for measure in figure.measures)
    lines = [f"**{figure.id}** = {figure.text}." for figure in figures if figure.composed or figure.product]
    lines += [f"**{measure.id}**: {measure.text}" for measure in measures]
    return "\n\n".join(lines + _limits(figures))


def _limits(figures: list[Figure]) -> list[str]:
    """From which n on figures are told where that is more than 1, and how exact a quantile is."""
    least = {figure.formula: MINIMUM_N.get(figure.formula, 1) for figure in figures}
    told = [f"{_named(formula)} from n ≥ {n}" for formula, n in least.items() if n > 1]
    limits = [f"Told: {', '.join(told)} (configurable)."] if told else []
    quantiles = {Formula.P50, Formula.P90, Formula.P95, Formula.MAX}
    return limits + (["Quantiles are within 1 % of the exact ones."] if quantiles & least.keys() else [])


def _named(formula: Formula) -> str:
    return "ratios" if formula is Formula.RATIO else str(formula)


def _told_as(measure: Measure) -> str:
    """The figure that tells a measure's count."""
    return (_SAMPLES if measure.kind is Kind.DURATION else PUBLISHED)[measure].key


def _greatest(metric: str, figure: Figure, dim: str, window: str) -> str:
    matchers = {
        **({"__name__": f'~"{metric}"'} if figure.money else {}),
        **({"window": f'"{window}"'} if figure.windowed else {}),
        **{name: f'"{text}"' for name, text in figure.labels},
        **({dim: f'~"${dim}"'} if dim else {}),
    }
    selector = ", ".join(f"{name}={text}" for name, text in matchers.items())
    by = f" by ({dim}) " if dim else ""
    name = "" if figure.money else metric
    return f"max{by}({name}{{{selector}}})" if selector else f"max{by}({name})"
