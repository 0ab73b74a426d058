"""How long it takes from a webhook until `/metrics` shows what it tells; prints one JSON line.

    make bench-latency [ARGS="--rate 1000 --seconds 60 --batch 10"]

The whole chain runs, each part as a process of its own, on a real Kafka and Redis, at the settings' defaults. Webhooks of some
events each are due at a steady rate; `/metrics` is read again and again, at most four times a second. The times are those from
when an event's webhook was due to be sent until a page was there that counts it, in s: so they have in them what the webhook's
other events wait for, and the reading of the page. The first seconds are not among them. `correct` says that in the end every
gauge counts what was sent for it.
"""

import argparse
import asyncio
import json
import os
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, NamedTuple

import httpx
import numpy as np

from benchmarks import engine
from benchmarks.chain import CONNECTION, PATIENCE_S, SECRET, asking, batch_of, start
from benchmarks.present import Gauge, counted, steps
from benchmarks.stage import staged
from streams.local.deliveries import post

WARM_UP_S: Final = 10.0
LOOK_S: Final = 0.25
"""The exporter reads the table no more often, and every page is work."""

WANTED_S: Final = 2.0

_PLAIN: Final = re.compile(r"^leadbeat_(\w+) (\S+)$", re.MULTILINE)

Sent = Mapping[Gauge, Sequence[float]]
"""When the events of each gauge were due to be sent, in order; by the monotonic clock, in s."""


class Load(NamedTuple):
    """Events a second, for so many seconds that are measured, in webhooks of so many events."""

    rate: float
    seconds: float
    batch: int


class Look(NamedTuple):
    """A page that was there at an instant, in s, and what it said: a round that had been published so many s before."""

    at: float
    counts: Counter[Gauge]
    round: float
    age_s: float


async def run(load: Load) -> dict[str, Any]:
    """One run; what it measured."""
    with staged() as stage:
        chain = start(stage)
        async with asking() as client:
            await chain.begun(client)
            with looking(f"{chain.exporter}/metrics") as looks:
                before = {name: part.cpu_s() for name, part in chain.parts.items()}
                began = time.monotonic()
                sent = await _send(client, chain.hook, load, began)
                took = time.monotonic() - began
                cores = {name: round((part.cpu_s() - before[name]) / took, 2) for name, part in chain.parts.items()}
                counts = Counter({gauge: len(instants) for gauge, instants in sent.items()})
                await engine.until(lambda seen: seen >= counts, lambda: _latest(looks), chain.parts["processor"])
    found = delays(sent, looks, began + WARM_UP_S)
    return {
        "benchmark": "latency",
        "events": counts.total(),
        "measured": len(found),
        "events_a_webhook": load.batch,
        "events_per_s": round(counts.total() / took),
        **{f"p{percent}_s": round(float(nearest_rank(found, percent)), 2) for percent in (50, 95, 99)},
        "max_s": round(float(found.max()), 2),
        f"within_{WANTED_S:.0f}_s": round(float((found <= WANTED_S).mean()), 4),
        **_of_rounds(looks),
        "pages_per_s": round(len(looks) / (looks[-1].at - looks[0].at), 1),
        "cores": cores,
        "load_average": round(os.getloadavg()[0], 1),
        "correct": looks[-1].counts == counts,
    }


async def _send(client: httpx.AsyncClient, hook: str, load: Load, began: float) -> Sent:
    """Send webhooks when they are due, whatever has become of those before; return when all are acknowledged."""
    sent: dict[Gauge, list[float]] = defaultdict(list)
    happening = steps(CONNECTION)
    async with asyncio.TaskGroup() as group:
        for number in range(round(load.rate * (WARM_UP_S + load.seconds) / load.batch)):
            due = began + number * load.batch / load.rate
            await asyncio.sleep(due - time.monotonic())
            some = list(islice(happening, load.batch))
            for step in some:
                sent[step.gauge].append(due)
            group.create_task(post(client, hook, SECRET, batch_of(number, some)))
    return sent


@contextmanager
def looking(url: str) -> Iterator[list[Look]]:
    """Read the page again and again meanwhile, in a thread of its own."""
    looks: list[Look] = []
    enough = threading.Event()

    def look() -> None:
        with httpx.Client(timeout=PATIENCE_S) as client:
            began = time.monotonic()
            while not enough.wait(max(0.0, began + LOOK_S - time.monotonic())):
                began = time.monotonic()
                page = client.get(url).text
                at, plain = time.monotonic(), dict(_PLAIN.findall(page))
                age_s = time.time() - float(plain["published_timestamp_seconds"])
                looks.append(Look(at, counted(page), float(plain["round"]), age_s))

    thread = threading.Thread(target=look, name="looking")
    thread.start()
    try:
        yield looks
    finally:
        enough.set()
        thread.join()


async def _latest(looks: Sequence[Look]) -> Counter[Gauge]:
    return looks[-1].counts if looks else Counter()


def _of_rounds(looks: Sequence[Look]) -> dict[str, float]:
    """How many rounds were seen a second, and how long after it was published the first page of one was there, as a rule."""
    first = {look.round: look for look in reversed(looks)}.values()
    return {
        "rounds_per_s": round(len(first) / (looks[-1].at - looks[0].at), 2),
        "shown_after_s": round(float(np.median([look.age_s for look in first])), 2),
    }


def delays(sent: Sent, looks: Sequence[Look], since: float) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """How long each event took that was sent at an instant or later, until a page counted it; all are counted in the end."""
    seen_at = np.array([look.at for look in looks])
    found = []
    for gauge, instants in sent.items():
        counts = np.maximum.accumulate([look.counts[gauge] for look in looks])
        first = seen_at[np.searchsorted(counts, np.arange(1, len(instants) + 1))]
        due = np.array(instants)
        found.append((first - due)[due >= since])
    return np.concatenate(found)


def nearest_rank(values: "np.ndarray[Any, np.dtype[np.float64]]", percent: int) -> np.float64:
    """The least value that so many percent do not exceed."""
    return np.float64(np.quantile(values, percent / 100, method="inverted_cdf"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=1000, help="events a second")
    parser.add_argument("--seconds", type=float, default=60, help=f"how long to measure, after {WARM_UP_S:.0f} s")
    parser.add_argument("--batch", type=int, default=10, help="events in a webhook")
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(run(Load(arguments.rate, arguments.seconds, arguments.batch)))))
