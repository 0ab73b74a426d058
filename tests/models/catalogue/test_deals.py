"""Opportunities and deals, by hand. A line is: how long after noon, how much, and under which values."""

import build
import pytest
from build import DAY, HOUR, MINUTE, NOON, RULES
from engine import Engine, told
from msgspec.structs import replace

from models.kpis import Formula
from models.money import Money, Rate
from models.rules import DealStage
from models.snapshot import State
from models.units import Millis

OWNED = build.lead(owner="ana", owner_at=NOON - 9 * DAY, lead_source="inbound")
ANA, BEN = "ana north inbound", "ben south inbound"
STAGES = (DealStage("qualified", 20), DealStage("proposal", 60), DealStage("contract", 90))
PIPELINE = replace(
    RULES, deal_stages=STAGES, money=Money(rates=(Rate("USD", 2, "0.9"), Rate("USD", 2, "0.8", Millis(NOON + HOUR))))
)
WON = build.deal(created_at=NOON, amount=1000, outcome="won", closed_at=NOON + DAY)


ANY_N = dict.fromkeys(Formula, 0)


def of(measure, *events, **options):
    return told(measure, OWNED, *events, rules=PIPELINE, **options)


def test_a_deal_counts_at_its_creation_its_stages_and_its_close():
    moved = [
        build.deal(created_at=NOON, amount=500),
        build.deal(stage="qualified", stage_at=NOON + HOUR, changed_at=NOON + HOUR),
        build.deal(stage="proposal", stage_at=NOON + 2 * HOUR, changed_at=NOON + 2 * HOUR),
        build.deal(outcome="won", closed_at=NOON + DAY, changed_at=NOON + DAY),
    ]
    assert of("opportunities_created", *moved) == [(0, 1, ANA)]
    assert of("opportunity_value", *moved) == [(0, 500, ANA)]
    assert of("opportunities_stage_one", *moved) == [(HOUR, 1, ANA)]
    assert of("opportunities_stage_two", *moved) == [(2 * HOUR, 1, ANA)]
    assert of("stage_one_to_two", *moved) == [(HOUR, 1, ANA)]
    assert of("stage_two_to_customer_value", *moved) == [(2 * HOUR, 500, ANA)]
    assert of("deals_won", *moved) == [(DAY, 1, ANA)]
    assert of("revenue", *moved) == [(DAY, 500, ANA)]
    assert of("deals_lost", *moved) == of("revenue_lost", *moved) == []


def test_a_deal_that_was_never_created_counts_nowhere():
    told_of = build.deal(amount=1, stage="proposal", outcome="won", closed_at=NOON)
    assert of("deals_won", told_of) == of("opportunities_stage_one", told_of) == of("opportunities_created", told_of) == []


def test_a_stage_that_was_skipped_is_reached_with_the_next_and_all_with_the_win():
    skipped = (build.deal(created_at=NOON), build.deal(stage="contract", stage_at=NOON + HOUR))
    assert of("opportunities_stage_one", *skipped) == of("opportunities_stage_two", *skipped) == [(HOUR, 1, ANA)]
    assert of("opportunities_stage_two", WON) == [(DAY, 1, ANA)]
    unknown = (build.deal(created_at=NOON), build.deal(stage="lunch", stage_at=NOON + HOUR))
    assert of("opportunities_stage_one", *unknown) == []
    assert told("opportunities_stage_one", OWNED, WON) == []  # a pipeline without stages has none to reach


def test_a_stage_without_its_instant_holds_from_when_the_record_was_changed():
    assert of("opportunities_stage_one", build.deal(created_at=NOON, stage="qualified", changed_at=NOON + MINUTE)) == [
        (MINUTE, 1, ANA)
    ]


def test_who_is_named_has_the_deal_else_the_owner_of_that_instant():
    handed_on = build.lead(owner="ben", owner_at=NOON + HOUR)
    assert of("opportunities_created", handed_on, WON) == [(0, 1, ANA)]
    assert of("deals_won", handed_on, WON) == [(DAY, 1, BEN)]
    named = build.deal(created_at=NOON, rep="ana", amount=7)
    assert of("opportunities_created", handed_on, named) == [(0, 1, ANA)]


def test_an_amount_is_converted_at_the_rate_of_its_own_instant():
    dollars = build.deal(created_at=NOON, amount=1000, currency="USD", outcome="won", closed_at=NOON + DAY)
    assert of("opportunity_value", dollars) == [(0, 900, ANA)]
    assert of("revenue", dollars) == [(DAY, 800, ANA)]
    pounds = build.deal(created_at=NOON, amount=1000, currency="GBP", outcome="won", closed_at=NOON + DAY)
    assert of("revenue", pounds) == []
    assert of("deals_won", pounds) == [(DAY, 1, ANA)]


def test_without_an_instant_nobody_knows_when_a_deal_was_won():
    undated = build.deal(created_at=NOON, amount=1, outcome="won")
    assert of("deals_won", undated) == of("opportunities_won", undated) == of("opportunities_open", undated) == []
    assert of("opportunities_created", undated) == [(0, 1, ANA)]


def test_a_deal_that_is_opened_again_was_not_won():
    opened = build.deal(outcome=None, closed_at=None, changed_at=NOON + 2 * DAY)
    assert of("deals_won", WON, opened) == of("revenue", WON, opened) == []
    assert of("opportunities_open", WON, opened) == [(0, 1, ANA)]


