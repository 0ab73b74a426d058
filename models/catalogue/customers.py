"""Customers and recurring revenue: who pays, how much, who comes and goes, how content they are. Section 7 of the catalogue."""

from models.givens import gross_margin
from models.kpis import Figure, count, derived, latency, level_now, mean, ratio, total
from models.measures import OF_ACCOUNTS, Measure, Options, distinct, duration, flow, level
from models.story import Story
from models.tables import Occurrences

NPS_PROMOTERS, NPS_DETRACTORS, SCORES = (9, 10), (0, 6), (0, 10)
"""The lowest and highest score of those who recommend, of those who do not, and of all."""

ACCOUNTS: Options = {"daily": True, "reads": ("account",), "timed": True}
MONEY: Options = {**ACCOUNTS, "money": True}
TIME: Options = {**ACCOUNTS, "seconds": True}
NOW: Options = {"reads": ("account",), "timed": True}
MONEY_NOW: Options = {**NOW, "money": True}


# --- recurring revenue


@level(**MONEY_NOW)
def mrr(story: Story) -> Occurrences:
    """Monthly recurring revenue: what the live subscriptions of accounts bring a month, now."""
    return story.now_worth(story.mrr_now)


@level(**NOW)
def subscriptions_live(story: Story) -> Occurrences:
    """Subscriptions that bring something, now."""
    return story.now_worth(story.live_subscriptions)


@flow(OF_ACCOUNTS, **MONEY)
def new_mrr(story: Story) -> Occurrences:
    """Recurring revenue of accounts that had none before, when it begins."""
    return story.mrr_moved(story.newly_paying)


@flow(OF_ACCOUNTS, **MONEY)
def reactivation_mrr(story: Story) -> Occurrences:
    """Recurring revenue of accounts that had some once, and then none, when it begins again."""
    return story.mrr_moved(story.paying_again)


@flow(OF_ACCOUNTS, **MONEY)
def expansion_mrr(story: Story) -> Occurrences:
    """By how much the recurring revenue of an account that has some grows, when it does; over all of its subscriptions."""
    return story.mrr_moved(story.expanded)


@flow(OF_ACCOUNTS, **MONEY)
def contraction_mrr(story: Story) -> Occurrences:
    """By how much the recurring revenue of an account shrinks that has some still, when it does; over all subscriptions."""
    return story.mrr_moved(story.contracted)


@flow(OF_ACCOUNTS, **MONEY)
def churned_mrr(story: Story) -> Occurrences:
    """Recurring revenue of accounts that have none any more, when it ends."""
    return story.mrr_moved(story.churned)


@distinct(OF_ACCOUNTS, **ACCOUNTS)
def accounts_expanded(story: Story) -> Occurrences:
    """Accounts whose recurring revenue grew, each once, at the last time."""
    return story.mrr_moves(story.expanded)


@distinct(OF_ACCOUNTS, **ACCOUNTS)
def accounts_contracted(story: Story) -> Occurrences:
    """Accounts whose recurring revenue shrank and did not end, each once, at the last time."""
    return story.mrr_moves(story.contracted)


# --- customers


@level(**NOW)
def customers(story: Story) -> Occurrences:
    """Accounts with a live subscription, or with a purchase that is not too old, now."""
    return story.customers()


@flow(OF_ACCOUNTS, **ACCOUNTS)
def customers_gained(story: Story) -> Occurrences:
    """Accounts when they become customers, for the first time or again."""
    return story.customers_gained()


@flow(OF_ACCOUNTS, **ACCOUNTS)
def customers_lost(story: Story) -> Occurrences:
    """Accounts when they cease to be customers."""
    return story.customers_lost()


@flow(**ACCOUNTS)
def new_customers(story: Story) -> Occurrences:
    """Accounts when they buy for the first time: a purchase, or a subscription that begins."""
    return story.buys(first=True)


@flow(**ACCOUNTS)
def returning_customers(story: Story) -> Occurrences:
    """Accounts each time that they buy again: a purchase, or a subscription that begins."""
    return story.buys(first=False)


@flow(**ACCOUNTS)
def accounts_added(story: Story) -> Occurrences:
    """Accounts when they came into the CRM."""
    return story.added_accounts()


@flow(**ACCOUNTS)
def purchases(story: Story) -> Occurrences:
    """Single purchases by accounts."""
    return story.purchases()


@flow(**MONEY)
def purchase_revenue(story: Story) -> Occurrences:
    """The amounts of single purchases by accounts."""
    return story.purchases(with_amount=True)


