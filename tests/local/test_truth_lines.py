"""The oracle against values worked out by hand: what is sold, what led to it, and whose revenue it is."""

from datetime import date
from typing import Any

import pytest
from histories import (
    NOON,
    RULES,
    Event,
    call,
    deal,
    email,
    inquiry,
    lead,
    meeting,
    of_account,
    of_campaign,
    reply,
    sliced,
    touch,
    value,
)

from models.units import DAY, HOUR, MINUTE
from streams.local.truth import truth

BEFORE, CREATED, CLOSED = NOON - 3 * DAY, NOON - 3 * HOUR, NOON - HOUR
WON: dict[str, Any] = {"created_at": CREATED, "outcome": "won", "closed_at": CLOSED}
LOST = WON | {"outcome": "lost"}
RATES = [{"currency": "USD", "rate": "0.9"}, {"currency": "USD", "rate": "0.5", "from": date(2026, 3, 2)}]
LINES: dict[str, Any] = RULES | {
    "money": {"rates": RATES},
    "products": ["desk", "chair"],
    "competitors": ["Acme"],
    "loss_reasons": ["price"],
}
DESKS = {"product": "desk", "quantity": 2, "unit_price": 30_000}
CHAIRS = {"product": "chair", "quantity": 8, "unit_price": 5_000}
CUSTOMERS = [of_account("purchase", "p", f"a{number}", at=BEFORE) for number in range(10)]


def told(events: list[Event], *names: str, **options: Any) -> list[float | None]:
    """Some numbers of a day, and levels."""
    return [value(events, name, **{"rules": LINES} | options) for name in names]


# --- lines -----------------------------------------------------------------------------------------------------------


def test_worked_example_ten_units_for_a_thousand():
    events = [deal(lines=[DESKS, CHAIRS], **WON)]
    assert told(events, "orders", "units_sold", "product_revenue_eur", "unit_price_mean_eur") == [2, 10, 1_000, 100]
    assert told(events, "revenue_eur", "opportunity_value_eur", "deal_size_mean_eur") == [1_000, 1_000, 1_000]
    spent = of_campaign("cost", "c", date="2026-03-02", category="marketing", amount=5_000)
    assert told([*events, spent], "unit_cost_mean_eur") == [5]


def test_an_amount_that_is_told_is_what_a_deal_is_worth():
    events = [deal(lines=[DESKS], amount=50_000, **WON)]
    assert told(events, "revenue_eur", "product_revenue_eur") == [500, 600]
    assert told([*events, deal(version=NOON, amount=None)], "revenue_eur", "product_revenue_eur") == [600, 600]
    assert told([*events, deal(version=NOON, amount=None, lines=[])], "revenue_eur", "orders") == [0, 0]
    replaced = deal(version=NOON, lines=[CHAIRS], amount=None)
    assert told([*events, replaced], "revenue_eur", "product_revenue_eur", "orders") == [400, 400, 1]


def test_lines_of_open_and_of_lost_deals_are_no_orders():
    events = [deal("o", lines=[DESKS], created_at=CREATED), deal("l", lines=[DESKS], **LOST)]
    assert told(events, "orders", "units_sold", "product_revenue_eur") == [0, 0, 0]
    assert told(events, "pipeline_value_eur", "revenue_lost_eur") == [600, 600]


def test_each_line_converts_by_itself_and_is_of_its_product():
    lines = [{"product": name, "quantity": 1, "unit_price": 1} for name in ("desk", "lamp", None)]
    lines.append({"quantity": 1, "unit_price": 3})
    events = [deal(lines=lines, rep="bo", currency="USD", **WON)]
    assert sliced(events, "product_revenue", LINES)["product=unknown"] == 0 + 2  # 0.5 is 0, 1.5 is 2
    assert sliced(events, "orders", LINES) == {
        "rep=bo": 4,
        "team=north": 4,
        "lead_source=unknown": 4,
        "product=desk": 1,
        "product=other": 1,
        "product=unknown": 2,
    }
    assert told(events, "revenue_eur") == [0.03]  # 6 cents together
    assert "product=desk" not in sliced(events, "orders", RULES)


