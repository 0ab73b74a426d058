"""Figures made of several others: what customers are worth, what proposals promise, what competitors ask."""

from fractions import Fraction

import build
import build_subjects
import pytest
from build import DAY, HOUR, NOON, RULES
from engine import Engine
from msgspec.structs import replace

from models.data.leads import Line
from models.kpis import Formula
from models.rules import Rules
from models.snapshot import State

ANY_N = dict.fromkeys(Formula, 0)
MARGIN = replace(RULES, gross_margin_percent=80)


def proposing(rules: Rules = RULES) -> Engine:
    """Four leads that somebody talked with; three of them got a proposal, of which one was signed."""
    engine = Engine(rules)
    for number in range(12):
        of = f"lead-{number}"
        engine.take(build.lead(of=of, created_at=NOON - DAY), build.call("t1", NOON - 3 * HOUR, connected=True, of=of))
    for number in range(3):
        signed_at = NOON - HOUR if number == 0 else None
        engine.take(build_subjects.proposal(of=f"lead-{number}", sent_at=NOON - 2 * HOUR, signed_at=signed_at))
    return engine


def test_one_of_three_proposals_to_twelve_leads_is_a_twelfth():
    engine = proposing().tick(NOON)
    assert engine.cell("closing_ratio", "24h", ANY_N).value == 1 / 3
    assert engine.cell("match_ratio", "24h", ANY_N).value == 0.25
    assert engine.cell("match_win_ratio", "24h", ANY_N)[:2] == (1 / 12, 3)
    assert engine.cell("match_win_ratio", "24h").state is State.INSUFFICIENT


def test_as_many_accounts_are_expected_as_the_match_ratio_leaves():
    engine = proposing()
    for number in range(8):
        engine.take(build_subjects.account(of=f"account/crm:a{number}", added_at=NOON - HOUR))
    engine.tick(NOON)
    assert engine.cell("expected_accounts", "24h", ANY_N).value == 2
    assert Engine().tick(NOON).cell("expected_accounts", "24h", ANY_N).state is State.NO_TRAFFIC


def customers(rules: Rules, lost: int) -> Engine:
    """Five customers at 100.00 a month each thirty days ago, of whom some were lost; a new one came."""
    engine = Engine(rules)
    for number in range(5):
        of = f"account/crm:a{number}"
        engine.take(build_subjects.subscription(of=of, mrr=100_00, effective_at=NOON - 90 * DAY))
        if number < lost:
            engine.take(build_subjects.subscription(of=of, mrr=0, effective_at=NOON - DAY, changed_at=NOON))
    engine.take(build_subjects.subscription(of="account/crm:new", mrr=100_00, effective_at=NOON - 2 * DAY))
    return engine.take(
        build_subjects.cost("1", date="2026-02-20", category="marketing", amount=500_00),
        build_subjects.cost("2", date="2026-02-21", category="sales", amount=300_00),
    ).tick(NOON)


def test_a_customer_is_worth_what_is_left_of_the_revenue_until_it_ends():
    engine = customers(MARGIN, lost=1)
    cell = engine.cell("customer_lifetime_value", "30d", ANY_N)
    assert cell.value == float(Fraction(80, 100) * 100 / Fraction(1, 5))
    assert engine.cell("customer_lifetime_value", "30d").state is State.INSUFFICIENT
    assert engine.cell("cac_to_clv_ratio", "30d", ANY_N).value == 800 / 400
    assert engine.lines()["customer_lifetime_value"].windows == ("30d",)
    assert engine.lines()["customer_lifetime_value"].figure.unit == "money"
    assert engine.lines()["cac_to_clv_ratio"].figure.unit == "ratio"


@pytest.mark.parametrize(("rules", "lost"), [(MARGIN, 0), (RULES, 1), (replace(RULES, gross_margin_percent=0), 1)])
def test_without_a_loss_or_a_margin_nobody_can_tell(rules, lost):
    engine = customers(rules, lost)
    assert engine.cell("cac_to_clv_ratio", "30d", ANY_N).state is State.NO_TRAFFIC
    assert (engine.cell("customer_lifetime_value", "30d", ANY_N).value == 0) is (rules.gross_margin_percent == 0)
    assert engine.cell("customer_churn_ratio", "30d", ANY_N).value == lost / 5


def test_prices_are_compared_with_those_of_competitors_by_product():
    rules = replace(RULES, products=("basic", "pro"), competitors=("acme",))
    sold = build.deal(
        created_at=NOON - 9 * DAY,
        outcome="won",
        closed_at=NOON - 8 * DAY,
        lines=(Line(quantity=3, unit_price=50_00, product="basic"), Line(quantity=1, unit_price=70_00, product="pro")),
    )
    quotes = [
        build_subjects.quote("1", at=NOON - DAY, product="basic", competitor="acme", price=40_00),
        build_subjects.quote("2", at=NOON - DAY, product="pro", competitor="acme", price=0),
    ]
    engine = Engine(rules).take(build.lead(created_at=NOON - 10 * DAY), sold, *quotes).tick(NOON)
    lines = engine.lines()
    assert lines["competitor_price_index"].windows == ("90d",)
    assert engine.cell("competitor_price_index", "90d").value == 55 / 20
    assert engine.cell("competitor_price_index|product=basic", "90d").value == 1.25
    assert engine.cell("competitor_price_index|product=pro", "90d").state is State.NO_TRAFFIC
