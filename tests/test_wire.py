"""What goes wrong on a wire, as both ends see it."""

import asyncio

import pytest
from services import until
from wire import Wire, wired

LIMIT_S = 10


@pytest.fixture
async def server():
    """The port of a server that answers with what it is told."""

    async def echo(reader, writer):
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def wire(server):
    async with wired(server) as wire:
        yield wire


class Client:
    """One connection; what it was answered with."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.heard, self.ended = b"", False
        self._hearing = asyncio.create_task(self._hear())

    @classmethod
    async def of(cls, wire: Wire) -> "Client":
        return await cls.at(wire.port)

    @classmethod
    async def at(cls, port: int) -> "Client":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def _hear(self):
        while data := await self.reader.read(1000):
            self.heard += data
        self.ended = True

    async def hears(self, text: bytes) -> None:
        await until(lambda: self.heard == text, LIMIT_S, f"{text!r} is heard")

    async def ends(self) -> None:
        await until(lambda: self.ended, LIMIT_S, "the connection is closed")
        self.writer.close()

    async def asks(self, text: bytes) -> None:
        self.heard = b""
        self.writer.write(text)
        await self.hears(text)


@pytest.fixture
async def client(wire):
    client = await Client.of(wire)
    await client.asks(b"well")
    client.heard = b""
    yield client
    wire.mend()
    await client.ends()


async def test_what_is_held_arrives_when_it_is_let_go_and_so_does_whoever_connects_meanwhile(server, wire, client):
    wire.hold()
    client.writer.write(b"one")
    other = await Client.of(wire)
    other.writer.write(b"two")
    beside = await Client.at(server)
    for _ in range(20):
        await beside.asks(b"by another way")
    assert (client.heard, other.heard) == (b"", b"")
    wire.let_go()
    await client.hears(b"one")
    await other.hears(b"two")
    wire.mend()
    await other.ends()
    beside.writer.close()


async def test_who_is_forgotten_hears_nothing_and_is_not_told_while_others_get_through(wire, client):
    wire.forget()
    client.writer.write(b"one")
    other = await Client.of(wire)
    await other.asks(b"two")
    assert (client.heard, client.ended) == (b"", False)
    wire.mend()
    await other.ends()


async def test_an_answer_is_cut_short_and_all_connections_with_it_once(wire, client):
    other = await Client.of(wire)
    await other.asks(b"well")
    wire.cuts_after = 3
    client.writer.write(b"12345")
    await other.ends()
    await client.ends()
    assert (client.heard, wire.cuts) == (b"123", 1)
    again = await Client.of(wire)
    await again.asks(b"12345")
    wire.mend()
    await again.ends()


async def test_bytes_take_their_time_and_come_in_order(wire, client):
    wire.delay_s = 0.05
    began = asyncio.get_running_loop().time()
    for number in range(10):
        client.writer.write(b"%d" % number)
    await client.hears(b"0123456789")
    assert asyncio.get_running_loop().time() - began >= 2 * wire.delay_s


async def test_answers_can_be_altered_and_requests_seen(wire, client):
    seen = []
    wire.sees, wire.alters = seen.append, bytes.upper
    client.writer.write(b"one")
    await client.hears(b"ONE")
    assert seen == [b"one"]