def test_who_else_was_asked_and_why_it_was_lost():
    events = [
        deal("w", competitor="Acme", loss_reason="price", **WON),
        deal("x", competitor="Else", loss_reason="price", **LOST),
        deal("y", **LOST),
    ]
    assert sliced(events, "deals_won", LINES) == {
        "rep=unassigned": 1,
        "team=unassigned": 1,
        "lead_source=unknown": 1,
        "competitor=Acme": 1,
    }
    lost = sliced(events, "deals_lost", LINES)
    assert {name: count for name, count in lost.items() if name.startswith(("competitor", "loss"))} == {
        "competitor=other": 1,
        "competitor=unknown": 1,
        "loss_reason=price": 1,
        "loss_reason=unknown": 1,
    }
    names = {name for name, _ in truth(events, LINES | {"pairs": [["rep", "competitor"], ["rep", "loss_reason"]]}, NOON)}
    assert {name for name in names if "competitor" in name and "_and_" in name} == {
        f"leadbeat_{measure}_by_rep_and_competitor" for measure in ("deals_won", "deals_lost", "win_ratio")
    }
    assert not any("loss_reason" in name for name in names)


def test_upsell_and_cross_sell_by_customer_and_by_revenue():
    kinds = ["upsell", "upsell", "cross_sell", "new_business", None]
    events = [deal(f"d{number}", kind=kind, amount=10_000, **WON) for number, kind in enumerate(kinds)]
    names = ("upsell_ratio", "cross_sell_ratio", "upsell_revenue_ratio", "cross_sell_revenue_ratio")
    assert told([*events, *CUSTOMERS], *names, "upsell_deals_won", "cross_sell_deals_won") == [0.2, 0.1, 0.4, 0.2, 2, 1]
    assert told(events, *names) == [None, None, 0.4, 0.2]


# --- what led to it --------------------------------------------------------------------------------------------------


def test_touches_up_to_the_close_count_at_the_close_by_their_own_channel_and_the_rep_of_the_deal():
    events = [
        call("c", BEFORE, rep="di"),
        email("e", CLOSED, rep="di"),
        email("late", CLOSED + 1, rep="di"),
        email("automated", CREATED, automated=True),
        meeting("m", scheduled_at=CREATED, outcome="held"),
        deal("w", rep="bo", **WON),
        deal("l", rep="bo", **LOST | {"closed_at": BEFORE + HOUR}),
    ]
    assert told(events, "touches_on_deals_won", "touches_per_deal_won_mean") == [3, 3]
    assert told(events, "touches_on_deals_lost", "touches_per_deal_lost_mean") == [0, None]
    assert told(events, "touches_on_deals_lost", "touches_per_deal_lost_mean", window="7d") == [1, 1]
    assert sliced(events, "touches_on_deals_won", LINES) == {
        "rep=bo": 3,
        "team=north": 3,
        "lead_source=unknown": 3,
        "channel=call": 1,
        "channel=email": 1,
        "channel=meeting": 1,
    }


def demo(scheduled: int, **fields: Any) -> Event:
    return meeting(f"m{scheduled}", **{"scheduled_at": scheduled, "kind": "demo", "outcome": "held", "rep": "di"} | fields)


@pytest.mark.parametrize(
    ("events", "counts"),
    [
        ([], [0, 0]),
        ([demo(CREATED)], [4, 1]),
        ([demo(CREATED), demo(CREATED + 1)], [4, 1]),
        ([demo(CLOSED)], [4, 1]),
        ([demo(CLOSED + 1)], [2, 0]),  # the open one, and the one that ended nobody knows when
        ([demo(CLOSED + 1), demo(BEFORE)], [0, 0]),
        ([demo(CREATED, outcome="no_show")], [0, 0]),
        ([demo(CREATED, kind="other")], [0, 0]),
    ],
)
def test_deals_whose_lead_saw_a_demo(events, counts):
    deals = [deal("w", **WON), deal("l", **LOST), deal("o", created_at=CREATED), deal("n", created_at=CREATED, outcome="won")]
    deals.append(deal("u", version=NOON, outcome="won", closed_at=CLOSED))
    assert told([*deals, *events], "demos_deals", "demos_deals_won") == counts


