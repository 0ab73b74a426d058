"""How fast one worker process takes events from a real Kafka into a real Redis, checkpoints included; prints one JSON line.

    make bench-engine [ARGS="--leads 200000"]

The log is written first. The clock runs from when the worker has its partitions until the whole log is durable. `correct` says
that Redis then holds what the workload itself counted.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks import workload
from benchmarks.process import Process
from benchmarks.stage import staged
from models.rules import LISTS
from models.sums import Sums
from models.units import Millis
from models.windows import WINDOW_INDEX
from streams.inbound.outlet import Outlet
from streams.producer import Message
from streams.tables import Keys, connect, read_applied, read_totals
from streams.topics import Topics, ensure

END: Final = Millis(1_772_000_000_000)
LIMIT_S: Final = 900
LOOK_S: Final = 0.05
AT_ONCE: Final = 20_000

OF_A_LOG: Final = """\
ticks = "external"
checkpoint_ms = 1000
"""
"""What is set for a log that is written beforehand."""

CONFIG: Final = """\
{plain}
organisation.zone = "Europe/Berlin"
{lists}
sla = [{{ target = "10m" }}, {{ target = "1h", lead_source = "outbound" }}]
roster = [{roster}]
kafka = {{ bootstrap = "{bootstrap}", partitions = {partitions} }}
redis = {{ url = "{redis}" }}
"""


async def run(leads: int) -> dict[str, Any]:
    """One run; what it measured."""
    with staged() as stage:
        counts: Counter[str] = Counter()
        ends = await write(stage.kafka.bootstrap, workload.log(leads, END, counts))
        worker = stage.start_worker(config(stage.kafka.bootstrap, stage.redis.url))
        return await _measure(stage.redis.url, worker, stage.server, counts, ends)


def config(bootstrap: str, redis: str, plain: str = OF_A_LOG, partitions: int = workload.PARTITIONS) -> str:
    """The worker's configuration, as TOML; `plain` are lines of its top level."""
    teams = ((rep, workload.TEAMS[number % len(workload.TEAMS)]) for number, rep in enumerate(workload.REPS))
    roster = ", ".join(f'{{ rep = "{rep}", team = "{team}" }}' for rep, team in teams)
    rules = workload.rules()
    lists = "\n".join(f"{name} = {json.dumps(rules.listed(dim))}" for dim, name in LISTS.items())
    return CONFIG.format(plain=plain, lists=lists, roster=roster, bootstrap=bootstrap, redis=redis, partitions=partitions)


async def write(bootstrap: str, records: Iterable[workload.Appended]) -> dict[int, int]:
    """Write an events log, whose topics are made; where each partition ends."""
    await ensure(bootstrap, workload.PARTITIONS, 1)
    topic = Topics().events
    waiting: list[Message] = []
    async with Outlet(bootstrap).running() as outlet:
        for record in records:
            waiting.append(Message(topic, record.partition, record.key, record.value))
            if len(waiting) == AT_ONCE:
                await outlet.send(waiting)
                waiting.clear()
        await outlet.send(waiting)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(topic, number) for number in range(workload.PARTITIONS)])
    finally:
        await consumer.stop()
    return {partition.partition: end for partition, end in ends.items()}


async def _measure(url: str, worker: Process, server: Process, counts: Counter[str], ends: dict[int, int]) -> dict[str, Any]:
    keys = [Keys("lb", number) for number in range(workload.PARTITIONS)]
    async with connect(url) as redis:

        async def offsets() -> list[int | None]:
            return [None if part is None else part.progress.offset or 0 for part in await read_applied(redis, keys)]

        await until(lambda found: None not in found, offsets, worker)
        before = time.monotonic(), worker.cpu_s(), server.cpu_s()
        await until(lambda found: found == [ends[number] for number in range(len(keys))], offsets, worker)
        after = time.monotonic(), worker.cpu_s(), server.cpu_s()
        seconds, cpu, redis_cpu = (now - then for now, then in zip(after, before, strict=True))
        totals: Counter[str] = Counter()
        for each, applied in zip(keys, await read_applied(redis, keys), strict=True):
            if applied is None:
                continue
            totals.update(whole(await read_totals(redis, each.of(applied.progress.generation))))
        events = counts["events"]
        wrong = {name: (totals[name], count) for name, count in counts.items() if name != "events" and totals[name] != count}
        info = await redis.info("memory")
    return {
        "benchmark": "engine",
        "events": events,
        "leads": counts["leads_created"],
        "events_per_s": round(events / seconds),
        "cpu_s_per_million": round(cpu / events * 1e6, 1),
        "redis_cpu_s_per_million": round(redis_cpu / events * 1e6, 1),
        "rss_mib": round(worker.peak_mib()),
        "redis_mib": round(info["used_memory"] / 2**20),
        "seconds": round(seconds, 2),
        "correct": not wrong,
        **({"wrong": wrong} if wrong else {}),
    }


def whole(totals: Any, window: str = "24h") -> Counter[str]:
    """The whole's series in a window."""
    row = WINDOW_INDEX[window]
    sums = Sums(totals.series)
    for number, packed in totals.windows[window].items():
        sums.set_chunk(row, number, packed)
    return Counter({name: values[row] for name, values in sums.nonzero() if "|" not in name})


async def until(holds: Any, look: Any, *workers: Process) -> None:
    """Look again and again until what is seen holds; ends the benchmark if a worker has ended, or takes too long."""
    deadline = time.monotonic() + LIMIT_S
    while not holds(await look()):
        stuck = workers if time.monotonic() > deadline else [worker for worker in workers if not worker.lives()]
        if stuck:
            raise SystemExit(f"the worker does not get there: {stuck[0].output()}")
        await asyncio.sleep(LOOK_S)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=200_000)
    print(json.dumps(asyncio.run(run(parser.parse_args().leads))))
