"""The oracle against values worked out by hand: windows, slices, statistics, and the comparison with a scrape."""

from collections import Counter
from datetime import date
from typing import Any

import pytest
from histories import at, call, email, lead, meeting, reply

from models.units import DAY, HOUR, MINUTE, SECOND
from streams.local.truth import truth
from streams.local.truth_facts import rules_of, span_ms
from streams.local.truth_page import compare, is_kpi, parse
from streams.local.truth_windows import windows_at, windows_before

NOON = at("2026-03-02 12:00")
ROSTER = [
    {"rep": "bo", "team": "north"},
    {"rep": "cy", "team": "south", "from": date(2020, 1, 1)},
    {"rep": "cy", "from": date(2026, 3, 2)},
    {"rep": "di", "team": "west", "from": date(2026, 3, 3)},
]
RULES: dict[str, Any] = {"roster": ROSTER}
SERVICE_LEVEL = {"responses_within_sla", "clocks_ended"}

DAILY_PARTS = (
    *("lead_to_mql", "mql_to_sql", "sql_to_opportunity", "sql_to_customer", "mql_to_customer"),
    *("lead_to_opportunity", "lead_to_customer", "leads_qualified", "leads_acquired"),
)
"""The numerators that the whole of the funnel shows once each."""

DEAL_PARTS = (
    *("opportunities_created", "opportunity_value_eur", "opportunities_won", "opportunities_open"),
    *("opportunities_stage_one", "opportunity_value_stage_one_eur", "stage_one_to_two", "stage_one_to_two_value_eur"),
    *("opportunities_stage_two", "opportunity_value_stage_two_eur"),
    *("stage_two_to_customer", "stage_two_to_customer_value_eur"),
    *("deals_won", "deals_lost", "revenue_eur", "revenue_lost_eur"),
    *("new_business_revenue_eur", "upsell_revenue_eur", "cross_sell_revenue_eur"),
    *("contracts_won", "contract_revenue_eur", "discounted_deals", "list_revenue_eur", "discounts_eur"),
    "sales_cycle_time_samples",
)
"""The counts and parts that the whole shows of deals, in windows of a day and longer."""

SUBJECT_PARTS = (
    *("new_mrr_eur", "reactivation_mrr_eur", "expansion_mrr_eur", "contraction_mrr_eur", "churned_mrr_eur"),
    *("net_new_mrr_eur", "net_expansion_mrr_eur"),
    *("accounts_added", "accounts_expanded", "accounts_contracted", "customers_gained", "customers_lost"),
    *("new_customers", "returning_customers", "purchases", "purchase_revenue_eur", "referrals", "tickets_opened"),
    *("platform_time_seconds", "ticket_resolution_time_samples"),
    *("csat_answers", "csat_points", "nps_answers", "nps_promoters", "nps_detractors"),
    *("reps_joined", "reps_left", "selling_time_seconds", "time_worked_seconds", "selling_dates"),
    *("enps_answers", "enps_promoters", "enps_detractors"),
    *("marketing_spend_eur", "sales_spend_eur", "sdr_spend_eur"),
    *("visits", "impressions", "deliveries", "clicks", "sign_ups"),
)
"""The same of accounts, of reps and of campaigns."""

FURTHER_PARTS = (
    *("upsell_deals_won", "cross_sell_deals_won", "orders", "units_sold", "product_revenue_eur"),
    *("touches_on_deals_won", "touches_on_deals_lost", "demos_deals", "demos_deals_won"),
    *("commission_eur", "converted_revenue_eur", "attributed_revenue_eur", "outbound_revenue_eur", "referral_clients"),
    *("proposals_sent", "proposals_signed", "proposals_closed", "leads_in_conversation", "touches_with_customers"),
    *("nurtures", "nurtures_converted", "customer_lifecycle_time_samples"),
)
"""What leads tell besides."""

SUBJECT_LEVELS = (
    *("mrr_eur", "arr_eur", "customers", "subscriptions_live", "reps_employed", "rep_tenure_total_seconds"),
    *("competitor_prices_eur", "competitor_quotes"),
)
DEAL_LEVELS = ("open_opportunities", "pipeline_value_eur", "weighted_pipeline_value_eur")


