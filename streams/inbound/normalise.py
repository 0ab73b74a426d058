"""From a delivery as received to canonical events, and to dead letters for what cannot be read. Pure.

What a delivery says is decided by `contents` alone, for the normaliser and for `leadbeat replay`.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import NamedTuple, Self, TypeAlias, TypeVar

import msgspec
from msgspec.structs import replace

from models.belief import EARLIEST, LATEST, believe
from models.data.refs import AccountRef, CampaignRef, LeadRef, RepRef, SubjectRef
from models.errors import UNREADABLE, InvalidEventError, LeadbeatError
from models.events import Erased, Event, Merged, encode
from models.state.subjects import identity
from models.units import Millis
from streams.dead_letters import DeadLetter, Origin, dead_letter
from streams.errors import Poison
from streams.inbound.providers import Element, Provider
from streams.topics import record_key

HEADER_PREFIX = "h-"
AGAIN = "dead_letter"
"""The header of what is sent again: the dead letter that it was, without its body."""

LONGEST_ID = 200

RecordHeaders: TypeAlias = list[tuple[str, bytes]]

_Ref = TypeVar("_Ref", bound=LeadRef | AccountRef | RepRef | CampaignRef | SubjectRef)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook request as it lies in the deliveries topic, and where it lies there.

    `received_at` is the gateway's clock at acceptance; `headers` are those that the provider keeps, in lower case. `again` is
    the dead letter, without its body, that is sent again with this.
    """

    connection: str
    received_at: Millis
    headers: Mapping[str, str]
    body: bytes
    topic: str = ""
    partition: int = 0
    offset: int = 0
    again: DeadLetter | None = None

    def record_headers(self) -> RecordHeaders:
        """What the Kafka record carries beside the body."""
        ours = [("connection", self.connection.encode()), ("received_at", str(self.received_at).encode())]
        ours += [(f"{HEADER_PREFIX}{name}", value.encode()) for name, value in self.headers.items()]
        return ours if self.again is None else [*ours, (AGAIN, self.again.record)]

    @classmethod
    def of_record(
        cls, headers: Iterable[tuple[str, bytes | None]], body: bytes | None, topic: str, partition: int, offset: int
    ) -> Self:
        """The delivery that a Kafka record holds. Raises Poison if the gateway cannot have written it."""
        stranger = Poison(f"{topic}[{partition}]@{offset}", "is not a delivery of the gateway", "send to its webhooks")
        try:
            texts = {name: (value or b"").decode() for name, value in headers}
            connection, received_at = texts["connection"], Millis(int(texts["received_at"]))
            again = _decode_again(texts[AGAIN]) if AGAIN in texts else None
        except UNREADABLE:
            raise stranger from None
        if body is None or not connection or not EARLIEST <= received_at < LATEST:
            raise stranger
        kept = {name.removeprefix(HEADER_PREFIX): text for name, text in texts.items() if name.startswith(HEADER_PREFIX)}
        return cls(connection, received_at, kept, body, topic, partition, offset, again)

    @property
    def is_element(self) -> bool:
        """Whether it is one element, sent again, of a delivery that was taken apart before."""
        return self.again is not None and self.again.index is not None

    def origin(self, index: int | None) -> Origin:
        """Where all of it, or the element at `index` of its array, first came in."""
        first = self if self.again is None else self.again
        place = (first.topic, first.partition, first.offset)
        if self.again is not None and self.is_element:
            index = self.again.index
        return Origin(*place, self.connection, self.received_at, dict(self.headers), index)


_decode_again = msgspec.json.Decoder(DeadLetter).decode


@dataclass(frozen=True, slots=True)
class Unknown:
    """An event of a type that Leadbeat does not know: no fault, and no fact."""


class Unreadable(NamedTuple):
    """What cannot be read or believed, and why; `place` is that in the delivery, from 0, or None: it is the whole body."""

    place: int | None
    error: InvalidEventError
    body: bytes


