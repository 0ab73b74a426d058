"""The KPI table and the catalogue over HTTP."""

import re

import pytest
from build import MINUTE, NOON, RULES, call, email, lead
from msgspec.structs import replace
from published import at_noon, serving
from services import CHECKOUT

from models.catalogue import FIGURES, VERSION
from streams.errors import Fatal, Retry
from streams.serving.selection import PARAMETERS, VALID
from streams.serving.table import Snapshot

SNAPSHOT = at_noon(
    call("c1", NOON - MINUTE, rep="ana"),
    call("c2", NOON - 2 * MINUTE, rep="ben"),
    lead(of="lead-2", created_at=NOON - 3 * MINUTE, owner="ana"),
    exact=False,
)


async def ask(path, snapshot=SNAPSHOT):
    async with serving(snapshot) as client:
        response = await client.get(path)
    assert response.headers["content-type"] == "application/json"
    return response.status_code, response.json()


async def kpis(query):
    status, answer = await ask(f"/api/v1/kpis?{query}")
    assert status == 200
    return answer["kpis"]


async def test_an_answer_says_of_which_round_it_is():
    _, answer = await ask("/api/v1/kpis?kpi=calls&window=1h&by=whole")
    assert answer == {
        "clock": NOON,
        "known_until": NOON - 2000,
        "round": 7,
        "exact": False,
        "stale": False,
        "kpis": [
            {
                "id": "calls",
                "labels": {},
                "window": "1h",
                "by": "",
                "slice": "",
                "value": 2.0,
                "numerator": 2,
                "denominator": None,
                "state": "ok",
                "unit": "",
            }
        ],
    }


async def test_without_filters_the_whole_table_comes():
    assert len(await kpis("")) == sum(len(rows) for rows in SNAPSHOT.rows.values())
    assert len(await kpis("kpi=&window=&by=&slice=&text=")) == len(await kpis(""))


async def test_filters_narrow_and_repeated_ones_widen():
    by_rep = await kpis("kpi=calls&window=1h&by=rep")
    assert {row["slice"]: row["value"] for row in by_rep} == {"ana": 1, "ben": 1, "cleo": 0}
    assert [row["slice"] for row in await kpis("kpi=calls&window=1h&by=rep&slice=ben")] == ["ben"]
    several = await kpis("kpi=calls&kpi=emails&window=1h&window=today&by=whole&by=team")
    assert {(row["id"], row["window"], row["by"]) for row in several} == {
        (kpi, window, by) for kpi in ("calls", "emails") for window in ("1h", "today") for by in ("", "team")
    }


async def test_rows_come_in_the_order_of_the_catalogue_then_by_window_labels_and_slice():
    rows = await kpis("slice=cleo&slice=ana&slice=&kpi=sla_warnings&kpi=calls&window=today&window=1h&by=rep&by=whole")
    assert [(row["id"], row["window"], *row["labels"].values(), row["slice"]) for row in rows] == [
        *(("sla_warnings", "1h", percent, rep) for percent in ("50", "80") for rep in ("ana", "cleo")),
        *(("sla_warnings", "today", percent, rep) for percent in ("50", "80") for rep in ("ana", "cleo")),
        *(("calls", window, rep) for window in ("1h", "today") for rep in ("ana", "cleo")),
    ]
    by = [row["by"] for row in await kpis("kpi=calls&window=1h")]
    assert by == sorted(by, key=["", "rep", "team", "lead_source", "channel", "sentiment"].index)


PAIRED = replace(RULES, pairs=(("rep", "channel"), ("team", "lead_source")))
PAIRS = at_noon(call("c1", NOON - MINUTE, rep="ana"), email("e1", NOON - MINUTE, rep="ben"), rules=PAIRED)


async def test_a_configured_pair_is_asked_for_by_both_its_names():
    status, answer = await ask("/api/v1/kpis?kpi=touches&window=1h&by=rep,channel", PAIRS)
    assert status == 200
    assert {(row["by"], row["slice"]): row["value"] for row in answer["kpis"]} == {
        ("rep,channel", "ana,call"): 1,
        ("rep,channel", "ben,email"): 1,
    }
    status, answer = await ask("/api/v1/kpis?kpi=touches&window=1h&by=team,lead_source&slice=north,unknown", PAIRS)
    assert [row["value"] for row in answer["kpis"]] == [2]
    status, answer = await ask("/api/v1/kpis?kpi=touches&window=1h", PAIRS)
    assert list(dict.fromkeys(row["by"] for row in answer["kpis"])) == [
        *("", "rep", "team", "lead_source", "channel", "rep,channel", "team,lead_source")
    ]


@pytest.mark.parametrize("by", ["rep,team", "channel,rep", "origin"])
async def test_what_is_not_sliced_by_is_refused_with_what_is(by):
    status, answer = await ask(f"/api/v1/kpis?by=rep&by={by}", PAIRS)
    assert (status, answer["where"], answer["what"]) == (400, "by", f"nothing is sliced by {by!r}")
    assert answer["todo"].startswith("one of rep, team, lead_source, channel, sentiment, rep,channel, team,lead_source, or")


async def test_how_the_table_is_ordered_does_not_show():
    backwards = {window: dict(reversed(rows.items())) for window, rows in reversed(SNAPSHOT.rows.items())}
    assert await ask("/api/v1/kpis", SNAPSHOT._replace(rows=backwards)) == await ask("/api/v1/kpis")