@flow(**ACCOUNTS)
def referrals(story: Story) -> Occurrences:
    """Recommendations by accounts."""
    return story.referrals()


# --- how content they are


@flow(**ACCOUNTS)
def tickets_opened(story: Story) -> Occurrences:
    """Tickets of accounts, when they are opened."""
    return story.tickets_opened()


@duration(**ACCOUNTS)
def ticket_resolution_time(story: Story) -> Occurrences:
    """From opening a ticket to closing it, when it is closed."""
    return story.tickets_closed()


@flow(**TIME)
def platform_time(story: Story) -> Occurrences:
    """How long accounts used the product."""
    return story.usage()


@flow(**ACCOUNTS)
def csat_answers(story: Story) -> Occurrences:
    """Answers on how satisfied somebody is, 1 to 5."""
    return story.surveyed("csat", *SCORES)


@flow(**ACCOUNTS)
def csat_points(story: Story) -> Occurrences:
    """The points of answers on how satisfied somebody is, 1 to 5 each."""
    return story.surveyed("csat", *SCORES, points=True)


@flow(**ACCOUNTS)
def nps_answers(story: Story) -> Occurrences:
    """Answers on how likely somebody would recommend us, 0 to 10."""
    return story.surveyed("nps", *SCORES)


@flow(**ACCOUNTS)
def nps_promoters(story: Story) -> Occurrences:
    """Answers of those who would recommend us: 9 or 10."""
    return story.surveyed("nps", *NPS_PROMOTERS)


@flow(**ACCOUNTS)
def nps_detractors(story: Story) -> Occurrences:
    """Answers of those who would not recommend us: 0 to 6."""
    return story.surveyed("nps", *NPS_DETRACTORS)


MEASURES: tuple[Measure, ...] = (
    mrr,
    subscriptions_live,
    new_mrr,
    reactivation_mrr,
    expansion_mrr,
    contraction_mrr,
    churned_mrr,
    accounts_expanded,
    accounts_contracted,
    customers,
    customers_gained,
    customers_lost,
    new_customers,
    returning_customers,
    accounts_added,
    purchases,
    purchase_revenue,
    referrals,
    tickets_opened,
    ticket_resolution_time,
    platform_time,
    csat_answers,
    csat_points,
    nps_answers,
    nps_promoters,
    nps_detractors,
)

_NET = new_mrr + reactivation_mrr + expansion_mrr - contraction_mrr - churned_mrr
_MRR_AT_START = mrr - _NET
_KEPT = _MRR_AT_START - contraction_mrr - churned_mrr
_AT_START = customers - customers_gained + customers_lost

PER_ACCOUNT = mean("revenue_per_account_mean", mrr / customers)
CHURN = ratio("customer_churn_ratio", customers_lost / _AT_START)
LIFETIME_VALUE = derived(
    "customer_lifetime_value",
    "gross margin × revenue_per_account_mean ÷ customer_churn_ratio",
    (gross_margin, PER_ACCOUNT),
    (CHURN,),
    only=("30d",),
)

KPIS: tuple[Figure, ...] = (
    level_now(mrr),
    total("arr", 12 * mrr),
    level_now(subscriptions_live),
    *(count(each) for each in MEASURES[2:9]),
    total("net_new_mrr", _NET),
    total("net_expansion_mrr", expansion_mrr - contraction_mrr),
    ratio("revenue_churn_ratio", (contraction_mrr + churned_mrr) / _MRR_AT_START),
    ratio("net_revenue_retention_ratio", (_KEPT + expansion_mrr) / _MRR_AT_START),
    ratio("gross_revenue_retention_ratio", _KEPT / _MRR_AT_START),
    PER_ACCOUNT,
    level_now(customers),
    *(count(each) for each in MEASURES[10:19]),
    CHURN,
    LIFETIME_VALUE,
    ratio("customer_retention_ratio", (customers - customers_gained) / _AT_START),
    ratio("upgrade_ratio", accounts_expanded / _AT_START),
    ratio("downgrade_ratio", accounts_contracted / _AT_START),
    *latency(ticket_resolution_time),
    count(platform_time),
    count(csat_answers),
    mean("csat_mean", csat_points / csat_answers),
    count(nps_answers),
    ratio("nps", 100 * (nps_promoters - nps_detractors) / nps_answers),
    mean("client_outcomes_tickets_mean", tickets_opened / customers),
    mean("client_outcomes_platform_time_mean", platform_time / customers),
    mean("client_outcomes_revenue_mean", purchase_revenue / customers),
    mean("client_outcomes_subscriptions_mean", subscriptions_live / customers),
)