def calls(clock: int, window: str, *instants: int, zone: str = "UTC") -> float:
    """How many of the calls at these instants a window holds."""
    events = [call(f"c{instant}", instant, rep="bo") for instant in instants]
    found = truth(events, {"organisation": {"zone": zone}}, clock)["leadbeat_calls", frozenset({("window", window)})]
    assert isinstance(found, float)
    return found


# --- windows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "clock", "first", "beyond"),
    [
        ("5m", "12:00:00", "11:55:10", "12:00:10"),
        ("5m", "12:00:09.999", "11:55:10", "12:00:10"),
        ("5m", "12:00:10", "11:55:20", "12:00:20"),
        ("15m", "12:00:14", "11:45:20", "12:00:20"),
        ("1h", "12:00:14", "11:00:20", "12:00:20"),
        ("4h", "12:04:59.999", "08:05", "12:05"),
        ("24h", "12:05", "2026-03-01 12:10", "12:10"),
        ("7d", "12:59:59.999", "2026-02-23 13:00", "13:00"),
        ("today", "12:00", "00:00", "2026-03-03 00:00"),
        ("week", "12:00", "00:00", "2026-03-03 00:00"),
        ("month", "12:00", "2026-03-01 00:00", "2026-03-03 00:00"),
        ("quarter", "12:00", "2026-01-01 00:00", "2026-03-03 00:00"),
        ("year", "12:00", "2026-01-01 00:00", "2026-03-03 00:00"),
        ("30d", "12:00", "2026-02-01 00:00", "2026-03-03 00:00"),
        ("60d", "12:00", "2026-01-02 00:00", "2026-03-03 00:00"),
        ("90d", "12:00", "2025-12-03 00:00", "2026-03-03 00:00"),
    ],
)
def test_a_window_holds_its_first_instant_and_not_the_one_at_its_end(window, clock, first, beyond):
    now, start, end = (at(text if " " in text else f"2026-03-02 {text}") for text in (clock, first, beyond))
    assert calls(now, window, start, end - 1) == 2
    assert calls(now, window, start - 1, end) == 0


@pytest.mark.parametrize(
    ("zone", "clock", "first", "beyond"),
    [
        ("Europe/Berlin", "2026-03-29 12:00", "2026-03-28 23:00", "2026-03-29 22:00"),  # 23 hours
        ("Europe/Berlin", "2026-10-25 12:00", "2026-10-24 22:00", "2026-10-25 23:00"),  # 25 hours
        ("America/Santiago", "2026-09-06 12:00", "2026-09-06 04:00", "2026-09-07 03:00"),  # no midnight: it begins at 1:00
        ("America/Santiago", "2026-04-04 12:00", "2026-04-04 03:00", "2026-04-05 04:00"),  # its last hour comes twice
        ("America/Havana", "2026-11-01 12:00", "2026-11-01 04:00", "2026-11-02 05:00"),  # its first hour comes twice
        ("Asia/Kolkata", "2026-06-01 00:10", "2026-05-31 18:30", "2026-06-01 18:30"),
        ("Pacific/Kiritimati", "2026-06-01 00:10", "2026-05-31 10:00", "2026-06-01 10:00"),
    ],
)
def test_a_local_day_is_as_long_as_it_is(zone, clock, first, beyond):
    now, start, end = at(clock, zone), at(first), at(beyond)
    assert calls(now, "today", start, end - 1, zone=zone) == 2
    assert calls(now, "today", start - 1, end, zone=zone) == 0


def test_a_week_begins_on_monday_and_thirty_days_are_local_days():
    sunday = at("2026-03-29 12:00", "Europe/Berlin")
    windows = windows_at(sunday, rules_of({"organisation": {"zone": "Europe/Berlin"}}))
    assert windows["week"] == (at("2026-03-22 23:00"), at("2026-03-29 22:00"))
    assert windows["30d"] == (at("2026-02-27 23:00"), at("2026-03-29 22:00"))
    assert windows["quarter"] == (at("2025-12-31 23:00"), at("2026-03-29 22:00"))


