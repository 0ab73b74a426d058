"""A wire between a service and Redis on which requests or answers get lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CHUNK = 64 * 1024

Chosen = Callable[[bytes], bool]
"""Whether some bytes of a request are those that are waited for."""


def never(_: bytes) -> bool:
    return False


def with_word(*words: bytes) -> Chosen:
    """Requests with one of some words among their arguments."""
    return lambda data: any(b"\r\n%b\r\n" % word in data for word in words)


@dataclass
class Wire:
    """Passes bytes on, until a request is chosen.

    `loses_from`: that one and all that follow are lost. `mutes_from`: it arrives, as do all that follow, but no answer comes.
    """

    port: int = 0
    loses_from: Chosen = never
    mutes_from: Chosen = never
    lost: bool = False
    mute: bool = False
    _connections: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def mend(self) -> None:
        """Close what is open, so that nobody waits for an answer any longer, and pass on what comes from now on."""
        self.loses_from = self.mutes_from = never
        self.lost = self.mute = False
        for writer in self._connections:
            writer.close()
        self._connections.clear()

    async def serve(self, upstream: int, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """One connection."""
        with suppress(OSError):
            far, forth = await asyncio.open_connection("127.0.0.1", upstream)
            self._connections += [back, forth]
            await asyncio.gather(self._pass_on(near, forth, self._takes), self._pass_on(far, back, lambda _: not self.mute))

    def _takes(self, request: bytes) -> bool:
        self.lost |= self.loses_from(request)
        self.mute |= self.mutes_from(request)
        return not self.lost

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, takes: Chosen) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK):
                if takes(data):
                    target.write(data)
                    await target.drain()
        target.close()


@asynccontextmanager
async def wired(port: int) -> AsyncIterator[Wire]:
    """A wire to the Redis on a port."""
    wire = Wire()
    server = await asyncio.start_server(lambda near, back: wire.serve(port, near, back), "127.0.0.1", 0)
    wire.port = server.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        server.close()
        wire.mend()
