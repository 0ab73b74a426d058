"""Canonical events: what comes in, in one form, whatever CRM it came from.

An event upserts one object of one subject. A field that is absent leaves what is known untouched; `null` clears it.
`timestamp` is the *version time*, when the source changed the record; occurrences are in `data`. The same JSON is what our
own webhooks carry (one event, or an array of them) and what `crm.events.v1` holds, there with `received_at` added and the
subject id prefixed by its connection.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from types import NoneType
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from models.errors import InvalidEventError
from models.units import MINUTE, Duration, Millis, isoformat, millis, moment

AHEAD_LIMIT = Duration(5 * MINUTE)
"""How far what has happened may lie after its receipt; what is planned may lie further ahead."""

EARLIEST = Millis(631_152_000_000)
"""1990-01-01, before any record of a sales tool; an earlier instant is a unit mistaken for another."""

LATEST = Millis(4_102_444_800_000)
"""2100-01-01, after any plan."""

_FROM, _UNTIL = moment(EARLIEST), moment(LATEST)

Instant: TypeAlias = Annotated[datetime, Meta(tz=True, description="RFC 3339, with its zone offset.")]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
Channel: TypeAlias = Literal["call", "email", "message"]
Stage: TypeAlias = Literal["subscriber", "lead", "mql", "sal", "sql", "opportunity", "customer", "disqualified"]


class SubjectRef(Struct, frozen=True):
    """Whom the event is about. Only leads so far."""

    kind: Literal["lead"]
    id: Name


class ObjectRef(Struct, frozen=True):
    """Which object of the subject the event is about."""

    kind: Literal["inquiry", "touch", "reply", "meeting"]
    id: Name


class InquiryRef(Struct, frozen=True):
    """Which inquiry of the subject the event is about."""

    kind: Literal["inquiry"]
    id: Name


class TouchRef(Struct, frozen=True):
    """Which touch of the subject the event is about."""

    kind: Literal["touch"]
    id: Name


class ReplyRef(Struct, frozen=True):
    """Which reply of the subject the event is about."""

    kind: Literal["reply"]
    id: Name


class MeetingRef(Struct, frozen=True):
    """Which meeting of the subject the event is about."""

    kind: Literal["meeting"]
    id: Name


class LeadData(Struct, frozen=True):
    """A lead's own fields. `owner` and `stage` are timelines: they hold from `owner_at` / `stage_at`, else from `timestamp`."""

    created_at: Instant | None | UnsetType = UNSET
    owner: Name | None | UnsetType = UNSET
    owner_at: Instant | UnsetType = UNSET
    stage: Stage | None | UnsetType = UNSET
    stage_at: Instant | UnsetType = UNSET
    lead_source: Name | None | UnsetType = UNSET
    origin: Name | None | UnsetType = UNSET
    sales_region: Name | None | UnsetType = UNSET
    segment: Name | None | UnsetType = UNSET
    campaign: Name | None | UnsetType = UNSET
    account: Name | None | UnsetType = UNSET


class InquiryData(Struct, frozen=True):
    """The lead asked for something at `at`: a form, a chat, a call. The lead's creation is an inquiry by itself."""

    at: Instant | None | UnsetType = UNSET


class TouchData(Struct, frozen=True):
    """Somebody (or, `automated`, a sequence step or auto-reply) reached out to the lead at `at`."""

    at: Instant | None | UnsetType = UNSET
    channel: Channel | None | UnsetType = UNSET
    rep: Name | None | UnsetType = UNSET
    automated: bool | None | UnsetType = UNSET
    connected: bool | None | UnsetType = UNSET
    delivered: bool | None | UnsetType = UNSET


class ReplyData(Struct, frozen=True):
    """Something came back. Only kind `human` is a reply; it answers touch `in_reply_to` where that is known."""

    at: Instant | None | UnsetType = UNSET
    channel: Channel | None | UnsetType = UNSET
    kind: Literal["human", "out_of_office", "bounce", "unsubscribe"] | None | UnsetType = UNSET
    sentiment: Literal["positive", "neutral", "negative"] | None | UnsetType = UNSET
    in_reply_to: Name | None | UnsetType = UNSET


