"""The page that Prometheus scrapes."""

import pytest
from build import MINUTE, NOON, call, member
from hypothesis import given
from hypothesis import strategies as st
from published import at_noon, of_kpis, round_of, samples, serving

from models.rules import Rules
from models.units import Millis
from streams.config import Organisation, Settings
from streams.config import Profile as ProfileSettings
from streams.errors import Fatal, Retry
from streams.serving.profile import Profile
from streams.serving.table import Row, Snapshot

METRICS = Profile(("1h",), 1).helps.keys()


async def page(snapshot, settings=None):
    async with serving(snapshot, settings) as client:
        response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return response.text


async def test_the_page_has_the_kpis_and_the_round_that_they_are_of():
    snapshot = at_noon(call("c1", NOON - MINUTE, rep="ana"), exact=False, spread_ms=1500)
    found = samples(await page(snapshot))
    assert found["leadbeat_calls", (("window", "1h"),)] == 1
    assert found["leadbeat_calls_by_rep", (("rep", "ana"), ("window", "1h"))] == 1
    assert found["leadbeat_leads_awaiting_response", ()] == 0
    expected = {
        "leadbeat_clock_timestamp_seconds": NOON / 1000,
        "leadbeat_known_until_timestamp_seconds": NOON / 1000 - 2,
        "leadbeat_round": 7,
        "leadbeat_round_exact": 0,
        "leadbeat_round_stale": 0,
        "leadbeat_spread_seconds": 1.5,
        "leadbeat_published_timestamp_seconds": NOON / 1000 + 0.15,
        "leadbeat_redis_up": 1,
        "leadbeat_exporter_series": len(of_kpis(found, METRICS)),
        "leadbeat_exporter_series_dropped": 0,
    }
    assert {metric: found[metric, ()] for metric in expected} == expected
    assert 0 <= found["leadbeat_scrape_duration_seconds", ()] < 60


@pytest.mark.parametrize(("entry", "began"), [("Mon 09:00-18:00", NOON / 1000 - 3 * 3600), ("Tue 09:00-18:00", None)])
async def test_working_hours_go_by_the_clock_of_the_round(entry, began):
    settings = Settings(organisation=Organisation.model_validate({"working_hours": [entry]}))
    found = samples(await page(at_noon(), settings))
    assert found["leadbeat_working_time", ()] == (began is not None)
    assert found.get(("leadbeat_working_time_began_timestamp_seconds", ())) == began


@pytest.mark.parametrize(("zone", "offset_s"), [("UTC", 0), ("Asia/Kolkata", 19_800), ("America/New_York", -18_000)])
async def test_the_offset_from_utc_goes_by_the_clock_of_the_round(zone, offset_s):
    found = samples(await page(at_noon(), Settings(organisation=Organisation(zone=zone))))
    assert found["leadbeat_utc_offset_seconds", ()] == offset_s


async def test_the_zone_is_that_of_the_rules_that_the_round_goes_by():
    settings = Settings(organisation=Organisation.model_validate({"zone": "UTC", "working_hours": ["Mon 14:00-15:00"]}))
    found = samples(await page(at_noon(zone="Africa/Cairo"), settings))
    assert found["leadbeat_utc_offset_seconds", ()] == 7_200
    assert found["leadbeat_working_time", ()] == 1


async def test_every_metric_says_what_it_is_and_none_is_not_a_number():
    text = await page(at_noon())
    helps = {line.split(" ")[2] for line in text.splitlines() if line.startswith("# HELP leadbeat_")}
    types = {line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE leadbeat_")}
    shown = {metric for metric, _ in samples(text) if metric.startswith("leadbeat_")}
    assert helps == types == shown
    assert "NaN" not in text


async def test_help_says_what_to_alert_on():
    helps = dict(line.split(" ", 3)[2:] for line in (await page(at_noon())).splitlines() if line.startswith("# HELP leadbeat_"))
    assert "Alert on its age" in helps["leadbeat_clock_timestamp_seconds"]
    assert "Alert on the clock's age instead" in helps["leadbeat_round_stale"]


async def test_without_redis_there_are_no_kpis_but_there_is_an_answer():
    for error in (Retry("redis", "does not answer"), Fatal("lb:{kpi}:applied", "is not a KPI table")):
        found = samples(await page(error))
        names = {key[0] for key in found if key[0].startswith("leadbeat_")}
        assert names - {"leadbeat_api_refused_total", "leadbeat_api_refused_created"} == {
            "leadbeat_redis_up",
            "leadbeat_exporter_series",
            "leadbeat_exporter_series_dropped",
            "leadbeat_scrape_duration_seconds",
        }
        assert found["leadbeat_redis_up", ()] == 0
        assert found["leadbeat_exporter_series", ()] == 0


async def test_before_the_first_round_redis_is_up_and_there_is_no_clock():
    found = samples(await page(Snapshot(None, {})))
    assert found["leadbeat_redis_up", ()] == 1
    assert ("leadbeat_clock_timestamp_seconds", ()) not in found


async def test_what_the_cap_drops_is_counted():
    few = Settings(profile=ProfileSettings(max_series=100))
    found = samples(await page(at_noon(), few))
    assert len(of_kpis(found, METRICS)) == found["leadbeat_exporter_series", ()] == 100
    assert found["leadbeat_exporter_series_dropped", ()] > 1000


async def test_the_processs_own_vitals_are_there_too():
    assert ("process_cpu_seconds_total", ()) in samples(await page(at_noon()))


ANY_TEXT = st.text(st.characters(exclude_categories=()), min_size=1)
"""Lone surrogates among it, which `text()` leaves out by itself."""


@given(names=st.lists(ANY_TEXT, max_size=5, unique=True))
async def test_hostile_names_leave_the_page_readable_with_every_sample_on_it(names):
    row = Row(1.0, 1, None, "ok", 7)
    rows = {"1h": {f"calls|rep={name}": row for name in names}, "now": {f"leads_overdue|team={name}": row for name in names}}
    found = samples(await page(Snapshot(round_of({"rep": names}), rows)))
    for metric in ("leadbeat_calls_by_rep", "leadbeat_leads_overdue_by_team"):
        assert len(of_kpis(found, [metric])) == len(names)


async def test_quotes_newlines_and_lone_surrogates_in_names():
    names = ['"ana"', "be\nn", "c\\leo", "d|o=r{a}", "e\ud800", "\x00", "\u2028", "  "]
    rules = Rules(roster=tuple(member(name, f"team {name}") for name in names))
    found = samples(await page(at_noon(rules=rules, clock=Millis(NOON))))
    calls = [dict(labels)["rep"] for metric, labels in found if metric == "leadbeat_calls_by_rep"]
    assert len(calls) == len(names) * 5
    assert {'"ana"', "c\\leo", "d|o=r{a}", "be\ufffd000an", "e\ufffdd800", "  "} <= set(calls)
