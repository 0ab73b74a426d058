"""Canonical events: what comes in, in one form, whatever CRM it came from.

An event upserts one object of one subject. A field that is absent leaves what is known untouched; `null` clears it.
`timestamp` is the *version time*, when the source changed the record; occurrences are in `data`. The same JSON is what our
own webhooks carry (one event, or an array of them) and what `crm.events.v1` holds, there with `received_at` added and the
subject id prefixed by its connection.
"""

from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from models.data.accounts import (
    AccountData,
    PurchaseData,
    ReferralData,
    SubscriptionData,
    SurveyData,
    TicketData,
    UsageData,
)
from models.data.campaigns import CampaignData, CostData, DayData, QuoteData
from models.data.fields import Instant
from models.data.leads import (
    DealData,
    InquiryData,
    LeadData,
    MeetingData,
    NurtureData,
    ProposalData,
    ReplyData,
    TouchData,
)
from models.data.refs import (
    AccountRef,
    CampaignRef,
    CostRef,
    DayRef,
    DealRef,
    EmployeeSurveyRef,
    InquiryRef,
    LeadRef,
    MeetingRef,
    Name,
    NurtureRef,
    ObjectRef,
    ProposalRef,
    PurchaseRef,
    QuoteRef,
    ReferralRef,
    ReplyRef,
    RepRef,
    SubjectRef,
    SubscriptionRef,
    SurveyRef,
    TicketRef,
    TimeRef,
    TouchRef,
    UsageRef,
)
from models.data.reps import EmployeeSurveyData, RepData, TimeData
from models.errors import InvalidEventError


class _Event(Struct, frozen=True, tag_field="type", kw_only=True):
    """What every event carries."""

    id: Name
    timestamp: Instant
    sequence: Annotated[int, Meta(ge=0, le=2**53, description="Orders versions of equal timestamp.")] = 0
    schema_version: Literal[1] = 1
    received_at: Annotated[int, Meta(ge=0, le=2**53)] | None = None


class _OfLead(_Event, frozen=True, kw_only=True):
    """What an event of a lead carries."""

    subject: LeadRef


class _OfAccount(_Event, frozen=True, kw_only=True):
    """What an event of an account carries."""

    subject: AccountRef


class _OfRep(_Event, frozen=True, kw_only=True):
    """What an event of a rep carries."""

    subject: RepRef


class _OfCampaign(_Event, frozen=True, kw_only=True):
    """What an event of a campaign carries."""

    subject: CampaignRef


class _OfAny(_Event, frozen=True, kw_only=True):
    """What an event of whatever subject carries."""

    subject: SubjectRef


class LeadUpserted(_OfLead, frozen=True, tag="lead.upserted", kw_only=True):
    """The lead's own record is new or changed."""

    data: LeadData


class InquiryUpserted(_OfLead, frozen=True, tag="inquiry.upserted", kw_only=True):
    """An inquiry is new or changed."""

    object: InquiryRef
    data: InquiryData


class TouchUpserted(_OfLead, frozen=True, tag="touch.upserted", kw_only=True):
    """A touch is new or changed."""

    object: TouchRef
    data: TouchData


class ReplyUpserted(_OfLead, frozen=True, tag="reply.upserted", kw_only=True):
    """A reply is new or changed."""

    object: ReplyRef
    data: ReplyData


class MeetingUpserted(_OfLead, frozen=True, tag="meeting.upserted", kw_only=True):
    """A meeting is new or changed: booked, moved, held, missed, cancelled."""

    object: MeetingRef
    data: MeetingData


class DealUpserted(_OfLead, frozen=True, tag="deal.upserted", kw_only=True):
    """A deal is new or changed: entered a stage, was won, lost, opened again."""

    object: DealRef
    data: DealData


class ProposalUpserted(_OfLead, frozen=True, tag="proposal.upserted", kw_only=True):
    """A proposal is new or changed: sent, signed."""

    object: ProposalRef
    data: ProposalData


class NurtureUpserted(_OfLead, frozen=True, tag="nurture.upserted", kw_only=True):
    """A stay on a nurture track is new or changed."""

    object: NurtureRef
    data: NurtureData


class AccountUpserted(_OfAccount, frozen=True, tag="account.upserted", kw_only=True):
    """The account's own record is new or changed."""

    data: AccountData


