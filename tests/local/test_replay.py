"""Replay: the numbers of recorded facts at an instant, against values by hand, the running engine, and the truth."""

import io
import json
import tomllib
from collections.abc import Iterable
from typing import Any

import pytest
from build import DAY, HOUR, MINUTE, NOON, RULES, SECOND, call, lead, sla
from engine import Engine
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from published import snapshot_of
from rich.console import Console
from strategies import families, histories
from strategies_rules import rules

from models.errors import LeadbeatError
from models.events import Event, decode, encode
from models.kpis import MINIMUM_N
from models.rules import Rules
from models.snapshot import Cell, slices
from models.units import Millis
from streams.config import load
from streams.local.floor import demo_rules_toml
from streams.local.recording import Fact, read
from streams.local.replay import AT_ONCE, AsOf, Replay, replay
from streams.local.replay_report import Choice, print_tables, rows, span, told_rules, write_csv, write_json
from streams.local.simulator import write
from streams.local.truth import truth
from streams.local.truth_facts import belonging
from streams.local.truth_page import compare
from streams.serving.app import profile_of

DAY_OF_FIVE = [
    lead(of="lead-1", created_at=NOON - HOUR, owner="ana", changed_at=NOON - HOUR),
    call("c1", NOON - HOUR + 2 * MINUTE, rep="ana", changed_at=NOON - HOUR + 2 * MINUTE),
    lead(of="lead-2", created_at=NOON - 30 * MINUTE, owner="ben", changed_at=NOON - 30 * MINUTE),
    lead(of="lead-3", created_at=NOON - 10 * MINUTE, changed_at=NOON - 10 * MINUTE),
    call("c2", NOON - MINUTE, of="lead-3", rep="ben", changed_at=NOON - MINUTE + 300),
]


def recording(events: Iterable[Event]) -> list[bytes]:
    return [encode(event) for event in events]


def replayed(events: Iterable[Event] = DAY_OF_FIVE, rules: Rules = RULES, **as_of: Any) -> Replay:
    return replay(recording(events), rules, MINIMUM_N, AsOf(**as_of))


def cell(result: Replay, key: str, window: str = "now") -> Cell | None:
    return next((line.cells[line.windows.index(window)] for line in result.lines if line.key == key), None)


def value(result: Replay, key: str, window: str = "now") -> float | None:
    found = cell(result, key, window)
    return None if found is None else found.value


def test_the_clock_stands_at_the_first_whole_second_after_the_last_receipt():
    result = replayed()
    assert (result.clock, result.known_until) == (NOON - MINUTE + SECOND, NOON - MINUTE - SECOND)
    assert replayed(clock=Millis(NOON)).clock == NOON


def test_the_numbers_of_a_small_day_by_hand():
    result = replayed()
    assert value(result, "calls", "24h") == 2
    assert value(result, "calls|rep=ben", "24h") == 1
    assert value(result, "lead_response_time_mean", "24h") == (2 + 9) * 60 / 2
    assert value(result, "responses_within_sla", "24h") == 1
    assert value(result, "sla_breaches", "24h") == 2
    assert value(result, "leads_awaiting_response") == value(result, "leads_overdue|rep=ben") == 1
    assert cell(result, "oldest_lead_waiting") == cell(result, "oldest_lead_waiting|team=north")
    assert cell(result, "oldest_lead_waiting") == ((NOON - 30 * MINUTE) / 1000, NOON - 30 * MINUTE, NOON - 25 * MINUTE, "ok")


def test_what_was_received_later_is_not_known_unless_it_is_wanted():
    clock = Millis(NOON - 5 * MINUTE)
    before, after = replayed(clock=clock), replayed(clock=clock, known_later=True)
    assert (before.recorded.events, before.recorded.later, value(before, "calls", "1h")) == (4, 1, 1)
    assert (after.recorded.events, after.recorded.later) == (5, 0)
    # Known later, and yet later: the call is ahead of the clock's pane, but the lead is known to have been answered.
    assert value(after, "calls", "1h") == 1
    assert value(before, "leads_awaiting_response") == 2
    assert value(after, "leads_awaiting_response") == 1


