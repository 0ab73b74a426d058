"""What deals have to do with the rest, by hand. A line is: how long after noon, how much, and under which values."""

import build
from build import DAY, HOUR, MINUTE, NOON, RULES
from build_subjects import nurture, proposal, purchase
from engine import Engine, told
from msgspec.structs import replace

from models.data.leads import Line
from models.kpis import Formula

ANY_N = dict.fromkeys(Formula, 0)
LISTED = replace(RULES, products=("basic",), competitors=("acme",), loss_reasons=("price",), nurture_tracks=("winback",))
OWNED = build.lead(created_at=NOON - DAY, owner="ana", owner_at=NOON - 9 * DAY, lead_source="outbound")
ANA = "ana north outbound"
WON = build.deal(created_at=NOON, amount=1000, outcome="won", closed_at=NOON + DAY)
LOST = build.deal("d2", created_at=NOON, outcome="lost", closed_at=NOON + HOUR, competitor="acme", loss_reason="price")


def of(measure, *events):
    return told(measure, OWNED, *events, rules=LISTED)


def test_a_hundred_units_at_fifty_are_five_thousand():
    lines = (Line(100, 50_00, "basic"), Line(1, 3, "kit"))
    sold = build.deal(created_at=NOON, lines=lines, outcome="won", closed_at=NOON)
    assert of("revenue", sold) == [(0, 5_000_03, ANA)]
    assert of("product_revenue", sold) == [(0, 3, f"{ANA} other"), (0, 5_000_00, f"{ANA} basic")]
    assert of("units_sold", sold) == [(0, 1, f"{ANA} other"), (0, 100, f"{ANA} basic")]
    assert len(of("orders", sold)) == 2
    engine = Engine(LISTED).take(OWNED, sold).tick(NOON + MINUTE)
    assert engine.cell("unit_price_mean|product=basic", "24h").value == 50
    for silent in (build.deal(created_at=NOON, lines=lines), build.deal(lines=lines, outcome="won", closed_at=NOON)):
        assert of("orders", silent) == []
    assert of("revenue", build.deal(created_at=NOON, lines=(), outcome="won", closed_at=NOON)) == []


def test_a_deal_is_lost_to_somebody_and_for_a_reason():
    assert of("deals_lost", LOST) == [(HOUR, 1, f"{ANA} acme price")]
    assert of("deals_won", WON) == [(DAY, 1, f"{ANA} unknown")]


def test_proposals_close_where_they_were_sent_and_match_conversations():
    events = [build.call(f"c{number}", NOON, connected=True, of=f"lead-{number}") for number in range(4)]
    engine = Engine().take(*events, proposal(sent_at=NOON, of="lead-0")).tick(NOON + MINUTE)
    assert engine.cell("match_ratio", "24h", ANY_N).value == 0.25
    more = [proposal(str(number), sent_at=NOON, signed_at=NOON + HOUR if number == 2 else None) for number in range(3)]
    engine = Engine().take(*more).tick(NOON + 2 * HOUR)
    cell = engine.cell("closing_ratio", "24h", ANY_N)
    assert (cell.value, cell.numerator, cell.denominator) == (1 / 3, 1, 3)
    assert of("proposals_signed", proposal(sent_at=NOON, signed_at=NOON + HOUR, rep="ben")) == [(HOUR, 1, "ben south outbound")]


def test_a_reply_is_a_conversation_once_somebody_answers_it():
    asked = (build.email("e", NOON), build.reply("r", at=NOON + HOUR))
    assert of("leads_in_conversation", *asked) == []
    assert of("leads_in_conversation", *asked, build.email("late", NOON + HOUR)) == []
    assert of("leads_in_conversation", *asked, build.email("e2", NOON + 2 * HOUR)) == [(HOUR, 1, "outbound")]


def test_a_lost_deal_took_five_meetings_eleven_emails_and_seven_calls():
    touches = [
        *(build.meeting(f"m{n}", scheduled_at=NOON - n * HOUR, outcome="held") for n in range(5)),
        *(build.email(f"e{n}", NOON - n * HOUR) for n in range(11)),
        *(build.call(f"c{n}", NOON - n * HOUR) for n in range(7)),
        build.call("after", NOON + 2 * HOUR),
    ]
    engine = Engine().take(OWNED, *touches, LOST).tick(NOON + DAY)
    assert engine.cell("touches_per_deal_lost_mean", "7d").value == 23
    by_channel = {
        each: engine.cell(f"touches_on_deals_lost|channel={each}", "7d").numerator for each in ("meeting", "email", "call")
    }
    assert by_channel == {"meeting": 5, "email": 11, "call": 7}
    assert of("touches_on_deals_won", LOST) == []


def test_of_deals_that_saw_a_demo_some_close():
    demo = build.meeting("m", scheduled_at=NOON + HOUR, outcome="held", kind="demo", rep="ben")
    early = build.deal("d2", created_at=NOON, outcome="lost", closed_at=NOON + MINUTE)
    open_deal = build.deal("d3", created_at=NOON)
    assert of("demos_deals", demo, WON, early, open_deal) == [(HOUR, 1, "ben south outbound")] * 2
    assert of("demos_deals_won", demo, WON, early, open_deal) == [(HOUR, 1, "ben south outbound")]
    assert of("demos_deals", WON) == []


def test_the_first_deal_that_a_lead_wins_converts_it():
    again = build.deal("d2", created_at=NOON, amount=5, outcome="won", closed_at=NOON + 2 * DAY)
    assert of("converted_revenue", WON, again) == [(DAY, 1000, ANA)]
    assert of("outbound_revenue", WON, again) == [(DAY, 1000, ANA), (2 * DAY, 5, ANA)]
    assert of("customer_lifecycle_time", WON, again) == [(DAY, 2 * DAY, ANA)]
    assert of("customer_lifecycle_time", WON, build.call("first", NOON - 3 * DAY)) == [(DAY, 4 * DAY, ANA)]
    assert of("referral_clients", WON) == []
    assert of("referral_clients", WON, build.lead(origin="referral", changed_at=NOON + 1)) == [(DAY, 1, ANA)]


def test_revenue_is_to_the_credit_of_the_first_touch():
    assert of("attributed_revenue", WON, build.email("e", NOON), build.call("c", NOON + 1)) == [(DAY, 1000, "outbound email")]
    assert of("attributed_revenue", WON) == [(DAY, 1000, "outbound unknown")]


def test_touches_with_customers_are_those_while_they_were():
    stages = [build.lead(stage=stage, stage_at=at, changed_at=at) for stage, at in (("customer", NOON), ("sql", NOON + DAY))]
    calls = [build.call(f"c{hours}", NOON + hours * HOUR) for hours in (-1, 0, 3, 25)]
    assert [at for at, _, _ in of("touches_with_customers", *stages, *calls)] == [0, 3 * HOUR]
    engine = Engine().take(OWNED, *stages, *calls, purchase(at=NOON)).tick(NOON + 2 * DAY)
    assert engine.cell("client_engagement_mean", "7d").value == 2


def test_a_nurture_track_converts_those_who_become_customers_later():
    entered = [nurture("1", track="winback", entered_at=NOON), nurture("2", track="lost", entered_at=NOON + DAY), nurture("3")]
    customer = build.lead(stage="customer", stage_at=NOON + HOUR)
    assert of("nurtures", *entered) == [(0, 1, f"{ANA} winback"), (DAY, 1, f"{ANA} other")]
    assert of("nurtures_converted", *entered, customer) == [(0, 1, f"{ANA} winback")]
