"""uvicorn around an application, for every process that answers HTTP.

No access log (URLs hold tokens), no patience with slow headers, a graceful end.
"""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from streams.errors import Fatal

HEADER_TIMEOUT_S = 5.0
"""How long a connection may be open without the whole of a request's headers; uvicorn itself would wait for ever."""

DRAIN_S = 20
"""How long requests may take to finish after SIGTERM."""

MOST_CONNECTIONS = 1000
BACKLOG = 2048


class ImpatientProtocol(HttpToolsProtocol):
    """HTTP that closes a connection whose headers do not come."""

    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for the first request."""
        super().connection_made(transport)
        self._wait_for_headers()

    def on_message_begin(self) -> None:
        """Start waiting for the rest of a request's headers."""
        super().on_message_begin()
        self._wait_for_headers()

    def on_headers_complete(self) -> None:
        """Stop waiting: the application takes care of the body."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_headers(self) -> None:
        self._stop_waiting()
        self._header_timer = self.loop.call_later(HEADER_TIMEOUT_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None


class Server(uvicorn.Server):
    """uvicorn's server, ended by `should_exit` alone: its own signal handling would end the process with the signal."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve`."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any free one. Raises Fatal if the address cannot be had."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise Fatal(f"{host}:{port}", f"cannot listen: {error.strerror}", "choose another host or port") from None


def server_of(app: ASGIApp) -> Server:
    """A server for an application, not yet serving; set `should_exit` to end it."""
    options: dict[str, Any] = {
        "access_log": False,
        "http": ImpatientProtocol,
        "lifespan": "off",
        "limit_concurrency": MOST_CONNECTIONS,
        "log_config": None,
        "proxy_headers": False,
        "server_header": False,
        "timeout_graceful_shutdown": DRAIN_S,
        "ws": "none",
    }
    return Server(uvicorn.Config(app, **options))


async def serve(app: ASGIApp, listener: socket.socket, closing: asyncio.Event | None = None) -> None:
    """Serve until SIGTERM or SIGINT: then accept no more, finish what has come in, and return.

    `closing` is set then, for answers that have no end of their own.
    """
    server = server_of(app)
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def end(number: int) -> None:
        server.handle_exit(number, None)
        if closing is not None:
            closing.set()

    for each in signals:
        loop.add_signal_handler(each, end, each)
    try:
        await server.serve(sockets=[listener])
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
