"""What one more event costs a lead with very many touches, on a real Redis; prints one JSON line.

    make bench-huge [ARGS="--touches 100000 --events 200"]

An event is taken as a worker takes it: decoded, folded, counted at a tick, cut and committed, each by itself, round trips
included. Warm, the lead is in memory; cold, it has been let go of, and is read again. Beside it stands a lead of five touches,
as most of what a single event costs is what any checkpoint does; `more` is what the touches add to that. `counted` is how long
it takes until the totals have the event; the rest is the checkpoint, which all events of a second share. `cpu` counts only when
the process runs, whatever else the machine does.
`correct` says that the totals are those of a plain evaluation of all that is stored.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from statistics import median, quantiles
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import services

from benchmarks import workload
from models.codes import Codes
from models.contributions import evaluate
from models.rollup import Totals
from models.state.facts import facts
from models.state.lead import unpack
from models.units import DAY, MINUTE, SECOND, Millis, isoformat
from streams.processing.checkpoint import claim_partition, commit
from streams.processing.cut import cut_checkpoint
from streams.processing.partition import Partition
from streams.processing.processor import Stored, process
from streams.processing.writes import writes_of
from streams.tables import (
    Applied,
    Keys,
    Progress,
    Redis,
    connect,
    read_due,
    read_parts,
    read_states,
    read_whole,
)
from streams.topics import TICK_KEY, encode_ticks

KEYS: Final = Keys("lb", 0)
START: Final = Millis(1_772_000_000_000)
AT_ONCE: Final = 1_000
SPAN: Final = 300 * DAY
"""Over how long the touches are spread."""

SHARES: Final = (60, 10, 15, 10, 5)
"""Of touches that are new, that are told late, that connected after all, of replies and of meetings."""

HUGE, SMALL, FEW = "crm:huge", "crm:small", 5


class Took(NamedTuple):
    """How long events took until the totals had them, and until they were durable, in ms."""

    counted: float
    durable: float


class Worker:
    """A partition that takes events one checkpoint at a time."""

    def __init__(self, redis: Redis, held: Applied) -> None:
        self.redis, self.held = redis, held
        self.codes = Codes(workload.rules())
        self.partition = Partition(0, self.codes, 1, Totals(self.codes))
        self.clock = START + SPAN
        self.offset = 0

    async def take(self, *events: dict[str, Any]) -> Took:
        """Take events and a tick, and make them durable."""
        records = [_record(b"lead", json.dumps(event).encode()) for event in events]
        self.clock += SECOND
        records.append(_record(TICK_KEY, encode_ticks({0: self.clock // SECOND})))
        before = time.perf_counter()
        reading = partial(read_states, self.redis, KEYS), partial(read_parts, self.redis, KEYS)
        for number, record in enumerate(records):
            record.offset = self.offset + number
        self.offset += len(records)
        await process(self.partition, records, Stored(*reading, partial(read_due, self.redis, KEYS)), _refuse)
        counted = time.perf_counter()
        progress = Progress(self.offset, clock=self.partition.clock, ticks=dict(self.partition.ticks))
        checkpoint = cut_checkpoint(KEYS, self.held, writes_of(self.partition.cut()), progress)
        answer = await commit(self.redis, checkpoint)
        if not answer.written:
            raise RuntimeError(answer.reason)
        self.held = checkpoint.then
        self.partition.saved()
        return Took(1000 * (counted - before), 1000 * (time.perf_counter() - before))

    def forget(self) -> None:
        """Let go of all leads."""
        capacity, self.partition.capacity = self.partition.capacity, 0
        self.partition.forget()
        self.partition.capacity = capacity


def _record(key: bytes, value: bytes) -> Any:
    return SimpleNamespace(offset=0, timestamp=0, key=key, value=value)


def _refuse(_: object, error: Exception) -> Any:
    raise error


class Events:
    """Events of leads, the same for the same seed: what is usual of it first, then what an old lead is told."""

    def __init__(self, seed: int = 1) -> None:
        self.rng = Random(seed)
        self.names: dict[str, int] = {HUGE: 0, SMALL: 0}

    def lead(self, subject: str, at: int, **fields: str) -> dict[str, Any]:
        """The lead's own record."""
        data = {"created_at": isoformat(START), "owner": workload.REPS[0], "owner_at": isoformat(START), **fields}
        return _event("lead.upserted", subject, at, data)

    def touch(self, subject: str, at: int) -> dict[str, Any]:
        """A touch that is new."""
        self.names[subject] += 1
        channel = self.rng.choice(("call", "email", "message"))
        data = {"at": isoformat(Millis(at)), "channel": channel, "rep": self.rng.choice(workload.REPS)}
        return _event("touch.upserted", subject, at, data, ("touch", f"acti_{self.names[subject]:012}"))

    def any(self, subject: str, now: int) -> dict[str, Any]:
        """Most often a touch that is new, at times late; now and then an old one that connected, a reply, a meeting."""
        known, name = f"acti_{self.rng.randint(1, self.names[subject]):012}", f"acti_{self.rng.randrange(10**9):012}"
        at = isoformat(Millis(now))
        match self.rng.choices(("new", "late", "connected", "reply", "meeting"), SHARES)[0]:
            case "new":
                return self.touch(subject, now)
            case "late":
                return self.touch(subject, now - self.rng.randrange(SPAN))
            case "connected":
                return _event("touch.upserted", subject, now, {"connected": True}, ("touch", known))
            case "reply":
                data = {"at": at, "channel": "email", "in_reply_to": known}
                return _event("reply.upserted", subject, now, data, ("reply", name))
            case _:
                data = {"booked_at": at, "scheduled_at": isoformat(Millis(now + DAY)), "rep": workload.REPS[1]}
                return _event("meeting.upserted", subject, now, data, ("meeting", name))


