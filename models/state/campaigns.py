"""What stands of a campaign, as rows: its days, its costs, and competitors' quoted prices.

Amounts are whole minor units of the organisation's currency, each at the rate of its own instant. A local day stands at its
first instant in the organisation's zone.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final, NamedTuple

import numpy as np

from models.codes import Codes
from models.state.packing import packed
from models.state.registers import Fields
from models.units import Millis

COUNTED: Final = ("visits", "impressions", "deliveries", "clicks", "sign_ups")
DAY: Final = np.dtype([("at", "<i8"), *((name, "<i8") for name in COUNTED), ("channel", "<i4")])
COST: Final = np.dtype([("at", "<i8"), ("amount", "<i8"), ("category", "u1"), ("channel", "<i4")])
QUOTE: Final = np.dtype([("at", "<i8"), ("price", "<i8"), ("product", "<i4"), ("competitor", "<i4"), ("kind", "<i4")])
"""`kind` numbers the pairs of product and competitor as they are told, known to the rules or not."""

CATEGORIES: Final = ("marketing", "sales", "sdr")


class CampaignFacts(NamedTuple):
    """All that stands of a campaign beside its own record."""

    days: bytes = b""
    costs: bytes = b""
    quotes: bytes = b""


NO_CAMPAIGN: Final = CampaignFacts()


def campaign_facts(own: Fields, objects: Mapping[str, list[tuple[str, Fields]]], codes: Codes) -> CampaignFacts:
    """What stands of a campaign, from its own fields and its objects by kind; each table is in the order of time."""
    channel = codes.channel.code(own.get("channel"))
    days = [
        (_start(fields["date"], codes), *(fields.get(name) or 0 for name in COUNTED), channel)
        for _, fields in objects.get("day", ())
        if fields.get("date") is not None
    ]
    costs = [row for _, fields in objects.get("cost", ()) for row in _cost(fields, channel, codes)]
    return CampaignFacts(packed(days, DAY), packed(costs, COST), _quotes(objects.get("quote", []), codes))


def _start(told: str, codes: Codes) -> Millis:
    return codes.days.start_of(date.fromisoformat(told))


def _cost(fields: Fields, channel: int, codes: Codes) -> Iterator[tuple[int, int, int, int]]:
    if fields.get("date") is None or fields.get("category") is None:
        return
    at = _start(fields["date"], codes)
    amount = codes.money.converted(fields.get("amount"), fields.get("currency"), at)
    if amount is not None:
        yield at, amount, CATEGORIES.index(fields["category"]), channel


def _quotes(quotes: list[tuple[str, Fields]], codes: Codes) -> bytes:
    found = [
        (fields["at"], name, (fields["product"], fields["competitor"]), price)
        for name, fields in quotes
        if all(fields.get(each) is not None for each in ("at", "product", "competitor"))
        and (price := codes.money.converted(fields.get("price"), fields.get("currency"), Millis(fields["at"]))) is not None
    ]
    kinds = {kind: number for number, kind in enumerate(sorted({kind for _, _, kind, _ in found}))}
    rows = [
        (at, price, codes.product.code(kind[0]), codes.competitor.code(kind[1]), kinds[kind])
        for at, _, kind, price in sorted(found)
    ]
    return np.array(rows, QUOTE).tobytes()
