"""What an event says that its form alone cannot tell: whether that can be believed."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from types import NoneType
from typing import Any, Final, get_args, get_type_hints

from msgspec.structs import fields

from models.data.accounts import SurveyData
from models.data.fields import MOST_WORTH
from models.errors import InvalidEventError
from models.events import Event, Merged
from models.units import MINUTE, Duration, Millis, isoformat, millis, moment

AHEAD_LIMIT: Final = Duration(5 * MINUTE)
"""How far what has happened may lie after its receipt; what is planned may lie further ahead."""

EARLIEST: Final = Millis(631_152_000_000)
"""1990-01-01, before any record of a sales tool; an earlier instant is a unit mistaken for another."""

LATEST: Final = Millis(4_102_444_800_000)
"""2100-01-01, after any plan."""

_FROM, _UNTIL = moment(EARLIEST), moment(LATEST)

_PLANNED: Final = frozenset({"scheduled_at", "effective_at", "employed_from", "employed_until"})
"""The instants that may lie ahead."""

_NO_CSAT: Final = frozenset({0, 6, 7, 8, 9, 10})


def _has_instant(told: Any) -> bool:
    """Whether a field's type is an instant, or has one among what it may be."""
    return told is datetime or any(map(_has_instant, get_args(told)))


_DATA: Final = [hints["data"] for event in get_args(Event) if "data" in (hints := get_type_hints(event))]

INSTANTS: Final[Mapping[type, tuple[str, ...]]] = {
    NoneType: (),
    **{data: tuple(field.name for field in fields(data) if _has_instant(field.type)) for data in _DATA},
}
"""The fields that are instants, by the type of an event's data."""


def instants(event: Event) -> Iterator[tuple[str, Millis, bool]]:
    """Each instant in the event: its path, itself, and whether it is planned (else it *has happened*)."""
    yield "$.timestamp", millis(event.timestamp), False
    data = getattr(event, "data", None)
    for name in INSTANTS[type(data)]:
        value = getattr(data, name)
        if isinstance(value, datetime):
            yield f"$.data.{name}", millis(value), name in _PLANNED


def believe(event: Event, received_at: Millis, currencies: AbstractSet[str]) -> None:
    """Check what an event says that its form cannot tell, such as its instants against its receipt.

    Raises InvalidEventError if one is outside 1990 to 2100, or *has happened* more than 5 minutes after the receipt; if a
    subject is merged into itself, or into one of another kind; if an amount is in none of the currencies that have a rate; if
    a score is not on its scale, or a date is none.
    """
    _check_data(getattr(event, "data", None), currencies)
    if isinstance(event, Merged) and event.into is not None:
        if event.into == event.subject:
            raise InvalidEventError("$.into", "is the subject itself", "send null to undo a merge")
        if event.into.kind != event.subject.kind:
            what = f"a {event.subject.kind} cannot be merged into a {event.into.kind}"
            raise InvalidEventError("$.into.kind", what, "merge what is alike")
    check_instants(event)
    for path, at, planned in instants(event):
        if at > received_at + AHEAD_LIMIT and not planned:
            late = f"{isoformat(at)} lies over 5 minutes after the receipt at {isoformat(received_at)}"
            raise InvalidEventError(path, late, "check the sender's clock")


def _check_data(data: Any, currencies: AbstractSet[str]) -> None:
    currency = getattr(data, "currency", None)
    if isinstance(currency, str) and currency not in currencies:
        raise InvalidEventError("$.data.currency", f"{currency} has no rate", "give it one under [money], and send it again")
    told = getattr(data, "date", None)
    if isinstance(told, str) and not _is_date(told):
        raise InvalidEventError("$.data.date", f"{told} is no date of the years 1990 to 2099", "send YYYY-MM-DD")
    lines = getattr(data, "lines", None)
    if isinstance(lines, tuple) and sum(line.quantity * line.unit_price for line in lines) > MOST_WORTH:
        raise InvalidEventError("$.data.lines", f"come to more than {MOST_WORTH}", "send minor units")
    if isinstance(data, SurveyData) and data.kind == "csat" and data.score in _NO_CSAT:
        raise InvalidEventError("$.data.score", f"{data.score} is not on the scale of csat", "send 1 to 5")


def _is_date(text: str) -> bool:
    try:
        return _FROM.date() <= date.fromisoformat(text) < _UNTIL.date()
    except ValueError:
        return False


def check_instants(event: Event) -> None:
    """Raise InvalidEventError if one of the event's instants is outside 1990 to 2100: the engine counts on it."""
    data = getattr(event, "data", None)
    found = [event.timestamp, *[getattr(data, name) for name in INSTANTS[type(data)]]]
    if all(_FROM <= at < _UNTIL for at in found if isinstance(at, datetime)):
        return
    path, wrong = next((path, at) for path, at, _ in instants(event) if not EARLIEST <= at < LATEST)
    raise InvalidEventError(path, f"{wrong} ms is outside the years 1990 to 2099", "send RFC 3339 instants")
