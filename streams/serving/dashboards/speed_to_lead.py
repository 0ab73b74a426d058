"""The dashboard *Speed to lead*: who waits now, how soon and how surely inquiries are answered, and by whom."""

from collections.abc import Callable
from typing import Final

from models.catalogue import activity, replies, speed
from models.kpis import Formula
from streams.serving.dashboards import promql
from streams.serving.dashboards.panels import (
    AGE,
    COUNT,
    SECONDS,
    SHARE,
    Json,
    Line,
    Placed,
    Query,
    Section,
    Steps,
    lay_out,
    stat,
    timeseries,
)
from streams.serving.dashboards.promql import definition, n, value
from streams.serving.dashboards.service import BEHIND, clock_age, frame, freshness
from streams.serving.dashboards.tables import Column, hours_of_week, table

SLA: Final = "response_within_sla_ratio"
AWAITING: Final = "leads_awaiting_response"
OVERDUE: Final = "leads_overdue"
OLDEST: Final = "oldest_lead_waiting"
RESPONSE: Final = "lead_response_time"

ANY: Final[Steps] = ((None, "text"), (1, "red"))
GOOD_SHARE: Final[Steps] = ((None, "red"), (0.8, "orange"), (0.9, "green"))
TIME_LEFT: Final[Steps] = ((None, "red"), (0, "orange"), (60, "green"))

COLOURS: Final = "Red below 80 %, green from 90 %. Leads whose due time is still ahead are in neither number."
AS_KNOWN: Final = (
    "By the organisation's clocks, from Prometheus's history of the window 1h at each full hour: as it was known then, without "
    "what came later, and without hours at whose end Prometheus or the pipeline stood still."
)

RATES: Final = tuple(
    figure.id for theme in (speed, activity, replies) for figure in theme.KPIS if figure.formula is Formula.RATIO
)
NAMES: Final = {
    SLA: "Within SLA",
    "leads_followed_up_ratio": "Followed up",
    "call_connect_ratio": "Calls connected",
    "reply_ratio": "Replied",
    "positive_reply_ratio": "Replied positively",
    "negative_reply_ratio": "Replied negatively",
    "meeting_acceptance_ratio": "Meetings booked per reply",
    "meeting_show_ratio": "Meetings held",
}
"""What people call a ratio where its id says it less well."""


def speed_to_lead() -> Json:
    """The dashboard."""
    sections = [
        Section("", [_now()]),
        Section("Everyone", _everyone()),
        Section(f"Hours of the week, the last {promql.WEEKS} weeks", [_week()]),
        Section("By team", _slices("team", "Team")),
        Section("By rep", _slices("rep", "Rep")),
        Section("Is it fresh?", freshness()),
    ]
    text = "How soon and how surely inquiries are answered. Written by `leadbeat dashboard` from the catalogue."
    return frame("leadbeat-speed-to-lead", "Speed to lead", text, lay_out(sections))


def _now() -> Line:
    within = [Query(value(SLA), "within SLA"), Query(n(SLA), "n")]
    panels = [
        stat("Waiting", definition(AWAITING), [Query(value(AWAITING), "")], COUNT),
        stat("Overdue", definition(OVERDUE), [Query(value(OVERDUE), "")], COUNT, ANY),
        stat("Longest wait", _oldest("Since its inquiry."), [Query(promql.age(OLDEST), "")], AGE, nothing="Nobody waits"),
        stat(
            "Time left for it",
            _oldest("Until it is due: orange in its last minute, red once it is overdue. Nothing where no SLA holds for it."),
            [Query(promql.due_in(OLDEST), "")],
            AGE,
            TIME_LEFT,
        ),
        stat("Within SLA, $window", f"{COLOURS}\n\n{definition(SLA)}", within, SHARE, GOOD_SHARE, nothing="Too few"),
        clock_age(BEHIND),
    ]
    return Line(4, [Placed(4, panel) for panel in panels])


def _oldest(what: str) -> str:
    return f"The lead that has waited longest, now. {what}\n\n{definition(AWAITING)}"


def _everyone() -> list[Line]:
    quantiles = {name: f"{RESPONSE}_{name}" for name in ("p50", "p90", "p95")}
    contact, routing, rep = "lead_contact_time_p50", "routing_delay_p50", "rep_delay_p50"
    activities = {"calls": "calls", "emails": "emails", "messages": "messages", "meetings booked": "meetings_booked"}
    waiting = {"waiting": AWAITING, "overdue": OVERDUE}
    medians = {"until assigned": routing, "from there to the attempt": rep, "inquiry to contact": contact}
    return [
        _halves(
            8,
            timeseries("Waiting and overdue", definition(AWAITING, OVERDUE), _queries(waiting), COUNT),
            timeseries("Within SLA, $window", definition(SLA), [*_queries({"within SLA": SLA}), Query(n(SLA), "n")], SHARE),
        ),
        _halves(
            9,
            timeseries(
                "Response time, $window",
                definition(*quantiles.values()),
                [*_queries(quantiles), Query(n(quantiles["p50"]), "n")],
                SECONDS,
            ),
            timeseries(
                "Where the time goes: medians, $window",
                definition(*medians.values()),
                [*_queries(medians), Query(n(routing), "n: attempts"), Query(n(contact), "n: contacts")],
                SECONDS,
            ),
        ),
        _halves(
            11,
            _rates(),
            timeseries("Activity, $window", definition(*activities.values()), _queries(activities), COUNT),
        ),
    ]