def _event(kind: str, subject: str, at: int, data: dict[str, Any], named: Sequence[str] = ()) -> dict[str, Any]:
    event: dict[str, Any] = {
        "id": f"{kind}-{at}",
        "type": kind,
        "timestamp": isoformat(Millis(at)),
        "subject": {"kind": "lead", "id": subject},
        "data": data,
    }
    return event | ({"object": dict(zip(("kind", "id"), named, strict=True))} if named else {})


async def run(touches: int, events: int) -> dict[str, Any]:
    """One run; what it measured."""
    with _redis() as url:
        async with connect(url, timeout_s=60) as redis:
            worker = Worker(redis, await claim_partition(redis, KEYS, 1, "the benchmark's"))
            return await _measure(worker, Events(), touches, events)


@contextmanager
def _redis() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        redis = services.redis(Path(folder))
        try:
            yield redis.url
        finally:
            redis.server.stop()


async def _measure(worker: Worker, events: Events, touches: int, count: int) -> dict[str, Any]:
    await worker.take(events.lead(HUGE, START), events.lead(SMALL, START))
    await worker.take(*(events.touch(SMALL, START + number * MINUTE) for number in range(FEW)))
    instants = sorted(events.rng.randrange(SPAN) for _ in range(touches))
    told = [
        await worker.take(*(events.touch(HUGE, START + at) for at in instants[start : start + AT_ONCE]))
        for start in range(0, touches, AT_ONCE)
    ]
    found: dict[str, Any] = {
        "benchmark": "huge",
        "touches": touches,
        "told_ms_an_event": round(sum(took.durable for took in told) / touches, 2),
    }
    for subject in (SMALL, HUGE):
        for name, forgets in (("warm", False), ("cold", True)):
            took, cpu = [], time.process_time()
            for _ in range(count):
                if forgets:
                    worker.forget()
                took.append(await worker.take(events.any(subject, worker.clock)))
            counted, durable = zip(*took, strict=True)
            found[f"{subject.removeprefix('crm:')}_{name}_ms"] = {
                "median": round(median(durable), 2),
                "p95": round(quantiles(durable, n=20)[-1], 2),
                "counted": round(median(counted), 2),
                "cpu": round(1000 * (time.process_time() - cpu) / count, 2),
            }
    for name in ("warm", "cold"):
        found[f"more_{name}_cpu_ms"] = round(found[f"huge_{name}_ms"]["cpu"] - found[f"small_{name}_ms"]["cpu"], 2)
    for name, fields in (("owner", {"owner": workload.REPS[7]}), ("segment", {"segment": workload.SEGMENTS[0]})):
        moved = await worker.take(events.lead(HUGE, worker.clock, **fields))
        found[f"another_{name}_ms"] = round(moved.durable, 1)
    info = await worker.redis.info("memory")
    return {**found, "redis_mib": round(info["used_memory"] / 2**20), "correct": await _is_correct(worker)}


async def _is_correct(worker: Worker) -> bool:
    """Whether the totals are those of all that is stored, evaluated at once."""
    whole = [await read_whole(worker.redis, KEYS, subject) for subject in (SMALL, HUGE)]
    known = [facts(unpack(packed)[0], worker.codes) for packed in whole if packed is not None]
    totals = Totals(worker.codes)
    totals.add(evaluate(known, worker.codes, worker.partition.known_until).contributions)
    totals.advance(Millis(worker.clock))
    return dict(totals.sums.nonzero()) == dict(worker.partition.totals.sums.nonzero())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--touches", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=200)
    given = parser.parse_args()
    print(json.dumps(asyncio.run(run(given.touches, given.events))))
