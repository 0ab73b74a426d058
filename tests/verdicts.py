"""What pages and queries say, held against the oracle, which shares no code with the engine."""

import asyncio
import tomllib
from collections.abc import Iterable
from typing import Any

from histories import Event
from services import Prometheus

from models.units import Millis
from streams.local.truth import truth
from streams.local.truth_page import Difference, Scraped, compare, is_kpi


def told_by(prometheus: Prometheus) -> Scraped:
    """Every series of ours that an instant query gives now, as a scrape has them."""
    found = {}
    for series in prometheus.query('{__name__=~"leadbeat_.+"}'):
        labels = {name: text for name, text in series["metric"].items() if name not in {"__name__", "instance", "job"}}
        found[series["metric"]["__name__"], frozenset(labels.items())] = float(series["value"][1])
    return found


async def judged(events: Iterable[Event], rules: str, clock: int) -> Any:
    """What the oracle says."""
    return await asyncio.to_thread(truth, list(events), tomllib.loads(rules), Millis(clock))


def wrong(page: Scraped, expected: Any) -> list[Difference]:
    """What differs between a page and the truth; a page without KPIs is no page."""
    assert any(is_kpi(metric) for metric, _ in page)
    return compare(page, expected)
