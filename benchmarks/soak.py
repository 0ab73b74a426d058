"""An hour of steady work at half of what the whole chain can do; prints one JSON line, and ends with 1 if something is wrong.

    make bench-soak [ARGS="--minutes 60 --leads 100000 --rate 800"]

Each part runs as a process of its own, on a real Kafka and Redis, at the settings' defaults. First so many leads are told
of, with five events each, as fast as the gateway acknowledges them: until all of it is on `/metrics`, that is the peak.
Then as many events a second as are asked for, or else half the peak, go on happening to the same leads, and after each half
of the time an audit makes all totals anew from the log. Told are, of each process, its memory in MiB and its open
descriptors, as medians of each sixth of the time; how long ago what `/metrics` does not count yet had been sent, in s; and
what the audits found. `flat` says that from the second sixth to the last nothing has grown by 5 % (descriptors: or by two),
`correct` that in the end every gauge counts what was sent for it.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final, NamedTuple

import httpx

from benchmarks.chain import CONNECTION, Chain, Told, asking, start
from benchmarks.present import Step, more, steps
from benchmarks.stage import Stage, staged
from benchmarks.workload import EVENTS_A_LEAD
from models.units import MINUTE, SECOND

SENDERS: Final = 32
"""Deliveries that are on their way at once when the peak is looked for."""

LOOK_S: Final = 2.0
PARTS: Final = 6
GROWTH: Final = 0.05
FEW: Final = 2
"""Descriptors: pools of connections open one more when two ask at once."""


class Soak(NamedTuple):
    """What is asked for; a rate of 0 is half the peak."""

    minutes: float
    leads: int
    rate: float
    batch: int


class Look(NamedTuple):
    """What was seen at an instant, in s: how far `/metrics` was behind, and each process's memory and descriptors."""

    at: float
    behind_s: float
    resident_mib: dict[str, float]
    descriptors: dict[str, int]


async def run(soak: Soak) -> dict[str, Any]:
    """One run; what it measured."""
    with staged() as stage:
        chain, told = start(stage), Told()
        async with asking() as client:
            await chain.begun(client)
            peak = await _fill(client, chain, told, soak)
            rate = soak.rate or peak / 2
            async with _looking(client, chain, told) as looks:
                auditing = asyncio.create_task(_audits(stage, chain.settings, soak.minutes * MINUTE / SECOND))
                began = time.monotonic()
                await _go_on(client, chain, told, soak, rate)
                events_per_s = rate * soak.minutes * MINUTE / SECOND / (time.monotonic() - began)
                audits = await auditing
            await chain.until_shown(client, told)
            correct = await chain.shown(client) == told.counts
    memory, descriptors = (_by_part(looks, began, soak.minutes, name) for name in ("resident_mib", "descriptors"))
    behind = [look.behind_s for look in looks if look.at - began < soak.minutes * MINUTE / SECOND]
    growth = {name: round(of[-1] / of[1] - 1, 3) for name, of in memory.items()}
    return {
        "benchmark": "soak",
        "minutes": soak.minutes,
        "leads": soak.leads,
        "peak_events_per_s": round(peak),
        "events_per_s": round(events_per_s),
        "events": told.counts.total(),
        "resident_mib": memory,
        "descriptors": descriptors,
        "growth": growth,
        "behind_p50_s": round(median(behind), 2),
        "behind_p99_s": round(quantiles(behind, n=100)[-1], 2),
        "behind_max_s": round(max(behind), 2),
        "audits": audits,
        "flat": max(growth.values()) < GROWTH and all(_are_as_many(of[1], of[-1]) for of in descriptors.values()),
        "correct": correct,
    }


async def _fill(client: httpx.AsyncClient, chain: Chain, told: Told, soak: Soak) -> float:
    """Tell of all leads as fast as can be; how many events a second came through to the page."""
    happening = islice(steps(CONNECTION), soak.leads * EVENTS_A_LEAD)
    began = time.monotonic()

    async def send() -> None:
        while some := list(islice(happening, soak.batch)):
            await told.send(client, chain.hook, some)

    async with asyncio.TaskGroup() as group:
        for _ in range(SENDERS):
            group.create_task(send())
    await chain.until_shown(client, told)
    return told.counts.total() / (time.monotonic() - began)


async def _go_on(client: httpx.AsyncClient, chain: Chain, told: Told, soak: Soak, rate: float) -> None:
    """Send deliveries when they are due, whatever has become of those before; return when all are acknowledged."""
    happening: Iterator[Step] = more(CONNECTION, soak.leads)
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(round(rate * soak.minutes * MINUTE / SECOND / soak.batch)):
            await asyncio.sleep(began + number * soak.batch / rate - time.monotonic())
            group.create_task(told.send(client, chain.hook, list(islice(happening, soak.batch))))


async def _audits(stage: Stage, settings: Path, seconds: float) -> list[dict[str, Any]]:
    """Audit in the middle, and at the end."""
    found = []
    for _ in range(2):
        await asyncio.sleep(seconds / 2)
        audit = stage.start("audit", settings, "audit", "--format", "json")
        await asyncio.to_thread(audit.ended)
        said = json.loads((stage.folder / "audit.log").read_text().splitlines()[-1])
        found.append({name: said[name] for name in ("series", "kpi_rows", "differences", "failed", "seconds")})
    return found


@asynccontextmanager
async def _looking(client: httpx.AsyncClient, chain: Chain, told: Told) -> AsyncIterator[list[Look]]:
    looks: list[Look] = []

    async def look() -> None:
        while True:
            shown = (await chain.shown(client)).total()
            now = time.monotonic()
            resident = {name: part.resident_mib() for name, part in chain.parts.items()}
            descriptors = {name: part.descriptors() for name, part in chain.parts.items()}
            looks.append(Look(now, told.behind_s(shown, now), resident, descriptors))
            await asyncio.sleep(LOOK_S)

    looking = asyncio.create_task(look())
    try:
        yield looks
    finally:
        looking.cancel()
        await asyncio.wait([looking])


def _by_part(looks: Sequence[Look], began: float, minutes: float, what: str) -> dict[str, list[float]]:
    """Medians of each part of the time, by process."""
    found: dict[str, list[list[float]]] = defaultdict(lambda: [[] for _ in range(PARTS)])
    for look in looks:
        part = int((look.at - began) / (minutes * MINUTE / SECOND) * PARTS)
        for name, value in getattr(look, what).items():
            if 0 <= part < PARTS:
                found[name][part].append(value)
    return {name: [round(median(values), 1) for values in of] for name, of in found.items()}


def _are_as_many(before: float, after: float) -> bool:
    return after <= max(before * (1 + GROWTH), before + FEW)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=0, help="events a second; else half the peak")
    parser.add_argument("--batch", type=int, default=10, help="events in a webhook")
    given = parser.parse_args()
    measured = asyncio.run(run(Soak(given.minutes, given.leads, given.rate, given.batch)))
    print(json.dumps(measured))
    audited = not any(each["differences"] or each["failed"] for each in measured["audits"])
    sys.exit(not (measured["flat"] and measured["correct"] and audited))
