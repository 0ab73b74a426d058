"""The oracle's reading of what is sold: products, what led to it, and whose revenue it is."""

from collections.abc import Iterator

from streams.local.truth_acts import MEETING, Act, order
from streams.local.truth_deals import Deal, amount_of, is_closed
from streams.local.truth_findings import Findings
from streams.local.truth_linear import Formula
from streams.local.truth_money import percent_of
from streams.local.truth_section import Section, Told

TOUCHES = {"won": "touches_on_deals_won", "lost": "touches_on_deals_lost"}

_COUNTS = [
    *("orders", "units_sold", "product_revenue"),
    *TOUCHES.values(),
    *("demos_deals", "demos_deals_won"),
    *("commission", "converted_revenue", "attributed_revenue", "outbound_revenue", "referral_clients"),
]
_RATIOS: dict[str, tuple[str, tuple[str, ...]]] = {
    "demo_close_ratio": ("demos_deals_won", ("demos_deals",)),
    "lead_revenue_share": ("converted_revenue", ("revenue",)),
    "lead_value_to_cost_ratio": ("converted_revenue", ("marketing_spend",)),
    "sdr_roi": ("outbound_revenue", ("sdr_spend",)),
}
_PRICES: dict[str, tuple[str, tuple[str, ...]]] = {
    "unit_price_mean": ("product_revenue", ("units_sold",)),
    "unit_cost_mean": ("marketing_spend", ("units_sold",)),
}
_MEANS: dict[str, tuple[str, tuple[str, ...]]] = {
    **_PRICES,
    "touches_per_deal_won_mean": ("touches_on_deals_won", ("deals_won",)),
    "touches_per_deal_lost_mean": ("touches_on_deals_lost", ("deals_lost",)),
}
_FORMULAS = {
    "upsell_ratio": Formula("ratio", {"upsell_deals_won": 1}, {"customers": 1}),
    "cross_sell_ratio": Formula("ratio", {"cross_sell_deals_won": 1}, {"customers": 1}),
}
LINES = Section(
    counts=_COUNTS,
    durations=["customer_lifecycle_time"],
    ratios=_RATIOS,
    means=_MEANS,
    daily={*_COUNTS, *_RATIOS, *_MEANS, *_FORMULAS, "customer_lifecycle_time"},
    money={"commission", "product_revenue", "converted_revenue", "attributed_revenue", "outbound_revenue", *_PRICES},
    formulas=_FORMULAS,
)


def told_by_sales(found: Findings) -> Iterator[Told]:
    """What a lead's deals tell beside what each tells by itself."""
    deals = [deal for deal in found.lead.deals if deal.get("created_at") is not None]
    won = sorted((deal for deal in deals if is_closed(deal, "won")), key=lambda deal: (deal["closed_at"], deal["id"]))
    for deal in won:
        yield from _lines(deal, found)
        yield from _revenue(deal, found)
    for deal in deals:
        yield from _touches(deal, found)
    yield from _demos(deals, found)
    if won:
        yield from _first_won(won[0], found)


def _lines(deal: Deal, found: Findings) -> Iterator[Told]:
    """`orders`, `units_sold` and `product_revenue`, of each line by itself."""
    at = deal["closed_at"]
    for line in deal.get("lines") or []:
        dims = found.dims(found.seller(deal, at), at) | found.rules.of_list("product", line.get("product"))
        yield Told("orders", at, dims)
        yield Told("units_sold", at, dims, line["quantity"])
        paid = found.rules.money.converted(line["quantity"] * line["unit_price"], deal.get("currency"), at)
        if paid is not None:
            yield Told("product_revenue", at, dims, paid)


def _revenue(deal: Deal, found: Findings) -> Iterator[Told]:
    """`attributed_revenue`, by the channel of the first touch and by nobody; `commission`; `outbound_revenue`."""
    at = deal["closed_at"]
    paid = amount_of(deal, found.rules, at)
    if paid is None:
        return
    first = found.first_prospecting
    channel = "unknown" if first is None else first.channel
    yield Told("attributed_revenue", at, found.rules.of_lead(found.lead.fields) | {"channel": channel}, paid)
    seller = found.seller(deal, at)
    plan = found.rules.plan(seller, at)
    if plan is not None:
        yield Told("commission", at, found.dims(seller, at), percent_of(paid, plan.percent))
    if found.lead.fields["lead_source"] == "outbound":
        yield Told("outbound_revenue", at, found.dims(found.seller(deal, at), at), paid)


def _touches(deal: Deal, found: Findings) -> Iterator[Told]:
    """The touches by a person up to the close, each by its own channel and the deal's rep."""
    for outcome, measure in TOUCHES.items():
        if is_closed(deal, outcome):
            at = deal["closed_at"]
            for act in found.by_person:
                if act.at <= at:
                    yield Told(measure, at, found.dims(found.seller(deal, at), at, act.channel))


def _demos(deals: list[Deal], found: Findings) -> Iterator[Told]:
    """`demos_deals` and those of them that are won, at the lead's first demo, if that was before the deal's end."""
    demos = {meeting["id"] for meeting in found.held_meetings if meeting.get("kind") == "demo"}
    held: list[Act] = [act for act in found.by_person if act.rank == MEETING and act.id in demos]
    if not held:
        return
    first = min(held, key=order)
    for deal in deals:
        ended_at = None if deal.get("outcome") is None else deal.get("closed_at")
        if ended_at is None or first.at <= ended_at:
            yield Told("demos_deals", first.at, found.by_actor(first, channel=False))
            if is_closed(deal, "won"):
                yield Told("demos_deals_won", first.at, found.by_actor(first, channel=False))


def _first_won(deal: Deal, found: Findings) -> Iterator[Told]:
    """At the close of the first deal that is won: `converted_revenue`, `customer_lifecycle_time` and `referral_clients`."""
    at = deal["closed_at"]
    dims = found.dims(found.seller(deal, at), at)
    paid = amount_of(deal, found.rules, at)
    if paid is not None:
        yield Told("converted_revenue", at, dims, paid)
    seen = [*found.inquiries, *(touch["at"] for touch in found.touches), *(reply["at"] for reply in found.replies)]
    if seen and min(seen) <= at:
        yield Told("customer_lifecycle_time", at, dims, at - min(seen))
    if found.lead.fields["origin"] in found.rules.referral_origins:
        yield Told("referral_clients", at, dims)
