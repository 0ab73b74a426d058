"""What every process but the exporter tells of itself over HTTP: that it lives, whether it is ready, and its own metrics."""

import asyncio
from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from streams.server import listen, server_of


class Readiness:
    """Whether a consuming process is ready: while nothing is against it, and never again once it is about to end."""

    def __init__(self, unready: Callable[[], str | None]) -> None:
        self._unready = unready
        self._ending = False

    def end(self) -> None:
        """The process is about to end."""
        self._ending = True

    def fault(self) -> str | None:
        """Why the process is not ready, or None."""
        return "about to end" if self._ending else self._unready()


def routes(registry: CollectorRegistry, fault: Callable[[], str | None]) -> list[Route]:
    """GET /livez, /readyz and /metrics. `fault` says why the process is not ready, or None."""

    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        found = fault()
        return PlainTextResponse(f"{found or 'ok'}\n", 503 if found else 200)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE_LATEST})

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


async def tell(host: str, port: int, registry: CollectorRegistry, fault: Callable[[], str | None]) -> None:
    """Serve these, and nothing else, until cancelled. Raises Fatal if the address cannot be had."""
    server = server_of(Starlette(routes=list(routes(registry, fault))))
    with listen(host, port) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = server.force_exit = True
            await asyncio.wait([serving])
