"""uvicorn around an application, for every process that answers HTTP.

No access log (URLs hold tokens), no patience with slow headers, a graceful end.
"""

import asyncio
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from streams.errors import Fatal

HEADER_TIMEOUT_S = 5.0
"""How long a connection may be open without the whole of a request's headers; uvicorn itself would wait for ever."""

DRAIN_S = 20
"""How long requests may take to finish after SIGTERM."""

MOST_CONNECTIONS = 3000
"""How many connections there may be at once; for one more, that is closed which has waited longest for its client."""

OWN_DESCRIPTORS = 100
"""How many files a process may need beside its connections."""

MOST_HEADERS = 100
MOST_HEADER_BYTES = 32 * 1024
"""How long a request's line and headers may be together; and what the parser may hold back of anything else."""

BACKLOG = 2048


class ImpatientProtocol(HttpToolsProtocol):
    """HTTP that closes a connection whose headers do not come, or are too many; and some, where there are too many of them.

    `waiting`: the connections that wait for their client, all those of a server, the longest waiting first.
    """

    _header_timer: asyncio.TimerHandle | None = None
    _held_back = 0
    _too_much = False

    def __init__(self, waiting: dict["ImpatientProtocol", None], most: int, **of_server: Any) -> None:
        super().__init__(**of_server)
        self._waiting, self._most = waiting, most

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start waiting for the first request."""
        super().connection_made(transport)
        self._wait_for_headers()
        self._waiting[self] = None
        if len(self.connections) > self._most:
            self.logger.warning("Too many connections: closed the one that has waited longest for its client.")
            next(iter(self._waiting)).give_up()

    def give_up(self) -> None:
        """Wait for the client no longer."""
        self._waiting.pop(self, None)
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Take in what has come, unless the parser holds back too much: it does so until a header ends, in trailers too."""
        self._held_back += len(data)
        super().data_received(data)
        if self._held_back > MOST_HEADER_BYTES and not self.transport.is_closing():
            self._refuse()

    def on_message_begin(self) -> None:
        """Start waiting for the rest of a request's headers."""
        super().on_message_begin()
        self._wait_for_headers()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take in a header, or a trailer. Raises ValueError for one too many."""
        if len(self.headers) >= MOST_HEADERS:
            self._too_much = True
            raise ValueError(name)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop waiting: the application takes care of the body. Raises ValueError for too many bytes."""
        self._stop_waiting()
        self._held_back = 0
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MOST_HEADER_BYTES:
            self._too_much = True
            raise ValueError(len(self.headers))
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take in a part of the body."""
        self._held_back = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the client no longer."""
        self._held_back = 0
        self._waiting.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Start waiting for the next request, or the rest of one that was answered early."""
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self._waiting.setdefault(self)
            self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        self._waiting.pop(self, None)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Tell what is wrong with a request that cannot be read, and close."""
        if self._too_much:
            self._refuse()
        else:
            super().send_400_response(msg)

    def _refuse(self) -> None:
        self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()

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
        "http": partial(ImpatientProtocol, {}, _connections()),
        "lifespan": "off",
        "log_config": None,
        "proxy_headers": False,
        "server_header": False,
        "timeout_graceful_shutdown": DRAIN_S,
        "ws": "none",
    }
    return Server(uvicorn.Config(app, **options))


def _connections() -> int:
    """How many connections there may be; the process is let have as many files as that takes, if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + OWN_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, soft - OWN_DESCRIPTORS)


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
