"""What a floor that has stood for months costs: memory, Redis, a take-over, a round, a scrape; prints one JSON line.

    make bench-standing [ARGS="--leads 100000 --days 90 --partitions 12 --seconds 20"]

The states of leads that were created over so many days are written first; a worker makes the totals from them and is ended.
Another one takes all of them over: `take_over_s` is that time by partition. Its first round writes all rows. Then events come,
and a tick each second: rounds write by difference, and `round_s` is what one takes in the mean. Last, the page is read ten
times: `scrape_s` is the median. `redis_mib` are the keys of partitions by kind, and all others as the rest. `correct` says that
Redis holds what the workload itself counts, the last events included.
"""

import argparse
import asyncio
import json
import time
from collections import Counter
from statistics import median
from typing import Any, Final, NamedTuple

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families
from services import free_port

from benchmarks import engine, revaluation, workload
from benchmarks.process import Process
from benchmarks.stage import Stage, staged
from models.units import SECOND, Millis, isoformat
from streams.inbound.outlet import Outlet
from streams.producer import Message
from streams.tables import Applied, Keys, Redis, connect, read_applied, read_totals
from streams.topics import TICK_KEY, Topics, encode_ticks, ensure, partition_of

TICKS: Final = """\
ticks = "external"
"""
PORTS: Final = """
[worker]
processor_port = {processor}
[exporter]
port = {exporter}
"""

EVENTS_A_SECOND: Final = 200
SCRAPES: Final = 10
SETTLED_S: Final = 3
PATIENCE_S: Final = 60.0
KINDS: Final = ("state", "pane", "window", "members")
"""What the keys of partitions are told apart by; all others together are the rest."""


class Load(NamedTuple):
    """So many leads, created over so many days, in so many partitions, and how long rounds are measured."""

    leads: int
    days: int
    partitions: int
    seconds: int


async def run(load: Load) -> dict[str, Any]:
    """One run; what it measured."""
    with staged() as stage:
        await ensure(stage.kafka.bootstrap, load.partitions, 1)
        async with connect(stage.redis.url, timeout_s=PATIENCE_S) as redis, httpx.AsyncClient(timeout=PATIENCE_S) as client:
            counts = await revaluation.write(redis, revaluation.Load(load.leads, load.days, 1), load.partitions)
            floor = Floor(stage, redis, client, load)
            found = await floor.measure()
            wrong = await floor.wrong(counts)
    return {"benchmark": "standing", **load._asdict(), **found, "correct": not wrong, **({"wrong": wrong} if wrong else {})}


