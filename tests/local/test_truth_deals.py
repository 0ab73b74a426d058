"""The oracle against values worked out by hand: deals, their stages, and what they are worth."""

from datetime import date
from typing import Any

import pytest
from histories import (
    NOON,
    RULES,
    Event,
    at,
    call,
    deal,
    deleted,
    email,
    erased,
    lead,
    meeting,
    merged,
    restored,
    value,
)

from models.units import DAY, HOUR, MINUTE
from streams.local.truth import ledger_of, truth
from streams.local.truth_facts import rules_of
from streams.local.truth_money import Money, money_of, part

CREATED, CLOSED = NOON - 3 * HOUR, NOON - HOUR
WON: dict[str, Any] = {"created_at": CREATED, "outcome": "won", "closed_at": CLOSED}
LOST = WON | {"outcome": "lost"}
PIPELINE = [{"name": "qualified", "probability": 20}, {"name": "proposal", "probability": 55}, {"name": "contract"}]
RATES = [
    {"currency": "USD", "rate": "0.9"},
    {"currency": "USD", "rate": "0.5", "from": date(2026, 3, 2)},
    {"currency": "JPY", "rate": "0.0061"},
]
DEALS: dict[str, Any] = RULES | {"money": {"rates": RATES}, "deal_stages": PIPELINE}


def told(events: list[Event], *names: str) -> list[float | None]:
    """Some numbers of a day, and levels."""
    return [value(events, name, rules=DEALS) for name in names]


# --- won and lost ----------------------------------------------------------------------------------------------------


def test_worked_example_three_of_four_deals_are_won():
    won = [deal(f"w{number}", amount=amount, **WON) for number, amount in enumerate([10_000, 20_000, None])]
    events = [*won, deal("l", amount=10_000, **LOST), deal("o", amount=50_000, created_at=CREATED)]
    assert told(events, "deals_won", "deals_lost", "revenue_eur", "revenue_lost_eur") == [3, 1, 300, 100]
    assert told(events, "win_ratio", "win_value_ratio", "win_loss_ratio") == [0.75, 0.75, 3]
    assert told(events, "opportunities_created", "opportunity_value_eur") == [5, 900]
    assert told(events, "cohort_win_ratio", "cohort_open_ratio") == [0.6, 0.2]
    assert told(events, "opportunities_won", "opportunities_open", "deal_size_mean_eur") == [3, 1, 100]


def test_of_a_ratio_of_amounts_the_least_n_is_of_minor_units():
    ten = {**DEALS, "minimum_n": {}}
    assert value([deal(amount=9, **WON)], "win_value_ratio", rules=ten) is None
    assert value([deal(amount=10, **WON)], "win_value_ratio", rules=ten) == 1
    assert value([deal(amount=10, **WON)], "win_ratio", rules=ten) is None
    assert value([deal(amount=10, **WON)], "deal_size_mean_eur", rules=ten) == 0.1


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"outcome": "won"}, [1, 0, 0, 0, 0]),
        ({"outcome": "won", "closed_at": None}, [1, 0, 0, 0, 0]),
        ({"outcome": "lost"}, [1, 0, 0, 0, 0]),
        ({"closed_at": CLOSED}, [1, 0, 0, 1, 1]),
        ({"outcome": None, "closed_at": CLOSED}, [1, 0, 0, 1, 1]),
        ({"outcome": "won", "closed_at": CLOSED}, [1, 1, 0, 0, 0]),
        ({"outcome": "lost", "closed_at": CLOSED}, [1, 0, 1, 0, 0]),
        ({"outcome": "won", "closed_at": CLOSED, "created_at": None}, [0, 0, 0, 0, 0]),
    ],
)
def test_a_deal_is_open_or_won_or_lost_or_none_of_it(fields, counts):
    events = [deal(**{"created_at": CREATED, "version": NOON} | fields)]
    names = ("opportunities_created", "deals_won", "deals_lost", "opportunities_open", "open_opportunities")
    assert told(events, *names) == counts


def test_a_deal_whose_creation_is_not_told_counts_in_nothing():
    events = [deal(amount=100, stage="proposal", outcome="won", closed_at=CLOSED), deal("o", version=NOON, amount=100)]
    ledger = ledger_of(events, rules_of(DEALS), NOON)
    assert not ledger.flows
    assert not ledger.levels


