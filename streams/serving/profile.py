"""The default Prometheus profile: which rows of the KPI table are series, and what they are called. Pure.

The whole is shown in all windows. Slices are shown in the board's windows, by people or by where leads come from, as the
catalogue says; by a configured pair what is shown by one of its dimensions and has both. A measure that stands in a ratio is
shown wherever that ratio is, so that nobody has to average ratios.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from threading import Lock
from typing import Final, NamedTuple, TypeAlias

from models.catalogue import FIGURES, KPIS
from models.kpis import Figure, Formula, board, formula_of
from models.measures import Measure
from models.money import Money
from models.slices import dims_of, is_pair, split_values
from models.snapshot import State
from models.windows import NOW
from streams.serving.exposition import Name, Series, name_of, series_of
from streams.serving.table import MOST_KEYS, Place, Row, Snapshot, place_of

DIMS: Final = {board.REPS: ("rep", "team"), board.SOURCES: ("lead_source", "origin", "channel", "segment")}
"""The dimensions behind the words of the catalogue."""

FURTHER: Final = ("sales_region", "campaign")
"""Dimensions that are shown where they are asked for, as those of `board.SOURCES`."""

ORDER: Final = ("", "team", "lead_source", "channel", "segment", "origin", *FURTHER, "rep")
"""Who stays first where the cap drops series: the whole and what there are few of; pairs come last."""

COUNTED: Final = frozenset({Formula.COUNT, Formula.SAMPLES, Formula.LEVEL})
"""Formulas whose 0 is a number as good as any; the others have a value or none."""

OWN_CURRENCY: Final = Money().currency
"""The currency of an organisation that names none."""

MOST_GONE: Final = 2
"""How many times as many keys of a window are known as it has rows, before all are looked up anew."""

WITHOUT_VALUE: Final = "leadbeat_kpi_without_value"
"""The metric that says of the whole's KPIs that have no value why."""

_UNTOLD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffd]")

_Rank: TypeAlias = tuple[int, bool, str]
_Ranked: TypeAlias = tuple[_Rank, Series]


class Shown(NamedTuple):
    """What one scrape shows: the series, and how many more the cap dropped."""

    series: list[Series]
    dropped: int


class _Plan(NamedTuple):
    """A figure by one dimension (none for the whole), as a metric. `due`: the due time beside an oldest lead's inquiry time.

    `currency` is that of money.
    """

    metric: str
    figure: Figure
    dim: str
    rank: int
    due: bool
    currency: str


class _Slot(NamedTuple):
    """What a row can be on the page: a series by its name.

    `told` and `untold` are its ranks where its slice is told whatever it counts, and elsewhere, where what is `counted` is
    no series while it is 0. `due` is as in the plan.
    """

    name: Name
    told: _Rank
    untold: _Rank
    due: bool
    counted: bool


@dataclass(slots=True, eq=False)
class _Slots:
    """All that a row can be, the slice that it is of, and the series that it was when it was last looked at."""

    dim: str
    name: str
    slots: Sequence[_Slot]
    row: Row | None = None
    always: bool = False
    found: Sequence[_Ranked] = ()

    def series(self, row: Row, told: Mapping[str, Collection[str]]) -> Sequence[_Ranked]:
        """The series of a row; most rows are those of the round before."""
        always = not self.dim or self.name in told.get(self.dim, ())
        if row is not self.row or always is not self.always:
            self.row, self.always = row, always
            values = ((slot, _value(slot, row, always=always)) for slot in self.slots)
            self.found = [
                (slot.told if always else slot.untold, series_of(slot.name, value))
                for slot, value in values
                if value is not None
            ]
        return self.found


class _Known(NamedTuple):
    """The keys of a window's rows that have been looked at, and what those are that are shown."""

    keys: set[str]
    shown: dict[str, _Slots]