class MeetingData(Struct, frozen=True):
    """A meeting booked at `booked_at` (by `rep`, unless the lead booked it) for `scheduled_at`, and how it went."""

    booked_at: Instant | None | UnsetType = UNSET
    scheduled_at: Instant | None | UnsetType = UNSET
    rep: Name | None | UnsetType = UNSET
    kind: Name | None | UnsetType = UNSET
    outcome: Literal["held", "no_show", "cancelled"] | None | UnsetType = UNSET


INSTANTS: Final[Mapping[type, tuple[str, ...]]] = {
    LeadData: ("created_at", "owner_at", "stage_at"),
    InquiryData: ("at",),
    TouchData: ("at",),
    ReplyData: ("at",),
    MeetingData: ("booked_at", "scheduled_at"),
    NoneType: (),
}
"""The fields that are instants, by the type of an event's data."""


class _Event(Struct, frozen=True, tag_field="type", kw_only=True):
    """What every event carries."""

    id: Name
    timestamp: Instant
    subject: SubjectRef
    sequence: Annotated[int, Meta(ge=0, le=2**53, description="Orders versions of equal timestamp.")] = 0
    schema_version: Literal[1] = 1
    received_at: Annotated[int, Meta(ge=0, le=2**53)] | None = None


class LeadUpserted(_Event, frozen=True, tag="lead.upserted", kw_only=True):
    """The lead's own record is new or changed."""

    data: LeadData


class InquiryUpserted(_Event, frozen=True, tag="inquiry.upserted", kw_only=True):
    """An inquiry is new or changed."""

    object: InquiryRef
    data: InquiryData


class TouchUpserted(_Event, frozen=True, tag="touch.upserted", kw_only=True):
    """A touch is new or changed."""

    object: TouchRef
    data: TouchData


class ReplyUpserted(_Event, frozen=True, tag="reply.upserted", kw_only=True):
    """A reply is new or changed."""

    object: ReplyRef
    data: ReplyData


class MeetingUpserted(_Event, frozen=True, tag="meeting.upserted", kw_only=True):
    """A meeting is new or changed: booked, moved, held, missed, cancelled."""

    object: MeetingRef
    data: MeetingData


class Deleted(_Event, frozen=True, tag="deleted", kw_only=True):
    """The subject, or one object of it, was deleted in the source. Only a later `restored` brings it back."""

    object: ObjectRef | None = None


class Restored(_Event, frozen=True, tag="restored", kw_only=True):
    """The subject, or one object of it, was restored in the source."""

    object: ObjectRef | None = None


class Erased(_Event, frozen=True, tag="erased", kw_only=True):
    """The person asked to be forgotten: what is known goes, for good."""


class Merged(_Event, frozen=True, tag="merged", kw_only=True):
    """The subject is, or was merged with, `into`, who goes on for both; null undoes it."""

    into: SubjectRef | None


Event: TypeAlias = (
    LeadUpserted | InquiryUpserted | TouchUpserted | ReplyUpserted | MeetingUpserted | Deleted | Restored | Erased | Merged
)


class Absorbed(Struct, frozen=True, tag_field="type", tag="absorbed", kw_only=True):
    """A part of what is known of a merged lead, for the one that it was merged into (`subject`).

    It is *derived*: Leadbeat tells itself of it, and takes it from nobody else.
    `path` says whose part it is and over whom it came; without a path, the part is no longer given. `channel` names the part to
    its receiver, for whom the largest `sequence` in it holds. `lead` is packed (models.state.lead), and empty for one over whom
    it came already, to whom it only says that they are merged in a circle.
    """

    id: Name
    subject: SubjectRef
    channel: str
    sequence: Annotated[int, Meta(ge=0)]
    path: tuple[str, ...] = ()
    lead: bytes = b""
    schema_version: Literal[1] = 1


