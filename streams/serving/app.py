"""The exporter's process: metrics, health and API under one roof."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.applications import Starlette

from models.errors import LeadbeatError
from streams import telemetry
from streams.config import Settings
from streams.errors import Fatal
from streams.serving import api, exporter, health
from streams.serving.answers import on_error
from streams.serving.profile import Profile
from streams.serving.table import Table

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
DRAIN_S: Final = 5


def create(settings: Settings, table: Table) -> Starlette:
    """The application: /metrics, /livez, /readyz and /api/v1/*."""
    profile = Profile(settings.profile.board_windows, settings.profile.max_series)
    return Starlette(
        routes=[
            exporter.route(table, profile, telemetry.registry()),
            *health.routes(table, ticks_are_wall=settings.ticks == "wall"),
            *api.routes(table),
        ],
        exception_handlers={LeadbeatError: on_error},
    )


async def run(settings: Settings, table: Table) -> None:
    """Serve until SIGTERM or SIGINT, then finish what has come in and return. Raises Fatal if the address cannot be had."""
    listener = _listen(settings.exporter.host, settings.exporter.port)
    config = uvicorn.Config(
        create(settings, table),
        access_log=False,
        lifespan="off",
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
        ws="none",
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()
    for each in SIGNALS:
        loop.add_signal_handler(each, server.handle_exit, each, None)
    try:
        await server.serve([listener])
    finally:
        for each in SIGNALS:
            loop.remove_signal_handler(each)


class _Server(uvicorn.Server):
    """uvicorn's server, but a signal ends it in order and not the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise Fatal(f"{host}:{port}", f"cannot listen: {error.strerror}", "set exporter.host and exporter.port") from None