def test_of_the_oldest_that_wait_equally_long_the_first_due_is_told():
    policies = (sla(MINUTE, lead_source="inbound"), sla(2 * MINUTE, lead_source="outbound"))
    events = [
        lead(of=f"lead-{number}", created_at=NOON - MINUTE, lead_source=source)
        for number, source in enumerate((None, "outbound", "inbound", None))
    ]
    result = replayed(events, Rules(sla=policies))
    assert cell(result, "oldest_lead_waiting") == ((NOON - MINUTE) / 1000, NOON - MINUTE, NOON, "ok")
    assert cell(result, "oldest_lead_waiting|lead_source=unknown") == ((NOON - MINUTE) / 1000, NOON - MINUTE, None, "ok")


def test_more_leads_than_are_summed_at_once():
    count = 2 * AT_ONCE + 1
    result = replayed(call("c", NOON - MINUTE, of=f"lead-{number}") for number in range(count))
    assert value(result, "calls", "today") == count


def test_bad_lines_are_told_and_the_rest_counts():
    lines = [*recording(DAY_OF_FIVE[:2]), b"{}", b"\n", b'{"type": "invoice.upserted"}', *recording(DAY_OF_FIVE[2:])]
    result = replay(lines, RULES, MINIMUM_N)
    assert [mistake.line for mistake in result.recorded.mistakes] == [3]
    assert (result.recorded.unknown, result.recorded.events) == (1, 5)
    assert result.lines == replayed().lines


@pytest.mark.parametrize(("lines", "told"), [([], "no event"), ([b"{"], "first of all line 1: ")])
def test_a_recording_without_a_fact_is_refused(lines, told):
    with pytest.raises(LeadbeatError, match=told):
        replay(lines, RULES, MINIMUM_N)


def test_a_recording_of_which_nothing_was_known_yet_gives_zeros():
    result = replayed(clock=Millis(NOON - DAY))
    assert (result.recorded.later, value(result, "calls", "year")) == (5, 0)


@settings(max_examples=50)
@given(st.lists(st.sampled_from(("lead-1", "lead-2")).flatmap(histories), min_size=1, max_size=3), rules())
def test_replay_says_what_a_running_partition_says(stories, rules):
    received = [line for line in recording(event for story in stories for event in story) if _is_fact(line)]
    assume(received)
    clock = Millis(NOON + 15 * MINUTE)
    result = replay(received, rules, MINIMUM_N, AsOf(clock, known_later=True))
    running = Engine(rules).take(*(decode(line) for line in received)).tick(clock)
    assert {line.key: line.cells for line in result.lines} == {key: line.cells for key, line in running.lines().items()}


@settings(max_examples=50)
@given(families(), rules())
def test_leads_that_were_merged_count_as_if_all_had_been_told_of_the_last(events, rules):
    received = [line for line in recording(events) if _is_fact(line)]
    assume(received)
    clock = AsOf(Millis(NOON + 15 * MINUTE), known_later=True)
    together = [
        json.dumps(event | {"subject": {"kind": "lead", "id": survivor}}).encode()
        for survivor, history in belonging(map(json.loads, received)).items()
        for event in history
        if event["type"] != "merged"
    ]
    assume(together)
    result, expected = (replay(lines, rules, MINIMUM_N, clock) for lines in (received, together))
    assert result.lines == expected.lines


def _is_fact(line: bytes) -> bool:
    """Whether a generated event does not lie too far ahead of its receipt to be believed."""
    return all(isinstance(found, Fact) for found in read(1, line, {"EUR"}))


def test_a_simulated_floor_says_what_the_truth_says(tmp_path):
    out, now = io.BytesIO(), Millis(NOON)
    delivered = write(out, 3, now)
    toml = demo_rules_toml(now, "Europe/Berlin")
    (tmp_path / "rules.toml").write_text(toml)
    loaded = load(tmp_path / "rules.toml")
    lines = out.getvalue().splitlines()
    result = replay(lines, loaded.rules(), MINIMUM_N)
    assert not result.recorded.mistakes
    told = slices(loaded.rules(), result.clock)
    shown = profile_of(loaded).show(snapshot_of(result.lines, told, result.clock))
    scraped = {(each.name.metric, frozenset(each.name.labels.items())): each.value for each in shown.series}
    assert len(scraped) > 3000
    assert compare(scraped, truth(delivered, tomllib.loads(toml), result.clock)) == []


