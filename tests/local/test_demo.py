"""The demo as a user runs it, and its recording replayed: the whole path on embedded parts."""

import io
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console

from models.slices import DIMS
from models.units import HOUR, Millis
from streams.local.deliveries import Batch, Courier, Event
from streams.local.demo import feed_history, live
from streams.local.proof import prove
from streams.local.stage import Demo, Options, rules_beside, running


class MergesLast(Courier):
    """Has all of it counted one by one before who is who comes out, when there is least time to pass that on."""

    def pack(self, events: Iterable[Event], now: Millis) -> list[Batch]:
        told = list(events)
        merges = [event for event in told if event["type"] == "merged"]
        self._held += [(Millis(now + HOUR), batch) for batch in self._batches(merges)]
        return super().pack([event for event in told if event["type"] != "merged"], now)


def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments], capture_output=True, text=True, timeout=240, check=False
    )


def test_a_demo_with_a_time_to_run_ends_with_every_gauge_equal_to_the_truth() -> None:
    demo = ended("demo", "--for", "3s", "--seed", "11")

    assert demo.returncode == 0, demo.stdout + demo.stderr
    closing = re.fullmatch(r"(\d+) gauges, (\d+) equal", demo.stdout.strip().splitlines()[-1])
    assert closing is not None
    assert closing[1] == closing[2]
    assert int(closing[1]) > 4000


async def test_a_recorded_demo_replayed_as_of_its_last_tick_gives_the_numbers_of_the_live_run(tmp_path: Path) -> None:
    recording = tmp_path / "demo.ndjson"
    said = io.StringIO()
    async with running(Options(seconds=3, seed=5, record=recording), Console(file=said, width=200)) as demo:
        demo.courier = MergesLast(5)
        await feed_history(demo)
        await live(demo)
        assert await prove(demo), said.getvalue()
        alive = await settled(demo)

    clock = re.search(r"--as-of (\S+)", said.getvalue())
    assert clock is not None
    rows = []
    for by in ([], *(["--by", dim] for dim in (*DIMS, "team,lead_source", "rep,channel"))):
        arguments = ("--config", str(rules_beside(recording)), "--as-of", clock[1], "--format", "json", *by)
        replayed = ended("replay", str(recording), *arguments)
        assert replayed.returncode == 0, replayed.stderr
        report = json.loads(replayed.stdout)
        assert (report["clock"], report["mistakes"]) == (alive["clock"], [])
        rows += report["kpis"]

    assert told(rows) == told(alive["kpis"])
    assert len(rows) > 10_000


async def settled(demo: Demo) -> dict[str, Any]:
    """What the API says once it says the same twice: rows that are gone leave the table when their end has been told."""
    before: dict[str, Any] = {}
    while (now := await demo.kpis()) != before:
        before = now
    return now


def told(rows: list[dict[str, object]]) -> Counter[str]:
    """What rows say, but for the round that they were written in."""
    names = ("id", "labels", "window", "by", "slice", "value", "numerator", "denominator", "state", "unit")
    return Counter(json.dumps([row[name] for name in names]) for row in rows)
