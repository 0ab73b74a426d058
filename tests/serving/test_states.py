"""The four states of a KPI, in the API, on the page of metrics, and on the topic's round."""

import csv
import io

import pytest
from build import MINUTE, NOON, RULES, call
from msgspec.structs import replace
from published import at_noon, round_of, samples, serving

from models.rules import KpiTarget, Leaderboard
from models.snapshot import State
from models.units import Millis
from streams.config import Settings
from streams.serving import health

CALLS = [call("c1", NOON - MINUTE, rep="ana"), call("c2", NOON - 2 * MINUTE, rep="ben")]
WALL = Settings()
EXTERNAL = Settings(ticks="external")
ASKED = "/api/v1/kpis?window=1h&by=whole&kpi=calls&kpi=call_connect_ratio&kpi=meeting_show_ratio"
FRESH = {"calls": "ok", "call_connect_ratio": "insufficient", "meeting_show_ratio": "no_traffic"}
STALE = dict.fromkeys(FRESH, "stale")


def test_there_are_four_states():
    assert [*State] == ["ok", "no_traffic", "insufficient", "stale"]


@pytest.mark.parametrize(
    ("record", "now", "expected"),
    [
        ({}, None, False),
        ({}, NOON + health.STALE_AFTER, False),
        ({}, NOON + health.STALE_AFTER + 1, True),
        ({"stale": True}, None, True),
        ({"stale": True}, NOON, True),
    ],
)
def test_a_round_is_stale_if_it_says_so_or_its_clock_is_old(record, now, expected):
    assert health.is_stale(round_of({}, **record), None if now is None else Millis(now)) is expected


@pytest.mark.parametrize(
    ("snapshot", "settings", "states"),
    [
        (at_noon(*CALLS), EXTERNAL, FRESH),
        (at_noon(*CALLS, stale=True), EXTERNAL, STALE),
        (at_noon(*CALLS), WALL, STALE),
        (at_noon(*CALLS, clock=NOON), EXTERNAL, FRESH),
    ],
)
async def test_rows_of_the_api_have_the_state_of_their_round_above_their_own(snapshot, settings, states):
    async with serving(snapshot, settings) as client:
        page = (await client.get(ASKED)).json()
        rows = [*csv.DictReader(io.StringIO((await client.get(f"{ASKED}&format=csv")).text, newline=""))]
    assert page["stale"] is (states is STALE)
    assert {row["id"]: row["state"] for row in page["kpis"]} == states
    assert {row["id"]: (row["state"], row["stale"]) for row in rows} == {
        name: (state, str(page["stale"]).lower()) for name, state in states.items()
    }
    assert {row["id"]: row["value"] for row in page["kpis"]}["calls"] == 2


async def test_a_round_whose_clock_is_of_now_is_fresh():
    now = health.wall()
    async with serving(at_noon(clock=now), WALL) as client:
        assert (await client.get(ASKED)).json()["stale"] is False
        assert samples((await client.get("/metrics")).text)["leadbeat_kpis_stale", ()] == 0


@pytest.mark.parametrize(("settings", "stale"), [(EXTERNAL, False), (WALL, True)])
async def test_each_kpi_of_the_whole_is_on_the_page_with_its_value_or_with_why_it_has_none(settings, stale):
    targets = tuple(KpiTarget(kpi, "0.5", "1h") for kpi in ("call_connect_ratio", "reply_ratio", "calls"))
    snapshot = at_noon(*CALLS, rules=replace(RULES, targets=targets, leaderboards=(Leaderboard("calls"),)))
    async with serving(snapshot, settings) as client:
        found = samples((await client.get("/metrics")).text)
    assert found["leadbeat_kpis_stale", ()] == stale
    without = {labels: value for (metric, labels), value in found.items() if metric == "leadbeat_kpi_without_value"}
    assert set(without.values()) == {1}
    for name in ("call_connect_ratio", "meeting_show_ratio"):
        state = "stale" if stale else FRESH[name]
        assert (("kpi", name), ("state", state), ("window", "1h")) in without
        assert (f"leadbeat_{name}", (("window", "1h"),)) not in found
    for name in ("call_connect_ratio", "reply_ratio"):
        assert [dict(labels)["kpi"] for labels in without if dict(labels).get("of") == name] == ["target_attainment_ratio"]
    assert found["leadbeat_calls", (("window", "1h"),)] == 2
    assert found["leadbeat_target_attainment_ratio", (("kpi", "calls"), ("window", "1h"))] == 4
    assert found["leadbeat_rank_by_rep", (("kpi", "calls"), ("rep", "ana"), ("window", "1h"))] == 1
    withheld = [row for rows in snapshot.rows.values() for key, row in rows.items() if "|" not in key and row.value is None]
    assert len(without) == len(withheld) > 100
