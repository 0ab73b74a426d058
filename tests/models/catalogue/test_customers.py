"""Customers and recurring revenue, by hand."""

import build
import strategies_subjects
from build import DAY, HOUR, MINUTE, NOON, RULES, SECOND
from build_subjects import account, cost, purchase, referral, subscription, survey, ticket, usage
from engine import Engine, told
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from models.kpis import Formula
from models.money import Money, Rate
from models.units import Duration, Millis

ANY_N = dict.fromkeys(Formula, 0)
MOVEMENTS = ("new_mrr", "expansion_mrr", "contraction_mrr", "churned_mrr", "reactivation_mrr")
IN_EUROS = replace(RULES, money=Money(rates=(Rate("USD", 2, "0.9"), Rate("USD", 2, "0.5", Millis(NOON + DAY)))))


def moved(*events, rules=IN_EUROS):
    return {name: found for name in MOVEMENTS if (found := [each[:2] for each in told(name, *events, rules=rules)])}


def paid(amount, at, name="1", **fields):
    return subscription(name, mrr=amount, effective_at=at, changed_at=NOON + (at - NOON) % DAY, **fields)


def test_recurring_revenue_begins_grows_shrinks_ends_and_comes_back():
    life = [paid(100, NOON), paid(150, NOON + 1), paid(120, NOON + 2), paid(0, NOON + 3), paid(80, NOON + 4)]
    assert moved(*life) == {
        "new_mrr": [(0, 100)],
        "expansion_mrr": [(1, 50)],
        "contraction_mrr": [(2, 30)],
        "churned_mrr": [(3, 120)],
        "reactivation_mrr": [(4, 80)],
    }


def test_movements_are_by_customer_and_not_by_subscription():
    swapped = [paid(100, NOON), paid(0, NOON + HOUR), paid(130, NOON + HOUR, "2")]
    assert moved(*swapped) == {"new_mrr": [(0, 100)], "expansion_mrr": [(HOUR, 30)]}


def test_an_amount_is_converted_at_the_rate_of_its_own_instant():
    assert moved(paid(100, NOON, currency="USD")) == {"new_mrr": [(0, 90)]}
    assert moved(paid(100, NOON + DAY, currency="USD"))["new_mrr"] == [(DAY, 50)]


def test_what_is_planned_counts_when_the_due_clock_has_reached_it():
    engine = Engine().take(paid(100_00, NOON), paid(None, NOON + HOUR))
    for clock, mrr in ((NOON + MINUTE, 100_00), (NOON + HOUR + SECOND, 100_00), (NOON + HOUR + 2 * SECOND, 0)):
        engine.tick(clock)
        assert engine.cell("mrr").numerator == mrr
        assert engine.cell("churned_mrr", "24h").numerator == 100_00 - mrr
        assert engine.cell("customers").numerator == (mrr > 0)


def test_a_subscription_that_is_deleted_never_was():
    assert moved(paid(100, NOON), build.deleted("subscription:1", changed_at=NOON + 1, of="account/crm:a1")) == {}


def test_a_purchase_makes_a_customer_for_a_while():
    rules = replace(RULES, customer_ms=Duration(10 * DAY))
    engine = Engine(rules).take(purchase(at=NOON, amount=500), purchase("2", at=NOON + DAY, amount=None))
    for clock, customers, lost in ((NOON + 2 * DAY, 1, 0), (NOON + 10 * DAY, 1, 0), (NOON + 12 * DAY, 0, 1)):
        engine.tick(clock)
        assert engine.cell("customers").numerator == customers
        assert engine.cell("customers_lost", "7d").numerator == lost
    assert [engine.cell(each, "30d").numerator for each in ("new_customers", "returning_customers", "purchases")] == [1, 1, 2]
    assert engine.cell("purchase_revenue", "30d").value == 5.0


def test_twenty_thousand_for_ten_new_customers_are_two_thousand_each():
    events = [purchase(at=NOON, of=f"account/crm:{number}") for number in range(10)]
    spent = [
        cost("1", date="2026-03-02", category="marketing", amount=15_000_00),
        cost("2", date="2026-03-01", category="sales", amount=5_000_00),
        cost("3", date="2026-03-01", category="sdr", amount=7_000_00),
    ]
    engine = Engine().take(*events, *spent).tick(NOON + HOUR)
    assert engine.cell("customer_acquisition_cost", "7d", ANY_N).value == 2_000
    assert engine.cell("sdr_spend", "7d").value == 7_000


