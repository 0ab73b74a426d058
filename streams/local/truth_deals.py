"""The oracle's reading of deals: what is in the pipeline, what is won, and what it is worth."""

from collections.abc import Iterator
from typing import Any

from streams.local.truth_facts import Rules
from streams.local.truth_money import part
from streams.local.truth_section import Section

Deal = dict[str, Any]
"""Fields by name; `stages` are the instants from which it was in a stage, or (None) in none, in their order."""

KINDS = {"new_business": "new_business_revenue", "upsell": "upsell_revenue", "cross_sell": "cross_sell_revenue"}
DEALS_OF_KINDS = {"upsell": "upsell_deals_won", "cross_sell": "cross_sell_deals_won"}
MONTHS = 12
PERCENT = 100

_COUNTS = [
    "opportunities_created",
    "opportunity_value",
    "opportunities_stage_one",
    "opportunities_stage_two",
    "opportunity_value_stage_one",
    "opportunity_value_stage_two",
    "deals_won",
    "deals_lost",
    "revenue",
    *KINDS.values(),
    *DEALS_OF_KINDS.values(),
]
_RATIOS: dict[str, tuple[str, tuple[str, ...]]] = {
    "stage_one_to_two_ratio": ("stage_one_to_two", ("opportunities_stage_one",)),
    "stage_one_to_two_value_ratio": ("stage_one_to_two_value", ("opportunity_value_stage_one",)),
    "stage_two_to_customer_ratio": ("stage_two_to_customer", ("opportunities_stage_two",)),
    "stage_two_to_customer_value_ratio": ("stage_two_to_customer_value", ("opportunity_value_stage_two",)),
    "win_ratio": ("deals_won", ("deals_won", "deals_lost")),
    "win_value_ratio": ("revenue", ("revenue", "revenue_lost")),
    "cohort_win_ratio": ("opportunities_won", ("opportunities_created",)),
    "cohort_open_ratio": ("opportunities_open", ("opportunities_created",)),
    "win_loss_ratio": ("deals_won", ("deals_lost",)),
    "discount_ratio": ("discounts", ("list_revenue",)),
    "upsell_revenue_ratio": ("upsell_revenue", ("revenue",)),
    "cross_sell_revenue_ratio": ("cross_sell_revenue", ("revenue",)),
}
_MEANS: dict[str, tuple[str, tuple[str, ...]]] = {
    "deal_size_mean": ("revenue", ("deals_won",)),
    "contract_value_mean": ("contract_revenue", ("contracts_won",)),
    "discount_per_sale_mean": ("discounts", ("discounted_deals",)),
}
DEALS = Section(
    counts=_COUNTS,
    durations=["sales_cycle_time"],
    ratios=_RATIOS,
    means=_MEANS,
    growths={"revenue_growth_ratio": "revenue"},
    levels=["open_opportunities", "pipeline_value", "weighted_pipeline_value"],
    daily={*_COUNTS, *_RATIOS, *_MEANS, "sales_cycle_time", "revenue_growth_ratio"},
    money={
        "opportunity_value",
        "opportunity_value_stage_one",
        "opportunity_value_stage_two",
        "stage_one_to_two_value",
        "stage_two_to_customer_value",
        "revenue",
        "revenue_lost",
        *KINDS.values(),
        "contract_revenue",
        "list_revenue",
        "discounts",
        "pipeline_value",
        "weighted_pipeline_value",
        *_MEANS,
    },
)


def told_by_deal(deal: Deal, rules: Rules, touched_at: int | None) -> Iterator[tuple[str, int, int]]:
    """What counts of a deal, when, and how much; `touched_at` is the lead's first prospecting touch."""
    if deal.get("created_at") is None:
        return
    yield from _cohort(deal, rules)
    yield from _advance(deal, rules)
    if is_closed(deal, "won"):
        yield from _won(deal, rules, touched_at)
    if is_closed(deal, "lost"):
        yield "deals_lost", deal["closed_at"], 1
        yield from _worth("revenue_lost", deal["closed_at"], amount_of(deal, rules, deal["closed_at"]))


def further_dims(measure: str, deal: Deal, rules: Rules) -> dict[str, str]:
    """What else deals that are won or lost are sliced by."""
    against = rules.of_list("competitor", deal.get("competitor"))
    why = rules.of_list("loss_reason", deal.get("loss_reason"))
    return {"deals_won": against, "deals_lost": against | why}.get(measure, {})


