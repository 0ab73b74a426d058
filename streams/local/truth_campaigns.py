"""The oracle's reading of campaigns: what they cost, what they bring, and what others ask for the same."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from streams.local.truth_facts import OF_LEADS, Rules, midnight_ms, standing_of
from streams.local.truth_linear import Formula
from streams.local.truth_record import Json, Record
from streams.local.truth_section import Section, Told

SPENDS = {"marketing": "marketing_spend", "sales": "sales_spend", "sdr": "sdr_spend"}
SEEN = ["visits", "impressions", "deliveries", "clicks", "sign_ups"]

_COUNTS = [*SPENDS.values(), *SEEN]
_MEANS: dict[str, tuple[str, tuple[str, ...]]] = {
    "cost_per_lead": ("marketing_spend", ("leads_created",)),
    "cost_per_acquisition": ("marketing_spend", ("stage_entries{lead_stage=customer}",)),
}
_RATIOS: dict[str, tuple[str, tuple[str, ...]]] = {
    "landing_page_conversion_ratio": ("sign_ups", ("visits",)),
    "click_through_ratio": ("clicks", ("deliveries",)),
}
_FORMULAS = {
    "marketing_roi": Formula("ratio", {"attributed_revenue": 1, "marketing_spend": -1}, {"marketing_spend": 1}),
}
CAMPAIGNS = Section(
    counts=_COUNTS,
    ratios=_RATIOS,
    means=_MEANS,
    levels=["competitor_prices", "competitor_quotes"],
    daily={*_COUNTS, *_RATIOS, *_MEANS, *_FORMULAS},
    money={*SPENDS.values(), *_MEANS, "competitor_prices"},
    formulas=_FORMULAS,
)


def told_by_campaigns(events: Iterable[Json], rules: Rules, known_until: int) -> Iterator[Told]:
    """What all campaigns tell."""
    for campaign, history in standing_of(events, "campaign").items():
        record = Record(history)
        head = record.head
        name = campaign if head.get("name") is None else head["name"]
        fields = {field: head.get(field) for field in OF_LEADS} | {"campaign": name}
        dims = rules.of_lead(fields) | {"channel": head.get("channel") or "unknown"}
        for day in record.objects("day"):
            yield from _seen(day, dims, rules)
        for cost in record.objects("cost"):
            yield from _spent(cost, dims, rules)
        yield from _quoted(record.objects("quote"), rules, known_until)


def _seen(day: dict[str, Any], dims: dict[str, str], rules: Rules) -> Iterator[Told]:
    if day.get("date") is None:
        return
    at = _beginning(day["date"], rules)
    for measure in SEEN:
        if day.get(measure):
            yield Told(measure, at, dims, day[measure])


def _spent(cost: dict[str, Any], dims: dict[str, str], rules: Rules) -> Iterator[Told]:
    if cost.get("date") is None or cost.get("category") not in SPENDS:
        return
    at = _beginning(cost["date"], rules)
    amount = rules.money.converted(cost.get("amount"), cost.get("currency"), at)
    if amount is not None:
        yield Told(SPENDS[cost["category"]], at, dims, amount)


def _quoted(quotes: list[dict[str, Any]], rules: Rules, known_until: int) -> Iterator[Told]:
    """The latest price of each product of each competitor."""
    latest: dict[tuple[str, str], tuple[int, str, int]] = {}
    for quote in quotes:
        at, product, competitor = quote.get("at"), quote.get("product"), quote.get("competitor")
        if at is None or at > known_until or product is None or competitor is None:
            continue
        price = rules.money.converted(quote.get("price"), quote.get("currency"), at)
        if price is not None:
            told = (at, quote["id"], price)
            latest[product, competitor] = max(latest.get((product, competitor), told), told)
    for (product, competitor), (_, _, price) in latest.items():
        dims = rules.of_list("product", product) | rules.of_list("competitor", competitor)
        yield Told("competitor_prices", None, dims, price)
        yield Told("competitor_quotes", None, dims)


def _beginning(day: str, rules: Rules) -> int:
    """The first instant of a local day."""
    return midnight_ms(date.fromisoformat(day), rules.zone)
