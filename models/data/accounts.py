"""What events tell of accounts: the fields of an account's own record, and of each kind of its objects.

A field that is absent leaves what is known untouched; `null` clears it. Amounts are whole minor units of `currency` (ISO 4217;
without one, the organisation's own).
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from models.data.fields import Amount, CurrencyCode, Instant
from models.data.refs import Name


class AccountData(Struct, frozen=True):
    """An account's own fields. `owner` holds from `owner_at` on, else from `timestamp`."""

    added_at: Instant | None | UnsetType = UNSET
    owner: Name | None | UnsetType = UNSET
    owner_at: Instant | UnsetType = UNSET
    lead_source: Name | None | UnsetType = UNSET
    origin: Name | None | UnsetType = UNSET
    sales_region: Name | None | UnsetType = UNSET
    segment: Name | None | UnsetType = UNSET
    campaign: Name | None | UnsetType = UNSET


class SubscriptionData(Struct, frozen=True):
    """What a subscription brings a month, `mrr` in `currency`, from `effective_at` on (which may be planned), else `timestamp`.

    0 or null is the end of it, until another amount follows.
    """

    mrr: Amount | None | UnsetType = UNSET
    effective_at: Instant | UnsetType = UNSET
    currency: CurrencyCode | None | UnsetType = UNSET


class PurchaseData(Struct, frozen=True):
    """The account bought something, once, at `at`."""

    at: Instant | None | UnsetType = UNSET
    amount: Amount | None | UnsetType = UNSET
    currency: CurrencyCode | None | UnsetType = UNSET


class SurveyData(Struct, frozen=True):
    """Somebody of the account answered: of kind `nps` 0 to 10, of kind `csat` 1 to 5; about `rep`, else about the owner."""

    at: Instant | None | UnsetType = UNSET
    kind: Literal["nps", "csat"] | None | UnsetType = UNSET
    score: Annotated[int, Meta(ge=0, le=10)] | None | UnsetType = UNSET
    rep: Name | None | UnsetType = UNSET


class TicketData(Struct, frozen=True):
    """The account asked for help at `opened_at`, and had it at `closed_at`."""

    opened_at: Instant | None | UnsetType = UNSET
    closed_at: Instant | None | UnsetType = UNSET
    rep: Name | None | UnsetType = UNSET


class UsageData(Struct, frozen=True):
    """The account used the product for so many seconds, from `at` on."""

    at: Instant | None | UnsetType = UNSET
    seconds: Annotated[int, Meta(ge=0, le=10**9)] | None | UnsetType = UNSET


class ReferralData(Struct, frozen=True):
    """The account recommended the organisation to somebody, at `at`."""

    at: Instant | None | UnsetType = UNSET
