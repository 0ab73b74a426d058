"""The dashboard *Every KPI*: the whole catalogue, theme by theme, for everyone and by rep. A new KPI has its row by itself.

Left out are the oldest lead that waits (an instant), 95th percentiles and longest times, and what rules ask for by KPI: ranks
and shares of targets.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from models.catalogue import THEMES
from models.kpis import Figure, Formula
from streams.serving.catalogue import BY_KEY
from streams.serving.dashboards.panels import (
    COUNT,
    SECONDS,
    SHARE,
    WIDTH,
    Json,
    Line,
    Placed,
    Section,
    lay_out,
)
from streams.serving.dashboards.promql import WINDOW, definition, n, told_apart, value
from streams.serving.dashboards.service import BEHIND, clock_age, frame
from streams.serving.dashboards.tables import Column, table
from streams.serving.profile import shown_by

STATISTICS: Final = {Formula.P50: "Median", Formula.P90: "90th percentile", Formula.MEAN_TIME: "Mean"}
"""What is told of how long something takes, and the column's name."""

SHORT: Final = "What is told from 24 hours on has no row in a shorter window."

MOST_COLUMNS: Final = 20
"""A table's queries are told apart by letters."""

_SAID: Final = {
    Formula.RATIO: "_ratio",
    Formula.SAMPLES: "_samples",
    Formula.MEAN_TIME: "_mean",
    Formula.P50: "_p50",
    Formula.P90: "_p90",
}
"""What of an id the table says by itself."""

_OF_A_DURATION: Final = {Formula.SAMPLES, Formula.P95, Formula.MAX, *STATISTICS}
_BY_REP: Final = {Formula.COUNT, Formula.LEVEL, Formula.RATIO, Formula.MEAN, Formula.P50, Formula.DERIVED}


class _Kind(NamedTuple):
    """What stands in a table together: its heading, that of its values, and their unit."""

    heading: str
    column: str
    unit: str


_KINDS: Final = {
    "ratio": _Kind("Shares", "Share", SHARE),
    "": _Kind("Numbers", "Number", COUNT),
    "money": _Kind("Money", "Amount", COUNT),
    "points": _Kind("Scores", "Score", COUNT),
    "seconds": _Kind("Times", "Time", SECONDS),
}


def every_kpi() -> Json:
    """The dashboard."""
    fresh = Section("", [Line(4, [Placed(WIDTH, clock_age(BEHIND))])])
    sections = [Section(heading, list(_theme(heading, _told(figures)))) for heading, figures in THEMES.items()]
    text = "The whole catalogue of KPIs. Written by `leadbeat dashboard every_kpi` from the catalogue."
    return frame("leadbeat-every-kpi", "Every KPI", text, lay_out([fresh, *sections]), without=("team",))


def _told(figures: Sequence[Figure]) -> list[Figure]:
    """Those that every organisation has; an oldest lead is an instant, which *Speed to lead* tells as an age."""
    return [BY_KEY[figure.key] for figure in figures if figure.of is None and figure.formula is not Formula.OLDEST]


def _theme(theme: str, figures: Sequence[Figure]) -> Iterator[Line]:
    plain = [figure for figure in figures if figure.formula not in _OF_A_DURATION]
    panels = [
        _by_kpi(f"{theme}: {kind.heading.lower()}", kind, some)
        for unit, kind in _KINDS.items()
        if (some := [figure for figure in plain if figure.unit == unit])
    ]
    if len(plain) < len(figures):
        panels.append(_how_long(f"{theme}: how long it takes", figures))
    for first in range(0, len(panels), 2):
        side_by_side = panels[first : first + 2]
        yield Line(14, [Placed(WIDTH // len(side_by_side), panel) for panel in side_by_side])
    dims = shown_by()
    by_rep = [
        figure
        for figure in figures
        if figure.formula in _BY_REP and not figure.labels and "rep" in dims[figure.key] and _fits(figure)
    ]
    for place, columns in enumerate(_fitting(by_rep), 1):
        keys = [figure.key for figure in columns]
        which = f" ({place})" if place > 1 else ""
        panel = table(f"{theme}: by rep, {WINDOW}{which}", definition(*keys), "rep", "Rep", list(_columns(columns)))
        yield Line(12, [Placed(WIDTH, panel)])


def _by_kpi(title: str, kind: _Kind, figures: Sequence[Figure]) -> Json:
    """A row for each KPI: its value, and what it stands on."""
    keys = [figure.key for figure in figures]
    columns = [Column(kind.column, _rows(figures, value), kind.unit)]
    if divided := [figure for figure in figures if _is_divided(figure)]:
        columns.append(Column("n", _rows(divided, n)))
    return table(f"{title}, {WINDOW}", f"{SHORT}\n\n{definition(*keys)}", "kpi", "KPI", columns)


def _how_long(title: str, figures: Sequence[Figure]) -> Json:
    """A row for each duration: some statistics, and how many it stands on."""

    def of(formula: Formula) -> list[Figure]:
        return [figure for figure in figures if figure.formula is formula]

    columns = [Column(name, _rows(of(formula), value), SECONDS) for formula, name in STATISTICS.items()]
    columns.append(Column("n", _rows(of(Formula.SAMPLES), value)))
    keys = (figure.key for formula in STATISTICS for figure in of(formula))
    return table(f"{title}, {WINDOW}", f"{SHORT}\n\n{definition(*keys)}", "kpi", "KPI", columns)


def _rows(figures: Iterable[Figure], told: Callable[..., str]) -> str:
    found = ((figure, _window(figure)) for figure in figures)
    return told_apart("kpi", ((_name(figure, window), told(figure.key, window=window)) for figure, window in found))


def _fits(figure: Figure) -> bool:
    """Whether it is told in the windows that can be chosen, from 24 hours on at least."""
    return not figure.windowed or "today" in figure.windows


def _window(figure: Figure) -> str:
    """The window that is chosen; for what is kept in few, its own shortest one."""
    return WINDOW if _fits(figure) else figure.windows[0]


def _name(figure: Figure, window: str) -> str:
    name = figure.id.removesuffix(_SAID.get(figure.formula, "")).replace("_", " ").capitalize()
    of = ", ".join(text for _, text in figure.labels)
    return f"{name}{f': {of}' if of else ''}{f' ({window})' if window != WINDOW else ''}"


def _fitting(figures: Sequence[Figure]) -> Iterator[list[Figure]]:
    """Figures table by table; one that is divided has a second column."""
    some: list[Figure] = []
    for figure in figures:
        if len(list(_columns([*some, figure]))) > MOST_COLUMNS:
            yield some
            some = []
        some.append(figure)
    if some:
        yield some


def _is_divided(figure: Figure) -> bool:
    """Whether it has a denominator that Prometheus has: what something was in the window before it has not."""
    return figure.under is not None and not any(term.part for term in figure.under.terms)


def _columns(figures: Iterable[Figure]) -> Iterator[Column]:
    for figure in figures:
        window = _window(figure)
        name = _name(figure, window) + (", median" if figure.formula is Formula.P50 else "")
        yield Column(name, value(figure.key, "rep", window), _KINDS[figure.unit].unit)
        if _is_divided(figure) or figure.formula is Formula.P50:
            yield Column(f"n: {name[0].lower()}{name[1:]}", n(figure.key, "rep", window))
