"""A gateway on a real port among senders who mean it ill: who means it well loses nothing."""

import asyncio
import gzip
import re
import resource
import time
import tracemalloc
import zlib
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from children import Service, end
from services import free_port, until
from sockets import answered, connected, ended, served

from streams.config import Settings
from streams.inbound import bodies, gateway
from streams.inbound.rates import BURST_S
from streams.local.deliveries import Batch, sign, wall

GOOD, NOISY = "token_of_a_good_sender", "token_of_a_noisy_one"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SLOW_SOCKETS = 2000
MEBIBYTE = 2**20


class Topic:
    """Acknowledges all."""

    def __init__(self) -> None:
        self.values: list[bytes] = []

    async def append(self, value, headers):
        self.values.append(value)

    def unready(self):
        return None


@pytest.fixture
async def topic() -> Topic:
    return Topic()


def settings(**limits: object) -> Settings:
    names = {"good": GOOD, "noisy": NOISY}
    connections = [{"name": name, "token": token, "secrets": [SECRET]} for name, token in names.items()]
    return Settings.model_validate({"gateway": limits, "connections": connections})


async def post(client: httpx.AsyncClient, port: int, number: int, token: str = GOOD) -> int:
    batch = Batch(f"msg_{number}", ({"id": f"{token} {number}"},))
    headers = sign(SECRET, batch, wall())
    answer = await client.post(f"http://127.0.0.1:{port}/hooks/{token}", content=batch.body, headers=headers)
    assert (answer.status_code == 429) == ("retry-after" in answer.headers)
    return answer.status_code


@pytest.fixture
def _many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * SLOW_SOCKETS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


BEGUN = (
    b"",
    b"POST /hooks/" + GOOD.encode(),
    b"POST /hooks/nobodys HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
    b"POST /hooks/" + GOOD.encode() + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
)
"""How far slow clients come."""


@pytest.mark.usefixtures("_many_files")
async def test_beside_two_thousand_slow_sockets_nothing_is_lost(topic):
    async with (
        served(gateway.create(settings(), topic, wall)) as port,
        AsyncExitStack() as slow,
        httpx.AsyncClient(timeout=30) as client,
    ):
        for number in range(SLOW_SOCKETS):
            await slow.enter_async_context(connected(port, BEGUN[number % len(BEGUN)]))
        statuses = [await post(client, port, number) for number in range(100)]
        statuses += await asyncio.gather(*(post(client, port, number) for number in range(100, 200)))
    assert statuses == [202] * 200
    assert len(topic.values) == 200


@pytest.mark.parametrize("token", [NOISY, "token_of_nobody"])
async def test_beside_a_flood_nothing_is_lost(topic, token):
    enough = asyncio.Event()
    flood: list[int] = []

    async def pour(client: httpx.AsyncClient, port: int) -> None:
        while not enough.is_set():
            flood.append(await post(client, port, len(flood), token))

    async with (
        served(gateway.create(settings(connection_rate=8), topic, wall)) as port,
        httpx.AsyncClient(timeout=30) as client,
    ):
        began = time.monotonic()
        pouring = [asyncio.create_task(pour(client, port)) for _ in range(20)]
        await until(lambda: flood.count(429) > 100, 60, "the flood is held back")
        statuses = [await post(client, port, number) for number in range(40)]
        enough.set()
        await asyncio.gather(*pouring)
        lasted = time.monotonic() - began
    assert statuses == [202] * 40
    assert len(flood) - flood.count(429) <= 8 * (BURST_S + lasted) + 1
    assert len([value for value in topic.values if GOOD.encode() in value]) == 40


async def test_a_flood_from_everywhere_is_held_back_as_a_whole(topic, monkeypatch):
    monkeypatch.setattr(gateway.time, "monotonic", lambda: 1000.0)
    transport = httpx.ASGITransport(gateway.create(settings(rate=20, connection_rate=20), topic, wall))
    async with httpx.AsyncClient(transport=transport) as client:
        statuses = [await post(client, 80, number, token) for number in range(100) for token in (GOOD, NOISY)]
    assert (statuses.count(202), statuses.count(429)) == (100, 100)