def test_a_deal_that_is_opened_again_is_neither_won_nor_lost():
    events = [deal(amount=10_000, **LOST), deal(version=NOON - MINUTE, outcome=None)]
    assert told(events, "deals_lost", "revenue_lost_eur", "open_opportunities", "pipeline_value_eur") == [0, 0, 1, 100]
    won_after_all = [*events, deal(version=NOON, outcome="won", closed_at=NOON)]
    assert told(won_after_all, "deals_lost", "deals_won", "revenue_eur", "open_opportunities") == [0, 1, 100, 0]


def test_all_of_it_is_told_for_a_day_and_longer():
    gauges = truth([deal(amount=10_000, **WON)], DEALS, NOON)
    for name in ("deals_won", "revenue_eur", "win_ratio", "deal_size_mean_eur", "sales_cycle_time_samples"):
        windows = {dict(labels)["window"] for metric, labels in gauges if metric == f"leadbeat_{name}"}
        assert windows & {"5m", "15m", "1h", "4h"} == set()
        assert {"24h", "7d", "90d", "today", "year"} <= windows


# --- money -----------------------------------------------------------------------------------------------------------


def test_worked_example_revenue_in_two_currencies_while_a_rate_changes():
    midnight = at("2026-03-02 00:00")
    before, after = ({"outcome": "won", "closed_at": instant} for instant in (midnight - 1, midnight))
    created = {"created_at": midnight - HOUR}
    events = [
        deal("a", amount=10_000, **created, **before),  # 100 EUR
        deal("b", amount=10_000, currency="USD", **created, **before),  # at 0.9
        deal("c", amount=10_000, currency="USD", **created, **after),  # at 0.5
        deal("d", amount=10_000, currency="JPY", **created, **after),  # 10,000 yen have no smaller unit: 61 EUR
        deal("e", amount=10_000, currency="GBP", **created, **after),  # nobody knows
        deal("f", amount=10_000, currency="EUR", **created, **after),
    ]
    assert told(events, "revenue_eur", "deals_won") == [100 + 90 + 50 + 61 + 100, 6]
    assert told(events, "opportunity_value_eur", "opportunities_created") == [100 + 90 + 90 + 61 + 100, 6]


def test_an_amount_of_which_there_is_no_rate_is_not_told():
    events = [deal(amount=10_000, list_amount=12_000, term_months=12, currency="GBP", **WON)]
    names = ("deals_won", "contracts_won", "discounted_deals", "revenue_eur", "deal_size_mean_eur")
    assert told(events, *names) == [1, 0, 0, 0, 0]
    assert ("revenue", ((), ())) not in ledger_of(events, rules_of(DEALS), NOON).flows


@pytest.mark.parametrize(
    ("amount", "currency", "found"),
    [
        (1, "USD", 0),  # 0.5
        (3, "USD", 2),  # 1.5
        (5, "USD", 2),  # 2.5
        (5, None, 5),
        (5, "EUR", 5),
        (50, "JPY", 30),  # 30.5
        (150, "JPY", 92),  # 91.5
        (10**13 + 1, "USD", 5 * 10**12),
        (None, "USD", None),
        (0, "JPY", 0),
        (1, "GBP", None),
    ],
)
def test_amounts_are_rounded_once_and_halves_to_the_even_one(amount, currency, found):
    assert rules_of(DEALS).money.converted(amount, currency, NOON) == found


def test_before_its_first_rate_a_currency_has_that_one_and_each_holds_from_its_first_instant():
    money = money_of("EUR", [("USD", 200, "3"), ("USD", 100, "2")])
    assert [money.converted(1, "USD", instant) for instant in (0, 99, 100, 199, 200, 10**13)] == [2, 2, 2, 2, 3, 3]


def test_other_currencies_have_other_decimal_places():
    yen = money_of("JPY", [("EUR", 0, "163.9"), ("KWD", 0, "500")])
    assert yen.minor_units == 1
    assert yen.converted(150, "EUR", 0) == 246  # 1.50 EUR are 245.85
    assert yen.converted(1_500, "KWD", 0) == 750
    assert Money("KWD").minor_units == 1000
    rules = DEALS | {"money": {"currency": "JPY", "rates": [{"currency": "EUR", "rate": "163.9"}]}}
    events = [deal("a", amount=1_000, **WON), deal("b", amount=150, currency="EUR", **WON)]
    assert value(events, "revenue_jpy", rules=rules) == 1_246
    assert value(events, "revenue_eur", rules=rules) is None


def test_parts_of_amounts_are_rounded_as_amounts_are():
    assert [part(amount, 1, 2) for amount in (1, 3, 5, 7)] == [0, 2, 2, 4]
    assert part(10**13 + 1, 12, 1200) == 10**11
    assert part(100, 12, 7) == 171  # 171.4


# --- stages ----------------------------------------------------------------------------------------------------------