Logged: TypeAlias = Event | Absorbed
"""What the events topic holds, but for ticks."""

DERIVED_TYPES = frozenset({"absorbed"})

EVENT_TYPES = frozenset(
    {
        "lead.upserted",
        "inquiry.upserted",
        "touch.upserted",
        "reply.upserted",
        "meeting.upserted",
        "deleted",
        "restored",
        "erased",
        "merged",
    }
)

_Decoded = TypeVar("_Decoded")

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_log_decoder: msgspec.json.Decoder[Logged] = msgspec.json.Decoder(Logged)
_encoder = msgspec.json.Encoder()


def decode(body: bytes | msgspec.Raw) -> Event:
    """One event from its JSON.

    Raises InvalidEventError with the path of the offending field; never anything else, whatever the bytes are.
    """
    return decoded(_decoder, body)


def decode_logged(body: bytes) -> Logged:
    """One event of the events topic from its JSON. Raises InvalidEventError as `decode` does."""
    return decoded(_log_decoder, body)


def decoded(decoder: msgspec.json.Decoder[_Decoded], body: bytes | msgspec.Raw) -> _Decoded:
    """What a decoder reads. Raises InvalidEventError with the path of the offending field, and nothing else."""
    try:
        return decoder.decode(body)
    except RecursionError:
        raise InvalidEventError("$", "nested too deeply", "send flat events") from None
    except (msgspec.DecodeError, UnicodeError, OverflowError, ValueError) as error:
        what, _, path = str(error).partition(" - at `")
        raise InvalidEventError(path.rstrip("`") or "$", what, "see the event schema") from None


def encode(event: Logged) -> bytes:
    """The event's JSON on one line."""
    return _encoder.encode(event)


def instants(event: Event) -> Iterator[tuple[str, Millis, bool]]:
    """Each instant in the event: its path, itself, and whether it is planned (else it *has happened*)."""
    yield "$.timestamp", millis(event.timestamp), False
    data = getattr(event, "data", None)
    for name in INSTANTS[type(data)]:
        value = getattr(data, name)
        if isinstance(value, datetime):
            yield f"$.data.{name}", millis(value), name == "scheduled_at"


def believe(event: Event, received_at: Millis) -> None:
    """Check what an event says that its form cannot tell, such as its instants against its receipt.

    Raises InvalidEventError if one is outside 1990 to 2100, or *has happened* more than 5 minutes after the receipt, or if a
    subject is merged into itself.
    """
    if isinstance(event, Merged) and event.into == event.subject:
        raise InvalidEventError("$.into", "is the subject itself", "send null to undo a merge")
    check_instants(event)
    for path, at, planned in instants(event):
        if at > received_at + AHEAD_LIMIT and not planned:
            late = f"{isoformat(at)} lies over 5 minutes after the receipt at {isoformat(received_at)}"
            raise InvalidEventError(path, late, "check the sender's clock")


def check_instants(event: Event) -> None:
    """Raise InvalidEventError if one of the event's instants is outside 1990 to 2100: the engine counts on it."""
    data = getattr(event, "data", None)
    found = [event.timestamp, *[getattr(data, name) for name in INSTANTS[type(data)]]]
    if all(_FROM <= at < _UNTIL for at in found if isinstance(at, datetime)):
        return
    path, wrong = next((path, at) for path, at, _ in instants(event) if not EARLIEST <= at < LATEST)
    raise InvalidEventError(path, f"{wrong} ms is outside the years 1990 to 2099", "send RFC 3339 instants")


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what a webhook of ours may carry: one event or an array of them."""
    (one,), parts = msgspec.json.schema_components([Event], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Leadbeat events, version 1",
        "anyOf": [one, {"type": "array", "items": one}],
        "$defs": parts,
    }
