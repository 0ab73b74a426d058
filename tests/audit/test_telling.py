"""An audit's report, as people and programs read it; and the rows of the KPI table."""

import json

import msgspec
import pytest
from build import NOON, RULES, SECOND
from prometheus_client import CollectorRegistry

from models.kpis import MINIMUM_N
from models.snapshot import slices
from streams.audit.added_up import add_up
from streams.audit.findings import Audited, Differences, Report
from streams.audit.service import tell_of
from streams.audit.shown import Summed, compare_rows
from streams.audit.telling import in_json, lines
from streams.processing.board import Board
from streams.processing.round import NOTHING, work_out
from streams.tables import KpiTable, Waiting
from streams.telemetry import AuditMetrics


def report(found=None, **fields):
    found = found or Differences()
    usual = {
        "audited": [Audited(0, 12, NOON, "from the log", 3, 40)],
        "kpi_rows": 7,
        "differing": found.series,
        "differences": found.count,
        "shown": found.shown,
        "notes": [],
        "failed": [],
        "seconds": 1.25,
        "at": NOON,
    }
    return Report(**usual | fields)


def test_a_sound_one_says_what_was_compared():
    assert list(lines(report())) == [
        "partition 0: from the log, up to offset 12, clock 2026-03-02T12:00:00.000Z: 3 leads, 40 series",
        "KPI table: 7 rows of an exact round",
        "no differences; 47 series compared in 1.2 s",
    ]
    assert json.loads(in_json(report()))["series"] == 47


def test_the_first_differences_are_told_one_by_one_and_then_how_many_more():
    found = Differences()
    for number in range(60):
        found.add(0, f"calls|rep=r{number % 20}", "1h", number, "x\x1b" * 100)
    told = list(lines(report(found)))
    assert told[2].split() == ["partition", "series", "window", "stored", "derived"]
    assert told[3].split()[:4] == ["0", "calls|rep=r0", "1h", "0"]
    assert "\x1b" not in "".join(told)
    assert told[-2:] == ["and 10 more", "60 differences, in 20 series; 47 series compared in 1.2 s"]
    assert len(json.loads(in_json(report(found)))["shown"]) == 50


def test_what_could_not_be_audited_is_no_praise():
    told = list(lines(report(failed=["partition 1: away"], notes=["KPI table: not compared"], kpi_rows=0)))
    assert told[1:] == [
        "KPI table: not compared",
        "could not be audited: partition 1: away",
        "no differences in what could be audited; 40 series compared in 1.2 s",
    ]


def test_metrics_tell_of_completed_audits_and_of_every_difference():
    registry, shown = CollectorRegistry(), []
    metrics = AuditMetrics(registry)

    def mismatches():
        return registry.get_sample_value("leadbeat_audit_mismatch_series")

    tell_of(report(failed=["partition 1: away"]), metrics, shown.append)
    assert mismatches() is None
    tell_of(report(), metrics, shown.append)
    assert mismatches() == 0
    assert registry.get_sample_value("leadbeat_audit_series") == 47
    assert registry.get_sample_value("leadbeat_audit_seconds") == 1.25
    assert registry.get_sample_value("leadbeat_audit_completed_timestamp_seconds") == NOON / SECOND
    found = Differences()
    found.add(0, "calls", "1h", 1, 2)
    found.add(0, "calls", "24h", 1, 2)
    tell_of(report(found, failed=["partition 1: away"]), metrics, shown.append)
    assert mismatches() == 1
    assert len(shown) == 3


@pytest.fixture
def told(lived):
    """A table of one partition as the publisher has written it, and what the log says of that."""
    derived = add_up(lived.rederived().all_states(), lived.codes, NOON)
    board = Board(1)
    board.put(0, derived.totals.sums, {name: Waiting(*each) for name, each in derived.oldest.items()})
    rows = work_out(NOTHING, board.grids(RULES, NOON, MINIMUM_N), 3).written
    record = {"round": "3", "clock": str(NOON), "known_until": str(NOON - 2000), "spread_ms": "0", "exact": "1"}
    record |= {"published_at": str(NOON), "slices": json.dumps(slices(RULES, NOON))}
    return KpiTable(record, {window: dict(held) for window, held in rows.items()}), [
        Summed(derived.totals.sums, derived.oldest)
    ]


def compared(told):
    found = Differences()
    return compare_rows(*told, RULES, MINIMUM_N, found), [(each.series, each.window) for each in found.shown]


def test_the_rows_of_a_round_are_those_of_the_log(told):
    rows, differing = compared(told)
    assert rows == sum(map(len, told[0].rows.values())) > 1000
    assert differing == []


def test_a_row_that_says_something_else_is_named_and_one_that_is_gone_or_nobodys(told):
    rows = told[0].rows["24h"]
    row = msgspec.json.decode(rows["calls"])
    rows["calls|rep=nobody"] = rows["calls"]
    rows["calls"] = msgspec.json.encode(row | {"numerator": row["numerator"] + 1})
    del rows["calls|rep=ana"]
    assert compared(told)[1] == [(f"KPI {key}", "24h") for key in ("calls", "calls|rep=ana", "calls|rep=nobody")]


def test_a_row_that_is_about_to_go_may_still_be_there(told):
    farewell = {"value": None, "numerator": 0, "denominator": None, "state": "no_traffic", "version": 9}
    told[0].rows["24h"]["calls|rep=gone"] = msgspec.json.encode(farewell)
    assert compared(told)[1] == []
