"""How fast worker processes make all totals anew from the states in a real Redis; prints one JSON line.

    make bench-revaluation [ARGS="--leads 1000000 --days 365 --workers 1"]

The states are written first, without totals: those of leads that were created over so many days. The clock runs from when the
first partition is claimed until all have their totals; nothing is in the log. `rss_mib` is the most that a worker has had,
`rss_after_mib` what one has then.
`correct` says that the windows of 24 hours and of 90 days then count what the workload itself does.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from benchmarks import engine, workload
from benchmarks.process import Process
from benchmarks.stage import staged
from models.events import decode
from models.state.lead import Lead, fold, pack
from models.units import DAY, SECOND
from models.windows import WINDOW_INDEX, WINDOWS, Calendar
from streams.processing.checkpoint import claim_partition, commit
from streams.processing.cut import Writes, cut_checkpoint
from streams.tables import Applied, Keys, Progress, Redis, bucket_of, connect, read_applied, read_totals
from streams.topics import ensure, partition_of

AT_ONCE: Final = 10_000
PARTITIONS: Final = workload.PARTITIONS
KEYS: Final = tuple(Keys("lb", number) for number in range(PARTITIONS))

CHECKED: Final = ("24h", "90d")

Counts: TypeAlias = dict[str, Counter[str]]
"""By window, what some measures count."""


class Load(NamedTuple):
    """So many leads, created over so many days, and so many workers."""

    leads: int
    days: int
    workers: int


async def run(load: Load) -> dict[str, Any]:
    """One run; what it measured."""
    with staged() as stage:
        await ensure(stage.kafka.bootstrap, PARTITIONS, 1)
        async with connect(stage.redis.url, timeout_s=30) as client:
            counts = await write(client, load)
            config = engine.config(stage.kafka.bootstrap, stage.redis.url)
            workers = [stage.start_worker(config, f"processor-{number}") for number in range(load.workers)]
            return await _measure(client, workers, stage.server, counts, load)


async def write(redis: Redis, load: Load, partitions: int = workload.PARTITIONS) -> Counts:
    """Store every lead's state, and clocks; what they count in some windows."""
    every = [Keys("lb", number) for number in range(partitions)]
    counts: Counts = {window: Counter() for window in CHECKED}
    states = _states(load, counts)
    while some := list(islice(states, AT_ONCE)):
        async with redis.pipeline(transaction=False) as pipeline:
            for subject, packed in some:
                keys = every[partition_of(f"lead:{subject}".encode(), partitions)]
                pipeline.hset(keys.state(bucket_of(subject)), subject, packed)
            await pipeline.execute()
    progress = Progress(clock=engine.END, ticks=dict.fromkeys(range(partitions), engine.END))
    for keys in every:
        held = await claim_partition(redis, keys, partitions, "the benchmark's")
        await commit(redis, cut_checkpoint(keys, held, Writes(), progress))
    return counts


def _states(load: Load, counts: Counts) -> Iterator[tuple[str, bytes]]:
    calendar = Calendar(workload.rules().zone)
    spans = {window: calendar.span(WINDOWS[WINDOW_INDEX[window]], engine.END) for window in CHECKED}
    for life in workload.lives(load.leads, engine.END, span=max(workload.SPAN, load.days * DAY)):
        lead = Lead()
        for event in life:
            fold(lead, decode(msgspec.json.encode(event)))
            for window, span in spans.items():
                if event["received_at"] - SECOND in span:
                    counts[window].update(workload.counted(event))
        yield life[0]["subject"]["id"], pack(lead, {})


async def _measure(redis: Redis, workers: Sequence[Process], server: Process, counts: Counts, load: Load) -> dict[str, Any]:
    async def applied() -> list[Applied]:
        return [part for part in await read_applied(redis, KEYS) if part is not None]

    def taken() -> tuple[float, float, float]:
        return time.monotonic(), sum(worker.cpu_s() for worker in workers), server.cpu_s()

    await engine.until(lambda found: any(part.claim > 1 for part in found), applied, *workers)
    before = taken()
    await engine.until(lambda found: all(part.progress.valuation for part in found), applied, *workers)
    after = taken()
    seconds, cpu, redis_cpu = (now - then for now, then in zip(after, before, strict=True))
    totals: Counts = {window: Counter() for window in CHECKED}
    for keys, part in zip(KEYS, await applied(), strict=True):
        stored = await read_totals(redis, keys.of(part.progress.generation))
        for window in CHECKED:
            totals[window].update(engine.whole(stored, window))
    leads, wrong = load.leads, {}
    for window, counted in counts.items():
        for name, count in counted.items():
            if name != "events" and totals[window][name] != count:
                wrong[f"{name} {window}"] = (totals[window][name], count)
    info = await redis.info("memory")
    return {
        "benchmark": "revaluation",
        **load._asdict(),
        "leads_per_s": round(leads / seconds),
        "cpu_us_a_lead": round(cpu / leads * 1e6, 1),
        "redis_cpu_us_a_lead": round(redis_cpu / leads * 1e6, 1),
        "rss_mib": round(max(worker.peak_mib() for worker in workers)),
        "rss_after_mib": round(max(worker.resident_mib() for worker in workers)),
        "redis_mib": round(info["used_memory"] / 2**20),
        "seconds": round(seconds, 2),
        "correct": not wrong,
        **({"wrong": wrong} if wrong else {}),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--workers", type=int, default=1)
    print(json.dumps(asyncio.run(run(Load(**vars(parser.parse_args()))))))
