"""Whether the process lives, and whether what it serves is fresh."""

import httpx
import pytest
from build import NOON
from published import Shelf, at_noon, serving
from starlette.applications import Starlette

from models.units import Millis
from streams.config import Settings
from streams.errors import Fatal, Retry
from streams.serving import health
from streams.serving.table import Snapshot


async def ready(snapshot, behind_ms=0, *, ticks_are_wall=True):
    routes = health.routes(Shelf(snapshot), ticks_are_wall=ticks_are_wall, now=lambda: Millis(NOON + behind_ms))
    transport = httpx.ASGITransport(app=Starlette(routes=routes))
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        response = await client.get("/readyz")
    return response.status_code, response.json()


async def test_a_fresh_round_is_ready():
    assert await ready(at_noon(), 15_000) == (200, {"ready": True})
    assert await ready(at_noon(), -3_000) == (200, {"ready": True})


async def test_an_old_round_is_not():
    status, reason = await ready(at_noon(), 15_001)
    assert status == 503
    assert (reason["where"], reason["what"]) == ("clock", "stands 15.0 s behind")


async def test_where_others_write_the_ticks_any_round_is_ready():
    assert (await ready(at_noon(), 10**9, ticks_are_wall=False))[0] == 200
    assert (await ready(Snapshot(None, {}), ticks_are_wall=False))[0] == 503


async def test_no_round_is_not_ready():
    status, reason = await ready(Snapshot(None, {}))
    assert (status, reason["where"]) == (503, "round")


@pytest.mark.parametrize("error", [Retry("redis", "does not answer", "wait"), Fatal("redis", "does not answer", "wait")])
async def test_without_redis_nothing_is_ready_and_the_reason_is_told(error):
    assert await ready(error) == (503, {"where": "redis", "what": "does not answer", "todo": "wait"})


async def test_a_process_that_answers_lives_whatever_redis_does():
    async with serving(Retry("redis", "does not answer")) as client:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503


async def test_the_application_goes_by_this_machines_time():
    async with serving(at_noon(), Settings()) as client:
        assert (await client.get("/readyz")).json()["where"] == "clock"
    async with serving(at_noon(clock=health.wall()), Settings()) as client:
        assert (await client.get("/readyz")).status_code == 200
