"""What generated rules want to be sold, and pay for it."""

from build import DAY, HOUR, MINUTE, NOON

from models.rules import KpiTarget, Leaderboard, Plan, Quota
from models.units import Millis

TARGETS = (
    (
        KpiTarget("revenue", "1000.50", "month"),
        KpiTarget("revenue", "1500", "year", Millis(NOON + HOUR)),
        KpiTarget("touches", "3", "1h"),
        KpiTarget("reply_ratio", "0.7", "7d"),
        KpiTarget("reply_ratio", "0.3", "90d", Millis(NOON + 10 * MINUTE)),
        KpiTarget("lead_response_time_p90", "400", "24h"),
        KpiTarget("mrr", "33.1", "now"),
        KpiTarget("leads_contacted", "7", "90d"),
    ),
    (
        KpiTarget("revenue", "3", "quarter", Millis(NOON + 10 * MINUTE)),
        KpiTarget("revenue", "7", "year"),
        KpiTarget("revenue", "8", "5m", Millis(NOON - DAY)),
    ),
    (),
)
"""What the revenue and others shall be: reached soon, or late, or without a target."""

LEADERBOARDS = (
    (),
    (
        Leaderboard("touches"),
        Leaderboard("reply_ratio"),
        Leaderboard("lead_response_time_mean"),
        Leaderboard("leads_overdue", "lowest"),
    ),
    (
        Leaderboard("call_connect_ratio", "lowest"),
        Leaderboard("meeting_acceptance_ratio", "highest"),
        Leaderboard("leads_contacted", "lowest"),
        Leaderboard("routing_delay_mean", "highest"),
    ),
)


QUOTAS = (
    (
        Quota("100", "month", rep="ana"),
        Quota("7.5", "quarter", rep="ben", ramp=(0, 50), valid_from=Millis(NOON - 40 * DAY)),
        Quota("30", "year", rep="stranger", ramp=(20, 40, 60)),
    ),
    (Quota("5", "month", team="north"), Quota("3", "month", rep="cleo"), Quota("4", "year", rep="cleo", valid_from=NOON)),
    (),
)
PLANS = (
    (
        Plan("ana", "7.5", "60000", Millis(NOON + 5 * MINUTE)),
        Plan("ana", "12.3456", None, Millis(NOON + DAY)),
        Plan("ana", "50", "80.5", Millis(NOON - 31 * DAY)),
        Plan("stranger", "0", "30"),
        Plan("ben", "100"),
    ),
    (Plan("cleo", "0.0001", "4", Millis(NOON - 8 * DAY)), Plan("ben", "33.3333", "7.25")),
    (),
)