def levels_of(deal: Deal, rules: Rules) -> Iterator[tuple[str, int]]:
    """The levels that a deal stands in, and with how much."""
    if deal.get("created_at") is None or deal.get("outcome") is not None:
        return
    yield "open_opportunities", 1
    amount = amount_of(deal, rules, deal["created_at"])
    if amount is not None:
        present = deal["stages"][-1][1] if deal["stages"] else None
        yield "pipeline_value", amount
        likely = sum(probability for name, probability in rules.deal_stages if name == present)
        yield "weighted_pipeline_value", part(amount, likely, PERCENT)


def _cohort(deal: Deal, rules: Rules) -> Iterator[tuple[str, int, int]]:
    """At the creation."""
    created_at = deal["created_at"]
    yield "opportunities_created", created_at, 1
    yield from _worth("opportunity_value", created_at, amount_of(deal, rules, created_at))
    if is_closed(deal, "won"):
        yield "opportunities_won", created_at, 1
    if deal.get("outcome") is None:
        yield "opportunities_open", created_at, 1


def _advance(deal: Deal, rules: Rules) -> Iterator[tuple[str, int, int]]:
    """At the reaching of stages one and two."""
    first_at, second_at = (_reached_at(deal, rules, number) for number in (1, 2))
    if first_at is not None:
        amount = amount_of(deal, rules, first_at)
        yield "opportunities_stage_one", first_at, 1
        yield from _worth("opportunity_value_stage_one", first_at, amount)
        if second_at is not None:
            yield "stage_one_to_two", first_at, 1
            yield from _worth("stage_one_to_two_value", first_at, amount)
    if second_at is not None:
        amount = amount_of(deal, rules, second_at)
        yield "opportunities_stage_two", second_at, 1
        yield from _worth("opportunity_value_stage_two", second_at, amount)
        if is_closed(deal, "won"):
            yield "stage_two_to_customer", second_at, 1
            yield from _worth("stage_two_to_customer_value", second_at, amount)


def _reached_at(deal: Deal, rules: Rules, number: int) -> int | None:
    """When a deal first was in a stage or in one beyond it, or was won."""
    counting = [name for name, _ in rules.deal_stages][number - 1 :]
    instants = [since for since, stage in deal["stages"] if stage in counting]
    if counting and is_closed(deal, "won"):
        instants.append(deal["closed_at"])
    return min(instants, default=None)


def _won(deal: Deal, rules: Rules, touched_at: int | None) -> Iterator[tuple[str, int, int]]:
    """At the close of a deal that is won."""
    closed_at = deal["closed_at"]
    yield "deals_won", closed_at, 1
    if deal.get("kind") in DEALS_OF_KINDS:
        yield DEALS_OF_KINDS[deal["kind"]], closed_at, 1
    start = touched_at if touched_at is not None and touched_at <= closed_at else deal["created_at"]
    yield "sales_cycle_time", closed_at, max(closed_at - start, 0)
    paid = amount_of(deal, rules, closed_at)
    if paid is None:
        return
    yield "revenue", closed_at, paid
    if deal.get("kind") in KINDS:
        yield KINDS[deal["kind"]], closed_at, paid
    if deal.get("term_months") is not None:
        yield "contracts_won", closed_at, 1
        yield "contract_revenue", closed_at, part(paid, MONTHS, deal["term_months"])
    asked = rules.money.converted(deal.get("list_amount"), deal.get("currency"), closed_at)
    if asked is not None:
        yield "discounted_deals", closed_at, 1
        yield "list_revenue", closed_at, asked
        yield "discounts", closed_at, asked - paid


def is_closed(deal: Deal, outcome: str) -> bool:
    """Whether a deal is won, or lost, and it is told when."""
    return deal.get("outcome") == outcome and deal.get("closed_at") is not None


def amount_of(deal: Deal, rules: Rules, at: int) -> int | None:
    """What a deal is worth at an instant: as it says, else all of its lines together."""
    amount, lines = deal.get("amount"), deal.get("lines")
    if amount is None and lines:
        amount = sum(line["quantity"] * line["unit_price"] for line in lines)
    return rules.money.converted(amount, deal.get("currency"), at)


def _worth(measure: str, at: int, amount: int | None) -> Iterator[tuple[str, int, int]]:
    """An amount, if there is one."""
    if amount is not None:
        yield measure, at, amount
