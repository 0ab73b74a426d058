"""The exporter as a process of its own, over a real Redis, scraped by a real Prometheus."""

import asyncio
import subprocess

import httpx
import pytest
from build import MINUTE, call
from published import at_noon, of_kpis, publish, samples
from services import answers, until_sync

from streams.config import ExporterSettings, Settings
from streams.errors import Fatal
from streams.serving import health
from streams.serving.app import run
from streams.serving.profile import Profile
from streams.tables import connect

METRICS = Profile(("1h",), 1).helps.keys()


def publish_now(redis_server):
    clock = health.wall()

    async def connected():
        redis = connect(redis_server.url)
        await publish(redis, "lb", at_noon(call("c1", clock - MINUTE, rep="ana", changed_at=clock), clock=clock))
        await redis.aclose()

    asyncio.run(connected())
    return clock


def test_from_redis_to_page_to_readiness_to_an_end_in_order(redis_server, exporter):
    server, url = exporter
    assert httpx.get(f"{url}/readyz").status_code == 503
    clock = publish_now(redis_server)
    until_sync(lambda: answers(f"{url}/readyz"), 10, "the exporter is ready")
    found = samples(httpx.get(f"{url}/metrics").text)
    assert found["leadbeat_clock_timestamp_seconds", ()] == clock / 1000
    assert found["leadbeat_calls_by_rep", (("rep", "ana"), ("window", "1h"))] == 1
    assert httpx.get(f"{url}/api/v1/kpis?kpi=calls&window=1h&by=whole").json()["clock"] == clock
    process = server.process
    assert process is not None
    process.terminate()
    assert process.wait(10) == 0, server.output()


def test_prometheus_takes_the_whole_page(redis_server, exporter, prometheus):
    _, url = exporter
    publish_now(redis_server)
    until_sync(lambda: answers(f"{url}/readyz"), 10, "the exporter is ready")
    page = httpx.get(f"{url}/metrics").text
    target = {"job_name": "leadbeat", "scrape_interval": "1s", "static_configs": [{"targets": [url.removeprefix("http://")]}]}
    running = prometheus({"scrape_configs": [target]})
    until_sync(lambda: running.query('up{job="leadbeat"} == 1'), 20, "Prometheus has scraped the page")
    (counted,) = running.query('count({job="leadbeat", __name__=~"leadbeat_.+"})')
    own = {(metric, labels) for metric, labels in samples(page) if metric.startswith("leadbeat_") and metric not in METRICS}
    assert int(counted["value"][1]) == len(of_kpis(samples(page), METRICS)) + len(own)
    (rep,) = running.query('leadbeat_calls_by_rep{rep="ana",window="1h"}')
    assert rep["value"][1] == "1"


def test_promtool_finds_nothing_to_say_against_the_page(redis_server, exporter):
    _, url = exporter
    publish_now(redis_server)
    until_sync(lambda: answers(f"{url}/readyz"), 10, "the exporter is ready")
    page = httpx.get(f"{url}/metrics").content
    try:
        checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no promtool on the PATH (on Debian: apt install prometheus)")
    assert (checked.returncode, checked.stderr) == (0, b"")


async def test_an_address_that_is_taken_is_refused(exporter):
    _, url = exporter
    taken = Settings(exporter=ExporterSettings(port=int(url.rpartition(":")[2])))
    with pytest.raises(Fatal, match="cannot listen"):
        await run(taken, None)