class SubscriptionUpserted(_OfAccount, frozen=True, tag="subscription.upserted", kw_only=True):
    """A subscription is new or changed: grew, shrank, ended."""

    object: SubscriptionRef
    data: SubscriptionData


class PurchaseUpserted(_OfAccount, frozen=True, tag="purchase.upserted", kw_only=True):
    """A purchase is new or changed."""

    object: PurchaseRef
    data: PurchaseData


class SurveyUpserted(_OfAccount, frozen=True, tag="survey.upserted", kw_only=True):
    """An answer to a survey is new or changed."""

    object: SurveyRef
    data: SurveyData


class TicketUpserted(_OfAccount, frozen=True, tag="ticket.upserted", kw_only=True):
    """A ticket is new or changed: opened, closed."""

    object: TicketRef
    data: TicketData


class UsageUpserted(_OfAccount, frozen=True, tag="usage.upserted", kw_only=True):
    """A stretch of use is new or changed."""

    object: UsageRef
    data: UsageData


class ReferralUpserted(_OfAccount, frozen=True, tag="referral.upserted", kw_only=True):
    """A referral is new or changed."""

    object: ReferralRef
    data: ReferralData


class RepUpserted(_OfRep, frozen=True, tag="rep.upserted", kw_only=True):
    """The rep's own record is new or changed."""

    data: RepData


class TimeUpserted(_OfRep, frozen=True, tag="time.upserted", kw_only=True):
    """An entry of the time log is new or changed."""

    object: TimeRef
    data: TimeData


class EmployeeSurveyUpserted(_OfRep, frozen=True, tag="employee_survey.upserted", kw_only=True):
    """An answer to a survey among employees is new or changed."""

    object: EmployeeSurveyRef
    data: EmployeeSurveyData


class CampaignUpserted(_OfCampaign, frozen=True, tag="campaign.upserted", kw_only=True):
    """The campaign's own record is new or changed."""

    data: CampaignData


class DayUpserted(_OfCampaign, frozen=True, tag="day.upserted", kw_only=True):
    """A day's figures are new or changed."""

    object: DayRef
    data: DayData


class CostUpserted(_OfCampaign, frozen=True, tag="cost.upserted", kw_only=True):
    """A cost is new or changed."""

    object: CostRef
    data: CostData


class QuoteUpserted(_OfCampaign, frozen=True, tag="quote.upserted", kw_only=True):
    """A competitor's quoted price is new or changed."""

    object: QuoteRef
    data: QuoteData


class Deleted(_OfAny, frozen=True, tag="deleted", kw_only=True):
    """The subject, or one object of it, was deleted in the source. Only a later `restored` brings it back."""

    object: ObjectRef | None = None


class Restored(_OfAny, frozen=True, tag="restored", kw_only=True):
    """The subject, or one object of it, was restored in the source."""

    object: ObjectRef | None = None


class Erased(_OfAny, frozen=True, tag="erased", kw_only=True):
    """The person asked to be forgotten: what is known goes, for good."""


class Merged(_OfAny, frozen=True, tag="merged", kw_only=True):
    """The subject is, or was merged with, `into`, who goes on for both; null undoes it."""

    into: SubjectRef | None


Event: TypeAlias = (
    LeadUpserted
    | InquiryUpserted
    | TouchUpserted
    | ReplyUpserted
    | MeetingUpserted
    | DealUpserted
    | ProposalUpserted
    | NurtureUpserted
    | AccountUpserted
    | SubscriptionUpserted
    | PurchaseUpserted
    | SurveyUpserted
    | TicketUpserted
    | UsageUpserted
    | ReferralUpserted
    | RepUpserted
    | TimeUpserted
    | EmployeeSurveyUpserted
    | CampaignUpserted
    | DayUpserted
    | CostUpserted
    | QuoteUpserted
    | Deleted
    | Restored
    | Erased
    | Merged
)


class Absorbed(Struct, frozen=True, tag_field="type", tag="absorbed", kw_only=True):
    """A part of what is known of a lead, for the one that it was merged into (`subject`); or its replies, for its account.

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

EVENT_TYPES: Final = frozenset(str(each.__struct_config__.tag) for each in get_args(Event))

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


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what a webhook of ours may carry: one event or an array of them."""
    (one,), parts = msgspec.json.schema_components([Event], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Leadbeat events, version 1",
        "anyOf": [one, {"type": "array", "items": one}],
        "$defs": parts,
    }