def test_a_demo_is_of_who_gave_it():
    events = [demo(CREATED), deal(rep="bo", **WON), deal("o", rep="bo", created_at=CREATED)]
    assert sliced(events, "demos_deals", LINES) == {"rep=di": 2, "team=south": 2, "lead_source=unknown": 2}
    assert told(events, "demo_close_ratio") == [0.5]


@pytest.mark.parametrize(
    ("events", "seconds"),
    [
        ([], None),
        ([lead(created_at=CLOSED - 60_000)], 60),
        ([lead(created_at=CLOSED - 60_000), inquiry("i", at=CLOSED - 61_000)], 61),
        ([lead(created_at=CLOSED - 60_000), touch("t", at=CLOSED - 62_000, channel="email", automated=True)], 62),
        ([reply("r", at=CLOSED - 63_000, kind="bounce")], 63),
        ([lead(created_at=CLOSED)], 0),
        ([lead(created_at=CLOSED + 1)], None),
    ],
)
def test_a_customer_s_way_goes_from_the_first_sign_to_the_first_won_close(events, seconds):
    deals = [deal("b", **WON), deal("c", **WON | {"closed_at": CLOSED + MINUTE}), deal("a", **LOST | {"closed_at": CREATED})]
    assert told([*deals, *events], "customer_lifecycle_time_mean_seconds") == [seconds]
    assert told([*deals, *events], "customer_lifecycle_time_samples") == [0 if seconds is None else 1]


# --- whose revenue ---------------------------------------------------------------------------------------------------


def test_converted_revenue_is_of_the_first_deal_that_is_won():
    events = [
        deal("b", amount=30_000, **WON),
        deal("a", amount=10_000, **WON),
        deal("c", amount=60_000, **WON | {"closed_at": CLOSED + 1}),
        deal("d", "bob", **WON),
        deal("e", "bob", amount=100_000, **WON | {"closed_at": CLOSED + 1}),
    ]
    spent = of_campaign("cost", "c", date="2026-03-02", category="marketing", amount=5_000)
    assert told([*events, spent], "converted_revenue_eur", "lead_revenue_share", "lead_value_to_cost_ratio") == [100, 0.05, 2]


def test_revenue_goes_to_the_channel_of_the_first_touch_and_to_no_rep():
    events = [
        email("e", CLOSED + 1, rep="bo"),
        lead(lead_source="outbound", created_at=CREATED, owner="bo"),
        deal(amount=30_000, **WON),
        deal("z", "bob", amount=10_000, **WON),
        *(of_campaign("cost", name, date="2026-03-02", category=name, amount=16_000) for name in ("marketing", "sdr")),
    ]
    assert told(events, "attributed_revenue_eur", "outbound_revenue_eur", "sdr_roi", "marketing_roi") == [400, 300, 1.875, 1.5]
    assert sliced(events, "attributed_revenue", LINES) == {
        "lead_source=outbound": 30_000,
        "lead_source=unknown": 10_000,
        "channel=email": 30_000,
        "channel=unknown": 10_000,
    }
    assert sliced(events, "outbound_revenue", LINES) == {
        "rep=bo": 30_000,
        "team=north": 30_000,
        "lead_source=outbound": 30_000,
    }
    assert told(events[-1:], "marketing_roi") == [None]


def test_clients_that_were_referred():
    events = [
        lead("a", version=NOON, origin="referral"),
        lead("b", version=NOON, origin="partner"),
        lead("c", version=NOON, origin="web"),
        *(deal(f"d{name}", name, **WON) for name in "abc"),
        deal("again", "a", **WON),
    ]
    assert told(events, "referral_clients") == [1]
    assert told(events, "referral_clients", rules=LINES | {"referral_origins": ["referral", "partner"]}) == [2]
    assert told(events, "referral_clients", rules=LINES | {"referral_origins": []}) == [0]
