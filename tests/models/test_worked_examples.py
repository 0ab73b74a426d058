"""The worked examples of the sales literature, from facts to figures."""

from datetime import datetime
from zoneinfo import ZoneInfo

import build
from build import DAY, HOUR, MINUTE, NOON, RULES, SECOND, sla
from engine import Engine
from msgspec.structs import replace

from models.calendars import Shift, WorkCalendar
from models.kpis import Formula
from models.rules import CalendarUse, KpiTarget
from models.snapshot import State
from models.units import Millis, millis

ANY_N = dict.fromkeys(Formula, 0)
CHANNELS = ("call", "email", "message")


def test_three_of_fifty_prospects_answer_positively():
    engine = Engine()
    for number in range(50):
        prospect = f"lead-{number}"
        engine.take(build.lead(of=prospect, created_at=NOON - 8 * HOUR))
        for attempt in range(2 + number % 3):
            channel = CHANNELS[(number + attempt) % 3]
            engine.take(build.touch(f"t{attempt}", of=prospect, at=NOON - (5 - attempt) * HOUR, channel=channel))
    for number, sentiment in (
        (3, "positive"),
        (11, "positive"),
        (40, "positive"),
        (41, "negative"),
        (42, "neutral"),
        (43, None),
    ):
        engine.take(build.reply(of=f"lead-{number}", at=NOON - HOUR, channel="email", sentiment=sentiment))
    cell = engine.tick(NOON).cell("positive_reply_ratio", "24h", ANY_N)
    assert (cell.value, cell.numerator, cell.denominator, cell.state) == (0.06, 3, 50, State.OK)


def test_two_of_four_inquiries_are_answered_in_time_and_the_last_is_not_due_yet():
    engine = Engine()
    clock = NOON + 2 * SECOND  # the due clock stands at noon
    for number, answered_after in enumerate((1, 4, 6)):
        asked_at = NOON - 20 * MINUTE
        engine.take(
            build.lead(of=f"lead-{number}", created_at=asked_at),
            build.call("t1", asked_at + answered_after * MINUTE, of=f"lead-{number}"),
        )
    for number, waits in ((3, 10), (4, 2)):
        engine.take(build.lead(of=f"lead-{number}", created_at=NOON - waits * MINUTE))
    cell = engine.tick(clock).cell("response_within_sla_ratio", "1h", ANY_N)
    assert (cell.value, cell.numerator, cell.denominator) == (0.5, 2, 4)
    assert engine.cell("leads_awaiting_response").numerator == 2
    assert engine.cell("leads_overdue").numerator == 1
    assert engine.tick(clock + 3 * MINUTE).cell("response_within_sla_ratio", "1h", ANY_N).denominator == 5


def funnel(engine, shares):
    """A hundred leads of today, of which so many reach each stage, each share being of the hundred."""
    for number in range(100):
        engine.take(build.lead(of=f"lead-{number}", created_at=NOON - 8 * HOUR))
        for hours, (stage, share) in enumerate(shares.items()):
            if number < share:
                at = NOON - (7 - hours) * HOUR
                engine.take(build.lead(of=f"lead-{number}", stage=stage, stage_at=at, changed_at=at))
    return engine.tick(NOON)


def test_of_leads_of_whom_some_take_a_discovery_call_a_demo_and_buy_most_are_lost_before_they_buy():
    engine = funnel(Engine(), {"mql": 40, "sal": 20, "customer": 3})
    leakage = {
        stage: engine.cell(f"funnel_leakage_ratio{{lead_stage={stage}}}", "today", ANY_N).value
        for stage in ("lead", "mql", "sal", "sql", "opportunity")
    }
    assert leakage == {"lead": 0.6, "mql": 0.5, "sal": 0.85, "sql": 0.0, "opportunity": 0.0}


def test_eighty_of_four_hundred_leads_of_a_month_become_customers():
    engine = Engine()
    for number in range(400):
        created_at = NOON - number % 20 * HOUR // 2
        engine.take(build.lead(of=f"lead-{number}", created_at=created_at))
        if number % 5 == 0:
            at = created_at + 30 * 24 * HOUR
            engine.take(build.lead(of=f"lead-{number}", stage="customer", stage_at=at, changed_at=at))
    cell = engine.tick(NOON).cell("lead_to_customer_ratio", "month", ANY_N)
    assert (cell.value, cell.numerator, cell.denominator) == (0.2, 80, 400)