STAGES = (
    *("opportunities_stage_one", "opportunities_stage_two", "stage_one_to_two", "stage_two_to_customer"),
    *("opportunity_value_stage_one_eur", "opportunity_value_stage_two_eur"),
    *("stage_one_to_two_value_eur", "stage_two_to_customer_value_eur"),
)


@pytest.mark.parametrize(
    ("stages", "close", "counts"),
    [
        ([], {}, [0, 0, 0, 0]),
        (["qualified"], {}, [1, 0, 0, 0]),
        (["qualified", "proposal"], {}, [1, 1, 1, 0]),
        (["proposal"], {}, [1, 1, 1, 0]),  # which is beyond stage one
        (["contract"], {}, [1, 1, 1, 0]),
        (["waiting"], {}, [0, 0, 0, 0]),  # which the rules do not list
        (["qualified", None], {}, [1, 0, 0, 0]),
        (["qualified"], {"outcome": "won", "closed_at": CLOSED}, [1, 1, 1, 1]),
        ([], {"outcome": "won", "closed_at": CLOSED}, [1, 1, 1, 1]),
        (["qualified"], {"outcome": "lost", "closed_at": CLOSED}, [1, 0, 0, 0]),
        (["proposal"], {"outcome": "won"}, [1, 1, 1, 0]),  # nobody knows when
    ],
)
def test_which_stages_a_deal_reached(stages, close, counts):
    moved = [deal(version=CREATED + number, stage=stage) for number, stage in enumerate(stages, 1)]
    events = [deal(created_at=CREATED, amount=10_000), *moved, deal(version=NOON, **close)]
    assert told(events, *STAGES) == [*counts, *(100 * counts[each] for each in (0, 1, 2, 3))]


def test_a_stage_is_reached_at_the_first_instant_of_it_or_of_one_beyond():
    one, two = NOON - 2 * DAY, NOON - 3 * DAY
    events = [
        deal(version=NOON, created_at=NOON - 4 * DAY, amount=10_000, currency="USD"),
        deal(version=NOON - DAY, stage="qualified", stage_at=one),
        deal(version=NOON, stage="proposal", stage_at=two),
        deal(version=NOON, stage="qualified", stage_at=NOON),
    ]
    ledger = ledger_of(events, rules_of(DEALS), NOON)
    found = {name: ledger.flows[name, ((), ())] for name in ("opportunities_stage_one", "opportunity_value_stage_two")}
    assert found == {"opportunities_stage_one": [(two, 1)], "opportunity_value_stage_two": [(two, 9_000)]}


def test_of_two_stages_at_one_instant_the_later_version_holds_in_each_deal_for_itself():
    stage_at = NOON - HOUR
    events = [
        deal("a", created_at=CREATED),
        deal("b", created_at=CREATED),
        deal("a", version=NOON - MINUTE, stage="proposal", stage_at=stage_at),
        deal("a", version=NOON, stage="waiting", stage_at=stage_at),
        deal("b", version=NOON, sequence=1, stage="qualified", stage_at=stage_at),
        deal("b", version=NOON, stage="waiting", stage_at=stage_at),
        lead(version=NOON, stage="customer"),
    ]
    assert told(events, "opportunities_stage_one", "opportunities_stage_two") == [1, 0]
    assert value(events, "stage_entries", rules=DEALS, lead_stage="customer") == 1


def test_without_stages_in_the_rules_none_is_reached_and_with_one_no_second():
    events = [deal(stage="proposal", stage_at=CREATED, amount=100, **WON)]
    names = ("opportunities_stage_one", "opportunities_stage_two")
    for pipeline, counts in (([], [0, 0]), (PIPELINE[:1], [1, 0]), (PIPELINE[:2], [1, 1])):
        assert [value(events, name, rules=DEALS | {"deal_stages": pipeline}) for name in names] == counts


def test_stage_ratios_are_of_the_deals_that_reached_the_earlier_stage():
    events = [
        deal("a", created_at=CREATED, stage="qualified", amount=10_000),
        deal("b", created_at=CREATED, stage="proposal", amount=30_000),
        deal("c", stage="proposal", stage_at=CREATED, amount=10_000, **WON),
    ]
    assert told(events, "stage_one_to_two_ratio", "stage_one_to_two_value_ratio") == [2 / 3, 0.8]
    assert told(events, "stage_two_to_customer_ratio", "stage_two_to_customer_value_ratio") == [0.5, 0.25]


