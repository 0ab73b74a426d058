"""A wire between a service and a server on which things go wrong: a TCP proxy that loses, mutes, delays, holds and cuts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 4 * 2**20
"""Bytes that pass in one go: what piles up while it is held passes at once."""

Chosen = Callable[[bytes], bool]
"""Whether some bytes of a request are those that are waited for."""


def never(_: bytes) -> bool:
    return False


def unchanged(data: bytes) -> bytes:
    return data


def with_word(*words: bytes) -> Chosen:
    """Requests with one of some words among their arguments."""
    return lambda data: any(b"\r\n%b\r\n" % word in data for word in words)


def moving(counter: bytes) -> Chosen:
    """Writes that move a counter. Claims name it, too, beside the layout; and whoever reads asks for it."""
    named, others = with_word(counter), with_word(b"layout", b"HMGET")
    return lambda data: named(data) and not others(data)


@dataclass(eq=False)
class Link:
    """One connection: towards the service, and towards the server. `forgotten`: neither end hears of the other any more."""

    back: asyncio.StreamWriter
    forth: asyncio.StreamWriter
    forgotten: bool = False
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self) -> None:
        self.closed.set()
        self.back.close()
        self.forth.close()


@dataclass
class Wire:
    """Passes bytes on between whoever connects and the server on the port `upstream`. All of it is of one event loop.

    `loses_from`: the first request that is chosen and all that follow are lost. `mutes_from`: it arrives, as do all that
    follow, but no answer comes. `delay_s`: how long bytes take, each way. `cuts_after`: so many bytes of answers pass, then
    all connections are closed, once. `sees` is shown all requests, `alters` changes answers.
    """

    port: int = 0
    upstream: int = 0
    loses_from: Chosen = never
    mutes_from: Chosen = never
    delay_s: float = 0.0
    cuts_after: int | None = None
    sees: Callable[[bytes], object] = never
    alters: Callable[[bytes], bytes] = unchanged
    lost: bool = False
    mute: bool = False
    swallowed: int = 0
    """Answers that were muted, since the wire was mended last."""
    cuts: int = 0
    connections: int = 0
    """That were ever made."""
    _links: set[Link] = field(default_factory=set)
    _passing: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None

    def __post_init__(self) -> None:
        self._passing.set()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def open(self) -> None:
        """Take connections on a port of its own."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=CHUNK)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        if self._server:
            self._server.close()
        self.mend()

    def mend(self) -> None:
        """Close what is open, so that nobody waits for an answer any longer, and pass on what comes from now on."""
        self.loses_from = self.mutes_from = never
        self.sees, self.alters = never, unchanged
        self.lost = self.mute = False
        self.swallowed, self.delay_s, self.cuts_after = 0, 0.0, None
        self._passing.set()
        self.cut()

    def cut(self) -> None:
        """Close all connections."""
        for link in tuple(self._links):
            link.close()

    def hold(self) -> None:
        """A black hole: nothing passes, and nobody is told. What is on its way arrives when it is let go."""
        self._passing.clear()

    def let_go(self) -> None:
        """Pass on again."""
        self._passing.set()

    def forget(self) -> None:
        """Leave all connections of now half open: to each end the other one is gone, and never says so."""
        for link in self._links:
            link.forgotten = True

    async def _serve(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            await self._passing.wait()
            far, forth = await asyncio.open_connection("127.0.0.1", self.upstream, limit=CHUNK)
        except OSError:
            back.close()
            return
        self.connections += 1
        link = Link(back, forth)
        self._links.add(link)
        try:
            await asyncio.gather(self._requests(link, near), self._answers(link, far))
        finally:
            link.close()
            self._links.discard(link)

    async def _requests(self, link: Link, near: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await near.read(CHUNK):
                self.sees(data)
                await self._arrives(link)
                self.lost |= self.loses_from(data)
                self.mute |= self.mutes_from(data)
                if not self.lost:
                    link.forth.write(data)
                    await link.forth.drain()
        link.close()

    async def _answers(self, link: Link, far: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await far.read(CHUNK):
                await self._arrives(link)
                if self.mute:
                    self.swallowed += 1
                elif self.cuts_after is None:
                    link.back.write(self.alters(data))
                    await link.back.drain()
                else:
                    self._cut_in(link, data)
        link.close()

    def _cut_in(self, link: Link, data: bytes) -> None:
        left = self.cuts_after or 0
        link.back.write(data[:left])
        self.cuts_after = left - len(data)
        if self.cuts_after < 0:
            self.cuts_after, self.cuts = None, self.cuts + 1
            self.cut()

    async def _arrives(self, link: Link) -> None:
        """Return when what has come may pass."""
        if self.delay_s:
            with suppress(TimeoutError):
                await asyncio.wait_for(link.closed.wait(), self.delay_s)
        await self._passing.wait()
        if link.forgotten:
            await link.closed.wait()
        if link.closed.is_set():
            raise ConnectionResetError


@asynccontextmanager
async def wired(port: int) -> AsyncIterator[Wire]:
    """A wire to the server on a port."""
    wire = Wire(upstream=port)
    await wire.open()
    try:
        yield wire
    finally:
        wire.close()
