"""What a process tells of itself over HTTP."""

import asyncio

import httpx
from prometheus_client import CollectorRegistry, Counter
from services import free_port, until
from starlette.applications import Starlette

from streams.vitals import Readiness, routes, tell


def test_a_process_is_ready_while_its_consumer_is_and_not_once_it_is_about_to_end() -> None:
    faults: list[str | None] = ["still loading partitions"]
    readiness = Readiness(lambda: faults[0])
    assert readiness.fault() == "still loading partitions"

    faults[0] = None
    assert readiness.fault() is None

    readiness.end()
    assert readiness.fault() == "about to end"


async def test_readiness_is_answered_with_the_reason() -> None:
    fault: list[str | None] = ["still loading"]
    app = Starlette(routes=list(routes(CollectorRegistry(), lambda: fault[0])))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        unready = await client.get("/readyz")
        assert (unready.status_code, unready.text) == (503, "still loading\n")
        assert (await client.get("/livez")).status_code == 200

        fault[0] = None
        assert (await client.get("/readyz")).status_code == 200


async def test_metrics_are_served_until_it_is_cancelled() -> None:
    registry, port = CollectorRegistry(), free_port()
    Counter("beats", "Beats.", registry=registry).inc(3)
    telling = asyncio.create_task(tell("127.0.0.1", port, registry, lambda: None))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

        async def served() -> bool:
            try:
                return "beats_total 3.0" in (await client.get("/metrics")).text
            except httpx.TransportError:
                return False

        await until(served, 10, "the metrics are served")
        telling.cancel()
        await asyncio.wait([telling])
        assert not await served()
