"""The benchmarks can be started, and what they reckon with is sound. What they measure is for people to look at."""

import json
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import islice

import pytest
from services import CHECKOUT

from benchmarks import latency, present, workload
from models.belief import believe
from models.events import decode
from models.units import MINUTE, Millis
from streams.local.truth import truth
from streams.topics import partition_of

NOW = Millis(1_772_000_000_000)
PROGRAMS = sorted(path.stem for path in (CHECKOUT / "benchmarks").glob("*.py") if "argparse" in path.read_text())
STEPS = 5_000


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_benchmark_can_be_started(name):
    command = [sys.executable, "-m", f"benchmarks.{name}", "--help"]
    told = subprocess.run(command, cwd=CHECKOUT, env={"PYTHONPATH": "tests"}, capture_output=True, text=True, check=True)
    assert f"make bench-{name} " in told.stdout
    assert f"bench-{name}: " in (CHECKOUT / "Makefile").read_text()


def test_there_are_benchmarks():
    assert {"engine", "latency", "revaluation"} <= set(PROGRAMS)


def test_every_event_of_the_present_counts_once_where_it_says():
    told = Counter()
    events = []
    for number, step in enumerate(islice(present.steps("crm"), STEPS)):
        event = step.event(Millis(NOW - MINUTE + number))
        believe(decode(json.dumps(event).encode()), NOW, set())
        events.append(event)
        told[step.gauge] += 1
    rules = {"roster": [{"rep": rep, "team": "north"} for rep in workload.REPS]}
    gauges = truth(events, rules, NOW + MINUTE)
    counted = {
        present.Gauge(name.removeprefix("leadbeat_").removesuffix("_by_rep"), dict(labels)["rep"]): value
        for (name, labels), value in gauges.items()
        if ("window", "24h") in labels and name in {f"leadbeat_{metric}_by_rep" for metric in present.METRICS} and value
    }
    assert counted == told
    assert told.total() == STEPS
    assert {gauge.metric for gauge in told} == set(present.METRICS)


def test_the_leads_of_a_rep_lie_in_one_partition():
    partitions = defaultdict(set)
    for step in islice(present.steps("crm"), STEPS):
        name = step.event(NOW)["subject"]["id"]
        partitions[step.gauge.rep].add(partition_of(f"lead:crm:{name}".encode(), workload.PARTITIONS))
    assert {len(found) for found in partitions.values()} == {1}
    assert set.union(*partitions.values()) == set(range(workload.PARTITIONS))


def test_an_event_is_there_with_the_first_page_that_counts_it():
    calls, replies = present.Gauge("touches", "ana"), present.Gauge("replies", "ana")
    sent = {calls: [0.0, 1.0, 2.0, 2.5], replies: [1.5]}
    pages = [(1.25, {}), (2.25, {calls: 2}), (3.25, {calls: 3, replies: 1}), (4.25, {calls: 4, replies: 1})]
    looks = [latency.Look(at, Counter(counts), 1, 0) for at, counts in pages]
    assert sorted(latency.delays(sent, looks, 0.0)) == [1.25, 1.25, 1.75, 1.75, 2.25]
    assert sorted(latency.delays(sent, looks, 1.5)) == [1.25, 1.75, 1.75]


def test_a_page_s_counts_are_those_of_the_last_day_by_rep():
    page = """\
leadbeat_touches_by_rep{rep="ana",window="24h"} 3.0
leadbeat_touches_by_rep{rep="ana",window="7d"} 4.0
leadbeat_touches_by_rep{rep="ben",window="24h"} 0.0
leadbeat_touches_by_team{team="north",window="24h"} 3.0
leadbeat_replies_by_rep{rep="ana",window="24h"} 1.0
"""
    assert present.counted(page) == {present.Gauge("touches", "ana"): 3, present.Gauge("replies", "ana"): 1}
