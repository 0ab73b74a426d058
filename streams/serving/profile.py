"""The default Prometheus profile: which rows of the KPI table are series, and what they are called. Pure.

The whole is shown in all windows. Slices are shown in the board's windows, by people or by where leads come from, as the
catalogue says; by a configured pair what is shown by one of its dimensions and has both. A measure that stands in a ratio is
shown wherever that ratio is, so that nobody has to average ratios.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple, TypeAlias

from models.catalogue import FIGURES, KPIS
from models.kpis import Figure, Formula, board
from models.measures import Measure
from models.slices import dims_of, is_pair, split_values
from models.windows import NOW
from streams.serving.table import MOST_KEYS, Place, Row, Snapshot, place_of

DIMS: Final = {board.REPS: ("rep", "team"), board.SOURCES: ("lead_source", "origin", "channel", "segment")}
"""The dimensions behind the words of the catalogue."""

FURTHER: Final = ("sales_region", "campaign")
"""Dimensions that are shown where they are asked for, as those of `board.SOURCES`."""

ORDER: Final = ("", "team", "lead_source", "channel", "segment", "origin", *FURTHER, "rep")
"""Who stays first where the cap drops series: the whole and what there are few of; pairs come last."""

COUNTED: Final = frozenset({Formula.COUNT, Formula.SAMPLES, Formula.LEVEL})
"""Formulas whose 0 is a number as good as any; the others have a value or none."""

_UNTOLD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffd]")

_Rank: TypeAlias = tuple[int, bool, str]


class Series(NamedTuple):
    """One sample: its metric's name, its labels and its value."""

    metric: str
    labels: dict[str, str]
    value: float


class Shown(NamedTuple):
    """What one scrape shows: the series, and how many more the cap dropped."""

    series: list[Series]
    dropped: int


class _Plan(NamedTuple):
    """A figure by one dimension (none for the whole), as a metric. `due`: the due time beside an oldest lead's inquiry time."""

    metric: str
    figure: Figure
    dim: str
    rank: int
    due: bool


class Profile:
    """The series of a catalogue. `kpis` are shown where they say, the rest of `figures` only as the parts of ratios."""

    def __init__(
        self,
        board_windows: Sequence[str],
        max_series: int,
        also_by: Sequence[str] = (),
        kpis: Sequence[Figure] = KPIS,
        figures: Sequence[Figure] = FIGURES,
    ) -> None:
        """`also_by`: dimensions of FURTHER, and pairs."""
        self._board_windows = frozenset((*board_windows, NOW))
        self._max_series = max_series
        self._plans: dict[tuple[str, str], list[_Plan]] = {}
        places = shown_by(kpis, figures, also_by)
        order = (*ORDER, *filter(is_pair, also_by))
        for figure in figures:
            for dim in ("", *places[figure.key]):
                self._plans[figure.key, dim] = list(_plans(figure, dim, order.index(dim)))
        self._look_up = lru_cache(maxsize=MOST_KEYS)(self._plans_of)
        self.helps = _helps(chain.from_iterable(self._plans.values()))
        """The HELP text of each metric, in the order of the page."""

    def show(self, snapshot: Snapshot) -> Shown:
        """The series of a round."""
        told = snapshot.round.slices if snapshot.round else {}
        found = list(self._found(snapshot, told))
        if len(found) <= self._max_series:
            return Shown([series for _, series in found], 0)
        found.sort(key=lambda item: item[0])
        return Shown([series for _, series in found[: self._max_series]], len(found) - self._max_series)

    def _found(self, snapshot: Snapshot, told: Mapping[str, frozenset[str]]) -> Iterator[tuple[_Rank, Series]]:
        """Each series with its rank in what stays where there are too many."""
        for window, rows in snapshot.rows.items():
            on_board = window in self._board_windows
            for key, row in rows.items():
                place, plans = self._look_up(key)
                if not plans or (place.dim and not on_board):
                    continue
                always = not place.dim or place.name in told.get(place.dim, ())
                for plan in plans:
                    value = _value(plan, row, always=always)
                    if value is not None:
                        labels = _labels(plan, window, place)
                        yield (plan.rank, not always, place.name), Series(plan.metric, labels, value)

    def _plans_of(self, key: str) -> tuple[Place, Sequence[_Plan]]:
        place = place_of(key)
        return place, self._plans.get((place.figure, place.dim), ())