def test_the_pipeline_is_weighted_by_the_stage_that_each_deal_is_in_now():
    stages = {"a": "qualified", "b": "proposal", "c": "contract", "d": "waiting", "e": None}
    events = [deal(name, created_at=CREATED, amount=10_000, stage=stage) for name, stage in stages.items()]
    events += [deal("lost", amount=10_000, stage="proposal", **LOST), deal("none", created_at=CREATED, stage="proposal")]
    names = ("open_opportunities", "pipeline_value_eur", "weighted_pipeline_value_eur")
    assert told(events, *names) == [6, 500, 20 + 55]
    back = deal("b", version=NOON, stage="qualified")
    assert told([*events, back], *names) == [6, 500, 20 + 20]


def test_each_weighted_amount_is_rounded_for_itself():
    halves = [{"name": "half", "probability": 50}]
    events = [deal(name, created_at=CREATED, amount=amount, stage="half") for name, amount in (("a", 1), ("b", 3), ("c", 5))]
    assert value(events, "weighted_pipeline_value_eur", rules=DEALS | {"deal_stages": halves}) == 0.04  # 0 + 2 + 2
    abroad = [deal(created_at=NOON - DAY, currency="USD", amount=1_001, stage="half")]  # 9.009 EUR at the creation's rate
    assert value(abroad, "pipeline_value_eur", rules=DEALS | {"deal_stages": halves}) == 9.01
    assert value(abroad, "weighted_pipeline_value_eur", rules=DEALS | {"deal_stages": halves}) == 4.5  # 450.5 cents


# --- what is sold ----------------------------------------------------------------------------------------------------


def test_revenue_by_kind():
    kinds = ["new_business", "upsell", "upsell", "cross_sell", "renewal", None]
    events = [deal(f"d{number}", kind=kind, amount=100 * 10**number, **WON) for number, kind in enumerate(kinds)]
    events.append(deal("lost", kind="upsell", amount=100, **LOST))
    assert told(events, "revenue_eur", "new_business_revenue_eur") == [111_111, 1]
    assert told(events, "upsell_revenue_eur", "cross_sell_revenue_eur") == [110, 1_000]


def test_contracts_are_worth_what_they_are_in_a_year():
    terms = {"a": (100_000, 12), "b": (100_000, 24), "c": (100_000, 1), "d": (1, 24), "e": (3, 24), "f": (5, None)}
    events = [deal(name, amount=amount, term_months=term, **WON) for name, (amount, term) in terms.items()]
    events.append(deal("without", term_months=12, **WON))
    # 1000.00 + 500.00 + 12,000.00, then half a cent and one and a half
    assert told(events, "contracts_won", "contract_revenue_eur", "contract_value_mean_eur") == [5, 13_500.02, 2_700.004]


def test_discounts_are_what_the_list_asks_beyond_what_is_paid():
    events = [
        deal("a", amount=9_000, list_amount=10_000, **WON),
        deal("b", amount=10_000, list_amount=10_000, **WON),
        deal("dearer", amount=6_000, list_amount=5_000, currency="EUR", **WON),
        deal("no list", amount=6_000, **WON),
        deal("no amount", list_amount=6_000, **WON),
        deal("lost", amount=1_000, list_amount=6_000, **LOST),
    ]
    assert told(events, "discounted_deals", "list_revenue_eur", "discounts_eur") == [3, 250, 0]
    assert told(events[:2], "discount_ratio", "discount_per_sale_mean_eur") == [0.05, 5]
    assert told(events[2:], "discounts_eur", "discount_ratio") == [-10, -0.2]
    odd = [deal(amount=1, list_amount=3, currency="USD", **WON)]  # half a cent and one and a half
    assert told(odd, "discounts_eur") == [0.02]


def cycle(*events: Event) -> float | None:
    (found,) = told(list(events), "sales_cycle_time_mean_seconds")
    return found


def test_a_sales_cycle_begins_with_the_first_prospecting_touch_of_the_lead():
    won = deal(**WON)
    assert cycle(won) == 2 * 60 * 60
    assert cycle(won, call("c", CLOSED - MINUTE)) == 60
    assert cycle(won, call("c", CLOSED)) == 0
    assert cycle(won, call("c", CLOSED + 1)) == 2 * 60 * 60
    assert cycle(won, call("c", CLOSED - DAY), call("d", CLOSED - MINUTE)) == 24 * 60 * 60
    automated = email("e", CLOSED - 2 * DAY, automated=True)
    assert cycle(won, automated) == 48 * 60 * 60
    assert cycle(won, automated | {"data": automated["data"] | {"delivered": False}}) == 2 * 60 * 60
    held = meeting("m", version=NOON, scheduled_at=CLOSED - MINUTE, outcome="held")
    assert cycle(won, held) == 60
    assert cycle(deal(**WON | {"created_at": CLOSED + 1})) == 0
    assert cycle(deal(**LOST)) is None


