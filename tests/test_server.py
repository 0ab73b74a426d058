import asyncio
import base64
import os
import signal
import socket
import sys
import time

import httpx
import pytest
from services import CHECKOUT, free_port, until

from streams import server, topics
from streams.config import Settings
from streams.errors import Fatal
from streams.inbound.gateway import wall_clock
from streams.inbound.providers import standard

TOKEN = "token_of_acme_0123456789"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Application:
    """Answers when told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()

    async def __call__(self, scope, receive, send):
        await receive()
        self.asked.set()
        await self.answers.wait()
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


@pytest.fixture
async def application() -> Application:
    return Application()


@pytest.fixture
async def serving(application):
    """The port of a real server around the application, which ends in order at the end."""
    listener = server.listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    running = asyncio.create_task(server.serve(application, listener))
    await until(lambda: _accepts(port), 10, "listening")
    yield port, running
    application.answers.set()
    if not running.done():
        os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(10):
        await running


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def test_on_sigterm_it_takes_no_more_and_finishes_what_has_come_in(application, serving):
    port, running = serving
    async with httpx.AsyncClient() as client:
        request = asyncio.create_task(client.post(f"http://127.0.0.1:{port}/", content=b"x"))
        await application.asked.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        await until(lambda: not _accepts(port), 10, "closed")
        assert not request.done()
        application.answers.set()
        assert (await request).text == "done"
    async with asyncio.timeout(10):
        await running


async def test_a_connection_without_headers_is_closed(serving, monkeypatch):
    monkeypatch.setattr(server, "HEADER_TIMEOUT_S", 0.1)
    port, _ = serving
    for begun in (b"", b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: "):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begun)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_a_second_request_has_to_bring_its_headers_too(application, serving, monkeypatch):
    monkeypatch.setattr(server, "HEADER_TIMEOUT_S", 0.1)
    application.answers.set()
    port, _ = serving
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 202 " in await reader.readline()
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
    async with asyncio.timeout(5):
        await reader.read()
    writer.close()


@pytest.mark.parametrize(
    "smuggled", ["Content-Length: 1\r\nTransfer-Encoding: chunked", "Content-Length: 1\r\nContent-Length: 2"]
)
async def test_two_lengths_are_refused(serving, smuggled):
    port, _ = serving
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST / HTTP/1.1\r\nHost: x\r\n{smuggled}\r\n\r\n0\r\n\r\n".encode())
    assert b" 400 " in await reader.readline()
    writer.close()


def test_an_address_that_is_taken_is_fatal():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Fatal, match=f"127.0.0.1:{port}: cannot listen: Address already in use"):
            server.listen("127.0.0.1", port)
    with pytest.raises(Fatal, match="cannot listen"):
        server.listen("no.such.host.invalid", 0)


def test_the_wall_clock_is_the_machines():
    assert abs(wall_clock() - time.time() * 1000) < 1000


PROGRAM = "from streams import bootstrap; bootstrap.run_gateway(None)"


def settings_text(bootstrap: str, prefix: str, port: int) -> str:
    return f"""
        log_level = "debug"
        [kafka]
        bootstrap = "{bootstrap}"
        topic_prefix = "{prefix}"
        [gateway]
        port = {port}
        [[connections]]
        name = "acme"
        token = "{TOKEN}"
        secrets = ["{SECRET}"]
    """


async def test_the_process_accepts_into_kafka_shows_no_secret_and_ends_in_order(kafka, topic_prefix, tmp_path):
    await topics.ensure(kafka.bootstrap, Settings().kafka.partitions, prefix=topic_prefix)
    port = free_port()
    (tmp_path / "leadbeat.toml").write_text(settings_text(kafka.bootstrap, topic_prefix, port))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM),
        cwd=CHECKOUT,
        env=os.environ | {"LEADBEAT_CONFIG": str(tmp_path / "leadbeat.toml")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        try:
            await until(lambda: _ready(client), 30, "ready")
            assert (await client.post(f"/hooks/{TOKEN}", content=b"{}", headers=signed(b"{}"))).status_code == 202
            assert (await client.post(f"/hooks/{TOKEN}", content=b"{}", headers=signed(b"[]"))).status_code == 401
            assert "leadbeat_deliveries_accepted_total" in (await client.get("/metrics")).text
        finally:
            process.terminate()
            output = (await process.communicate())[0].decode()
    assert process.returncode == 0, output
    assert "delivery_unauthentic" in output
    assert TOKEN not in output
    assert SECRET not in output


async def _ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


def signed(body: bytes) -> dict[str, str]:
    timestamp = str(int(time.time()))
    signature = base64.b64encode(standard.sign("msg_1", timestamp, body, standard.key_of(SECRET))).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}
