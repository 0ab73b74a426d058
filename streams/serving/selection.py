"""What of a round somebody asks the API for."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.datastructures import QueryParams

from models.catalogue import FIGURES
from models.errors import LeadbeatError
from models.rules import OTHER, UNASSIGNED, UNKNOWN
from models.slices import dims_of
from models.snapshot import State
from streams.serving.catalogue import BY_KEY, DIMS, NAMED, WHOLE
from streams.serving.table import WINDOW_NAMES, Snapshot, place_of


class InvalidQueryError(LeadbeatError):
    """A question that cannot be meant; `where` is its parameter."""


class NotThereError(LeadbeatError):
    """What is asked for by its path does not exist."""


class Selection(NamedTuple):
    """Which rows to give: None means any. `texts`: with the figures' definitions."""

    keys: Collection[str] | None
    windows: Collection[str] | None
    by: Collection[str] | None
    slices: Collection[str] | None
    texts: bool


def _one_of(names: Iterable[str]) -> Meta:
    """What the API's description says a text may be. It is not checked: the publisher may know more than we do."""
    return Meta(extra_json_schema={"enum": list(names)})


PAIR: Final = f"^({'|'.join(DIMS)}),({'|'.join(DIMS)})$"
"""What may be asked `by`, too: a pair that is configured, as in `team,lead_source`."""


class KpiRow(Struct, frozen=True, omit_defaults=True):
    """One row as the API gives it. The whole has empty `by` and `slice`; `value` is null where it is withheld.

    Of a pair, `by` is as in `team,lead_source` and `slice` as in `north,inbound`; a backslash stands before commas of values.

    `state`: `ok`, `no_traffic` (nothing to divide by), `insufficient` (fewer than the least number), or `stale` (its round is
    out of date).

    An oldest lead's `numerator` and `denominator` are its inquiry and due time in ms; of other times the numerator is in ms.
    """

    id: str
    labels: dict[str, str]
    window: Annotated[str, _one_of(WINDOW_NAMES)]
    by: Annotated[str, Meta(extra_json_schema={"anyOf": [{"enum": ["", *DIMS]}, {"pattern": PAIR}]})]
    slice: str
    value: float | None
    numerator: int
    denominator: int | None
    state: Annotated[str, _one_of(State)]
    unit: str
    text: str | UnsetType = UNSET


PARAMETERS: Final = ("kpi", "window", "by", "slice", "text", "format")
VALID: Final[Mapping[str, Collection[str]]] = {
    "kpi": NAMED,
    "window": WINDOW_NAMES,
    "by": (WHOLE, *DIMS),
    "text": ("0", "1"),
    "format": ("json", "csv"),
}
"""What each parameter may be; of pairs and slices, each round has its own."""

_KPI_ORDER: Final = {figure.id: place for place, figure in enumerate(FIGURES)}
_WINDOW_ORDER: Final = {window: place for place, window in enumerate(WINDOW_NAMES)}
_BY_ORDER: Final = {dim: place for place, dim in enumerate(DIMS)}


def parse(query: QueryParams) -> Selection:
    """The selection that a query string means: each parameter may be repeated, an empty one does not count.

    Raises InvalidQueryError, which lists what can be asked for.
    """
    for name in query:
        check("query", name, PARAMETERS)
    return choose({name: [value for value in query.getlist(name) if value] for name in PARAMETERS})


def choose(given: Mapping[str, Sequence[str]]) -> Selection:
    """The selection of some values of each parameter; none means any. Raises InvalidQueryError as `parse` does."""
    for name, valid in VALID.items():
        for value in given.get(name, ()):
            if name == "by":
                check_by(value)
            else:
                check(name, value, valid)
    keys = {figure.key for name in given.get("kpi", ()) for figure in NAMED[name]}
    return Selection(
        keys or None,
        set(given.get("window", ())) or None,
        {"" if dim == WHOLE else dim for dim in given.get("by", ())} or None,
        set(given.get("slice", ())) or None,
        "1" in given.get("text", ()),
    )


def check(where: str, value: str, valid: Collection[str]) -> None:
    """Raise InvalidQueryError, with what can be asked for, unless a parameter's value is valid."""
    if value not in valid:
        raise InvalidQueryError(where, f"{value!r} is not known", f"one of {', '.join(valid)}")


def check_by(value: str) -> None:
    """Raise InvalidQueryError unless it is a dimension, a pair of them, or `whole`."""
    if not re.fullmatch(PAIR, value):
        check("by", value, VALID["by"])


def select(snapshot: Snapshot, selection: Selection, state: State | None = None) -> list[KpiRow]:
    """The rows of a round that are asked for, in the catalogue's order of KPIs, then by window, labels, dimension and slice.

    What another version of the catalogue has left there is not among them. `state`: that of all rows.
    Raises InvalidQueryError for what the round is not sliced by, and for a slice that it does not have.
    """
    if snapshot.round:
        check_sliced(selection.by or (), snapshot.round.slices)
    if selection.slices:
        known = _slices(snapshot)
        for name in selection.slices:
            check("slice", name, known)
    return sorted(_found(snapshot, selection, state), key=_order)


def check_sliced(by: Iterable[str], told: Collection[str]) -> None:
    """Raise InvalidQueryError for a dimension whose values are not listed, or a pair that is not configured."""
    for dim in by:
        if dim not in told:
            raise InvalidQueryError(
                "by", f"nothing is sliced by {dim!r}", f"one of {', '.join(filter(None, told))}, or configure it"
            )


def _slices(snapshot: Snapshot) -> list[str]:
    """What the round has slices of, or the next one may."""
    held = {place_of(key).name for rows in snapshot.rows.values() for key in rows}
    return sorted(held - {""} | {OTHER, UNASSIGNED, UNKNOWN})


def _order(answer: KpiRow) -> tuple[Any, ...]:
    kpi, window, by = _KPI_ORDER[answer.id], _WINDOW_ORDER[answer.window], [_BY_ORDER[dim] for dim in dims_of(answer.by)]
    return (kpi, window, *answer.labels.values(), len(by), by, answer.slice)


def _found(snapshot: Snapshot, selection: Selection, state: State | None) -> Iterator[KpiRow]:
    for window, rows in snapshot.rows.items():
        if not _wanted(window, selection.windows):
            continue
        for key, row in rows.items():
            place = place_of(key)
            asked = ((place.figure, selection.keys), (place.dim, selection.by), (place.name, selection.slices))
            figure = BY_KEY.get(place.figure)
            if (
                figure is None
                or not _BY_ORDER.keys() >= set(dims_of(place.dim))
                or not all(_wanted(value, wanted) for value, wanted in asked)
            ):
                continue
            yield KpiRow(
                id=figure.id,
                labels=dict(figure.labels),
                window=window,
                by=place.dim,
                slice=place.name,
                value=row.value,
                numerator=row.numerator,
                denominator=row.denominator,
                state=row.state if state is None else state,
                unit=figure.unit,
                text=figure.text if selection.texts else UNSET,
            )


def _wanted(value: Any, wanted: Collection[Any] | None) -> bool:
    return wanted is None or value in wanted
