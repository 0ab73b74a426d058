"""What was scraped against what is true."""

from collections.abc import Mapping
from itertools import chain
from typing import Literal, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from streams.local.truth_derived import DERIVED, DERIVED_NOW
from streams.local.truth_gauges import Gauges, Key, Value
from streams.local.truth_sections import MORE
from streams.local.truth_shown import COUNTS, DURATIONS, GROWTHS, LEVELS, MEANS, OLDEST, RATIOS

ROUNDING = 1e-9
"""Seconds by which a value on the edge of its tolerance may miss it, from floating point."""

Scraped = dict[Key, float]


class Difference(NamedTuple):
    """A series that is not as it must be. `missing` was not scraped, `extra` must not be there."""

    fault: Literal["missing", "extra", "different"]
    metric: str
    labels: dict[str, str]
    scraped: float | None
    expected: Value | None


def parse(page: str) -> Scraped:
    """Every sample of a page in Prometheus' text format."""
    families = text_string_to_metric_families(page)
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def compare(scraped: Mapping[Key, float], truth: Gauges) -> list[Difference]:
    """All differences between a scrape and the truth, both ways; metrics that are no KPI's are not looked at."""
    return [
        difference
        for key in sorted(scraped.keys() | truth.keys(), key=lambda key: (key[0], sorted(key[1])))
        if (difference := _difference(key, scraped.get(key), truth.get(key))) is not None
    ]


def is_kpi(metric: str) -> bool:
    """Whether a metric belongs to a KPI or is a part of one, rather than telling of the service itself."""
    return metric.startswith(_STEMS)


def _difference(key: Key, scraped: float | None, expected: Value | None) -> Difference | None:
    metric, labels = key[0], dict(sorted(key[1]))
    if expected is None:
        return Difference("extra", metric, labels, scraped, None) if is_kpi(metric) else None
    if scraped is None:
        return Difference("missing", metric, labels, None, expected)
    return None if _agree(scraped, expected) else Difference("different", metric, labels, scraped, expected)


def _agree(scraped: float, expected: Value) -> bool:
    if not isinstance(expected, tuple):
        return scraped == expected
    exact, tolerance = expected
    return abs(scraped - exact) <= exact * tolerance + (ROUNDING if exact else 0)


def _stems() -> tuple[str, ...]:
    """How the names of the KPIs' metrics begin."""
    parts = [part for numerator, denominators in (RATIOS | MEANS).values() for part in (numerator, *denominators)]
    kinds = (COUNTS, DURATIONS, RATIOS, MEANS, GROWTHS, DERIVED, DERIVED_NOW, LEVELS, MORE.formulas)
    ids = {*chain.from_iterable(kinds), OLDEST, *parts, "sla_warnings"}
    return tuple(f"leadbeat_{name}" for name in sorted(ids))


_STEMS = _stems()
