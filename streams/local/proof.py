"""The end of a demo: every gauge against the truth."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from models.units import SECOND, Millis, isoformat
from streams.errors import Fatal
from streams.local.deliveries import wall
from streams.local.services import until
from streams.local.settling import settle
from streams.local.stage import Demo, rules_beside
from streams.local.truth import truth
from streams.local.truth_page import Difference, Scraped, compare, is_kpi, parse

LAST_TICKS_AHEAD_S = 60
"""The last ticks lie ahead of those that the worker will append meanwhile, so that the clocks stand at them for a while."""

SHOWN = 20


async def prove(demo: Demo) -> bool:
    """Deliver what was held back, tick behind all of it, wait for the exact round, and compare every gauge with the truth."""
    demo.console.print("Delivering what was held back, then comparing every gauge with the truth …", style="dim")
    await demo.send([batch for _, batch in demo.courier.rest()])
    ahead = Millis((wall() // SECOND + LAST_TICKS_AHEAD_S) * SECOND)
    clock = await settle(demo.bootstrap, demo.redis, ahead, lambda done, what: _wait(demo, done, what))
    gauges = await scrape(demo, clock)
    expected = await asyncio.to_thread(truth, canonical(demo), demo.rules, clock)
    differences = compare(gauges, expected)
    if demo.options.record is not None:
        rules = rules_beside(demo.options.record)
        told_clock = isoformat(clock)
        demo.console.print(f"leadbeat replay {demo.options.record} --config {rules} --as-of {told_clock}", soft_wrap=True)
    for difference in differences[:SHOWN]:
        demo.console.print(told(difference), highlight=False, markup=False)
    compared = len({key for key in gauges if is_kpi(key[0])} | expected.keys())
    demo.console.print(f"{compared} gauges, {compared - len(differences)} equal", highlight=False)
    return not differences and compared > 0


def canonical(demo: Demo) -> list[dict[str, Any]]:
    """What was delivered, as a CRM's JSON says it."""
    return [json.loads(json.dumps(event)) for event in demo.delivered]


async def scrape(demo: Demo, clock: Millis) -> Scraped:
    """One scrape of the exact round at a clock. Raises Fatal if it does not come."""
    pages: list[Scraped] = []

    async def stands() -> bool:
        response = await demo.client.get(f"{demo.exporter}/metrics")
        page = parse(response.text)
        here = page.get(("leadbeat_clock_timestamp_seconds", frozenset())) == clock / SECOND
        if here and page.get(("leadbeat_round_exact", frozenset())) == 1:
            pages.append(page)
        return bool(pages)

    await _wait(demo, stands, "the exact round of the last tick")
    if not pages:
        raise Fatal("the last round", "was not scraped", "run it again")
    return pages[0]


async def _wait(demo: Demo, done: Callable[[], Awaitable[bool]], what: str) -> None:
    await until(done, LAST_TICKS_AHEAD_S, what, *demo.services)


def told(difference: Difference) -> str:
    """A difference in words."""
    labels = ",".join(f'{name}="{value}"' for name, value in difference.labels.items())
    return f"{difference.fault}: {difference.metric}{{{labels}}} is {difference.scraped}, truth {difference.expected}"