def test_a_million_at_a_thousand_each_and_one_in_five_takes_five_thousand_leads():
    engine = Engine(replace(RULES, targets=(KpiTarget("revenue", "1000000", "year"),)))
    created_at = NOON - 70 * DAY  # before the year began, of which nothing is done
    for number in range(10):
        engine.take(build.lead(of=f"lead-{number}", created_at=created_at))
    for number in range(2):
        engine.take(
            build.lead(of=f"lead-{number}", stage="customer", stage_at=created_at + HOUR),
            build.deal(of=f"lead-{number}", created_at=created_at, amount=1000_00, outcome="won", closed_at=created_at + HOUR),
        )
    assert engine.tick(NOON).cell("leads_needed", "90d", ANY_N) == (5000.0, 2, None, State.OK)


def test_a_hundred_and_twenty_thousand_after_a_hundred_thousand_are_a_fifth_more():
    year = 365 * DAY
    end = Millis(NOON + 304 * DAY)  # the last day of the year
    engine = Engine()
    for number, (amount, closed_at) in enumerate(
        [(60_000, end - year - 300 * DAY), (40_000, end - year), (70_000, end - 10 * DAY), (50_000, end - MINUTE)]
    ):
        won = build.deal(of=f"lead-{number}", created_at=closed_at, amount=amount * 100, outcome="won", closed_at=closed_at)
        engine.take(won)
    cell = engine.tick(end).cell("revenue_growth_ratio", "year", ANY_N)
    assert (cell.value, cell.numerator, cell.denominator) == (0.2, 2_000_000, 10_000_000)


OFFICE = WorkCalendar(
    "office", "Europe/Berlin", tuple(Shift(weekday, *hours) for weekday in range(5) for hours in ((540, 750), (810, 1080)))
)
IN_BUSINESS = replace(
    RULES,
    sla=(sla(5 * MINUTE, time="business"),),
    calendars=(OFFICE,),
    team_calendars=(CalendarUse("unassigned", "office"),),
)


def berlin(text):
    return millis(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin")))


def test_from_friday_ten_to_six_to_monday_five_past_nine_are_fifteen_minutes_of_business_time():
    engine = Engine(IN_BUSINESS)
    engine.take(build.lead(created_at=berlin("2026-03-06 17:50")), build.call("t1", berlin("2026-03-09 09:05")))
    engine.tick(berlin("2026-03-09 10:00"))
    cell = engine.cell("lead_response_time_business_mean", "24h", ANY_N)
    assert (cell.value, cell.denominator) == (15 * 60, 1)
    assert engine.cell("responses_within_sla", "24h").numerator == 0


def test_two_of_four_inquiries_are_answered_in_five_minutes_of_business_time():
    engine = Engine(IN_BUSINESS)
    clock = berlin("2026-03-09 09:08") + 2 * SECOND
    for number, answered in enumerate(("2026-03-06 17:58", "2026-03-09 09:01", "2026-03-09 09:03")):  # 1, 4, 6 minutes
        asked = build.lead(of=f"lead-{number}", created_at=berlin("2026-03-06 17:57"))
        engine.take(asked, build.call("t1", berlin(answered), of=f"lead-{number}"))
    engine.take(build.lead(of="lead-3", created_at=berlin("2026-03-06 17:58")))  # for ten minutes
    engine.take(build.lead(of="lead-4", created_at=berlin("2026-03-09 09:06")))  # for two
    cell = engine.tick(clock).cell("response_within_sla_ratio", "7d", ANY_N)
    assert (cell.value, cell.numerator, cell.denominator) == (0.5, 2, 4)
    assert engine.cell("leads_awaiting_response").numerator == 2
    assert engine.cell("leads_overdue").numerator == 1
    assert engine.oldest()[""] == (berlin("2026-03-06 17:58"), berlin("2026-03-09 09:03"))
    assert engine.tick(clock + 3 * MINUTE).cell("response_within_sla_ratio", "7d", ANY_N).denominator == 5
