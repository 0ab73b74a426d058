"""What the default Prometheus profile shows: which KPIs there are of each kind, and by which dimensions."""

from streams.local.truth_deals import DEALS
from streams.local.truth_derived import DERIVED
from streams.local.truth_derived import MONEY as MONEY_DERIVED
from streams.local.truth_funnel import FUNNEL
from streams.local.truth_sections import MORE

COUNTS = [
    "sla_breaches",
    "touches",
    "automated_touches",
    "calls",
    "emails",
    "messages",
    "calls_connected",
    "meetings_booked",
    "meetings_held",
    "meeting_no_shows",
    "meetings_cancelled",
    "meetings_unmarked",
    "demos_held",
    "leads_contacted",
    "leads_first_contacted",
    "replies",
    "companies_responded",
    "bounces",
    "opt_outs",
    "follow_up_attempts",
    *FUNNEL.counts,
    *DEALS.counts,
    *MORE.counts,
]
WARNINGS = {"50": "sla_warnings_50", "80": "sla_warnings_80"}
DURATIONS = [
    "lead_response_time",
    "lead_response_time_business",
    "lead_contact_time",
    "routing_delay",
    "rep_delay",
    "time_to_first_meeting",
    "reply_time",
    *FUNNEL.durations,
    *DEALS.durations,
    *MORE.durations,
]
RATIOS: dict[str, tuple[str, tuple[str, ...]]] = {
    "response_within_sla_ratio": ("responses_within_sla", ("clocks_ended",)),
    "leads_followed_up_ratio": ("leads_followed_up", ("leads_created",)),
    "never_contacted_ratio": ("leads_never_contacted", ("leads_judged",)),
    "call_connect_ratio": ("calls_connected", ("calls",)),
    "touches_connected_ratio": ("touches_connected", ("touches",)),
    "meeting_show_ratio": ("meetings_held", ("meetings_held", "meeting_no_shows")),
    "reply_ratio": ("leads_replied", ("leads_first_reached",)),
    "positive_reply_ratio": ("leads_replied_positive", ("leads_first_contacted",)),
    "negative_reply_ratio": ("leads_replied_negative", ("leads_first_contacted",)),
    "meeting_acceptance_ratio": ("meetings_booked", ("replies",)),
    **FUNNEL.ratios,
    **DEALS.ratios,
    **MORE.ratios,
}
"""Numerator, and the measures whose sum is the denominator."""

MEANS: dict[str, tuple[str, tuple[str, ...]]] = {
    "follow_up_attempts_mean": ("follow_up_attempts", ("follow_ups_ended",)),
    **DEALS.means,
    **MORE.means,
}
GROWTHS = {**FUNNEL.growths, **DEALS.growths}
"""What is compared with what it was in the window before."""

LEVELS = ("leads_awaiting_response", "leads_overdue", *FUNNEL.levels, *DEALS.levels, *MORE.levels)
DAILY = FUNNEL.daily | DEALS.daily | MORE.daily | set(DERIVED)
MONEY = DEALS.money | MORE.money | MONEY_DERIVED
SHORT = ("5m", "15m", "1h", "4h")
"""The windows in which what is told daily is not."""

OLDEST = "oldest_lead_waiting"

QUANTILES = {"p50": 50, "p90": 90, "p95": 95, "max": 100}
WHOLE_STATISTICS = ("mean", "p50", "p90", "p95", "max")
SLICE_STATISTICS = ("mean", "p50", "p90")

BY_PEOPLE = [
    "lead_response_time",
    "lead_response_time_business",
    "lead_contact_time",
    "response_within_sla_ratio",
    "sla_breaches",
    "leads_awaiting_response",
    "leads_overdue",
    "oldest_lead_waiting",
    "leads_followed_up_ratio",
    "touches",
    "calls",
    "emails",
    "call_connect_ratio",
    "meetings_booked",
    "meeting_show_ratio",
    "reply_ratio",
    "positive_reply_ratio",
    "meeting_acceptance_ratio",
    "leads_created",
    "deals_won",
    "win_ratio",
    "revenue",
    "quota_attainment_ratio",
]
BY_SOURCE = [
    "leads_created",
    "lead_response_time",
    "response_within_sla_ratio",
    "reply_ratio",
    "positive_reply_ratio",
    "leads_first_contacted",
    "meetings_booked",
    "meeting_show_ratio",
    "lead_to_opportunity_ratio",
    "lead_to_customer_ratio",
    "client_acquisition_ratio",
    "opportunities_created",
    "win_ratio",
    "revenue",
    "cost_per_lead",
]
RESULTS = {"quota_attainment_ratio": "revenue"}
"""What is compared with what rules give, which is there where nothing happened, too."""

WITHOUT_PAIRS = ["quota_attainment_ratio"]
"""What is by rep or by team, and by nothing with it."""

WITHOUT_PEOPLE = ["cost_per_lead"]
"""Of all these, what has no rep and no team."""

WITH_CHANNEL = [
    "client_acquisition_ratio",
    "lead_response_time",
    "lead_response_time_business",
    "lead_contact_time",
    "reply_ratio",
    "positive_reply_ratio",
    "leads_first_contacted",
    "touches",
]
"""Of all these, what has a channel."""

WITH_FURTHER = {
    "channel": WITH_CHANNEL,
    "competitor": ["deals_won", "win_ratio"],
    **dict.fromkeys(("sentiment", "product", "loss_reason", "nurture_track"), ()),
}
"""The same by each dimension that not all of it has."""

BOARD = {
    "rep": BY_PEOPLE,
    "team": BY_PEOPLE,
    "lead_source": BY_SOURCE,
    "origin": BY_SOURCE,
    "segment": BY_SOURCE,
    "channel": [kpi for kpi in BY_SOURCE if kpi in WITH_CHANNEL],
}
"""What is shown by which dimension, in the board's windows."""

FURTHER = ("sales_region", "campaign")
"""What is shown by itself only if that is asked for."""

WITH_QUANTILES = ("rep", "team", "lead_source", "origin", "segment", "channel")
"""The dimensions in which durations have quantiles; pairs have none."""