def test_a_deal_is_deleted_and_restored():
    deleted = build.deleted("deal:d1", changed_at=NOON + DAY)
    assert of("deals_won", WON, deleted) == []
    assert of("deals_won", WON, deleted, build.restored("deal:d1", changed_at=NOON + 2 * DAY)) == [(DAY, 1, ANA)]


def test_a_contract_is_worth_what_a_year_of_it_costs():
    def contract(**fields):
        return build.deal(created_at=NOON, outcome="won", closed_at=NOON, **fields)

    assert of("contract_revenue", contract(amount=3600, term_months=36)) == [(0, 1200, ANA)]
    assert of("contract_revenue", contract(amount=125, term_months=600)) == [(0, 2, ANA)]  # 2.5, to the even one
    assert of("contract_revenue", contract(amount=3600)) == of("contracts_won", contract(amount=3600)) == []
    assert of("contracts_won", contract(term_months=36)) == []


def test_a_discount_is_what_the_list_asks_more():
    sold = build.deal(created_at=NOON, amount=800, list_amount=1000, outcome="won", closed_at=NOON)
    assert of("discounts", sold) == [(0, 200, ANA)]
    assert of("list_revenue", sold) == [(0, 1000, ANA)]
    assert of("discounts", build.deal(created_at=NOON, list_amount=1000, outcome="won", closed_at=NOON)) == []
    dearer = build.deal(created_at=NOON, amount=1100, list_amount=1000, outcome="won", closed_at=NOON)
    assert of("discounts", dearer) == [(0, -100, ANA)]


@pytest.mark.parametrize(("kind", "measure"), [("upsell", "upsell_revenue"), ("new_business", "new_business_revenue")])
def test_revenue_is_told_by_the_kind_of_deal(kind, measure):
    assert of(measure, WON) == []
    assert of(measure, WON, build.deal(kind=kind, changed_at=NOON + MINUTE)) == [(DAY, 1000, ANA)]


def test_a_sales_cycle_begins_with_the_first_touch():
    assert of("sales_cycle_time", WON) == [(DAY, DAY, ANA)]
    assert of("sales_cycle_time", WON, build.call("t1", NOON - HOUR)) == [(DAY, DAY + HOUR, ANA)]
    assert of("sales_cycle_time", WON, build.call("t1", NOON + 2 * DAY)) == [(DAY, DAY, ANA)]
    before = build.deal(created_at=NOON, outcome="won", closed_at=NOON - HOUR)
    assert of("sales_cycle_time", before) == [(-HOUR, 0, ANA)]


def test_open_deals_stand_with_their_amounts_and_chances():
    engine = Engine(PIPELINE).take(
        OWNED,
        build.deal("d1", created_at=NOON, amount=1000, stage="proposal"),
        build.deal("d2", created_at=NOON, amount=1005, stage="lunch"),
        build.deal("d3", created_at=NOON, stage="contract"),
        build.deal("d4", created_at=NOON, amount=5, outcome="lost", closed_at=NOON),
    )
    engine.tick(NOON + DAY)
    figures = ("open_opportunities", "pipeline_value", "weighted_pipeline_value")
    cells = [engine.cell(figure, "now", ANY_N) for figure in figures]
    assert [cell.numerator for cell in cells] == [3, 2005, 600]
    assert [cell.value for cell in cells] == [3, 20.05, 6.0]


def test_an_open_deal_is_of_the_team_that_its_rep_is_in_now():
    deal = build.deal(created_at=NOON, rep="ben", amount=100)  # ben moves from north to south ten minutes past noon
    for events in ((OWNED, deal), (deal,)):
        engine = Engine(PIPELINE).take(*events)
        for minutes, team, other in ((5, "north", "south"), (15, "south", "north")):
            engine.tick(NOON + minutes * MINUTE)
            cells = [engine.cell(f"open_opportunities|team={each}", "now", ANY_N) for each in (team, other)]
            assert [cell.numerator for cell in cells] == [1, 0]


def test_the_pipeline_is_so_fast_as_what_is_open_is_won_at_its_size_in_its_time():
    won = [
        build.deal(f"w{number}", created_at=NOON - 4 * DAY, amount=1000_00, outcome="won", closed_at=NOON)
        for number in range(3)
    ]
    lost = build.deal("l", created_at=NOON - DAY, outcome="lost", closed_at=NOON)
    still = [build.deal(f"o{number}", created_at=NOON, amount=5) for number in range(8)]
    engine = Engine().take(OWNED, *won, lost, *still).tick(NOON + MINUTE)
    cell = engine.cell("pipeline_velocity", "30d", ANY_N)
    assert (cell.value, cell.numerator, cell.denominator) == (8 * 0.75 * 1000 / 4, 3, None)
    assert engine.cell("pipeline_velocity", "30d").state is State.INSUFFICIENT
    assert engine.cell("pipeline_velocity|rep=ana", "30d", ANY_N).value == 1500


def test_a_hundred_units_at_fifty_each_are_five_thousand():
    engine = Engine().take(OWNED, build.deal(created_at=NOON, amount=100 * 50_00, outcome="won", closed_at=NOON))
    cell = engine.tick(NOON + MINUTE).cell("revenue", "24h", ANY_N)
    assert (cell.value, cell.numerator) == (5000.0, 500_000)
