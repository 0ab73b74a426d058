"""Grafana's panels as dictionaries of its JSON model (schema version 41), and where they stand."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

Json: TypeAlias = dict[str, Any]

DATA_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

WIDTH: Final = 24
"""How many columns a dashboard has."""

NOTHING: Final = "–"
"""What stands where there is no value."""

AGE: Final = "dtdurations"
"""The unit of times that are read in words: 1 hour, 5 minutes."""

SECONDS: Final = "s"
SHARE: Final = "percentunit"
COUNT: Final = "short"

Steps: TypeAlias = Sequence[tuple[float | None, str]]
"""Colours, each from a value on; the first from everywhere."""

PLAIN: Final[Steps] = ((None, "text"),)


class Query(NamedTuple):
    """An expression; its legend may hold labels as `{{team}}`."""

    expression: str
    legend: str


class Placed(NamedTuple):
    """A panel and how wide it is."""

    width: int
    model: Json


class Line(NamedTuple):
    """Panels side by side, of one height."""

    height: int
    panels: Sequence[Placed]


class Section(NamedTuple):
    """Lines under a heading; the first section of a dashboard may do without."""

    heading: str
    lines: Sequence[Line]


def stat(title: str, text: str, queries: Iterable[Query], unit: str, steps: Steps = PLAIN, nothing: str = NOTHING) -> Json:
    """One number, large; a query with the legend `n` is a plain count beside it."""
    model = panel("stat", title, text, [instant(query) for query in queries])
    model["fieldConfig"] = {
        "defaults": defaults(unit, steps) | {"noValue": nothing},
        "overrides": [override("n", {"unit": COUNT, "thresholds": _thresholds(PLAIN)})],
    }
    model["options"] = {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "auto",
        "wideLayout": True,
    }
    return model


def timeseries(title: str, text: str, queries: Iterable[Query], unit: str) -> Json:
    """Lines over time. A query with the legend `n` or `n: ...` makes bars on an axis of their own: what the lines stand on."""
    model = panel("timeseries", title, text, [_over_time(query) for query in queries])
    line = {"drawStyle": "line", "lineInterpolation": "stepAfter", "lineWidth": 2, "showPoints": "never", "spanNulls": False}
    bars = {
        "unit": COUNT,
        "color": {"mode": "fixed", "fixedColor": "semi-dark-blue"},
        "custom.axisLabel": "n",
        "custom.axisPlacement": "right",
        "custom.drawStyle": "bars",
        "custom.fillOpacity": 15,
        "custom.lineWidth": 0,
    }
    model["fieldConfig"] = {
        "defaults": defaults(unit, PLAIN)
        | {"color": {"mode": "palette-classic"}, "custom": line, "min": 0, "noValue": NOTHING},
        "overrides": [override("/^n(: .*)?$/", bars, "byRegexp")],
    }
    model["options"] = {
        "legend": {"calcs": ["lastNotNull"], "displayMode": "table", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "none"},
    }
    return model


def panel(kind: str, title: str, text: str, queries: Sequence[Json]) -> Json:
    """A panel of some kind, without its options."""
    targets = [query | {"refId": reference(number)} for number, query in enumerate(queries)]
    return {"type": kind, "title": title, "description": text, "datasource": DATA_SOURCE, "targets": targets}


def reference(number: int) -> str:
    """How a panel's queries are told apart: A, B, C ..."""
    return chr(ord("A") + number)


def instant(query: Query) -> Json:
    """A query of the end of the dashboard's range."""
    return _query(query) | {"instant": True, "range": False}


def _over_time(query: Query) -> Json:
    return _query(query) | {"instant": False, "range": True}


def _query(query: Query) -> Json:
    return {"datasource": DATA_SOURCE, "editorMode": "code", "expr": query.expression, "legendFormat": query.legend}


def defaults(unit: str, steps: Steps) -> Json:
    """How fields look unless something else is said: their unit, and their colours by value."""
    return {"unit": unit, "color": {"mode": "thresholds"}, "thresholds": _thresholds(steps)}


def _thresholds(steps: Steps) -> Json:
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}


def override(name: str, properties: Mapping[str, Any], matcher: str = "byName") -> Json:
    """Other looks for the field of a name, or whose name matches."""
    told = [{"id": key, "value": value} for key, value in properties.items()]
    return {"matcher": {"id": matcher, "options": name}, "properties": told}


def words(texts: Mapping[int, tuple[str, str]]) -> Json:
    """Numbers that are told as words, each in a colour."""
    options = {str(number): {"text": text, "color": color, "index": number} for number, (text, color) in texts.items()}
    return {"mappings": [{"type": "value", "options": options}]}


def lay_out(sections: Iterable[Section]) -> list[Json]:
    """The panels of all sections, with their places and ids."""
    laid: list[Json] = []
    top = 0
    for heading, lines in sections:
        if heading:
            laid.append(
                {"type": "row", "title": heading, "collapsed": False, "panels": [], "gridPos": _place(0, top, WIDTH, 1)}
            )
            top += 1
        for height, panels in lines:
            left = 0
            for width, model in panels:
                laid.append(model | {"gridPos": _place(left, top, width, height)})
                left += width
            top += height
    return [model | {"id": number} for number, model in enumerate(laid, 1)]


def _place(left: int, top: int, width: int, height: int) -> Json:
    return {"x": left, "y": top, "w": width, "h": height}