def test_ten_answers_give_a_net_promoter_score_of_twenty():
    scores = (10, 9, 9, 8, 7, 6, 3, 10, 9, 0)
    events = [survey(str(number), at=NOON, kind="nps", score=score) for number, score in enumerate(scores)]
    engine = Engine().take(*events).tick(NOON + HOUR)
    assert engine.cell("nps", "24h").value == 20
    assert engine.cell("nps_answers", "24h").numerator == 10


def test_satisfaction_counts_on_its_own_scale_and_for_its_rep():
    events = [survey("1", at=NOON, kind="csat", score=5, rep="ana"), survey("2", at=NOON, kind="csat", score=2)]
    engine = Engine().take(account(owner="ben", owner_at=NOON - DAY), *events).tick(NOON + HOUR)
    assert engine.cell("csat_mean", "24h").value == 3.5
    assert engine.cell("csat_mean|rep=ana", "24h").value == 5
    assert engine.cell("csat_mean|rep=ben", "24h").value == 2
    for strange in ({"kind": "csat", "score": 0}, {"kind": "csat", "score": 6}, {"score": 3}, {"kind": "nps"}):
        assert told("csat_answers", survey(at=NOON, **strange)) == told("nps_answers", survey(at=NOON, **strange)) == []


def test_tickets_use_and_recommendations():
    engine = Engine().take(
        ticket("1", opened_at=NOON, closed_at=NOON + HOUR),
        ticket("2", opened_at=NOON, closed_at=NOON - HOUR),
        ticket("3", opened_at=NOON),
        usage("1", at=NOON, seconds=90),
        usage("2", at=NOON),
        referral(at=NOON),
        account(added_at=NOON),
        paid(100_00, NOON),
    )
    engine.tick(NOON + 2 * HOUR)
    assert engine.cell("tickets_opened", "24h").numerator == 3
    assert engine.cell("ticket_resolution_time_mean", "24h").value == HOUR / 2 / 1000
    assert engine.cell("platform_time", "24h").value == 90
    assert engine.cell("client_outcomes_platform_time_mean", "24h").value == 90
    assert [engine.cell(each, "24h").numerator for each in ("referrals", "accounts_added")] == [1, 1]


def test_retention_is_of_those_who_were_there_at_the_start():
    old = [paid(100_00, NOON - 40 * DAY, of=f"account/crm:{number}") for number in range(10)]
    now = [
        paid(0, NOON, of="account/crm:0"),
        paid(50_00, NOON, of="account/crm:1"),
        paid(300_00, NOON, of="account/crm:2"),
        paid(70_00, NOON, of="account/crm:new"),
    ]
    engine = Engine().take(*old, *now).tick(NOON + HOUR)
    values = {
        "customer_churn_ratio": 0.1,
        "customer_retention_ratio": 0.9,
        "revenue_churn_ratio": 0.15,
        "net_revenue_retention_ratio": 1.05,
        "gross_revenue_retention_ratio": 0.85,
        "upgrade_ratio": 0.1,
        "downgrade_ratio": 0.1,
        "net_new_mrr": 120,
    }
    assert {name: engine.cell(name, "30d").value for name in values} == values
    assert engine.cell("arr").value == 12 * engine.cell("mrr").value == 12 * 1120


@settings(max_examples=settings().max_examples * 2 // 5)
@given(st.lists(strategies_subjects.events("account/crm:a1"), max_size=12), st.integers(0, 20 * DAY))
def test_start_and_movements_are_the_end_to_the_cent(events, later):
    engine = Engine(IN_EUROS).take(*events).tick(NOON)
    levels = [engine.cell("mrr").numerator, engine.cell("customers").numerator]
    engine.tick(NOON + later)
    flows = {name: sum(value for _, value in told_until(name, events, later)) for name in (*MOVEMENTS, *GAINED)}
    net = (
        flows["new_mrr"] + flows["expansion_mrr"] + flows["reactivation_mrr"] - flows["contraction_mrr"] - flows["churned_mrr"]
    )
    assert engine.cell("mrr").numerator - levels[0] == net
    assert engine.cell("customers").numerator - levels[1] == flows["customers_gained"] - flows["customers_lost"]


GAINED = ("customers_gained", "customers_lost")


def told_until(name, events, later):
    """What a measure makes of the time between the two due clocks."""
    found = told(name, *events, rules=IN_EUROS, at=NOON + later)
    return [(after, value) for after, value, _ in found if -2 * SECOND < after <= later - 2 * SECOND]
