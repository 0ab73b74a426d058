"""Grafana's tables: a row for each value of a label, and a week's hours as a heat map."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from streams.serving.dashboards.panels import (
    COUNT,
    NOTHING,
    PLAIN,
    SHARE,
    Json,
    Query,
    Steps,
    defaults,
    instant,
    override,
    panel,
    reference,
)

WEEKDAYS: Final = {"1": "Mon", "2": "Tue", "3": "Wed", "4": "Thu", "5": "Fri", "6": "Sat", "0": "Sun"}
"""The days as PromQL numbers them, in the order of a week."""


class Column(NamedTuple):
    """A column: an expression with a value for each row, its unit, and the colours that its cells take on, if any."""

    name: str
    expression: str
    unit: str = COUNT
    steps: Steps = ()


def table(title: str, text: str, label: str, heading: str, columns: Sequence[Column], links: Sequence[Json] = ()) -> Json:
    """A row for each value of a label, which stands first, under a heading, and may have links."""
    names = [f"Value #{reference(number)}" for number in range(len(columns))]
    titles = [column.name for column in columns]
    transformations = [
        _transformation("filterFieldsByName", include={"pattern": f"^({label}|Value.*)$"}),
        _transformation("joinByField", byField=label, mode="outer"),
        _renamed({label: heading, **dict(zip(names, titles, strict=True))}),
        _sorted_by(heading),
    ]
    queries = [Query(column.expression, "") for column in columns]
    overrides = [override(heading, {"links": list(links), "custom.filterable": True}), *map(_looks, columns)]
    return _table(title, text, queries, transformations, overrides)


def hours_of_week(title: str, text: str, expression: str, unit: str, scheme: str) -> Json:
    """A heat map of an expression by `hour` and `weekday`, coloured by a scheme from the least value to the greatest.

    Shares are coloured from 0 to 1.
    """
    corner = "hour\\weekday"
    transformations = [
        _converted("hour", "number"),
        _sorted_by("hour"),
        _converted("hour", "string"),  # as numbers, the hours would count for the least and greatest value
        _transformation("groupingToMatrix", rowField="hour", columnField="weekday", valueField="Value", emptyValue="null"),
        _renamed({corner: "Hour", **WEEKDAYS}),
    ]
    model = _table(title, text, [Query(expression, "")], transformations, [override("Hour", {"custom.width": 60})])
    coloured = {"unit": unit, "color": {"mode": scheme}, **({"min": 0, "max": 1} if unit == SHARE else {})}
    model["fieldConfig"]["overrides"] += [override(day, coloured | _cells("color-background")) for day in WEEKDAYS.values()]
    return model


def _table(title: str, text: str, queries: Iterable[Query], transformations: Sequence[Json], overrides: Sequence[Json]) -> Json:
    model = panel("table", title, text, [instant(query) | {"format": "table"} for query in queries])
    model["fieldConfig"] = {
        "defaults": defaults(COUNT, PLAIN) | {"custom": {"align": "auto", "inspect": False}, "noValue": NOTHING},
        "overrides": list(overrides),
    }
    model["options"] = {"cellHeight": "sm", "showHeader": True}
    model["transformations"] = list(transformations)
    return model


def _looks(column: Column) -> Json:
    coloured = {"thresholds": defaults(column.unit, column.steps)["thresholds"], **_cells("color-text")} if column.steps else {}
    return override(column.name, {"unit": column.unit, **coloured})


def _cells(kind: str) -> Json:
    return {"custom.cellOptions": {"type": kind} | ({"mode": "basic"} if kind == "color-background" else {})}


def _renamed(names: Mapping[str, str]) -> Json:
    """Fields in this order, under other names."""
    order = {name: place for place, name in enumerate(names)}
    return _transformation("organize", excludeByName={}, indexByName=order, renameByName=dict(names))


def _converted(name: str, kind: str) -> Json:
    return _transformation("convertFieldType", conversions=[{"targetField": name, "destinationType": kind}], fields={})


def _sorted_by(name: str) -> Json:
    return _transformation("sortBy", fields={}, sort=[{"field": name}])


def _transformation(kind: str, **options: Any) -> Json:
    return {"id": kind, "options": options}
