"""What events tell of leads: the fields of a lead's own record, and of each kind of its objects.

A field that is absent leaves what is known untouched; `null` clears it.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from models.data.fields import Amount, Channel, CurrencyCode, Instant, Stage
from models.data.refs import Name


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


class Line(Struct, frozen=True):
    """What of a deal is one product: so many units, and what each of them costs in the deal's currency."""

    quantity: Annotated[int, Meta(ge=1, le=10**6)]
    unit_price: Amount
    product: Name | None = None


class DealData(Struct, frozen=True):
    """An opportunity of the lead, created at `created_at`, and what became of it at `closed_at`.

    Amounts are whole minor units of `currency` (ISO 4217; without one, the organisation's own): what is, or is to be, paid, and
    what the price list asks. `stage` is one of the pipeline's; it holds from `stage_at` on, else from `timestamp`.
    `term_months` is how long the contract runs that the amount is paid for. A deal without an amount is worth what
    its `lines` are together.
    """

    created_at: Instant | None | UnsetType = UNSET
    rep: Name | None | UnsetType = UNSET
    stage: Name | None | UnsetType = UNSET
    stage_at: Instant | UnsetType = UNSET
    amount: Amount | None | UnsetType = UNSET
    list_amount: Amount | None | UnsetType = UNSET
    currency: CurrencyCode | None | UnsetType = UNSET
    kind: Literal["new_business", "upsell", "cross_sell", "renewal"] | None | UnsetType = UNSET
    outcome: Literal["won", "lost"] | None | UnsetType = UNSET
    closed_at: Instant | None | UnsetType = UNSET
    term_months: Annotated[int, Meta(ge=1, le=1200)] | None | UnsetType = UNSET
    lines: Annotated[tuple[Line, ...], Meta(max_length=100)] | None | UnsetType = UNSET
    loss_reason: Name | None | UnsetType = UNSET
    competitor: Name | None | UnsetType = UNSET


class ProposalData(Struct, frozen=True):
    """A proposal to the lead, sent at `sent_at` by `rep`, and signed at `signed_at` if it is."""

    sent_at: Instant | None | UnsetType = UNSET
    signed_at: Instant | None | UnsetType = UNSET
    rep: Name | None | UnsetType = UNSET
    deal: Name | None | UnsetType = UNSET


class NurtureData(Struct, frozen=True):
    """The lead was put on a nurture track at `entered_at`."""

    track: Name | None | UnsetType = UNSET
    entered_at: Instant | None | UnsetType = UNSET
