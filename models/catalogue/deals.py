"""Opportunities and deals: how many there are, how far they come, what they are worth. Section 5 of the catalogue."""

from models.catalogue.funnel import CONVERTED, STAGE_ENTRIES
from models.dealings import sales_cycles
from models.givens import ote, quota, quota_due, quota_now, rep_quota, reps_with_quota, revenue_target
from models.kpis import Figure, Reached, Remaining, board, count, derived, growth, latency, level_now, mean, ratio
from models.measures import USUAL, Measure, duration, flow, level, named, summed
from models.rules import PER_YEAR
from models.story import Story
from models.tables import Occurrences
from models.units import DAY

DEALS_ONLY = ("deals",)
PERIODS = tuple(PER_YEAR)
WITH_COMPETITOR = (*USUAL, "competitor")


@flow(drill=True, daily=True, reads=DEALS_ONLY)
def opportunities_created(story: Story) -> Occurrences:
    """Deals created, at their creation."""
    return story.deals_at("created")


@flow(daily=True, money=True, reads=DEALS_ONLY)
def opportunity_value(story: Story) -> Occurrences:
    """The amounts of deals, at their creation."""
    return story.worth_at("created", "created")


@flow(drill=True, daily=True, reads=DEALS_ONLY)
def opportunities_stage_one(story: Story) -> Occurrences:
    """Deals that reached the pipeline's first qualified stage, or a later one, at the first time."""
    return story.deals_at("one")


@flow(daily=True, money=True, reads=DEALS_ONLY)
def opportunity_value_stage_one(story: Story) -> Occurrences:
    """The amounts of deals when they reached the first qualified stage."""
    return story.worth_at("one", "one")


@flow(drill=True, daily=True, reads=DEALS_ONLY)
def opportunities_stage_two(story: Story) -> Occurrences:
    """Deals that reached the pipeline's second qualified stage, or a later one, at the first time."""
    return story.deals_at("two")


@flow(daily=True, money=True, reads=DEALS_ONLY)
def opportunity_value_stage_two(story: Story) -> Occurrences:
    """The amounts of deals when they reached the second qualified stage."""
    return story.worth_at("two", "two")


@flow(drill=True, daily=True, reads=DEALS_ONLY)
def stage_one_to_two(story: Story) -> Occurrences:
    """Deals that reached the second qualified stage, at the instant at which they reached the first."""
    return story.deals_at("one", story.reached_by_deals("two"))


@flow(daily=True, money=True, reads=DEALS_ONLY)
def stage_one_to_two_value(story: Story) -> Occurrences:
    """The amounts of deals that reached the second qualified stage, when they reached the first."""
    return story.worth_at("one", "one", story.reached_by_deals("two"))


@flow(drill=True, daily=True, reads=DEALS_ONLY)
def stage_two_to_customer(story: Story) -> Occurrences:
    """Deals that are won, at the instant at which they reached the second qualified stage."""
    return story.deals_at("two", story.won)


@flow(daily=True, money=True, reads=DEALS_ONLY)
def stage_two_to_customer_value(story: Story) -> Occurrences:
    """The amounts of deals that are won, when they reached the second qualified stage."""
    return story.worth_at("two", "two", story.won)


@flow(WITH_COMPETITOR, drill=True, daily=True, reads=DEALS_ONLY)
def deals_won(story: Story) -> Occurrences:
    """Deals won, at their close."""
    return story.closed_deals(story.won)


@flow((*WITH_COMPETITOR, "loss_reason"), drill=True, daily=True, reads=DEALS_ONLY)
def deals_lost(story: Story) -> Occurrences:
    """Deals lost, at their close."""
    return story.closed_deals(story.lost)


@flow(daily=True, money=True, grows=True, reads=DEALS_ONLY)
def revenue(story: Story) -> Occurrences:
    """The amounts of deals won, at their close."""
    return story.worth_at("closed", "closed", story.won)


