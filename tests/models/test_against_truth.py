"""The engine against the oracle, which shares no code with it: every series of the default profile, at many clocks."""

import tomllib
from random import Random
from typing import Any

import msgspec
import pytest
import strategies
import strategies_rules
import strategies_subjects
from build import DAY, HOUR, MINUTE, NOON, SECOND
from engine import Engine
from hypothesis import given, settings
from hypothesis import strategies as st
from published import snapshot_of
from told_rules import tables

from models.belief import instants
from models.events import Event, decode, encode
from models.kpis import MINIMUM_N, Formula
from models.slices import pair_name
from models.snapshot import slices
from models.units import Millis, isoformat
from streams.config import Settings
from streams.local.floor import demo_rules_toml
from streams.local.simulator import Floor, recorded
from streams.local.truth import truth
from streams.local.truth_page import Difference, Scraped, compare
from streams.serving.profile import Profile

BOARD = ("1h", "24h", "7d", "today", "month")
ANY_N = {"mean": 1, "ratio": 1, "p50": 1, "p90": 1, "p95": 1, "max": 1}


def shown(engine: Engine, minimum_n: dict[Formula, int], also_by: list[str]) -> Scraped:
    """What Prometheus would scrape."""
    clock = engine.totals.clock or Millis(0)
    snapshot = snapshot_of(engine.lines(minimum_n).values(), slices(engine.rules, clock), clock)
    profile = Profile(BOARD, 10**9, (*also_by, *map(pair_name, engine.rules.pairs)))
    series = profile.show(snapshot).series
    page = {(each.name.metric, frozenset(each.name.labels.items())): each.value for each in series}
    assert len(page) == len(series)
    return page


def differences(engine: Engine, facts: list[dict[str, Any]], told: dict[str, Any]) -> list[Difference]:
    """Where the engine and the oracle disagree; nowhere."""
    least = {formula: ANY_N.get(formula.value.removesuffix("_time"), 0) for formula in Formula}
    if "minimum_n" not in told:
        least = dict(MINIMUM_N)
    also_by = told.get("profile", {}).get("also_by", [])
    expected = truth(facts, told, engine.totals.clock or 0)
    return compare(shown(engine, least, also_by), expected)


@settings(max_examples=settings().max_examples * 2 // 5)
@given(strategies_subjects.others(), strategies_rules.rules(), st.randoms(), st.data())
def test_every_gauge_of_accounts_reps_and_campaigns_is_what_the_oracle_says(events, rules, random, data):
    facts = [told_of(event) for event in events]
    told = tables(rules) | {"minimum_n": ANY_N}
    clocks = sorted(data.draw(st.lists(clocks_about(events), min_size=2, max_size=2)))
    random.shuffle(events)
    engine = Engine(rules).take(*events[::2]).tick(clocks[0]).take(*events[1::2])
    assert differences(engine, facts, told) == []
    engine.tick(clocks[1]).restart()
    assert differences(engine, facts, told) == []


def told_of(event: Event) -> dict[str, Any]:
    """An event as it was sent: subjects by the ids that the CRM has."""
    told = msgspec.json.decode(encode(event))
    for subject in (told["subject"], told.get("into")):
        if subject is not None:
            subject["id"] = subject["id"].partition(":")[2] or subject["id"]
    return told


@settings(max_examples=settings().max_examples * 2 // 5)
@given(strategies.floors(4), strategies_rules.rules(), st.randoms(), st.data())
def test_every_gauge_of_any_history_is_what_the_oracle_says(events, rules, random, data):
    facts = [msgspec.json.decode(encode(event)) for event in events]
    told = tables(rules) | {"minimum_n": ANY_N}
    clocks = sorted(data.draw(st.lists(clocks_about(events), min_size=2, max_size=2)))
    random.shuffle(events)
    engine = Engine(rules).take(*events[::2]).tick(clocks[0]).take(*events[1::2])
    assert differences(engine, facts, told) == []
    engine.tick(clocks[1]).restart()
    assert differences(engine, facts, told) == []


def clocks_about(events: list[Event]) -> st.SearchStrategy[int]:
    """Where the clock may stand: anywhere, or about something that happens, or about an answer's due time."""
    happened = [at for event in events for _, at, _ in instants(event)] or [NOON]
    after = (0, 2 * SECOND, -1, 2 * SECOND - 1, -9_999, 5 * MINUTE + 2 * SECOND, 10 * MINUTE, 3 * DAY, 7 * DAY + 2 * SECOND)
    return st.one_of(st.integers(NOON, NOON + HOUR), st.builds(int.__add__, st.sampled_from(happened), st.sampled_from(after)))


FLOORS = [
    (1, "Europe/Berlin", NOON - 2 * HOUR),
    (2, "America/Havana", NOON + 6 * DAY + 17 * HOUR),
    (3, "Australia/Lord_Howe", NOON + 34 * DAY),
]


@pytest.mark.parametrize(("seed", "zone", "now"), FLOORS)
def test_every_gauge_of_a_sales_floor_is_what_the_oracle_says_while_time_goes_by(seed, zone, now):
    told = tomllib.loads(demo_rules_toml(now, zone))
    engine = Engine(Settings.model_validate(told).rules())
    deliveries = recorded(Floor(seed, zone).history(now), seed)
    facts: list[dict[str, Any]] = []
    random = Random(seed)
    cuts = sorted(random.sample(range(1, len(deliveries)), 3))
    for start, end in zip([0, *cuts], [*cuts, len(deliveries)], strict=True):
        for _, batch in deliveries[start:end]:
            facts += batch.events
        events = [decode(msgspec.json.encode(event)) for _, batch in deliveries[start:end] for event in batch.events]
        engine.tick(deliveries[end - 1][0] // 1000 * 1000).take(*events)
        engine.restart()
    for clock in (now, now + 10 * MINUTE, now + 9 * DAY):
        engine.tick(clock)
        assert differences(engine, facts, told) == [], isoformat(Millis(clock))