def _queries(figures: dict[str, str]) -> list[Query]:
    return [Query(value(key), legend) for legend, key in figures.items()]


def _halves(height: int, left: Json, right: Json) -> Line:
    return Line(height, [Placed(12, left), Placed(12, right)])


def _rates() -> Json:
    """Every ratio with what it stands on: a row for each, told apart by a label that the queries give them."""
    columns = [Column("Share", _each(value), SHARE), Column("Of them", _each(promql.numerator)), Column("n", _each(n))]
    text = f"A share is missing where n is too small.\n\n{definition(*RATES)}"
    return table("Rates, $window", text, "rate", "Rate", columns)


def _each(expression: Callable[[str], str]) -> str:
    return promql.told_apart("rate", ((_name(key), expression(key)) for key in RATES))


def _name(ratio: str) -> str:
    return NAMES.get(ratio) or ratio.removesuffix("_ratio").replace("_", " ").capitalize()


def _week() -> Line:
    mean = f"{RESPONSE}_mean"
    panels = [
        hours_of_week(
            "Within SLA", f"{definition(SLA)}\n\n{AS_KNOWN}", promql.ratio_by_hour_of_week(SLA), SHARE, "continuous-RdYlGr"
        ),
        hours_of_week(
            "Mean response time",
            f"{definition(mean)}\n\n{AS_KNOWN}",
            promql.mean_by_hour_of_week(mean),
            SECONDS,
            "continuous-GrYlRd",
        ),
        hours_of_week(
            "n: clocks ended",
            f"What *Within SLA* stands on.\n\n{definition(SLA)}\n\n{AS_KNOWN}",
            promql.n_by_hour_of_week(SLA),
            COUNT,
            "continuous-blues",
        ),
    ]
    return Line(21, [Placed(8, panel) for panel in panels])


def _slices(dim: str, heading: str) -> list[Line]:
    median = f"{RESPONSE}_p50"
    legend = f"{{{{{dim}}}}}"
    return [
        Line(12, [Placed(24, _side_by_side(dim, heading))]),
        _halves(
            8,
            timeseries(
                f"Median response time by {dim}, $window",
                definition(median),
                [Query(value(median, dim), legend), Query(n(median, dim), f"n: {legend}")],
                SECONDS,
            ),
            timeseries(
                f"Within SLA by {dim}, $window",
                definition(SLA),
                [Query(value(SLA, dim), legend), Query(n(SLA, dim), f"n: {legend}")],
                SHARE,
            ),
        ),
    ]


def _side_by_side(dim: str, heading: str) -> Json:
    """What there is of each, now and in the window; n stands behind each ratio."""
    median, p90 = f"{RESPONSE}_p50", f"{RESPONSE}_p90"
    calls, held, replied = "call_connect_ratio", "meeting_show_ratio", "reply_ratio"
    columns = [
        Column("Waiting", value(AWAITING, dim)),
        Column("Overdue", value(OVERDUE, dim), COUNT, ANY),
        Column("Longest wait", promql.age(OLDEST, dim), AGE),
        Column("Median response", value(median, dim), SECONDS),
        Column("p90", value(p90, dim), SECONDS),
        Column("n: responses", n(median, dim)),
        Column("Within SLA", value(SLA, dim), SHARE, GOOD_SHARE),
        Column("n: clocks ended", n(SLA, dim)),
        Column("Touches", value("touches", dim)),
        Column("Emails", value("emails", dim)),
        Column("Calls connected", value(calls, dim), SHARE),
        Column("n: calls", n(calls, dim)),
        Column("Meetings booked", value("meetings_booked", dim)),
        Column("Meetings held", value(held, dim), SHARE),
        Column("n: held or no-show", n(held, dim)),
        Column("Replied", value(replied, dim), SHARE),
        Column("n: first reached", n(replied, dim)),
    ]
    keys = (AWAITING, OVERDUE, median, p90, SLA, "touches", "emails", calls, "meetings_booked", held, replied)
    query = f"by={dim}&slice=${{__value.raw:percentencode}}&window=${{window}}&text=1"
    link = {"title": "All its numbers", "url": f"${{live_page}}/api/v1/kpis?{query}", "targetBlank": True}
    return table(f"{heading}s side by side, $window", definition(*keys), dim, heading, columns, [link])
