"""A gateway with a spool while Kafka is away for an hour; prints one JSON line, and ends with 1 if the numbers are wrong then.

    make bench-outage [ARGS="--minutes 60 --rate 100 --batch 1"]

The whole chain runs on a real Kafka and Redis. Kafka is killed, and so many webhooks a second go on to be sent, of some
events each; then Kafka comes back. Told are how long answers took meanwhile, in ms; what the spool held in the end, in MiB,
and what a webhook takes of it, in bytes; how long it took from when Kafka was back until it had everything, and until
`/metrics` had, in s; and the gateway's memory before and at most, in MiB. `correct` says that every gauge then counts just
what was sent for it.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

import httpx
import numpy as np

from benchmarks import engine
from benchmarks.chain import CONNECTION, PARTS, Chain, Told, asking, lines, start
from benchmarks.present import Step, steps
from benchmarks.stage import staged
from models.units import MINUTE, SECOND

SUPERVISED: Final = {"gateway": PARTS["gateway"], "worker": ("worker",), "exporter": PARTS["exporter"]}
"""A worker whose parts are started again when they end."""

SPOOL: Final = 'spool = "{folder}/spool.db"\nspool_limit = {limit}'
LIMIT: Final = 8 * 2**30
BEFORE: Final = 100
"""Webhooks that are sent while Kafka is there."""


class Outage(NamedTuple):
    """For how long, and how many webhooks a second, of how many events."""

    minutes: float
    rate: float
    batch: int


async def run(outage: Outage) -> dict[str, Any]:
    """One run; what it measured."""
    with staged() as stage:
        chain = start(stage, SUPERVISED, SPOOL.format(folder=stage.folder, limit=LIMIT))
        told, happening = Told(), steps(CONNECTION)
        async with asking() as client:
            await chain.begun(client)
            for _ in range(BEFORE):
                await told.send(client, chain.hook, list(islice(happening, outage.batch)))
            await chain.until_shown(client, told)
            gateway = chain.parts["gateway"]
            before_mib = gateway.resident_mib()
            stage.kafka.server.kill()
            took_s = await _send(client, chain, told, happening, outage)
            spooled, size = await _spool(client, chain, "deliveries"), await _spool(client, chain, "bytes")
            stage.kafka.server.start()
            back = time.monotonic()
            await engine.until(lambda left: left == 0, lambda: _spool(client, chain, "deliveries"), gateway)
            sent_on = time.monotonic()
            await chain.until_shown(client, told)
            shown = time.monotonic()
            correct = await chain.shown(client) == told.counts
        percentiles = {
            f"answer_p{percent}_ms": round(float(np.percentile(took_s, percent)) * 1000, 1) for percent in (50, 99, 100)
        }
        return {
            "benchmark": "outage",
            "minutes": outage.minutes,
            "webhooks": len(took_s),
            "events": told.counts.total(),
            **percentiles,
            "spooled": int(spooled),
            "spool_mib": round(size / 2**20),
            "spool_bytes_a_webhook": round(size / spooled),
            "sent_on_s": round(sent_on - back, 1),
            "shown_s": round(shown - back, 1),
            "gateway_mib_before": round(before_mib),
            "gateway_mib_peak": round(gateway.peak_mib()),
            "correct": correct,
        }


async def _send(client: httpx.AsyncClient, chain: Chain, told: Told, happening: Iterator[Step], outage: Outage) -> list[float]:
    """Send webhooks when they are due; how long each took until it was acknowledged, in s."""
    took: list[float] = []

    async def send(some: list[Step]) -> None:
        began = time.monotonic()
        await told.send(client, chain.hook, some)
        took.append(time.monotonic() - began)

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(round(outage.rate * outage.minutes * MINUTE / SECOND)):
            await asyncio.sleep(began + number / outage.rate - time.monotonic())
            group.create_task(send(list(islice(happening, outage.batch))))
    return took


async def _spool(client: httpx.AsyncClient, chain: Chain, name: str) -> float:
    """What the spool says of itself; -1 while the gateway does not answer."""
    told = await lines(client, chain.gateway, f"leadbeat_gateway_spool_{name} ")
    return float(told.split()[1]) if told else -1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=100, help="webhooks a second")
    parser.add_argument("--batch", type=int, default=1, help="events in a webhook")
    given = parser.parse_args()
    measured = asyncio.run(run(Outage(given.minutes, given.rate, given.batch)))
    print(json.dumps(measured))
    sys.exit(not measured["correct"])