def test_a_period_so_far_is_compared_with_as_many_days_of_the_one_before():
    found = windows_before(at("2026-03-31 12:00"), rules_of({}))
    assert found["month"] == (at("2026-02-01 00:00"), at("2026-03-01 00:00"))
    assert found["quarter"] == (at("2025-10-01 00:00"), at("2025-12-30 00:00"))
    assert found["week"] == (at("2026-03-23 00:00"), at("2026-03-25 00:00"))
    assert found["30d"] == (at("2026-01-31 00:00"), at("2026-03-02 00:00"))
    assert found["24h"] == (at("2026-03-29 12:05"), at("2026-03-30 12:05"))


def test_a_meeting_marked_held_ahead_of_its_time_counts_in_the_windows_that_reach_it():
    held = meeting("m", version=NOON, scheduled_at=at("2026-03-02 23:59"), outcome="held")
    gauges = truth([held], RULES, NOON)
    assert gauges["leadbeat_meetings_held", frozenset({("window", "today")})] == 1
    assert gauges["leadbeat_meetings_held", frozenset({("window", "24h")})] == 0


# --- statistics ------------------------------------------------------------------------------------------------------


def answered(*seconds: float) -> list[dict[str, Any]]:
    """One lead for each response time."""
    events = []
    for number, waited in enumerate(seconds):
        created = NOON - 20 * HOUR + number * MINUTE
        events += [lead(f"l{number}", created_at=created), call("c", created + round(waited * SECOND), f"l{number}")]
    return events


def response_time(events: list[dict[str, Any]], statistic: str) -> Any:
    return truth(events, RULES, NOON).get((f"leadbeat_lead_response_time_{statistic}", frozenset({("window", "24h")})))


def test_a_quantile_is_the_nearest_rank():
    twenty = answered(*range(20, 0, -1))
    assert response_time(twenty, "p50_seconds") == (10, 0.01)
    assert response_time(twenty, "p90_seconds") == (18, 0.01)
    assert response_time(twenty, "max_seconds") == (20, 0.01)
    assert response_time(answered(0, 3), "p50_seconds") == (0, 0.01)
    thirty = answered(*range(1, 31))
    assert response_time(thirty, "p90_seconds") == (27, 0.01)
    assert response_time(thirty, "p95_seconds") == (29, 0.01)


def test_below_its_minimum_n_a_value_is_withheld_and_its_parts_are_not():
    assert response_time(answered(1), "mean_seconds") == 1
    assert response_time([], "mean_seconds") is None
    assert response_time([], "samples") == 0
    assert response_time(answered(*range(1, 20)), "p90_seconds") is None
    assert response_time(answered(*range(1, 30)), "p95_seconds") is None
    window = frozenset({("window", "24h")})
    nine, ten = (truth(answered(*range(1, n + 1)), RULES, NOON) for n in (9, 10))
    assert ("leadbeat_response_within_sla_ratio", window) not in nine
    assert nine["leadbeat_clocks_ended", window] == 9
    assert ten["leadbeat_response_within_sla_ratio", window] == 1
    lowered = truth(answered(1), RULES | {"minimum_n": {"ratio": 1}}, NOON)
    assert lowered["leadbeat_response_within_sla_ratio", window] == 1