Content: TypeAlias = Event | Unknown | Unreadable


@dataclass(frozen=True, slots=True)
class Normalised:
    """What became of a delivery.

    `events` are keys and values for the events topic, `erased` whom they erase, `unknown` the number of events of a type that
    Leadbeat does not know. `read` is the dead letter that could be read now that it was sent again.
    """

    events: list[tuple[bytes, bytes]] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    unknown: int = 0
    erased: list[SubjectRef] = field(default_factory=list)
    read: DeadLetter | None = None


def normalise(delivery: Delivery, provider: Provider, currencies: AbstractSet[str]) -> Normalised:
    """The records that a delivery becomes. Never raises, whatever the bytes are. Amounts may be in `currencies` only."""
    events: list[tuple[bytes, bytes]] = []
    dead: list[DeadLetter] = []
    erased: list[SubjectRef] = []
    unknown = 0
    for content in contents(delivery, provider, currencies):
        match content:
            case Unknown():
                unknown += 1
            case Unreadable(place, error, body):
                dead.append(dead_letter_of(delivery, error, place, body))
            case event:
                events.append((record_key(event.subject.id), encode(event)))
                if isinstance(event, Erased):
                    erased.append(event.subject)
    again = delivery.again
    read = again if again is not None and again.id not in {letter.id for letter in dead} else None
    return Normalised(events, dead, unknown, erased, read)


def contents(delivery: Delivery, provider: Provider, currencies: AbstractSet[str]) -> Iterator[Content]:
    """All that a delivery holds, in its order; its events as the events topic has them. Never raises, whatever the bytes are.

    A body that cannot be taken apart is one `Unreadable`.
    """
    try:
        elements = [delivery.body] if delivery.is_element else provider.parse(delivery.body)
    except InvalidEventError as error:
        yield Unreadable(None, error, delivery.body)
        return
    for place, element in enumerate(elements):
        try:
            told = provider.read(element)
        except InvalidEventError as error:
            yield Unreadable(place, error, bytes(element))
            continue
        if told is None:
            yield Unknown()
        else:
            yield from _believed(delivery, place, element, told, currencies)


def _believed(
    delivery: Delivery, place: int, element: Element, told: Iterable[Event], currencies: AbstractSet[str]
) -> Iterator[Content]:
    """What one element tells, as the events topic has it; one dead letter if some of that cannot be believed."""
    first: InvalidEventError | None = None
    for event in told:
        try:
            yield _canonical(delivery, event, currencies)
        except InvalidEventError as error:
            first = first or error
    if first is not None:
        yield Unreadable(place, first, bytes(element))


def _canonical(delivery: Delivery, event: Event, currencies: AbstractSet[str]) -> Event:
    """An event as the events topic has it. Raises InvalidEventError if it cannot be believed."""
    believe(event, delivery.received_at, currencies)
    if isinstance(event, Merged) and event.into is not None:
        event = replace(event, into=_of_connection(delivery, event.into, "$.into.id"))
    subject = _of_connection(delivery, event.subject, "$.subject.id")
    account = getattr(getattr(event, "data", None), "account", None)
    if isinstance(account, str):
        _of_connection(delivery, SubjectRef("account", account), "$.data.account")  # it is told of the lead's replies
    return replace(event, subject=subject, received_at=delivery.received_at)


def _of_connection(delivery: Delivery, subject: _Ref, where: str) -> _Ref:
    own = identity(subject.kind, delivery.connection, subject.id)
    if len(own) > LONGEST_ID:
        raise InvalidEventError(where, f"with its connection is longer than {LONGEST_ID}", "send the CRM's own id")
    return replace(subject, id=own)


def dead_letter_of(delivery: Delivery, error: LeadbeatError, index: int | None, body: bytes) -> DeadLetter:
    """The dead letter of a delivery, or of the element at `index` of its array."""
    return dead_letter(error, body, delivery.origin(index))