class Floor:
    """The floor, and what it is measured with."""

    def __init__(self, stage: Stage, redis: Redis, client: httpx.AsyncClient, load: Load) -> None:
        self._redis, self._client, self._load, self._stage = redis, client, load, stage
        self._keys = [Keys("lb", number) for number in range(load.partitions)]
        self._ports = {"processor": free_port(), "exporter": free_port()}
        told = engine.config(stage.kafka.bootstrap, stage.redis.url, TICKS, load.partitions) + PORTS.format(**self._ports)
        self._settings = stage.configure(told)
        self._sent = 0

    async def measure(self) -> dict[str, Any]:
        """Everything in turn."""
        first = self._worker("first")
        await engine.until(self._all_valued, self._applied, first)
        first.end()
        second, take_over_s = await self._take_over()
        before = await self._rounds(second, lambda rounds: rounds["count"] >= 1)
        memory = second.resident_mib()
        await self._events(1, SETTLED_S)  # partitions that were claimed last are read whole once more
        settled = await self._rounds(second, lambda rounds: rounds["count"] > before["count"])
        await self._events(SETTLED_S + 1, self._load.seconds)
        after = await self._rounds(second, lambda rounds: rounds["count"] > settled["count"])
        exporter = self._stage.start("exporter", self._settings, "exporter")
        scrapes, page = await self._scrapes(exporter)
        rounds = after["count"] - settled["count"]
        return {
            "take_over_s": take_over_s,
            "rss_mib": round(second.peak_mib()),
            "rss_standing_mib": round(memory),
            "redis_mib": await self._redis_mib(),
            "first_round_s": round(before["sum"] / before["count"], 3),
            "first_round_rows": round(before["rows"]),
            "rounds": round(rounds),
            "round_s": round((after["sum"] - settled["sum"]) / rounds, 3),
            "round_rows": round((after["rows"] - settled["rows"]) / rounds),
            "scrape_s": round(median(scrapes), 3),
            "scrape_series": len(page.splitlines()),
        }

    def _worker(self, name: str) -> Process:
        return self._stage.start(name, self._settings, "worker", "--part", "processor")

    async def _applied(self) -> list[Applied]:
        return [part for part in await read_applied(self._redis, self._keys) if part is not None]

    @staticmethod
    def _all_valued(found: list[Applied]) -> bool:
        return all(part.progress.valuation for part in found)

    async def _take_over(self) -> tuple[Process, float]:
        """Start the worker that takes over; how long each partition took it."""
        claims = sum(part.claim for part in await self._applied())
        worker = self._worker("second")
        await engine.until(lambda found: sum(part.claim for part in found) > claims, self._applied, worker)
        began = time.monotonic()
        await engine.until(lambda offsets: len(offsets) == self._load.partitions, self._loaded, worker)
        return worker, round((time.monotonic() - began) / self._load.partitions, 2)

    async def _loaded(self) -> list[str]:
        """The partitions that the worker says are loaded."""
        said = (self._stage.folder / "second.log").read_text()
        return [line for line in said.splitlines() if "partition_loaded" in line]

    async def _rounds(self, worker: Process, enough: Any) -> dict[str, float]:
        """What the worker tells of its rounds, as soon as it is enough."""
        found: dict[str, float] = {}

        async def look() -> dict[str, float]:
            families = text_string_to_metric_families(await self._page("processor"))
            samples = {sample.name: sample.value for family in families for sample in family.samples}
            names = {"count": "round_seconds_count", "sum": "round_seconds_sum", "rows": "round_rows_total"}
            found.update({short: samples.get(f"leadbeat_{name}", 0.0) for short, name in names.items()})
            return found

        await engine.until(enough, look, worker)
        return found

    async def _page(self, which: str) -> str:
        try:
            return (await self._client.get(f"http://127.0.0.1:{self._ports[which]}/metrics")).text
        except httpx.TransportError:
            return ""

    async def _events(self, first: int, seconds: int) -> None:
        """Touches of leads that are there, and a tick each second, from one second after the workload's end on."""
        topic = Topics().events
        async with Outlet(self._stage.kafka.bootstrap).running() as outlet:
            for second in range(first, first + seconds):
                at = Millis(engine.END + second * SECOND)
                messages = [self._touch(Millis(at - SECOND)) for _ in range(EVENTS_A_SECOND)]
                tick = encode_ticks(dict.fromkeys(range(self._load.partitions), at // SECOND))
                await outlet.send([*messages, *(Message(topic, each, TICK_KEY, tick) for each in range(self._load.partitions))])
                await asyncio.sleep(1.0)

    def _touch(self, at: Millis) -> Message:
        lead, self._sent = f"crm:lead-{self._sent * 7 % self._load.leads:07}", self._sent + 1
        told = {"at": isoformat(at), "channel": "call", "rep": workload.REPS[self._sent % len(workload.REPS)]}
        event = workload.event(lead, "touch.upserted", f"now-{self._sent}", at, told)
        key = f"lead:{lead}".encode()
        return Message(Topics().events, partition_of(key, self._load.partitions), key, msgspec.json.encode(event))

    async def _scrapes(self, exporter: Process) -> tuple[list[float], str]:
        """How long each of some scrapes took, and the page; the first ones, without KPIs or from nothing, are left out."""

        async def page() -> str:
            return await self._page("exporter")

        await engine.until(lambda found: "leadbeat_touches" in found, page, exporter)
        took, found = [], ""
        for _ in range(SCRAPES):
            began = time.monotonic()
            found = await page()
            took.append(time.monotonic() - began)
            await asyncio.sleep(0.2)
        return took, found

    async def _redis_mib(self) -> dict[str, float]:
        """What the keys of partitions take, by kind."""
        taken: Counter[str] = Counter()
        async for key in self._redis.scan_iter(match="lb:*", count=10_000):
            kind = next((kind for kind in KINDS if f":{kind}:" in key.decode()), "rest")
            taken[kind] += await self._redis.memory_usage(key, samples=0) or 0
        return {kind: round(size / 2**20, 1) for kind, size in taken.items()}

    async def wrong(self, counts: revaluation.Counts) -> dict[str, tuple[int, int]]:
        """What Redis holds that is not what was counted, over 90 days."""
        totals: Counter[str] = Counter()
        for keys, part in zip(self._keys, await self._applied(), strict=True):
            totals.update(engine.whole(await read_totals(self._redis, keys.of(part.progress.generation)), "90d"))
        expected = counts["90d"] + Counter(touches=self._sent, calls=self._sent)
        return {
            name: (totals[name], expected[name])
            for name in ("touches", "calls", "leads_created")
            if totals[name] != expected[name]
        }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--partitions", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=20)
    print(json.dumps(asyncio.run(run(Load(**vars(parser.parse_args()))))))
