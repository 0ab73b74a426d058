"""The oracle against values worked out by hand: accounts, what they pay, and how content they are."""

from datetime import date
from typing import Any

import pytest
from histories import (
    NOON,
    RULES,
    Event,
    account,
    at,
    call,
    campaign,
    deleted,
    erased,
    lead,
    merged,
    of_account,
    of_campaign,
    restored,
    sliced,
    subscription,
    value,
)

from models.units import DAY, HOUR, MINUTE
from streams.local.truth import truth

BEFORE, MORNING = NOON - 3 * DAY, NOON - 4 * HOUR
RATES = [{"currency": "USD", "rate": "0.9"}, {"currency": "USD", "rate": "0.5", "from": date(2026, 3, 2)}]
ACCOUNTS: dict[str, Any] = RULES | {"money": {"rates": RATES}, "segments": ["large", "small"]}


def told(events: list[Event], *names: str, **options: Any) -> list[float | None]:
    """Some numbers of a day, and levels."""
    return [value(events, name, **{"rules": ACCOUNTS} | options) for name in names]


MOVEMENTS = ("new_mrr_eur", "reactivation_mrr_eur", "expansion_mrr_eur", "contraction_mrr_eur", "churned_mrr_eur")

# --- what is paid ----------------------------------------------------------------------------------------------------

MONTH = [
    *(subscription(30_000, BEFORE, "grows"), subscription(45_000, MORNING, "grows")),
    *(subscription(50_000, BEFORE, "shrinks"), subscription(40_000, MORNING, "shrinks")),
    *(subscription(20_000, BEFORE, "leaves"), subscription(0, MORNING, "leaves")),
    *(subscription(10_000, BEFORE - DAY, "returns"), subscription(None, BEFORE, "returns")),
    subscription(12_000, MORNING, "returns"),
    subscription(25_000, MORNING, "comes"),
]
"""At the start 1,000; 250 new, 120 back, 150 more, 100 less and 200 gone: 1,220."""


def test_worked_example_start_and_movements_make_the_end():
    assert told(MONTH, *MOVEMENTS) == [250, 120, 150, 100, 200]
    assert told(MONTH, "mrr_eur", "arr_eur", "net_new_mrr_eur", "net_expansion_mrr_eur") == [1_220, 14_640, 220, 50]
    assert 1_000 + 220 == 1_220
    assert told(MONTH, "revenue_churn_ratio", "net_revenue_retention_ratio", "gross_revenue_retention_ratio") == [
        0.3,
        0.85,
        0.7,
    ]


def test_worked_example_customers_at_the_start_and_at_the_end():
    # At the start three; two more came or came back, and one left: four.
    assert told(MONTH, "customers", "customers_gained", "customers_lost", "subscriptions_live") == [4, 2, 1, 4]
    assert told(MONTH, "customer_churn_ratio", "customer_retention_ratio") == [1 / 3, 2 / 3]
    assert told(MONTH, "accounts_expanded", "accounts_contracted", "upgrade_ratio", "downgrade_ratio") == [1, 1, 1 / 3, 1 / 3]
    assert told(MONTH, "new_customers", "returning_customers") == [1, 1]
    assert told(MONTH, "revenue_per_account_mean_eur", "client_outcomes_subscriptions_mean") == [305, 1]


def test_a_ratio_needs_ten_and_a_mean_one():
    rules = {**ACCOUNTS, "minimum_n": {}}
    names = ("customer_churn_ratio", "revenue_churn_ratio", "revenue_per_account_mean_eur")
    assert told(MONTH, *names, rules=rules) == [None, 0.3, 305]
    events = [subscription(10_000, BEFORE, f"a{number}") for number in range(10)]
    events.append(subscription(0, MORNING, "a3"))
    assert told(events, *names, rules=rules) == [0.1, 0.1, 100]
    assert told([], *names, "arr_eur", rules=rules) == [None, None, None, 0]


def test_the_subscriptions_of_an_account_move_together():
    events = [
        subscription(10_000, BEFORE, identity="a"),
        subscription(0, MORNING, identity="a"),
        subscription(15_000, MORNING, identity="b"),
    ]
    assert told(events, *MOVEMENTS) == [0, 0, 50, 0, 0]
    assert told(events, "mrr_eur", "customers_gained", "customers_lost", "subscriptions_live") == [150, 0, 0, 1]
    assert told(events, "new_customers", "returning_customers") == [0, 1]
    same = [*events[:2], subscription(10_000, MORNING, identity="b")]
    assert told(same, *MOVEMENTS) == [0, 0, 0, 0, 0]


