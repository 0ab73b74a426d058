"""The oracle's reading of what is made of several KPIs: multiplied and divided as fractions, each by its own definition."""

from collections.abc import Callable
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from streams.local.truth_facts import Rules
from streams.local.truth_quotas import due_by_now, earned_on_target, period_of, quota_of
from streams.local.truth_windows import local_day

DAY = 86_400_000
A_YEAR = {"month": 12, "quarter": 4, "year": 1}


class Asked(NamedTuple):
    """What is asked of one slice: what happened in a window (the asked one, or another), by measure, and what stands now."""

    amounts: Callable[..., list[int]]
    level: Callable[[str], int]
    rules: Rules
    clock: int
    window: str
    slice: tuple[tuple[str, ...], tuple[str, ...]]
    of_rep: Callable[[str, str], int]
    """What happened of a measure in the window, by rep."""

    def sum(self, measure: str, window: str | None = None) -> int:
        """The sum of what happened."""
        return sum(self.amounts(measure) if window is None else self.amounts(measure, window))

    def divided(self, numerator: int, denominator: int, least: str) -> Fraction | None:
        """A ratio or mean, if it has a value."""
        enough = denominator > 0 and denominator >= self.rules.minimum_n[least]
        return Fraction(numerator, denominator) if enough else None


def pipeline_velocity(asked: Asked) -> Fraction | None:
    """Open opportunities × win ratio × deal size ÷ sales cycle in days: minor units a day."""
    won, lost, cycles = asked.sum("deals_won"), asked.sum("deals_lost"), asked.amounts("sales_cycle_time")
    win_ratio = asked.divided(won, won + lost, "ratio")
    deal_size = asked.divided(asked.sum("revenue"), won, "mean")
    cycle = asked.divided(sum(cycles), len(cycles), "mean")
    if win_ratio is None or deal_size is None or not cycle:
        return None
    return asked.level("open_opportunities") * win_ratio * deal_size / (cycle / DAY)


def leads_needed(asked: Asked) -> Fraction | None:
    """What is left of the year's target ÷ deal size ÷ lead-to-customer ratio."""
    target = None
    longest_last = sorted(asked.rules.targets, key=lambda target: (target[0], -A_YEAR.get(target[3], 0)))
    for target_since, kpi, worth, window in longest_last:
        if kpi == "revenue" and window in A_YEAR and target_since <= asked.clock:
            target = Fraction(worth) * A_YEAR[window] * asked.rules.money.minor_units
    deal_size = asked.divided(asked.sum("revenue"), asked.sum("deals_won"), "mean")
    conversion = asked.divided(asked.sum("lead_to_customer"), asked.sum("stage_entries{lead_stage=lead}"), "ratio")
    if target is None or not deal_size or not conversion:
        return None
    return max(target - asked.sum("revenue", "year"), Fraction(0)) / deal_size / conversion


def quota_attainment_ratio(asked: Asked) -> Fraction | None:
    """Revenue ÷ quota of the period."""
    days = period_of(asked.window, local_day(asked.clock, asked.rules))
    return _of_quota(asked, _quota(asked, days))


def quota_pace_ratio(asked: Asked) -> Fraction | None:
    """Revenue ÷ the part of the quota that is due."""
    today = local_day(asked.clock, asked.rules)
    days = period_of(asked.window, today)
    return _of_quota(asked, due_by_now(_quota(asked, days), days, today))


def reps_with_quota(asked: Asked) -> Fraction | None:
    """How many reps of the whole have a quota of the period and are there."""
    found = _quotas(asked)
    return Fraction(len(found)) if found else None


def reps_at_quota_ratio(asked: Asked) -> Fraction | None:
    """Those of them who sold it ÷ all of them; of the whole."""
    found = _quotas(asked)
    sold = [rep for rep, quota in found.items() if asked.of_rep("revenue", rep) >= quota * asked.rules.money.minor_units]
    return asked.divided(len(sold), len(found), "mean")


def _quotas(asked: Asked) -> dict[str, Fraction]:
    days = period_of(asked.window, local_day(asked.clock, asked.rules))
    there = [rep for rep in asked.rules.roster if asked.rules.team(rep, asked.clock) != "other"]
    quotas = {rep: quota_of(asked.rules, "rep", rep, days) for rep in there}
    return {rep: quota for rep, quota in quotas.items() if quota > 0}