def test_a_mean_is_the_division_of_whole_milliseconds():
    assert response_time(answered(0.001, 0.001, 0.002), "mean_seconds") == 4 / 3000


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_of_nothing_the_whole_shows_every_count_as_zero_and_no_ratio():
    gauges = truth([], {"lead_sources": []}, NOON)
    whole = {name.removeprefix("leadbeat_") for name, _ in gauges if "_by_" not in name}
    assert whole == {
        *("sla_breaches", "sla_warnings", "responses_within_sla", "clocks_ended"),
        *("leads_awaiting_response", "leads_overdue"),
        *("leads_created", "leads_followed_up", "leads_judged", "leads_never_contacted"),
        *("follow_up_attempts", "follow_ups_ended"),
        *("lead_response_time_samples", "lead_contact_time_samples", "routing_delay_samples", "rep_delay_samples"),
        "lead_response_time_business_samples",
        *("time_to_first_meeting_samples", "reply_time_samples"),
        *("touches", "automated_touches", "calls", "emails", "messages", "calls_connected", "touches_connected"),
        *("meetings_booked", "meetings_held", "meeting_no_shows", "meetings_cancelled", "meetings_unmarked", "demos_held"),
        *("leads_contacted", "leads_first_contacted", "leads_first_reached", "leads_replied"),
        *("leads_replied_positive", "leads_replied_negative", "replies", "companies_responded", "bounces", "opt_outs"),
        *("stage_entries", "leads_lost_in_stage", "time_in_stage_samples", *DAILY_PARTS, "leads_known", "leads_in_stage"),
        *(*DEAL_PARTS, *DEAL_LEVELS, *SUBJECT_PARTS, *SUBJECT_LEVELS, *FURTHER_PARTS),
    }
    assert set(gauges.values()) == {0}
    shown = Counter(name.removeprefix("leadbeat_") for name, _ in gauges if "_by_" not in name)
    levels = {
        "leads_awaiting_response": 1,
        "leads_overdue": 1,
        "leads_known": 1,
        **dict.fromkeys(DEAL_LEVELS + SUBJECT_LEVELS, 1),
    }
    daily = {"stage_entries": 8, "leads_lost_in_stage": 6, "time_in_stage_samples": 8, **dict.fromkeys(DAILY_PARTS, 1)}
    daily |= dict.fromkeys(DEAL_PARTS + SUBJECT_PARTS + FURTHER_PARTS, 1)
    assert shown == {
        **dict.fromkeys(whole, 14),
        "sla_warnings": 2 * 14,
        **{name: 10 * stages for name, stages in daily.items()},
        **levels,
        "leads_in_stage": 8,
    }


@pytest.mark.parametrize(
    ("dim", "value", "names"),
    [
        (
            "rep",
            "bo",
            {
                *("lead_response_time_samples", "lead_contact_time_samples", *SERVICE_LEVEL, "sla_breaches"),
                "lead_response_time_business_samples",
                *("leads_awaiting_response", "leads_overdue", "leads_created", "leads_followed_up"),
                *("touches", "calls", "emails", "calls_connected", "meetings_booked", "meetings_held", "meeting_no_shows"),
                *("leads_replied", "leads_first_reached", "leads_replied_positive", "leads_first_contacted", "replies"),
                *("deals_won", "deals_lost", "revenue_eur"),
            },
        ),
        (
            "lead_source",
            "outbound",
            {
                *("lead_response_time_samples", *SERVICE_LEVEL, "leads_replied", "leads_first_reached"),
                *("leads_replied_positive", "leads_first_contacted", "meetings_booked", "meetings_held", "meeting_no_shows"),
                *("leads_created", "stage_entries", "lead_to_opportunity", "lead_to_customer", "leads_acquired"),
                *("opportunities_created", "deals_won", "deals_lost", "revenue_eur", "marketing_spend_eur"),
            },
        ),
        (
            "channel",
            "meeting",
            {
                *("lead_response_time_samples", "leads_replied", "leads_first_reached"),
                *("leads_replied_positive", "leads_first_contacted", "leads_acquired"),
            },
        ),
    ],
)
def test_of_nothing_a_slice_shows_what_its_dimension_has(dim, value, names):
    gauges = truth([], RULES, NOON)
    shown = {name for name, labels in gauges if (dim, value) in labels}
    assert shown == {f"leadbeat_{name}_by_{dim}" for name in names}
    windows = {dict(labels).get("window") for name, labels in gauges if name.endswith(f"_by_{dim}")}
    assert windows - {None} == {"1h", "24h", "7d", "today", "month"}


def test_who_is_there_now_is_shown_with_zeroes_and_who_is_not_only_with_numbers():
    gauges = truth([call("c", NOON - HOUR, rep="cy"), email("e", NOON - HOUR + 1, rep="zoe")], RULES, NOON)

    def shown(name: str, dim: str) -> dict[str, Any]:
        return {dict(labels)[dim]: gauges[metric, labels] for metric, labels in gauges if metric == f"leadbeat_{name}_by_{dim}"}

    assert shown("calls", "rep") == {"bo": 0, "cy": 1}
    assert shown("emails", "rep") == {"bo": 0, "other": 1}
    assert shown("calls", "team") == {"north": 0, "other": 1}
    assert shown("leads_overdue", "rep") == {"bo": 0}
    assert shown("leads_first_contacted", "lead_source") == {"inbound": 0, "outbound": 0, "unknown": 1}
    assert shown("leads_first_contacted", "channel") == {"call": 1, "email": 0, "message": 0, "meeting": 0}