def test_an_account_that_expands_twice_is_one_and_what_it_expands_by_is_added():
    events = [subscription(amount, MORNING + number * HOUR) for number, amount in enumerate([100, 200, 400, 300])]
    assert told(events, *MOVEMENTS) == [1, 0, 3, 1, 0]
    assert told(events, "accounts_expanded", "accounts_contracted") == [1, 1]


def test_what_is_planned_counts_when_it_has_come():
    events = [subscription(10_000, MORNING), subscription(20_000, NOON + HOUR), subscription(0, NOON + 2 * HOUR)]
    names = ("mrr_eur", "expansion_mrr_eur", "churned_mrr_eur", "customers", "customers_lost")
    assert told(events, *names) == [100, 0, 0, 1, 0]
    assert told(events, *names, clock=NOON + HOUR + 1_999) == [100, 0, 0, 1, 0]
    assert told(events, *names, clock=NOON + HOUR + 2_000) == [200, 100, 0, 1, 0]
    assert told(events, *names, clock=NOON + 3 * HOUR) == [0, 100, 200, 0, 1]
    purchase = of_account("purchase", "p", at=NOON + HOUR, amount=100)
    assert told([purchase], "purchases", "new_customers", "customers_gained", window="today") == [0, 0, 0]


@pytest.mark.parametrize(
    ("change", "mrr"),
    [
        ({"mrr": 200, "version": NOON - 1}, 2),
        ({"mrr": 200, "version": MORNING - 1}, 1),
        ({"mrr": 50, "version": MORNING}, 0.5),  # of one version "[100, null]" is smaller than "[50, null]"
        ({"mrr": 200, "version": MORNING, "sequence": -1}, 1),
        ({"mrr": None, "version": NOON - 1}, 0),
        ({"currency": "USD", "version": NOON - 1}, 1),
        ({"mrr": 200, "currency": "USD", "version": NOON - 1}, 1),
        ({"mrr": 200, "currency": "GBP", "version": NOON - 1}, 0),
        ({"mrr": 10**15 + 1, "version": NOON - 1}, 0),
    ],
)
def test_at_one_instant_the_larger_version_holds(change, mrr):
    first = of_account("subscription", "s", mrr=100, version=MORNING)
    later = of_account("subscription", "s", effective_at=MORNING, **change)
    assert told([first, later], "mrr_eur") == told([later, first], "mrr_eur") == [mrr]


def test_what_is_paid_in_another_currency_is_worth_what_it_was_when_it_began():
    midnight = at("2026-03-02 00:00")
    events = [subscription(10_000, midnight - 1, currency="USD"), subscription(20_000, midnight, currency="USD")]
    assert told(events, "mrr_eur", "new_mrr_eur", "expansion_mrr_eur") == [100, 90, 10]


# --- customers -------------------------------------------------------------------------------------------------------


def test_a_purchase_makes_a_customer_for_a_year():
    year = 365 * DAY
    events = [of_account("purchase", "p", at=NOON - 2_000 - year)]
    assert told(events, "customers", "customers_lost", clock=NOON - 1) == [1, 0]
    assert told(events, "customers", "customers_lost") == [0, 1]
    rules = ACCOUNTS | {"customers": {"after_purchase_days": 2}}
    bought = [of_account("purchase", "p", at=MORNING - 2 * DAY), of_account("purchase", "q", at=MORNING)]
    assert told(bought, "customers", "customers_gained", "customers_lost", rules=rules) == [1, 0, 0]
    apart = [bought[0], of_account("purchase", "q", at=MORNING + 1)]
    assert told(apart, "customers", "customers_gained", "customers_lost", rules=rules) == [1, 1, 1]