class Profile:
    """The series of a catalogue. `kpis` are shown where they say, the rest of `figures` only as the parts of ratios."""

    def __init__(
        self,
        board_windows: Sequence[str],
        max_series: int,
        also_by: Sequence[str] = (),
        kpis: Sequence[Figure] = KPIS,
        figures: Sequence[Figure] = FIGURES,
        currency: str = OWN_CURRENCY,
    ) -> None:
        """`also_by`: dimensions of FURTHER, and pairs; `currency`: that of money."""
        self._board_windows = frozenset((*board_windows, NOW))
        self._max_series = max_series
        self._plans: dict[tuple[str, str], list[_Plan]] = {}
        self._figures = [(figure, figure.windows) for figure in figures]
        places = shown_by(kpis, figures, also_by)
        order = (*ORDER, *filter(is_pair, also_by))
        for figure in figures:
            for dim in ("", *places[figure.key]):
                self._plans[figure.key, dim] = list(_plans(figure, dim, order.index(dim), currency))
        self._known: dict[str, _Known] = {}
        self._one_at_a_time = Lock()
        self.helps = _helps(chain.from_iterable(self._plans.values()))
        """The HELP text of each metric, in the order of the page."""

    def show(self, snapshot: Snapshot) -> Shown:
        """The series of a round."""
        told = snapshot.round.slices if snapshot.round else {}
        with self._one_at_a_time:
            found = list(self._found(snapshot, told))
        dropped = max(0, len(found) - self._max_series)
        if dropped:
            found.sort(key=lambda item: (item[0], item[1].name.text))
        return Shown([series for _, series in found[: self._max_series]], dropped)

    def without_value(self, snapshot: Snapshot, state: State | None = None) -> Iterator[Series]:
        """A series for each KPI of the whole that would be one and has no value; `state`: that of all of them.

        They stand in place of the others, so that there are never more of both together than KPIs and windows.
        """
        for figure, windows in self._figures:
            for window in windows:
                row = snapshot.rows.get(window, {}).get(figure.key)
                if row is not None and (row.value is None or not math.isfinite(row.value)):
                    of = {"of": figure.of.id} if figure.of else dict(figure.labels)
                    labels = {**of, "kpi": figure.id, "window": window, "state": state or row.state}
                    yield series_of(name_of(WITHOUT_VALUE, labels), 1)

    def _found(self, snapshot: Snapshot, told: Mapping[str, Collection[str]]) -> Iterator[_Ranked]:
        """Each series with its rank in what stays where there are too many."""
        for window, rows in snapshot.rows.items():
            for key, found in self._shown(window, rows).items():
                row = rows.get(key)
                if row is not None:
                    yield from found.series(row, told)

    def _shown(self, window: str, rows: Mapping[str, Row]) -> dict[str, _Slots]:
        """What a window's rows can be, by the keys of those that are anything here: most are not, and are looked at once."""
        known = self._known.get(window)
        if known is None or len(known.keys) > MOST_GONE * len(rows):  # keys of rows that have gone are not kept for ever
            known = self._known[window] = _Known(set(), {})
        if not known.keys.issuperset(rows):
            for key in rows.keys() - known.keys:
                slots = self._slots_of(window, key)
                if slots.slots:
                    known.shown[key] = slots
            known.keys.update(rows)
        return known.shown

    def _slots_of(self, window: str, key: str) -> _Slots:
        place = place_of(key)
        plans = () if place.dim and window not in self._board_windows else self._plans.get((place.figure, place.dim), ())
        return _Slots(place.dim, place.name, [_slot(plan, window, place) for plan in plans])


def shown_by(
    kpis: Sequence[Figure] = KPIS, figures: Sequence[Figure] = FIGURES, also_by: Sequence[str] = ()
) -> dict[str, tuple[str, ...]]:
    """What each figure is shown by, by its key: its own dimensions and pairs, and those of the ratios that it is part of."""
    dims = {figure.key: set(_own_dims(figure, also_by)) for figure in kpis}
    parts: dict[Measure, set[str]] = {}
    for figure in kpis:
        for measure in figure.measures if figure.composed else ():
            parts.setdefault(measure, set()).update(dims[figure.key])
    for figure in figures:
        if figure.tells and not figure.labels:
            dims.setdefault(figure.key, set()).update(parts.get(figure.tells, ()))
    order = (*ORDER, *filter(is_pair, also_by))
    return {figure.key: tuple(dim for dim in order if dim in dims.get(figure.key, ())) for figure in figures}