def _quota(asked: Asked, days: list[date]) -> Fraction:
    dims, values = asked.slice
    return quota_of(asked.rules, dims[0] if dims else "", values[0] if values else "", days)


def _of_quota(asked: Asked, quota: Fraction) -> Fraction | None:
    return Fraction(asked.sum("revenue")) / (quota * asked.rules.money.minor_units) if quota > 0 else None


def ote_quota_ratio(asked: Asked) -> Fraction | None:
    """What reps earn on target ÷ what they shall sell, a year; of the whole."""
    return earned_on_target(asked.rules, asked.clock)


def match_ratio(asked: Asked) -> Fraction | None:
    """Proposals ÷ leads in conversation."""
    return asked.divided(asked.sum("proposals_sent"), asked.sum("leads_in_conversation"), "ratio")


def match_win_ratio(asked: Asked) -> Fraction | None:
    """Closing ratio × match ratio."""
    closing = asked.divided(asked.sum("proposals_closed"), asked.sum("proposals_sent"), "ratio")
    match = match_ratio(asked)
    return None if closing is None or match is None else closing * match


def expected_accounts(asked: Asked) -> Fraction | None:
    """Accounts added × match ratio."""
    match = match_ratio(asked)
    return None if match is None else asked.sum("accounts_added") * match


def customer_lifetime_value(asked: Asked) -> Fraction | None:
    """How long a customer stays, in months, × what one brings a month × what is left of it: minor units."""
    customers, lost = asked.level("customers"), asked.sum("customers_lost")
    churn = asked.divided(lost, customers - asked.sum("customers_gained") + lost, "ratio")
    per_account = asked.divided(asked.level("mrr"), customers, "mean")
    margin = asked.rules.gross_margin_percent
    if margin is None or not churn or per_account is None:
        return None
    return Fraction(margin, 100) * (1 / churn) * per_account


def cac_to_clv_ratio(asked: Asked) -> Fraction | None:
    """What a new customer costs ÷ what one is worth."""
    cost = asked.divided(asked.sum("marketing_spend") + asked.sum("sales_spend"), asked.sum("new_customers"), "mean")
    worth = customer_lifetime_value(asked)
    return None if cost is None or not worth else cost / worth


def competitor_price_index(asked: Asked) -> Fraction | None:
    """What a unit was sold for ÷ what competitors ask."""
    own = asked.divided(asked.sum("product_revenue"), asked.sum("units_sold"), "mean")
    theirs = asked.divided(asked.level("competitor_prices"), asked.level("competitor_quotes"), "mean")
    return None if own is None or not theirs else own / theirs


DERIVED: dict[str, Callable[[Asked], Fraction | None]] = {
    "pipeline_velocity": pipeline_velocity,
    "leads_needed": leads_needed,
    "quota_attainment_ratio": quota_attainment_ratio,
    "quota_pace_ratio": quota_pace_ratio,
    "reps_at_quota_ratio": reps_at_quota_ratio,
    "reps_with_quota": reps_with_quota,
    "match_win_ratio": match_win_ratio,
    "expected_accounts": expected_accounts,
    "customer_lifetime_value": customer_lifetime_value,
    "cac_to_clv_ratio": cac_to_clv_ratio,
    "competitor_price_index": competitor_price_index,
}
DERIVED_NOW: dict[str, Callable[[Asked], Fraction | None]] = {"ote_quota_ratio": ote_quota_ratio}
"""What is of now and of no window."""

PERIODS = {"month", "quarter", "year"}
ONLY = {
    "leads_needed": {"90d"},
    "quota_attainment_ratio": PERIODS,
    "quota_pace_ratio": PERIODS,
    "reps_at_quota_ratio": PERIODS,
    "reps_with_quota": PERIODS,
    "customer_lifetime_value": {"30d"},
    "cac_to_clv_ratio": {"30d"},
    "competitor_price_index": {"90d"},
}
"""What is told in some windows only."""

MONEY = {"pipeline_velocity", "customer_lifetime_value"}
"""What is told in major units."""
