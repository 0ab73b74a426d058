"""Marketing and market, by hand: a line is how long after noon, how much, and under which values."""

import build
from build import DAY, HOUR, MINUTE, NOON, RULES
from build_subjects import campaign, cost, day, quote
from engine import Engine, told
from msgspec.structs import replace

from models.kpis import Formula

ANY_N = dict.fromkeys(Formula, 0)
LISTED = replace(RULES, campaigns=("launch", "c1"), products=("basic", "pro"), competitors=("acme",))


def test_of_a_thousand_visits_ten_sign_up_and_of_nine_hundred_deliveries_ninety_are_clicked():
    engine = Engine().take(day(date="2026-03-02", visits=1_000, sign_ups=10, deliveries=900, clicks=90, impressions=5))
    engine.tick(NOON)
    assert engine.cell("landing_page_conversion_ratio", "today").value == 0.01
    assert engine.cell("click_through_ratio", "24h").value == 0.1
    assert engine.cell("impressions", "24h").numerator == 5


def test_a_day_begins_with_the_organisation_s_own():
    spent = cost(date="2026-03-02", category="marketing", amount=100)
    for zone, hours in (("UTC", -12), ("Europe/Berlin", -13), ("America/New_York", -7)):
        ((at, value, _),) = told("marketing_spend", spent, rules=replace(RULES, zone=zone))
        assert (at, value) == (hours * HOUR, 100)
    for silent in (
        cost(date="2026-03-02", amount=1),
        cost(category="sales", amount=1),
        cost(date="2026-03-02", category="sdr"),
    ):
        assert told("marketing_spend", silent) == told("sales_spend", silent) == told("sdr_spend", silent) == []


def test_a_campaign_goes_by_its_name_or_else_by_its_id():
    seen = day(date="2026-03-02", visits=3)
    assert told("visits", seen, rules=LISTED) == [(-12 * HOUR, 3, "unknown c1 unknown")]
    named = campaign(name="launch", channel="email", lead_source="inbound")
    assert told("visits", seen, named, rules=LISTED) == [(-12 * HOUR, 3, "inbound launch email")]


def test_ten_thousand_spent_bring_fifty_thousand():
    sold = build.deal(created_at=NOON, amount=50_000_00, outcome="won", closed_at=NOON)
    engine = Engine().take(cost(date="2026-03-02", category="marketing", amount=10_000_00), sold, build.lead(created_at=NOON))
    engine.tick(NOON + MINUTE)
    assert engine.cell("marketing_roi", "24h").value == 4.0
    assert engine.cell("cost_per_lead", "24h", ANY_N).value == 10_000


def test_the_latest_price_of_each_competitor_counts():
    engine = Engine(LISTED).take(
        quote("1", at=NOON, product="basic", competitor="acme", price=100_00),
        quote("2", at=NOON + HOUR, product="basic", competitor="acme", price=80_00),
        quote("3", at=NOON, product="basic", competitor="evil", price=10_00),
        quote("4", at=NOON, product="pro", competitor="acme"),
    )
    for clock, prices in ((NOON + MINUTE, 110), (NOON + 2 * HOUR, 90)):
        engine.tick(clock)
        assert engine.cell("competitor_prices").value == prices
        assert engine.cell("competitor_quotes|product=basic").numerator == 2
        assert engine.cell("competitor_quotes|competitor=other").numerator == 1


def test_campaigns_that_are_merged_count_as_the_one_that_is_left():
    engine = Engine(LISTED).take(
        day(of="campaign/crm:old", date="2026-03-02", visits=3),
        build.merged("campaign/crm:c1", of="campaign/crm:old", changed_at=NOON + DAY),
    )
    engine.tick(NOON + MINUTE)
    assert engine.cell("visits|campaign=c1", "24h").numerator == 3
    engine.take(build.merged(None, of="campaign/crm:old", changed_at=NOON + 2 * DAY))
    assert engine.cell("visits|campaign=other", "24h").numerator == 3