# --- whose it is -----------------------------------------------------------------------------------------------------


def test_a_deal_that_is_deleted_does_not_count_until_it_is_restored():
    events = [deal(amount=10_000, **WON), deal("other", amount=10_000, **WON)]
    gone = deleted(NOON - 2 * MINUTE, thing=("deal", "d"))
    assert told([*events, gone], "deals_won", "revenue_eur") == [1, 100]
    assert told([*events, gone, deal(version=NOON, amount=1)], "revenue_eur") == [100]
    assert told([*events, gone, restored(NOON, thing=("deal", "d"))], "deals_won", "revenue_eur") == [2, 200]


def test_a_lead_s_deals_go_with_it():
    events = [deal("a", amount=10_000, **WON), deal("b", "bob", amount=20_000, **WON), call("c", CLOSED - DAY, "bob")]
    joined = [*events, merged(NOON - MINUTE, "ada", "bob")]
    assert told(joined, "deals_won", "revenue_eur") == [2, 300]
    assert cycle(*joined) == 24 * 60 * 60
    assert told([*joined, deleted(NOON, "ada")], "deals_won") == [2]
    assert told([*joined, deleted(NOON, "bob")], "deals_won") == [0]
    assert told([*events, deleted(NOON)], "revenue_eur") == [200]
    assert told([*joined, erased(NOON)], "revenue_eur") == [200]


def test_a_deal_is_credited_to_its_rep_else_to_the_owner_of_then():
    owned = [lead(owner="cy", owner_at=NOON - DAY), lead(version=NOON, owner="bo", owner_at=NOON - 2 * HOUR)]
    mine, theirs = deal(amount=10_000, **WON), deal(amount=10_000, rep="di", **WON)

    def slices(event: Event, measure: str) -> set[str]:
        flows = ledger_of([*owned, event], rules_of(DEALS), NOON).flows
        return {"=".join((*dims, *values)) for (name, (dims, values)) in flows if name == measure and dims}

    assert slices(mine, "opportunity_value") == {"rep=cy", "team=south", "lead_source=unknown"}
    assert slices(mine, "revenue") == {"rep=bo", "team=north", "lead_source=unknown"}
    assert slices(theirs, "opportunity_value") == slices(theirs, "revenue") == {"rep=di", "team=south", "lead_source=unknown"}
    stands = ledger_of([*owned, deal(created_at=CREATED, amount=10_000)], rules_of(DEALS), NOON).levels
    assert stands["pipeline_value", (("rep",), ("bo",))] == 10_000
    assert stands["open_opportunities", (("team",), ("north",))] == 1


def test_the_profile_shows_deals_by_people_and_by_where_leads_came_from():
    rules = DEALS | {"segments": ["smb"], "origins": ["fair"], "pairs": [["team", "segment"], ["rep", "channel"]]}
    events = [
        lead(version=CREATED, segment="smb", origin="fair", lead_source="inbound"),
        deal(rep="di", amount=10_000, **WON),
        deal("lost", rep="bo", amount=10_000, **LOST),
    ]
    gauges = truth(events, rules, NOON)

    def shown(by: str, **labels: str) -> dict[str, float]:
        wanted = frozenset({("window", "24h"), *labels.items()})
        here = {name: found for (name, has), found in gauges.items() if has == wanted and name.endswith(f"_by_{by}")}
        named = {name.removeprefix("leadbeat_").removesuffix(f"_by_{by}"): found for name, found in here.items()}
        words = ("deals", "opportunities", "win", "revenue")
        return {name: found for name, found in named.items() if name.startswith(words) and isinstance(found, float)}

    assert shown("rep", rep="di") == {"deals_won": 1, "deals_lost": 0, "win_ratio": 1, "revenue_eur": 100}
    assert shown("team", team="north") == {"deals_won": 0, "deals_lost": 1, "win_ratio": 0, "revenue_eur": 0}
    whole = {"opportunities_created": 2, "deals_won": 1, "deals_lost": 1, "win_ratio": 0.5, "revenue_eur": 100}
    assert shown("segment", segment="smb") == shown("origin", origin="fair") == whole
    assert shown("lead_source", lead_source="inbound") == whole
    assert shown("channel", channel="call") == shown("rep_and_channel", rep="di", channel="call") == {}
    in_south = shown("team_and_segment", team="south", segment="smb")
    assert in_south == {"opportunities_created": 1, "deals_won": 1, "win_ratio": 1, "revenue_eur": 100}