def _own_dims(figure: Figure, also_by: Sequence[str]) -> Iterator[str]:
    shown = {dim for where, dims in DIMS.items() if figure.shown & where for dim in dims}
    further = set(FURTHER if figure.shown & board.SOURCES else ())
    yield from (dim for dim in ORDER if dim in shown | further.intersection(also_by) and figure.has(dim))
    yield from (pair for pair in filter(is_pair, also_by) if (shown | further).intersection(dims_of(pair)) and figure.has(pair))


def _plans(figure: Figure, dim: str, rank: int = 0, currency: str = OWN_CURRENCY) -> Iterator[_Plan]:
    yield _Plan(metric_name(figure, dim, currency=currency), figure, dim, rank, due=False, currency=currency)
    if figure.formula is Formula.OLDEST:
        yield _Plan(metric_name(figure, dim, "_due"), figure, dim, rank, due=True, currency=currency)


def metric_name(figure: Figure, dim: str = "", part: str = "", currency: str = OWN_CURRENCY) -> str:
    """`leadbeat_<id>[_<unit>][_by_<dim>[_and_<dim>]]`; a ratio's id says what it is, and the unit of money is its currency."""
    told = currency.lower() if figure.money else figure.unit
    unit = f"_{told}" if told and told != "ratio" and figure.formula is not Formula.RATIO else ""
    return f"leadbeat_{figure.id}{part}{unit}{_by(dim)}"


def _by(dim: str) -> str:
    return f"_by_{'_and_'.join(dims_of(dim))}" if dim else ""


def metrics_of(figure: Figure, dim: str = "", currency: str = OWN_CURRENCY) -> tuple[str, ...]:
    """The names of all the metrics that a figure makes: one, or two for the oldest lead. Ranks there are of reps only."""
    dim = "rep" if figure.formula is Formula.PLACE else dim
    return tuple(plan.metric for plan in _plans(figure, dim, currency=currency))


def _helps(plans: Iterator[_Plan]) -> dict[str, str]:
    texts: dict[str, list[str]] = {}
    for plan in plans:
        texts.setdefault(plan.metric, []).append(_text(plan))
    return {metric: " ".join(dict.fromkeys(several)) for metric, several in texts.items()}


def _text(plan: _Plan) -> str:
    figure, by = plan.figure, f" By {' and '.join(dims_of(plan.dim))}." if plan.dim else ""
    if figure.composed:
        return f"{formula_of(figure, lambda measure: _metric(PUBLISHED[measure], plan))}.{by}"
    if figure.product or figure.of:
        return f"{figure.text.removesuffix('.')}.{by}"
    if figure.formula is Formula.OLDEST:
        which = "Due time" if plan.due else "Inquiry time"
        return f"{which} of the lead that has waited longest.{by}"
    return f"{figure.common_text}{by}"


PUBLISHED: Final[Mapping[Measure, Figure]] = {each.tells: each for each in FIGURES if each.tells}
"""The figures that tell a measure as it is."""


def _metric(part: Figure, plan: _Plan) -> str:
    """A part of a ratio as it is published; labels that both have need not be told."""
    labels = "" if part.labels == plan.figure.labels else ",".join(f'{name}="{value}"' for name, value in part.labels)
    return f"{metric_name(part, plan.dim, currency=plan.currency)}{f'{{{labels}}}' if labels else ''}"


def _slot(plan: _Plan, window: str, place: Place) -> _Slot:
    counted = plan.figure.formula in COUNTED
    name = name_of(plan.metric, _labels(plan, window, place))
    return _Slot(name, (plan.rank, False, place.name), (plan.rank, True, place.name), plan.due, counted)


def _value(slot: _Slot, row: Row, *, always: bool) -> float | None:
    """What a row says on a metric; None if it has no such series."""
    if slot.due:
        return None if row.denominator is None else row.denominator / 1000
    if row.value is None or not math.isfinite(row.value):
        return None
    return row.value if always or row.value or not slot.counted else None


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
