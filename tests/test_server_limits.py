"""What a server does against clients that send too much, too slowly, or too many connections."""

import asyncio
import resource
from contextlib import AsyncExitStack, suppress

import pytest
from services import until
from sockets import answered, connected, ended, served

from streams import server

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Application:
    """Answers once it has the body, or at once, or when it is let."""

    def __init__(self) -> None:
        self.at_once = False
        self.lets = asyncio.Event()
        self.lets.set()
        self.under_way = 0

    async def __call__(self, scope, receive, send):
        self.under_way += 1
        while not self.at_once:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            if not message["more_body"]:
                break
        await self.lets.wait()
        await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        self.under_way -= 1


@pytest.fixture
async def application() -> Application:
    return Application()


@pytest.fixture
async def port(application):
    async with served(application) as port:
        yield port


def with_headers(*headers: bytes) -> bytes:
    return REQUEST + b"".join(b"%s\r\n" % header for header in headers) + b"Content-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (with_headers(*(b"x-%d: y" % number for number in range(server.MOST_HEADERS - 2))), b"202"),
        (with_headers(*(b"x-%d: y" % number for number in range(server.MOST_HEADERS - 1))), b"431"),
        (with_headers(b"x: " + b"y" * 30_000), b"202"),
        (with_headers(b"x: " + b"y" * server.MOST_HEADER_BYTES), b"431"),
        (with_headers(b"x" * server.MOST_HEADER_BYTES + b": y"), b"431"),
        (with_headers(*(b"x-%d: " % number + b"y" * 1000 for number in range(40))), b"431"),
        (GET.replace(b"/ ", b"/" + b"x" * server.MOST_HEADER_BYTES + b" "), b"431"),
    ],
)
async def test_too_many_headers_or_too_long_ones_are_refused(port, request_, status):
    async with connected(port, request_) as (reader, _):
        assert (await answered(reader)).split(b" ")[1:2] == [status]
        if status == b"431":
            await ended(reader)


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /",
        b"POST / HTTP/1.1\r\nX-Endless: ",
        b"POST / HTTP/1.1\r\nEndless",
        REQUEST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Trailer: ",
    ],
    ids=["a URL", "a header", "a header's name", "a trailer"],
)
async def test_what_has_no_end_is_not_kept_until_it_ends(port, begun):
    """More than the parser is let hold back is never read: the connection is closed while the client still writes."""
    sent = 0
    async with connected(port, begun) as (reader, writer):
        with suppress(ConnectionError):
            async with asyncio.timeout(10):
                while True:
                    writer.write(b"x" * 4096)
                    await writer.drain()
                    sent += 4096
        assert sent < 2**24  # what lies in the sockets' own buffers
        await ended(reader)


async def test_trailers_are_counted_as_headers_are(application, port):
    trailers = b"".join(b"x-%d: y\r\n" % number for number in range(server.MOST_HEADERS))
    async with connected(port, REQUEST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + trailers) as (reader, _):
        await ended(reader)
    await until(lambda: application.under_way == 1, 5, "the application was told of the end")


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 1000000\r\n\r\n" + bytes(1_000_000),
        b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n",
    ],
    ids=["whole", "in small chunks"],
)
async def test_a_large_body_is_nothing_that_is_held_back(port, rest):
    async with connected(port, REQUEST + rest) as (reader, _):
        assert b" 202 " in await answered(reader)


async def test_a_client_that_was_answered_early_has_to_come_to_an_end(application, port, monkeypatch):
    monkeypatch.setattr(server, "HEADER_TIMEOUT_S", 0.2)
    application.at_once = True
    async with connected(port, REQUEST + b"Content-Length: 1000000\r\n\r\n") as (reader, writer):
        assert b" 202 " in await answered(reader)
        await _drip(writer, b"x", reader)


async def test_line_breaks_between_requests_keep_no_connection(port, monkeypatch):
    monkeypatch.setattr(server, "HEADER_TIMEOUT_S", 0.2)
    async with connected(port, GET) as (reader, writer):
        assert b" 202 " in await answered(reader)
        await _drip(writer, b"\r\n", reader)


async def _drip(writer: asyncio.StreamWriter, drop: bytes, reader: asyncio.StreamReader) -> None:
    """Send drops until the server closes the connection."""
    ending = asyncio.create_task(ended(reader))

    def dripped() -> bool:
        with suppress(ConnectionError):
            writer.write(drop)
        return ending.done()

    await until(dripped, 10, "closed")
    await ending


@pytest.fixture
def few(monkeypatch) -> int:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 10)
    return 10


async def test_of_too_many_connections_those_are_closed_that_have_waited_longest_for_their_client(few, application, port):
    application.lets.clear()
    async with AsyncExitStack() as opened:
        busy, _ = await opened.enter_async_context(connected(port, GET))
        await until(lambda: application.under_way == 1, 5, "the application is at work")
        begun = [said for said in (b"", b"GET / HT", REQUEST) for _ in range(9)]
        idle = [await opened.enter_async_context(connected(port, said)) for said in begun]
        for reader, _ in idle[: -few + 1]:
            await ended(reader)
        for _, writer in idle[-few + 1 :]:
            writer.write(b"\r\n")
        application.lets.set()
        for reader in (busy, *(reader for reader, _ in idle[-few + 1 :])):
            assert b" 202 " in await answered(reader)


async def test_who_is_quick_is_served_whatever_the_number_of_those_who_are_not(few, port):
    async with AsyncExitStack() as opened:
        for turn in range(20):
            await opened.enter_async_context(connected(port, b"POST /"))
            async with connected(port, GET) as (reader, _):
                assert b" 202 " in await answered(reader), turn


def test_a_process_has_as_many_files_as_its_connections_take_if_it_may():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        assert server._connections() == min(server.MOST_CONNECTIONS, hard - server.OWN_DESCRIPTORS)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(server.MOST_CONNECTIONS + server.OWN_DESCRIPTORS, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_where_files_are_few_so_are_connections(monkeypatch):
    limits = {resource.RLIMIT_NOFILE: (256, 1024)}
    monkeypatch.setattr(resource, "getrlimit", limits.get)
    monkeypatch.setattr(resource, "setrlimit", limits.__setitem__)
    assert server._connections() == 1024 - server.OWN_DESCRIPTORS
    assert limits == {resource.RLIMIT_NOFILE: (1024, 1024)}
