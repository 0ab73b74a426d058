"""Whom and what an event is about: its subject, and which object of the subject."""

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]


class SubjectRef(Struct, frozen=True):
    """Whom the event is about: a lead, an account, a rep, a campaign."""

    kind: Literal["lead", "account", "rep", "campaign"]
    id: Name


class LeadRef(Struct, frozen=True):
    """The lead that the event is about."""

    kind: Literal["lead"]
    id: Name


class AccountRef(Struct, frozen=True):
    """The account, an organisation that buys or might, that the event is about."""

    kind: Literal["account"]
    id: Name


class RepRef(Struct, frozen=True):
    """The rep that the event is about, by the name that the roster has."""

    kind: Literal["rep"]
    id: Name


class CampaignRef(Struct, frozen=True):
    """The campaign that the event is about."""

    kind: Literal["campaign"]
    id: Name


class ObjectRef(Struct, frozen=True):
    """Which object of the subject the event is about."""

    kind: Literal[
        "inquiry",
        "touch",
        "reply",
        "meeting",
        "deal",
        "proposal",
        "nurture",
        "subscription",
        "purchase",
        "survey",
        "ticket",
        "usage",
        "referral",
        "time",
        "employee_survey",
        "day",
        "cost",
        "quote",
    ]
    id: Name


class InquiryRef(Struct, frozen=True):
    """Which inquiry of the lead the event is about."""

    kind: Literal["inquiry"]
    id: Name


class TouchRef(Struct, frozen=True):
    """Which touch of the lead the event is about."""

    kind: Literal["touch"]
    id: Name


class ReplyRef(Struct, frozen=True):
    """Which reply of the lead the event is about."""

    kind: Literal["reply"]
    id: Name


class MeetingRef(Struct, frozen=True):
    """Which meeting of the lead the event is about."""

    kind: Literal["meeting"]
    id: Name


class DealRef(Struct, frozen=True):
    """Which deal of the lead the event is about."""

    kind: Literal["deal"]
    id: Name


class ProposalRef(Struct, frozen=True):
    """Which proposal to the lead the event is about."""

    kind: Literal["proposal"]
    id: Name


class NurtureRef(Struct, frozen=True):
    """Which stay of the lead on a nurture track the event is about."""

    kind: Literal["nurture"]
    id: Name


class SubscriptionRef(Struct, frozen=True):
    """Which subscription of the account the event is about."""

    kind: Literal["subscription"]
    id: Name


class PurchaseRef(Struct, frozen=True):
    """Which purchase of the account the event is about."""

    kind: Literal["purchase"]
    id: Name


class SurveyRef(Struct, frozen=True):
    """Which answer of the account to a survey the event is about."""

    kind: Literal["survey"]
    id: Name


class TicketRef(Struct, frozen=True):
    """Which ticket of the account the event is about."""

    kind: Literal["ticket"]
    id: Name


class UsageRef(Struct, frozen=True):
    """Which stretch of use by the account the event is about."""

    kind: Literal["usage"]
    id: Name


class ReferralRef(Struct, frozen=True):
    """Which referral by the account the event is about."""

    kind: Literal["referral"]
    id: Name


class TimeRef(Struct, frozen=True):
    """Which entry of the rep's time log the event is about."""

    kind: Literal["time"]
    id: Name


class EmployeeSurveyRef(Struct, frozen=True):
    """Which answer of the rep to a survey among employees the event is about."""

    kind: Literal["employee_survey"]
    id: Name


class DayRef(Struct, frozen=True):
    """Which day of the campaign the event is about."""

    kind: Literal["day"]
    id: Name


class CostRef(Struct, frozen=True):
    """Which cost of the campaign the event is about."""

    kind: Literal["cost"]
    id: Name


class QuoteRef(Struct, frozen=True):
    """Which quoted price of a competitor the event is about."""

    kind: Literal["quote"]
    id: Name
