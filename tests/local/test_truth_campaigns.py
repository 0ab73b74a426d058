"""The oracle against values worked out by hand: campaigns, what they cost, and what they bring."""

from datetime import date
from typing import Any

import pytest
from histories import NOON, RULES, Event, at, campaign, deleted, lead, of_campaign, sliced, value

from models.units import DAY, HOUR
from streams.local.truth import ledger_of, truth
from streams.local.truth_facts import rules_of
from streams.local.truth_ledger import WHOLE

MORNING = NOON - 4 * HOUR
TODAY = "2026-03-02"
RATES = [{"currency": "USD", "rate": "0.9"}, {"currency": "USD", "rate": "0.5", "from": date(2026, 3, 2)}]
CAMPAIGNS: dict[str, Any] = RULES | {
    "money": {"rates": RATES},
    "campaigns": ["Spring", "autumn"],
    "products": ["desk", "chair"],
    "competitors": ["Acme"],
}


def told(events: list[Event], *names: str, **options: Any) -> list[float | None]:
    """Some numbers of a day, and levels."""
    return [value(events, name, **{"rules": CAMPAIGNS} | options) for name in names]


def test_worked_examples_of_visits_and_of_clicks():
    events = [
        of_campaign("day", "a", date=TODAY, visits=700, sign_ups=4, impressions=10_000, deliveries=900, clicks=90),
        of_campaign("day", "b", date=TODAY, visits=300, sign_ups=6),
        of_campaign("day", "c", visits=5),
        of_campaign("day", "d", date=None, visits=5),
    ]
    assert told(events, "visits", "sign_ups", "landing_page_conversion_ratio") == [1_000, 10, 0.01]
    assert told(events, "deliveries", "clicks", "click_through_ratio", "impressions") == [900, 90, 0.1, 10_000]
    assert told([*events, deleted(NOON, "spring", ("day", "a"), of="campaign")], "visits") == [300]


@pytest.mark.parametrize(
    ("zone", "day", "instant"),
    [
        ("UTC", "2026-03-02", "2026-03-02 00:00"),
        ("Europe/Berlin", "2026-03-02", "2026-03-01 23:00"),
        ("America/Santiago", "2026-09-06", "2026-09-06 04:00"),  # it begins at 1:00
        ("America/Havana", "2026-11-01", "2026-11-01 04:00"),  # its first hour comes twice
    ],
)
def test_a_day_is_at_its_first_instant(zone, day, instant):
    rules = rules_of(CAMPAIGNS | {"organisation": {"zone": zone}})
    ledger = ledger_of([of_campaign("day", "a", date=day, visits=5)], rules, NOON)
    assert ledger.flows["visits", WHOLE] == [(at(instant), 5)]


def test_a_cost_converts_at_its_day():
    events = [
        of_campaign("cost", "a", date="2026-03-01", category="marketing", amount=10_000, currency="USD"),
        of_campaign("cost", "b", date=TODAY, category="marketing", amount=10_000, currency="USD"),
        of_campaign("cost", "c", date=TODAY, category="marketing", amount=10_000, currency="GBP"),
        of_campaign("cost", "d", date=TODAY, category="rent", amount=10_000),
        of_campaign("cost", "e", category="marketing", amount=10_000),
        of_campaign("cost", "f", date=TODAY, category="marketing"),
    ]
    assert told(events, "marketing_spend_eur", window="7d") == [140]
    assert told(events, "marketing_spend_eur") == [50]


def test_a_campaign_is_sliced_by_its_name_and_its_channel():
    events = [
        campaign("one", name="Spring", lead_source="outbound", channel="email", segment="large"),
        campaign("autumn", name=None),
        *(of_campaign("day", "a", name, date=TODAY, visits=5) for name in ("one", "autumn", "else")),
    ]
    assert sliced(events, "visits", CAMPAIGNS) == {
        "lead_source=outbound": 5,
        "lead_source=unknown": 10,
        "campaign=Spring": 5,
        "campaign=autumn": 5,
        "campaign=other": 5,
        "channel=email": 5,
        "channel=unknown": 10,
    }


def test_a_lead_costs_what_is_spent_by_the_leads_that_came():
    events = [
        campaign("one", lead_source="inbound"),
        of_campaign("cost", "a", "one", date=TODAY, category="marketing", amount=30_000),
        of_campaign("cost", "a", "two", date=TODAY, category="marketing", amount=10_000),
        *(lead(name, created_at=MORNING, lead_source="inbound", stage="customer", stage_at=MORNING) for name in "ab"),
        *(lead(name, created_at=MORNING) for name in "cd"),
    ]
    assert told(events, "marketing_spend_eur", "cost_per_lead_eur", "cost_per_acquisition_eur") == [400, 100, 200]
    gauges = truth(events, CAMPAIGNS | {"pairs": [["rep", "lead_source"], ["campaign", "lead_source"]]}, NOON)
    shown = {
        (name, *sorted(dict(labels).items())): found
        for (name, labels), found in gauges.items()
        if name.startswith("leadbeat_cost_per_lead_eur_by") and "campaign" not in name and dict(labels)["window"] == "24h"
    }
    assert shown == {
        ("leadbeat_cost_per_lead_eur_by_lead_source", ("lead_source", "inbound"), ("window", "24h")): 150,
        ("leadbeat_cost_per_lead_eur_by_lead_source", ("lead_source", "unknown"), ("window", "24h")): 50,
    }


def test_of_quotes_the_latest_of_each_product_of_each_competitor_stands():
    quotes = [
        of_campaign("quote", "a", at=MORNING, product="desk", competitor="Acme", price=50_000),
        of_campaign("quote", "b", at=MORNING + 1, product="desk", competitor="Acme", price=40_000),
        of_campaign("quote", "c", at=MORNING + 1, product="desk", competitor="Acme", price=45_000),
        of_campaign("quote", "d", at=NOON - 1_999, product="desk", competitor="Acme", price=1),
        of_campaign("quote", "e", at=MORNING, product="lamp", competitor="Acme", price=10_000, currency="USD"),
        of_campaign("quote", "f", "autumn", at=MORNING - DAY, product="lamp", competitor="Else", price=10_000, currency="USD"),
        of_campaign("quote", "g", at=NOON - HOUR, product="desk", competitor="Acme", price=1, currency="GBP"),
        of_campaign("quote", "h", at=NOON - HOUR, product="desk", competitor="Acme"),
        of_campaign("quote", "i", product="chair", competitor="Acme", price=1),
        of_campaign("quote", "j", at=NOON - HOUR, product="chair", price=1),
        of_campaign("quote", "k", at=NOON - HOUR, competitor="Acme", price=1),
    ]
    assert told(quotes, "competitor_quotes", "competitor_prices_eur") == [3, 450 + 50 + 90]
    assert sliced(quotes, "competitor_prices", CAMPAIGNS) == {
        "product=desk": 45_000,
        "product=other": 14_000,
        "competitor=Acme": 50_000,
        "competitor=other": 9_000,
    }
    assert sliced(quotes, "competitor_quotes", RULES) == {}
    later = told(quotes, "competitor_prices_eur", clock=NOON + 1)
    assert later == [0.01 + 50 + 90]
    assert told([*quotes, deleted(NOON, "spring", ("quote", "c"), of="campaign")], "competitor_prices_eur") == [540]
