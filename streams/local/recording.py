"""Recorded facts, one JSON object a line: canonical events, or deliveries as the gateway accepted them.

A delivery is `{received_at, connection, headers, body}`; its events' subjects get the connection's name before them, as the
normaliser has it. An event's receipt is its `received_at`, or its `timestamp` if it has none.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from models.errors import InvalidEventError
from models.events import EVENT_TYPES, Event, SubjectRef, believe, decode
from models.units import Millis, millis

LONGEST_ID: Final = 200
_ARRAY = re.compile(rb"[ \t\r\n]*\[")


class Fact(NamedTuple):
    """An event and when it was received."""

    received_at: Millis
    event: Event


class Unknown(NamedTuple):
    """An event of a type that Leadbeat does not know: no mistake, and no fact."""

    line: int


class Mistake(NamedTuple):
    """What cannot be read: the line's number from 1, the event's in a delivery's array (None: no array), and the reason."""

    line: int
    event: int | None
    where: str
    what: str

    def __str__(self) -> str:
        """Where and what, as people read it."""
        event = "" if self.event is None else f", event {self.event}"
        return f"line {self.line}{event}: {self.where}: {self.what}"


Found: TypeAlias = Fact | Unknown | Mistake


class _Delivery(Struct):
    received_at: Annotated[int, Meta(ge=0, le=2**53)]
    connection: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    body: str


class _Line(Struct):
    body: msgspec.Raw | UnsetType = UNSET


class _Head(Struct):
    type: str


def read(number: int, line: bytes) -> Iterator[Found]:
    """All that a line holds; nothing if it is blank. Never raises, whatever the bytes are."""
    if not line.strip():
        return
    try:
        delivery = _delivery(line)
        elements = [line] if delivery is None else _elements(delivery.body.encode())
    except InvalidEventError as error:
        yield Mistake(number, None, error.where, error.what)
        return
    for place, element in enumerate(elements, start=1):
        try:
            yield _fact(element, delivery)
        except InvalidEventError as error:
            if error.where == "$.type" and _is_unknown(element):
                yield Unknown(number)
            else:
                yield Mistake(number, place if len(elements) > 1 else None, error.where, error.what)


def _delivery(line: bytes) -> _Delivery | None:
    """The delivery that a line is; None if it has no body, so that it must be an event."""
    try:
        if msgspec.json.decode(line, type=_Line).body is UNSET:
            return None
        return msgspec.json.decode(line, type=_Delivery)
    except RecursionError:
        raise InvalidEventError("$", "nested too deeply") from None
    except ValueError as error:  # msgspec's errors, and those of bytes that are no UTF-8
        what, _, path = str(error).partition(" - at `")
        raise InvalidEventError(path.rstrip("`") or "$", what) from None


def _elements(body: bytes) -> Sequence[bytes | msgspec.Raw]:
    if not _ARRAY.match(body):
        return [body]
    try:
        return msgspec.json.decode(body, type=list[msgspec.Raw])
    except RecursionError:
        raise InvalidEventError("$.body", "nested too deeply") from None
    except ValueError as error:
        raise InvalidEventError("$.body", str(error)) from None


def _fact(element: bytes | msgspec.Raw, delivery: _Delivery | None) -> Fact:
    event = decode(element)
    if delivery is None:
        received_at = millis(event.timestamp) if event.received_at is None else Millis(event.received_at)
    else:
        received_at = Millis(delivery.received_at)
        event = replace(event, subject=_subject(event, delivery.connection), received_at=received_at)
    believe(event, received_at)
    return Fact(received_at, event)


def _subject(event: Event, connection: str) -> SubjectRef:
    identity = f"{connection}:{event.subject.id}"
    if len(identity) > LONGEST_ID:
        raise InvalidEventError("$.subject.id", f"with its connection is longer than {LONGEST_ID}")
    return SubjectRef(event.subject.kind, identity)


def _is_unknown(element: bytes | msgspec.Raw) -> bool:
    try:
        return msgspec.json.decode(element, type=_Head).type not in EVENT_TYPES
    except (ValueError, RecursionError):
        return False