def test_the_first_buy_makes_a_new_customer_and_each_later_one_a_returning_one():
    events = [
        of_account("purchase", "p", at=MORNING, amount=10_000),
        of_account("purchase", "q", at=MORNING, amount=5_000),
        subscription(100, MORNING),
        subscription(200, MORNING + 1),
        subscription(0, MORNING + 2),
        subscription(100, MORNING + 3),
        of_account("purchase", "r", at=NOON - HOUR),
    ]
    assert told(events, "new_customers", "returning_customers", "customers_gained") == [1, 2, 1]
    assert told(events, "purchases", "purchase_revenue_eur", "client_outcomes_revenue_mean_eur") == [3, 150, 150]


def test_worked_example_ten_new_customers_for_twenty_thousand_cost_two_thousand_each():
    events = [of_account("purchase", "p", f"a{number}", at=MORNING) for number in range(10)]
    events += [
        of_campaign("cost", "a", date="2026-03-02", category="marketing", amount=1_500_000),
        of_campaign("cost", "b", date="2026-03-02", category="sales", amount=500_000),
        of_campaign("cost", "c", date="2026-03-02", category="sdr", amount=700_000),
    ]
    names = ("marketing_spend_eur", "sales_spend_eur", "sdr_spend_eur", "new_customers", "customer_acquisition_cost_eur")
    assert told(events, *names) == [15_000, 5_000, 7_000, 10, 2_000]


# --- how content they are --------------------------------------------------------------------------------------------


def test_worked_example_of_ten_answers_the_net_promoter_score_is_twenty():
    scores = [10, 9, 9, 8, 7, 6, 3, 10, 9, 0]
    events = [of_account("survey", f"s{n}", survey="nps", score=score, at=MORNING) for n, score in enumerate(scores)]
    assert told(events, "nps_answers", "nps_promoters", "nps_detractors", "nps") == [10, 5, 3, 20]
    assert told(events[:9], "nps", rules={**ACCOUNTS, "minimum_n": {}}) == [None]
    assert told(events, "nps", rules={**ACCOUNTS, "minimum_n": {}}) == [20]
    assert told(events[5:7], "nps") == [-100]


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"survey": "csat", "score": 4}, [1, 4, 0]),
        ({"survey": "csat", "score": 0}, [0, 0, 0]),
        ({"survey": "csat", "score": 6}, [0, 0, 0]),
        ({"survey": "nps", "score": 0}, [0, 0, 1]),
        ({"survey": "nps", "score": 11}, [0, 0, 0]),
        ({"survey": "nps", "score": None}, [0, 0, 0]),
        ({"survey": None, "score": 4}, [0, 0, 0]),
        ({"score": 4}, [0, 0, 0]),
        ({"survey": "csat", "score": 4, "at": None}, [0, 0, 0]),
    ],
)
def test_what_is_an_answer(fields, counts):
    events = [of_account("survey", "s", **{"at": MORNING, "version": NOON} | fields)]
    assert told(events, "csat_answers", "csat_points", "nps_answers") == counts


def test_tickets_usage_and_satisfaction_by_customer():
    events = [
        *(of_account("purchase", "p", name, at=BEFORE) for name in ("acme", "other")),
        of_account("ticket", "a", opened_at=MORNING, closed_at=MORNING + HOUR),
        of_account("ticket", "b", opened_at=MORNING, closed_at=MORNING - HOUR),
        of_account("ticket", "c", opened_at=MORNING),
        of_account("ticket", "d", closed_at=MORNING),
        *(of_account("usage", f"u{n}", at=MORNING, seconds=seconds) for n, seconds in enumerate([60, 31, 0])),
        of_account("usage", "without", at=MORNING),
        *(of_account("survey", f"s{n}", survey="csat", score=score, at=MORNING) for n, score in enumerate([5, 4])),
        *(of_account("referral", f"r{n}", at=MORNING) for n in range(3)),
    ]
    assert told(events, "tickets_opened", "client_outcomes_tickets_mean", "ticket_resolution_time_samples") == [3, 1.5, 2]
    assert told(events, "ticket_resolution_time_mean_seconds", "ticket_resolution_time_max_seconds") == [1_800, 3_600]
    assert told(events, "platform_time_seconds", "client_outcomes_platform_time_mean_seconds") == [91, 45.5]
    assert told(events, "csat_mean", "referrals") == [4.5, 3]


# --- whose it is -----------------------------------------------------------------------------------------------------