@flow(daily=True, money=True, reads=DEALS_ONLY)
def commission(story: Story) -> Occurrences:
    """What reps are paid for deals won: the amount times the percent of their plan, at the close."""
    return story.commissions()


@flow(daily=True, money=True, reads=DEALS_ONLY)
def revenue_lost(story: Story) -> Occurrences:
    """The amounts of deals lost, at their close."""
    return story.worth_at("closed", "closed", story.lost)


@flow(drill=True, daily=True, reads=DEALS_ONLY)
def opportunities_won(story: Story) -> Occurrences:
    """Deals that are won, at their creation."""
    return story.deals_at("created", story.won)


@flow(drill=True, daily=True, reads=DEALS_ONLY)
def opportunities_open(story: Story) -> Occurrences:
    """Deals that are still open, at their creation."""
    return story.deals_at("created", story.still_open)


def _revenue_of(kind: str) -> Measure:
    text = f"The amounts of deals of the kind {kind} that were won, at their close."
    return flow(daily=True, money=True, reads=DEALS_ONLY)(
        named(f"{kind}_revenue", text, lambda story: story.worth_at("closed", "closed", story.won_as(kind)))
    )


REVENUES = tuple(map(_revenue_of, ("new_business", "upsell", "cross_sell")))


@flow(daily=True, reads=DEALS_ONLY)
def contracts_won(story: Story) -> Occurrences:
    """Deals won that have an amount and a term, at their close."""
    return story.deals_at("closed", story.won & story.has("yearly"))


@flow(daily=True, money=True, reads=DEALS_ONLY)
def contract_revenue(story: Story) -> Occurrences:
    """The amounts of deals won that have a term, for twelve months, at their close."""
    return story.worth_at("closed", "yearly", story.won)


@flow(daily=True, reads=DEALS_ONLY)
def discounted_deals(story: Story) -> Occurrences:
    """Deals won of which both the amount and the list's are told, at their close."""
    return story.deals_at("closed", story.won & story.has("closed", "list"))


@flow(daily=True, money=True, reads=DEALS_ONLY)
def list_revenue(story: Story) -> Occurrences:
    """What deals won would have cost by the price list, where the amount is told as well, at their close."""
    return story.worth_at("closed", "list", story.won & story.has("closed"))


@flow(daily=True, money=True, reads=DEALS_ONLY)
def discounts(story: Story) -> Occurrences:
    """What deals won cost less than by the price list, at their close."""
    paid = story.won & story.has("closed", "list")
    asked = story.worth_at("closed", "list", paid)
    return asked.worth(asked.value - story.worth_at("closed", "closed", paid).value)


@duration(daily=True)
def sales_cycle_time(story: Story) -> Occurrences:
    """The lead's first touch, if it lies before the close, or else the deal's creation, to the close of deals won."""
    return sales_cycles(story)


@level()
def open_opportunities(story: Story) -> Occurrences:
    """Deals that are open, now."""
    return story.open_deals()


@level(money=True)
def pipeline_value(story: Story) -> Occurrences:
    """The amounts of deals that are open, now."""
    return story.open_deals("created")


@level(money=True)
def weighted_pipeline_value(story: Story) -> Occurrences:
    """The amounts of deals that are open, each times the probability of its stage, now."""
    return story.open_deals("weighted")


MEASURES: tuple[Measure, ...] = (
    opportunities_created,
    opportunity_value,
    opportunities_stage_one,
    opportunity_value_stage_one,
    opportunities_stage_two,
    opportunity_value_stage_two,
    stage_one_to_two,
    stage_one_to_two_value,
    stage_two_to_customer,
    stage_two_to_customer_value,
    deals_won,
    deals_lost,
    revenue,
    commission,
    revenue_lost,
    opportunities_won,
    opportunities_open,
    *REVENUES,
    contracts_won,
    contract_revenue,
    discounted_deals,
    list_revenue,
    discounts,
    sales_cycle_time,
    open_opportunities,
    pipeline_value,
    weighted_pipeline_value,
)

