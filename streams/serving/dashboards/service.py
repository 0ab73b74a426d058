"""What a dashboard says of Leadbeat itself: whether it is fresh, which alerts fire, and how to choose what is shown."""

from collections.abc import Collection
from typing import Final

from streams.serving.dashboards.panels import (
    COUNT,
    DATA_SOURCE,
    SECONDS,
    Json,
    Line,
    Placed,
    Query,
    Steps,
    stat,
    timeseries,
    words,
)

_CLOCK_AGE: Final = "time() - max(leadbeat_clock_timestamp_seconds)"
_LAG: Final = "sum(max by (partition) (leadbeat_lag_events))"

BEHIND: Final = "How far the log's clock lies behind. All numbers are as of that clock: from 15 s on (orange) they are stale."
ALIVE: Final[Steps] = ((None, "green"), (15, "orange"), (60, "red"))
TAG: Final = "leadbeat"
"""By which dashboards find each other."""

NONE_WANTED: Final[Steps] = ((None, "green"), (1, "red"))


def frame(uid: str, title: str, text: str, panels: list[Json], without: Collection[str] = ()) -> Json:
    """A dashboard around its panels, `without` the variables that none of them uses."""
    return {
        "uid": uid,
        "title": title,
        "description": text,
        "tags": [TAG],
        "schemaVersion": 41,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "10s",
        "templating": {"list": [each for each in variables() if each["name"] not in without]},
        "annotations": {"list": annotations()},
        "links": links(),
        "panels": panels,
    }


def clock_age(text: str) -> Json:
    """How far behind all numbers are."""
    return stat("Data is behind by", text, [Query(_CLOCK_AGE, "")], SECONDS, ALIVE, "No clock")


def freshness() -> list[Line]:
    """Whether events arrive, are applied, and are told."""
    stale = words({0: ("fresh", "green"), 1: ("stale", "red")})
    redis = words({1: ("up", "green"), 0: ("down", "red")})
    panels = [
        clock_age(f"{BEHIND} From 60 s on (red) see whether workers run."),
        _said("Round", "Stale: the partitions stand too far apart for a new round.", "max(leadbeat_round_stale)", stale),
        _count("Spread", "How far the partitions' clocks lie apart.", "max(leadbeat_spread_seconds)", ALIVE, SECONDS),
        _count("Lag", "Events in the log that are not applied yet.", _LAG, ((None, "green"), (10_000, "orange"))),
        _count(
            "Dead letters, 24 h",
            "What could not be read in the last 24 hours; leadbeat.dead.v1 has it, with the reason.",
            "sum(increase(leadbeat_dead_letters_total[24h]))",
        ),
        _said("KPI table", "Whether the exporter can read Redis.", "min(leadbeat_redis_up)", redis),
        _count(
            "Series left out",
            "KPI series that profile.max_series keeps from Prometheus.",
            "max(leadbeat_exporter_series_dropped)",
        ),
        _count("Alerts", "How many alerts fire now.", 'count(ALERTS{alertstate="firing"}) or vector(0)'),
    ]
    over_time = timeseries(
        "Behind, and how much there is to catch up with",
        f"{BEHIND} n: events in the log that are not applied yet.",
        [Query(_CLOCK_AGE, "data is behind by"), Query(_LAG, "n: lag")],
        SECONDS,
    )
    return [Line(4, [Placed(3, panel) for panel in panels]), Line(7, [Placed(24, over_time)])]


def _count(title: str, text: str, expression: str, steps: Steps = NONE_WANTED, unit: str = COUNT) -> Json:
    return stat(title, text, [Query(expression, "")], unit, steps)


def _said(title: str, text: str, expression: str, told: Json) -> Json:
    model = stat(title, text, [Query(expression, "")], "none")
    model["fieldConfig"]["defaults"] |= told
    return model


def variables() -> list[Json]:
    """What can be chosen. `filters` adds labels to every query: where one Prometheus has several installations."""
    return [
        {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "regex": "", "refresh": 1},
        _values("window", "Window", "leadbeat_touches_by_team", several=False),
        _values("team", "Team", "leadbeat_leads_awaiting_response_by_team", several=True),
        _values("rep", "Rep", "leadbeat_leads_awaiting_response_by_rep", several=True),
        {"name": "filters", "label": "Installation", "type": "adhoc", "datasource": DATA_SOURCE, "filters": []},
        {"name": "live_page", "label": "Live page", "type": "constant", "query": "http://127.0.0.1:9108", "hide": 2},
    ]


def _values(name: str, label: str, metric: str, *, several: bool) -> Json:
    """The values that a label has now; where several may be chosen all are at first, else the usual one is."""
    usual = {"text": "All", "value": "$__all"} if several else {"text": "today", "value": "today"}
    everything = {"allValue": ".*"} if several else {}
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATA_SOURCE,
        "query": f"label_values({metric}, {name})",
        "refresh": 2,
        "sort": 1,
        "multi": several,
        "includeAll": several,
        "current": usual,
        **everything,
    }


def annotations() -> list[Json]:
    """When alerts fired."""
    return [
        {
            "name": "Alerts",
            "datasource": DATA_SOURCE,
            "enable": True,
            "iconColor": "red",
            "expr": 'ALERTS{alertstate="firing"}',
            "titleFormat": "{{alertname}}",
            "tagKeys": "severity,team",
        }
    ]


def links() -> list[Json]:
    """The way to the live page, and to what the numbers mean."""
    usual = {"type": "link", "icon": "external link", "tags": [], "asDropdown": False, "keepTime": False, "includeVars": False}
    return [
        {**usual, "title": "Dashboards", "type": "dashboards", "icon": "dashboard", "tags": [TAG], "includeVars": True},
        {**usual, "title": "Live page", "tooltip": "The same, ticking", "url": "${live_page}/", "targetBlank": True},
        {
            **usual,
            "title": "Definitions",
            "tooltip": "Every KPI, and what it means",
            "url": "${live_page}/api/v1/catalogue",
            "targetBlank": True,
        },
    ]