def test_what_happens_is_of_the_owner_of_then_and_what_stands_of_the_owner_of_now():
    events = [
        account(owner="bo", owner_at=BEFORE, added_at=BEFORE, segment="large"),
        account(owner="di", owner_at=NOON - HOUR),
        of_account("purchase", "p", at=MORNING, amount=100),
        of_account("ticket", "t", opened_at=MORNING, closed_at=NOON - MINUTE, rep="cy"),
        subscription(300, MORNING),
    ]
    assert sliced(events, "purchases", ACCOUNTS) == {"rep=bo": 1, "team=north": 1, "lead_source=unknown": 1, "segment=large": 1}
    assert sliced(events, "mrr", ACCOUNTS) == {
        "rep=di": 300,
        "team=south": 300,
        "lead_source=unknown": 300,
        "segment=large": 300,
    }
    assert sliced(events, "customers", ACCOUNTS) == {"rep=di": 1, "team=south": 1, "lead_source=unknown": 1, "segment=large": 1}
    assert sliced(events, "new_mrr", ACCOUNTS) == {"lead_source=unknown": 300, "segment=large": 300}
    assert sliced(events, "customers_gained", ACCOUNTS) == {"lead_source=unknown": 1, "segment=large": 1}
    assert sliced(events, "new_customers", ACCOUNTS)["rep=bo"] == 1
    assert (
        sliced(events, "tickets_opened", ACCOUNTS)["rep=cy"]
        == sliced(events, "ticket_resolution_time", ACCOUNTS)["team=south"] / 14_340_000
        == 1
    )
    assert sliced(events, "accounts_added", ACCOUNTS) == {
        "rep=bo": 1,
        "team=north": 1,
        "lead_source=unknown": 1,
        "segment=large": 1,
    }


def test_objects_count_without_a_record_of_their_account():
    assert sliced([of_account("referral", "r", at=MORNING)], "referrals", ACCOUNTS) == {
        "rep=unassigned": 1,
        "team=unassigned": 1,
        "lead_source=unknown": 1,
        "segment=unknown": 1,
    }


# --- what becomes of subjects ----------------------------------------------------------------------------------------


def test_kinds_do_not_mix():
    events = [
        lead("same", created_at=MORNING, owner="bo"),
        call("c", MORNING, "same"),
        account("same", added_at=MORNING),
        subscription(100, MORNING, "same"),
        campaign("same", name="Spring"),
    ]
    names = ("calls", "leads_created", "accounts_added", "mrr_eur")
    assert told(events, *names) == [1, 1, 1, 1]
    for kind, counts in {"lead": [0, 0, 1, 1], "account": [1, 1, 0, 0], "campaign": [1, 1, 1, 1]}.items():
        assert told([*events, erased(NOON, "same", of=kind)], *names) == counts
        assert told([*events, deleted(NOON, "same", of=kind)], *names) == counts
        assert told([*events, deleted(NOON, "same", of=kind), restored(NOON + 1, "same", of=kind)], *names) == [1, 1, 1, 1]
        assert told([*events, merged(NOON, "same", "else", of=kind), erased(NOON, "else", of=kind)], *names) == counts
    assert told([*events, deleted(NOON, "same", ("subscription", "s"), of="account")], *names) == [1, 1, 1, 0]


def test_two_accounts_in_one_move_as_one():
    events = [subscription(100, BEFORE, "a", "s"), subscription(200, MORNING, "b", "t")]
    assert told(events, "new_mrr_eur", "expansion_mrr_eur", "customers") == [2, 0, 2]
    together = [*events, merged(NOON, "a", "b", of="account")]
    assert told(together, "new_mrr_eur", "expansion_mrr_eur", "customers") == [0, 2, 1]
    assert told([*together, merged(NOON + 1, "a", None, of="account")], "new_mrr_eur", "customers") == [2, 2]


def test_all_of_it_is_told_for_a_day_and_longer_and_of_the_whole():
    gauges = truth(MONTH, ACCOUNTS, NOON)
    for name in ("new_mrr_eur", "net_new_mrr_eur", "customers_gained", "ticket_resolution_time_samples", "nps_answers"):
        windows = {dict(labels)["window"] for metric, labels in gauges if metric == f"leadbeat_{name}"}
        assert windows & {"5m", "15m", "1h", "4h"} == set()
        assert {"24h", "7d", "90d", "today", "year"} <= windows
    assert {metric for metric, _ in gauges if "mrr" in metric and "_by_" in metric} == set()