WIN_RATIO = ratio("win_ratio", deals_won / (deals_won + deals_lost), board.REPS | board.SOURCES)
DEAL_SIZE = mean("deal_size_mean", revenue / deals_won)
SALES_CYCLE = latency(sales_cycle_time)
REVENUE = count(revenue, board.REPS | board.SOURCES)
OPEN = level_now(open_opportunities)
CUSTOMERS_OF_LEADS = ratio("lead_to_customer_ratio", CONVERTED["lead", "customer"] / STAGE_ENTRIES["lead"])

KPIS: tuple[Figure, ...] = (
    count(opportunities_created, board.SOURCES),
    count(opportunity_value),
    count(opportunities_stage_one),
    count(opportunity_value_stage_one),
    count(opportunities_stage_two),
    count(opportunity_value_stage_two),
    ratio("stage_one_to_two_ratio", stage_one_to_two / opportunities_stage_one),
    ratio("stage_one_to_two_value_ratio", stage_one_to_two_value / opportunity_value_stage_one),
    ratio("stage_two_to_customer_ratio", stage_two_to_customer / opportunities_stage_two),
    ratio("stage_two_to_customer_value_ratio", stage_two_to_customer_value / opportunity_value_stage_two),
    count(deals_won, board.REPS),
    count(deals_lost),
    WIN_RATIO,
    ratio("win_value_ratio", revenue / (revenue + revenue_lost)),
    ratio("cohort_win_ratio", opportunities_won / opportunities_created),
    ratio("cohort_open_ratio", opportunities_open / opportunities_created),
    ratio("win_loss_ratio", deals_won / deals_lost),
    DEAL_SIZE,
    mean("contract_value_mean", contract_revenue / contracts_won),
    REVENUE,
    *map(count, REVENUES),
    count(commission),
    derived(
        "ote_quota_ratio",
        "what reps earn a year on target ÷ what their quotas come to a year; of those who have both now",
        (ote,),
        (quota_now,),
    ),
    growth("revenue_growth_ratio", revenue),
    ratio("discount_ratio", discounts / list_revenue),
    mean("discount_per_sale_mean", discounts / discounted_deals),
    *SALES_CYCLE,
    OPEN,
    level_now(pipeline_value),
    level_now(weighted_pipeline_value),
    derived(
        "quota_attainment_ratio",
        "revenue ÷ quota of the month, quarter or year; of a team its own, or that of its reps, and of all that of the teams",
        (REVENUE,),
        (quota,),
        PERIODS,
        board.REPS,
    ),
    derived(
        "quota_pace_ratio",
        "revenue ÷ quota due by now: by the days from Monday to Friday up to today, of all in the month, quarter or year",
        (REVENUE,),
        (quota_due,),
        PERIODS,
    ),
    derived(
        "reps_at_quota_ratio",
        "reps whose revenue reached their quota of the month, quarter or year ÷ reps_with_quota; by their team now",
        (Reached(summed(revenue), rep_quota),),
        only=PERIODS,
    ),
    derived(
        "reps_with_quota",
        "reps who have a quota of the month, quarter or year, and are there now",
        (reps_with_quota,),
        only=PERIODS,
    ),
    derived(
        "pipeline_velocity",
        "open_opportunities × win_ratio × deal_size_mean ÷ sales_cycle_time_mean in days: money per day",
        (DAY, OPEN, WIN_RATIO, DEAL_SIZE),
        SALES_CYCLE[1:2],
    ),
    derived(
        "leads_needed",
        "(revenue_target - revenue) of the year, or 0 if that is less, ÷ deal_size_mean ÷ lead_to_customer_ratio",
        (Remaining(revenue_target, summed(revenue), "year"),),
        (DEAL_SIZE, CUSTOMERS_OF_LEADS),
        only=("90d",),
    ),
)
