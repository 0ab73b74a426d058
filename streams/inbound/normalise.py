"""From a delivery as received to canonical events, and to dead letters for what cannot be read. Pure."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from models.errors import InvalidEventError, LeadbeatError
from models.events import EARLIEST, EVENT_TYPES, LATEST, SubjectRef, believe, decode, encode
from models.units import Millis
from streams.errors import Poison
from streams.inbound.providers import Element, Provider

HEADER_PREFIX = "h-"
LONGEST_ID = 200
LONGEST_REASON = 500

RecordHeaders: TypeAlias = list[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook request as it lies in the deliveries topic, and where it lies there.

    `received_at` is the gateway's clock at acceptance; `headers` are those that the provider keeps, in lower case.
    """

    connection: str
    received_at: Millis
    headers: Mapping[str, str]
    body: bytes
    topic: str = ""
    partition: int = 0
    offset: int = 0

    def record_headers(self) -> RecordHeaders:
        """What the Kafka record carries beside the body."""
        ours = [("connection", self.connection.encode()), ("received_at", str(self.received_at).encode())]
        return ours + [(f"{HEADER_PREFIX}{name}", value.encode()) for name, value in self.headers.items()]

    @classmethod
    def of_record(
        cls, headers: Iterable[tuple[str, bytes | None]], body: bytes | None, topic: str, partition: int, offset: int
    ) -> Self:
        """The delivery that a Kafka record holds. Raises Poison if the gateway cannot have written it."""
        stranger = Poison(f"{topic}[{partition}]@{offset}", "is not a delivery of the gateway", "send to its webhooks")
        try:
            texts = {name: (value or b"").decode() for name, value in headers}
            connection, received_at = texts["connection"], Millis(int(texts["received_at"]))
        except (KeyError, ValueError):
            raise stranger from None
        if body is None or not connection or not EARLIEST <= received_at < LATEST:
            raise stranger
        kept = {name.removeprefix(HEADER_PREFIX): text for name, text in texts.items() if name.startswith(HEADER_PREFIX)}
        return cls(connection, received_at, kept, body, topic, partition, offset)


class DeadLetter(NamedTuple):
    """What could not be read: why, where in it, and the record that keeps it."""

    reason: str
    where: str
    record: bytes


@dataclass(frozen=True, slots=True)
class Normalised:
    """What became of a delivery's elements, each of which is in exactly one of the three.

    `events` are keys and values for the events topic, `unknown` the number of events of a type that Leadbeat does not know.
    """

    events: list[tuple[bytes, bytes]] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    unknown: int = 0


class _Head(Struct):
    type: str


def normalise(delivery: Delivery, provider: Provider) -> Normalised:
    """Read all that can be read of a delivery. Never raises, whatever the bytes are.

    A body that cannot be taken apart is one dead letter, without an index.
    """
    try:
        elements = provider.parse(delivery.body)
    except InvalidEventError as error:
        return Normalised(dead=[dead_letter(delivery, error, None, delivery.body)])
    events: list[tuple[bytes, bytes]] = []
    dead: list[DeadLetter] = []
    unknown = 0
    for index, element in enumerate(elements):
        try:
            events.append(_canonical(delivery, element))
        except InvalidEventError as error:
            if error.where == "$.type" and _is_unknown(element):
                unknown += 1
            else:
                dead.append(dead_letter(delivery, error, index, bytes(element)))
    return Normalised(events, dead, unknown)


def _canonical(delivery: Delivery, element: Element) -> tuple[bytes, bytes]:
    event = decode(element)
    believe(event, delivery.received_at)
    identity = f"{delivery.connection}:{event.subject.id}"
    if len(identity) > LONGEST_ID:
        raise InvalidEventError("$.subject.id", f"with its connection is longer than {LONGEST_ID}", "send the CRM's own id")
    subject = SubjectRef(event.subject.kind, identity)
    return f"{subject.kind}:{identity}".encode(), encode(replace(event, subject=subject, received_at=delivery.received_at))


def _is_unknown(element: Element) -> bool:
    try:
        return msgspec.json.decode(element, type=_Head).type not in EVENT_TYPES
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False


def dead_letter(delivery: Delivery, error: LeadbeatError, index: int | None, body: bytes) -> DeadLetter:
    """What becomes of a body that cannot be read; `index` is its place in the delivery's array."""
    reason = error.what[:LONGEST_REASON]
    record = msgspec.json.encode(
        {
            "reason": reason,
            "where": error.where,
            "todo": error.todo,
            "connection": delivery.connection,
            "received_at": delivery.received_at,
            "topic": delivery.topic,
            "partition": delivery.partition,
            "offset": delivery.offset,
            "index": index,
            **_readable(body),
        }
    )
    return DeadLetter(reason, error.where, record)


def _readable(body: bytes) -> dict[str, Any]:
    """As text where that is one and not much longer in JSON, so that a dead letter stays within a third more than its body."""
    encoded = base64.b64encode(body).decode()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"body_base64": encoded}
    return {"body": text} if len(msgspec.json.encode(text)) <= max(len(encoded), 1000) else {"body_base64": encoded}