def shown_by(
    kpis: Sequence[Figure] = KPIS, figures: Sequence[Figure] = FIGURES, also_by: Sequence[str] = ()
) -> dict[str, tuple[str, ...]]:
    """What each figure is shown by, by its key: its own dimensions and pairs, and those of the ratios that it is part of."""
    dims = {figure.key: set(_own_dims(figure, also_by)) for figure in kpis}
    parts: dict[Measure, set[str]] = {}
    for figure in kpis:
        for measure in figure.measures if figure.denominator else ():
            parts.setdefault(measure, set()).update(dims[figure.key])
    for figure in figures:
        if figure.formula is Formula.COUNT and not figure.labels:
            dims.setdefault(figure.key, set()).update(parts.get(figure.numerator[0], ()))
    order = (*ORDER, *filter(is_pair, also_by))
    return {figure.key: tuple(dim for dim in order if dim in dims.get(figure.key, ())) for figure in figures}


def _own_dims(figure: Figure, also_by: Sequence[str]) -> Iterator[str]:
    shown = {dim for where, dims in DIMS.items() if figure.shown & where for dim in dims}
    further = set(FURTHER if figure.shown & board.SOURCES else ())
    yield from (dim for dim in ORDER if dim in shown | further.intersection(also_by) and figure.has(dim))
    yield from (pair for pair in filter(is_pair, also_by) if (shown | further).intersection(dims_of(pair)) and figure.has(pair))


def _plans(figure: Figure, dim: str, rank: int = 0) -> Iterator[_Plan]:
    yield _Plan(metric_name(figure, dim), figure, dim, rank, due=False)
    if figure.formula is Formula.OLDEST:
        yield _Plan(metric_name(figure, dim, "_due"), figure, dim, rank, due=True)


def metric_name(figure: Figure, dim: str = "", part: str = "") -> str:
    """`leadbeat_<id>[_<unit>][_by_<dim>[_and_<dim>]]`; a ratio's id says what it is."""
    unit = f"_{figure.unit}" if figure.unit and figure.formula is not Formula.RATIO else ""
    return f"leadbeat_{figure.id}{part}{unit}{_by(dim)}"


def _by(dim: str) -> str:
    return f"_by_{'_and_'.join(dims_of(dim))}" if dim else ""


def metrics_of(figure: Figure, dim: str = "") -> tuple[str, ...]:
    """The names of all the metrics that a figure makes: one, or two for the oldest lead."""
    return tuple(plan.metric for plan in _plans(figure, dim))


def _helps(plans: Iterator[_Plan]) -> dict[str, str]:
    texts: dict[str, list[str]] = {}
    for plan in plans:
        texts.setdefault(plan.metric, []).append(_text(plan))
    return {metric: " ".join(dict.fromkeys(several)) for metric, several in texts.items()}


def _text(plan: _Plan) -> str:
    figure, by = plan.figure, f" By {' and '.join(dims_of(plan.dim))}." if plan.dim else ""
    if figure.denominator:
        over, under = (_told(measures, plan.dim) for measures in (figure.numerator, figure.denominator))
        return f"{over} ÷ {under}.{by}"
    if figure.formula is Formula.OLDEST:
        which = "Due time" if plan.due else "Inquiry time"
        return f"{which} of the lead that has waited longest.{by}"
    return f"{figure.text}{by}"


def _told(measures: Sequence[Measure], dim: str) -> str:
    names = " + ".join(f"leadbeat_{measure.id}{_by(dim)}" for measure in measures)
    return names if len(measures) == 1 else f"({names})"


def _value(plan: _Plan, row: Row, *, always: bool) -> float | None:
    """What a row says on a metric; None if it has no such series."""
    if plan.due:
        return None if row.denominator is None else row.denominator / 1000
    if row.value is None or not math.isfinite(row.value):
        return None
    return row.value if always or row.value or plan.figure.formula not in COUNTED else None


def _labels(plan: _Plan, window: str, place: Place) -> dict[str, str]:
    labels = dict(plan.figure.labels)
    if plan.figure.windowed:
        labels["window"] = window
    for dim, name in zip(dims_of(place.dim), split_values(place.dim, place.name), strict=True):
        labels[dim] = legible(name)
    return labels


@lru_cache(maxsize=MOST_KEYS)
def legible(name: str) -> str:
    """A name without control characters and lone surrogates, which break readers of the page.

    Each becomes U+FFFD and its code point in hexadecimal, so that different names stay different.
    """
    return _UNTOLD.sub(lambda found: f"\ufffd{ord(found[0]):04x}", name)