async def test_a_slice_that_may_come_is_empty_and_one_that_is_not_known_refused():
    assert await kpis("slice=unassigned&by=team&kpi=calls&window=1h") == []
    assert await kpis("slice=call&by=rep") == []
    status, answer = await ask("/api/v1/kpis?slice=anna&slice=ben")
    assert (status, answer["where"], answer["what"]) == (400, "slice", "'anna' is not known")
    assert answer["todo"] == (
        "one of ana, ben, call, cleo, email, inbound, meeting, message, negative, neutral, north, other, outbound, "
        "positive, south, unassigned, unknown"
    )


async def test_levels_are_in_the_window_now():
    (row,) = await kpis("kpi=leads_awaiting_response&window=now&by=whole")
    assert row["value"] == 1
    assert await kpis("kpi=leads_awaiting_response&window=1h") == []


async def test_the_oldest_lead_has_its_instants_in_ms_too():
    (row,) = await kpis("kpi=oldest_lead_waiting&by=whole")
    assert (row["value"], row["unit"]) == ((NOON - 3 * MINUTE) / 1000, "timestamp_seconds")
    assert (row["numerator"], row["denominator"]) == (NOON - 3 * MINUTE, NOON + 2 * MINUTE)


async def test_a_duration_goes_by_its_own_name_with_all_its_figures():
    assert {row["id"] for row in await kpis("kpi=reply_time&by=whole")} == {
        f"reply_time_{suffix}" for suffix in ("samples", "mean", "p50", "p90", "p95", "max")
    }


async def test_labels_tell_figures_of_one_id_apart():
    rows = await kpis("kpi=sla_warnings&window=1h&by=whole")
    assert {row["labels"]["sla_percent"]: row["value"] for row in rows} == {"50": 1, "80": 0}


async def test_what_is_withheld_says_so():
    (row,) = await kpis("kpi=call_connect_ratio&window=1h&by=whole")
    assert (row["value"], row["denominator"], row["state"]) == (None, 2, "insufficient")


async def test_the_definition_comes_if_asked_for():
    (row,) = await kpis("kpi=calls&window=1h&by=whole&text=1")
    assert row["text"] == "Outbound calls by a person, at the call."


@pytest.mark.parametrize(
    ("query", "where", "valid"),
    [
        ("kpi=phone_calls", "kpi", "sla_breaches"),
        ("window=2h", "window", "5m, 15m, 1h, 4h, 24h, 7d, 30d, 60d, 90d, today, week, month, quarter, year, now"),
        ("by=weather", "by", "whole, rep, team, lead_source, origin, sales_region, segment, campaign, channel, sentiment"),
        ("text=yes", "text", "0, 1"),
        ("format=xml", "format", "json, csv"),
        ("kpis=calls", "query", "kpi, window, by, slice, text, format"),
    ],
)
async def test_what_is_not_known_is_refused_with_what_is(query, where, valid):
    status, answer = await ask(f"/api/v1/kpis?{query}")
    assert status == 400
    assert answer["where"] == where
    assert repr(query.partition("=")[2] if where != "query" else "kpis") in answer["what"]
    assert valid in answer["todo"]


def test_the_readme_has_every_parameter_and_what_it_may_be():
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", (CHECKOUT / "README.md").read_text(), re.MULTILINE))
    assert tuple(rows) == PARAMETERS
    for parameter in ("window", "by"):
        assert re.findall(r"`(\S+)`", rows[parameter]) == list(VALID[parameter])
    assert re.findall(r"`(\S+)`", rows["format"])[:2] == list(VALID["format"])


async def test_rows_of_another_catalogue_are_not_told():
    row = SNAPSHOT.rows["1h"]["calls"]
    rows = {"1h": {"calls": row, "phone_calls": row, "calls|weather=fair": row}}
    _, answer = await ask("/api/v1/kpis", SNAPSHOT._replace(rows=rows))
    assert [found["id"] for found in answer["kpis"]] == ["calls"]


async def test_a_table_that_cannot_be_read_is_said_in_the_same_form():
    down = Retry("redis", "does not answer", "wait")
    assert await ask("/api/v1/kpis", down) == (503, {"where": "redis", "what": "does not answer", "todo": "wait"})
    assert (await ask("/api/v1/kpis", Fatal("table", "is strange", "look")))[0] == 500
    status, answer = await ask("/api/v1/kpis", Snapshot(None, {}))
    assert (status, answer["where"]) == (503, "round")


async def test_the_catalogue_tells_all_figures_and_what_they_are_called():
    status, answer = await ask("/api/v1/catalogue")
    assert status == 200
    assert answer["version"] == VERSION
    assert len(answer["kpis"]) == len(FIGURES)
    entries = {entry["id"]: entry for entry in answer["kpis"]}
    assert entries["reply_ratio"] == {
        "id": "reply_ratio",
        "labels": {},
        "formula": "ratio",
        "unit": "ratio",
        "text": "leads_replied ÷ leads_first_reached",
        "numerator": ["leads_replied"],
        "denominator": ["leads_first_reached"],
        "windows": entries["calls"]["windows"],
        "by": ["rep", "team", "lead_source", "origin", "sales_region", "segment", "campaign", "channel"],
        "board": ["team", "lead_source", "channel", "segment", "origin", "rep"],
        "metrics": ["leadbeat_reply_ratio"],
        "leads": ["numerator", "denominator"],
    }
    assert entries["leads_overdue"]["windows"] == ["now"]
    assert entries["oldest_lead_waiting"]["metrics"] == [
        "leadbeat_oldest_lead_waiting_timestamp_seconds",
        "leadbeat_oldest_lead_waiting_due_timestamp_seconds",
    ]
