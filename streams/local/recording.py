"""Recordings, one JSON object a line: deliveries as the gateway accepted them, or canonical events.

A delivery is `{received_at, connection, provider, headers, body}`, with `body_base64` instead of `body` where that is no text,
and says what it says to the normaliser; a provider that is absent is the standard one. An event's receipt is its `received_at`,
or its `timestamp` if it has none.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Annotated, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from models.belief import EARLIEST, LATEST, believe
from models.errors import InvalidEventError
from models.events import Event, decoded
from models.units import Millis, millis
from streams.config import Connection
from streams.dead_letters import in_json
from streams.inbound.normalise import Delivery, Unknown, Unreadable, contents
from streams.inbound.providers import PROVIDERS, Provider, provider_of

STANDARD: Final = "standard"


class Fact(NamedTuple):
    """An event and when it was received."""

    received_at: Millis
    event: Event


class Mistake(NamedTuple):
    """What cannot be read: the numbers, from 1, of the line and of the event in its delivery (None: no single one), and why."""

    line: int
    event: int | None
    where: str
    what: str

    def __str__(self) -> str:
        """Where and what, as people read it."""
        event = "" if self.event is None else f", event {self.event}"
        return f"line {self.line}{event}: {self.where}: {self.what}"


Found: TypeAlias = Fact | Unknown | Mistake


class _Kind(Struct):
    body: msgspec.Raw | UnsetType = UNSET
    body_base64: msgspec.Raw | UnsetType = UNSET


class _Line(Struct):
    received_at: Annotated[int, Meta(ge=EARLIEST, lt=LATEST)]
    connection: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    provider: str = STANDARD
    headers: dict[str, str] = {}
    body: str | UnsetType = UNSET
    body_base64: bytes = b""


_kind = msgspec.json.Decoder(_Kind)
_line = msgspec.json.Decoder(_Line)


def line_of(delivery: Delivery, provider: str = STANDARD) -> bytes:
    """The line, with its end, that keeps a delivery; `provider` is the one that its connection is configured with."""
    kept = {
        "received_at": delivery.received_at,
        "connection": delivery.connection,
        "provider": provider,
        "headers": delivery.headers,
        **in_json(delivery.body),
    }
    return msgspec.json.encode(kept) + b"\n"


def read(number: int, line: bytes, currencies: AbstractSet[str], connections: Mapping[str, Connection] = {}) -> Iterator[Found]:
    """All that a line holds; nothing if it is blank. Never raises, whatever the bytes are.

    Amounts may be in `currencies` only. A delivery of a connection that is configured, with the provider that it was recorded
    with, is read with those settings.
    """
    if not line.strip():
        return
    try:
        recorded = _delivery(line, connections)
    except InvalidEventError as error:
        yield Mistake(number, None, error.where, error.what)
        return
    if recorded is None:
        yield from _event(number, line, currencies)
    else:
        yield from _contents(number, *recorded, currencies)


def _delivery(line: bytes, connections: Mapping[str, Connection]) -> tuple[Delivery, Provider] | None:
    """The delivery that a line keeps, and who can read it; None if it has no body, so that it must be an event."""
    kind = decoded(_kind, line)
    if kind.body is UNSET and kind.body_base64 is UNSET:
        return None
    kept = decoded(_line, line)
    if kept.body is not UNSET and kept.body_base64:
        raise InvalidEventError("$.body_base64", "stands beside a body")
    body = kept.body_base64 if kept.body is UNSET else kept.body.encode()
    if kept.provider not in PROVIDERS:
        raise InvalidEventError("$.provider", f"{kept.provider!r} is not known (one of {', '.join(PROVIDERS)})")
    configured = connections.get(kept.connection)
    suits = configured is not None and configured.provider == kept.provider
    provider = provider_of(configured) if configured and suits else PROVIDERS[kept.provider]
    return Delivery(kept.connection, Millis(kept.received_at), kept.headers, body), provider


def _contents(number: int, delivery: Delivery, provider: Provider, currencies: AbstractSet[str]) -> Iterator[Found]:
    for content in contents(delivery, provider, currencies):
        match content:
            case Unknown():
                yield content
            case Unreadable(place, error):
                yield _mistake(number, place, error)
            case event:
                yield Fact(delivery.received_at, event)


def _mistake(number: int, place: int | None, error: InvalidEventError) -> Mistake:
    if place is None:
        return Mistake(number, None, f"$.body{error.where.removeprefix('$')}", error.what)
    return Mistake(number, place + 1, error.where, error.what)


def _event(number: int, line: bytes, currencies: AbstractSet[str]) -> Iterator[Found]:
    try:
        told = PROVIDERS[STANDARD].read(line)
        if told is None:
            yield Unknown()
        for event in told or ():
            received_at = millis(event.timestamp) if event.received_at is None else Millis(event.received_at)
            believe(event, received_at, currencies)
            yield Fact(received_at, event)
    except InvalidEventError as error:
        yield Mistake(number, None, error.where, error.what)