def test_of_equally_old_clocks_the_one_due_first_is_the_oldest():
    rules = RULES | {"sla": [{"target": "1h", "lead_source": "outbound"}, {"target": "2h", "segment": "large"}]}
    events = [
        lead("without", created_at=NOON),
        lead("slow", created_at=NOON, segment="large"),
        lead("quick", created_at=NOON, lead_source="outbound"),
        lead("younger", created_at=NOON + 1, lead_source="outbound"),
    ]
    gauges = truth(events, rules, NOON)
    assert gauges["leadbeat_oldest_lead_waiting_timestamp_seconds", frozenset()] == NOON / 1000
    assert gauges["leadbeat_oldest_lead_waiting_due_timestamp_seconds", frozenset()] == (NOON + HOUR) / 1000
    reps = [key for key in gauges if key[0].startswith("leadbeat_oldest") and key[0].endswith("_by_rep")]
    assert {dict(labels)["rep"] for _, labels in reps} == {"unassigned"}


def test_spans_are_typed():
    spans = ("30s", "5m", "2h", "1d", "5bm", "2bh", "1bd")
    assert [span_ms(text) for text in spans] == [30 * SECOND, 5 * MINUTE, 2 * HOUR, DAY, 5 * MINUTE, 2 * HOUR, DAY]
    with pytest.raises(ValueError, match="5w"):
        span_ms("5w")


# --- comparison ------------------------------------------------------------------------------------------------------

PAGE = """\
# HELP leadbeat_calls Calls.
# TYPE leadbeat_calls gauge
leadbeat_calls{window="1h"} 3.0
leadbeat_calls{window="5m"} 1.0
leadbeat_call_connect_ratio{window="1h"} 0.3333333333333333
leadbeat_lead_response_time_p50_seconds{window="1h"} 101.0
leadbeat_lead_response_time_p90_seconds{window="1h"} 0.0
leadbeat_clock_timestamp_seconds 1.7e+09
leadbeat_round_exact 1.0
python_info{version="3"} 1.0
"""


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return f"leadbeat_{name}", frozenset(labels.items())


TRUE = {
    key("calls", window="1h"): 3.0,
    key("calls", window="5m"): 1.0,
    key("call_connect_ratio", window="1h"): 1 / 3,
    key("lead_response_time_p50_seconds", window="1h"): (100.0, 0.01),
    key("lead_response_time_p90_seconds", window="1h"): (0.0, 0.01),
}


def test_a_scrape_that_agrees_has_no_differences():
    assert compare(parse(PAGE), TRUE) == []


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({key("calls", window="1h"): 4.0}, "different"),
        ({key("call_connect_ratio", window="1h"): 0.3333}, "different"),
        ({key("lead_response_time_p50_seconds", window="1h"): (99.9, 0.01)}, "different"),
        ({key("lead_response_time_p90_seconds", window="1h"): (0.001, 0.01)}, "different"),
        ({key("emails", window="1h"): 0.0}, "missing"),
    ],
)
def test_each_difference_is_found(changed, fault):
    (difference,) = compare(parse(PAGE), TRUE | changed)
    assert difference.fault == fault
    assert (difference.metric, frozenset(difference.labels.items())) in changed


def test_a_kpi_that_must_not_be_there_is_found_and_the_service_s_own_metrics_are_not():
    known = {name: value for name, value in TRUE.items() if name != key("calls", window="5m")}
    (difference,) = compare(parse(PAGE), known)
    assert difference == ("extra", "leadbeat_calls", {"window": "5m"}, 1.0, None)
    assert is_kpi("leadbeat_meetings_cancelled")
    own = ["clock_timestamp_seconds", "known_until_timestamp_seconds", "round", "redis_up", "exporter_series", "heartbeat_x"]
    assert not any(is_kpi(f"leadbeat_{name}") for name in own)


def test_a_reply_time_is_shown_for_the_whole_only():
    events = [call("c", NOON - HOUR, rep="bo"), reply("r", at=NOON - MINUTE)]
    names = {name for name, _ in truth(events, RULES, NOON)}
    assert "leadbeat_reply_time_mean_seconds" in names
    assert not any(name.startswith("leadbeat_reply_time") and "_by_" in name for name in names)
