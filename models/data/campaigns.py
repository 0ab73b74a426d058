"""What events tell of campaigns: the fields of a campaign's own record, and of each kind of its objects.

A field that is absent leaves what is known untouched; `null` clears it. Amounts are whole minor units of `currency` (ISO 4217;
without one, the organisation's own).
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from models.data.fields import Amount, Channel, Count, CurrencyCode, Date, Instant
from models.data.refs import Name


class CampaignData(Struct, frozen=True):
    """A campaign's own fields; leads tell its `name` as their campaign. Without one it goes by its id."""

    name: Name | None | UnsetType = UNSET
    lead_source: Name | None | UnsetType = UNSET
    origin: Name | None | UnsetType = UNSET
    sales_region: Name | None | UnsetType = UNSET
    segment: Name | None | UnsetType = UNSET
    channel: Channel | None | UnsetType = UNSET


class DayData(Struct, frozen=True):
    """What came of the campaign on a local day."""

    date: Date | None | UnsetType = UNSET
    visits: Count | None | UnsetType = UNSET
    impressions: Count | None | UnsetType = UNSET
    deliveries: Count | None | UnsetType = UNSET
    clicks: Count | None | UnsetType = UNSET
    sign_ups: Count | None | UnsetType = UNSET


class CostData(Struct, frozen=True):
    """What was spent on a local day: on marketing, on sales beside the SDR team, or on the SDR team."""

    date: Date | None | UnsetType = UNSET
    category: Literal["marketing", "sales", "sdr"] | None | UnsetType = UNSET
    amount: Amount | None | UnsetType = UNSET
    currency: CurrencyCode | None | UnsetType = UNSET


class QuoteData(Struct, frozen=True):
    """What a competitor asks for a unit of what is like a product of ours."""

    at: Instant | None | UnsetType = UNSET
    product: Name | None | UnsetType = UNSET
    competitor: Name | None | UnsetType = UNSET
    price: Amount | None | UnsetType = UNSET
    currency: CurrencyCode | None | UnsetType = UNSET