async def test_a_body_that_drips_is_given_up(topic):
    begun = BEGUN[2].replace(b"nobodys", GOOD.encode())
    async with served(gateway.create(settings(read_timeout="1s"), topic, wall)) as port, connected(port, begun) as opened:
        reader, writer = opened
        answer = asyncio.create_task(answered(reader))

        def dripped() -> bool:
            writer.write(b" ")
            return answer.done()

        await until(dripped, 10, "answered")
        assert b" 408 " in answer.result()
        await ended(reader)
    assert topic.values == []


async def test_nothing_that_comes_in_is_ever_decompressed(topic, monkeypatch):
    bomb = gzip.compress(bytes(100 * MEBIBYTE), mtime=0)
    assert len(bomb) < MEBIBYTE
    at = wall()
    headers = sign(SECRET, Batch("msg_1", ({},)), at)
    host = {"host": "x", **headers, "content-length": str(len(bomb))}
    zipped = {**host, "content-encoding": "gzip"}
    chunked = {**host, "transfer-encoding": "gzip, chunked"}
    del chunked["content-length"]

    def fails(*_: object, **__: object) -> None:
        pytest.fail("decompressed")

    for module, name in ((zlib, "decompress"), (zlib, "decompressobj"), (gzip, "decompress"), (gzip, "GzipFile")):
        monkeypatch.setattr(module, name, fails)
    tracemalloc.start()
    try:
        async with served(gateway.create(settings(), topic, wall)) as port:
            statuses = [
                await _said(port, zipped, bomb),
                await _said(port, chunked, b"%x\r\n%b\r\n0\r\n\r\n" % (len(bomb), bomb)),
                await _said(port, host, bomb),
            ]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert statuses == [b"415", b"415", b"401"]
    assert most < 20 * MEBIBYTE
    assert topic.values == []


async def _said(port: int, headers: dict[str, str], body: bytes) -> bytes:
    """The status of the answer to a request."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    async with connected(port, f"POST /hooks/{GOOD} HTTP/1.1\r\n{lines}\r\n".encode() + body) as (reader, _):
        return (await answered(reader)).split(b" ")[1]


@pytest.fixture
async def process(tmp_path):
    """A gateway as a process of its own, with a spool and no Kafka, and its port."""
    port = free_port()
    config = tmp_path / "leadbeat.toml"
    config.write_text(f"""
        kafka.bootstrap = "127.0.0.1:1"
        gateway = {{ port = {port}, spool = "{tmp_path}/spool.db" }}
        connections = [{{ name = "good", token = "{GOOD}", secrets = ["{SECRET}"] }}]
    """)
    service = Service.start("gateway", config, tmp_path / "gateway.log")
    try:
        async with httpx.AsyncClient() as client:
            await until(lambda: _ready(client, port), 40, "the gateway is ready")
        yield service, port
    finally:
        end([service])


async def _ready(client: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/readyz")).is_success
    except httpx.TransportError:
        return False


def resident(service: Service) -> int:
    """Bytes of memory that a process has."""
    (kilobytes,) = re.findall(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{service.process.pid}/status").read_text(), re.MULTILINE)
    return int(kilobytes) * 1024


async def test_unfinished_bodies_take_no_more_memory_than_they_may(process):
    service, port = process
    before = resident(service)
    begun = f"POST /hooks/nobodys HTTP/1.1\r\nHost: x\r\nContent-Length: {MEBIBYTE}\r\n\r\n".encode()
    async with AsyncExitStack() as opened, httpx.AsyncClient(timeout=30) as client:
        for _ in range(400):
            _, writer = await opened.enter_async_context(connected(port, begun))
            writer.write(bytes(MEBIBYTE - 1))
        statuses = [await post(client, port, number) for number in range(50)]
        most = resident(service)
    assert statuses == [202] * 50
    assert most - before < 3 * bodies.MOST_HELD