def test_a_choice_narrows_what_is_told():
    result = replayed()
    assert {row.by for row in rows(result, Choice())} == {""}
    by_rep = list(rows(result, Choice({"calls", "leads_overdue"}, {"24h"}, "rep")))
    assert {(row.id, row.slice, row.window): row.value for row in by_rep} == {
        ("calls", "ana", "24h"): 1,
        ("calls", "ben", "24h"): 1,
        ("calls", "cleo", "24h"): 0,
        ("leads_overdue", "ana", "now"): 0,
        ("leads_overdue", "ben", "now"): 1,
        ("leads_overdue", "cleo", "now"): 0,
    }


def test_json_has_the_rows_and_where_they_come_from():
    out = io.StringIO()
    write_json(
        out, replay([b"{}", *recording(DAY_OF_FIVE)], RULES, MINIMUM_N), Choice({"sla_warnings{sla_percent=50}"}, {"1h"})
    )
    answer = json.loads(out.getvalue())
    assert {name: answer[name] for name in ("leads", "events", "later", "unknown")} == {
        "leads": 3,
        "events": 5,
        "later": 0,
        "unknown": 0,
    }
    assert answer["mistakes"] == ["line 1: $: Object missing required field `type`"]
    (row,) = answer["kpis"]
    assert (row["id"], row["labels"], row["window"], row["value"]) == ("sla_warnings", {"sla_percent": "50"}, "1h", 2)


def test_csv_has_a_heading_and_a_value_a_line():
    out = io.StringIO()
    write_csv(out, replayed(), Choice({"sla_warnings{sla_percent=50}", "call_connect_ratio"}, {"1h"}))
    assert out.getvalue().splitlines() == [
        "id,labels,window,by,slice,value,numerator,denominator,state,unit",
        "sla_warnings,sla_percent=50,1h,,,2.0,2,,ok,",
        "call_connect_ratio,,1h,,,,0,2,insufficient,ratio",
    ]


def table(choice: Choice) -> list[list[str]]:
    out = io.StringIO()
    print_tables(Console(file=out, width=120), replayed(), choice, "Europe/Berlin")
    return [line.split() for line in out.getvalue().splitlines()]


def test_a_table_is_for_people():
    keys = {
        *("calls", "lead_response_time_mean", "lead_response_time_p90", "reply_ratio", "responses_within_sla"),
        *("follow_up_attempts_mean", "oldest_lead_waiting"),
    }
    assert table(Choice(keys, {"24h"})) == [
        ["As", "of", "2026-03-02", "12:59:01", "(Europe/Berlin)"],
        ["KPI", "now"],
        ["oldest_lead_waiting", "2026-03-02", "12:30:00"],
        ["KPI", "24h"],
        ["lead_response_time_mean", "5m30s"],
        ["lead_response_time_p90", "(n=2)"],
        ["follow_up_attempts_mean", "–"],
        ["calls", "2"],
        ["reply_ratio", "(n=2)"],
        ["responses_within_sla", "1"],
    ]


def test_a_table_by_a_dimension_has_a_column_for_it():
    assert table(Choice({"calls"}, None, "rep"))[1:3] == [
        ["KPI", "rep", "1h", "24h", "7d", "today", "month"],
        ["calls", "ana", "1", "1", "1", "1", "1"],
    ]


@pytest.mark.parametrize(
    ("seconds", "told"), [(0, "0.0s"), (4.24, "4.2s"), (60, "1m00s"), (3599.4, "59m59s"), (3600, "1h00m"), (360_060, "100h01m")]
)
def test_times_for_people(seconds, told):
    assert span(seconds) == told


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (Rules(), "zone UTC, SLA 5m00s, no roster"),
        (Rules(zone="Europe/Berlin", sla=(), roster=RULES.roster), "zone Europe/Berlin, no SLA, reps: 4"),
        (Rules(sla=(sla(MINUTE, team="north"),)), "zone UTC, SLA policies: 1, no roster"),
    ],
)
def test_rules_in_a_few_words(rules, told):
    assert told_rules(rules) == told
