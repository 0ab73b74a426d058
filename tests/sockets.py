"""An application on a real port, and what is said to it byte by byte."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services import until
from starlette.types import ASGIApp

from streams import server


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[int]:
    """The port of a server around an application, which ends in order at the end."""
    listener = server.listen("127.0.0.1", 0)
    web = server.server_of(app)
    serving = asyncio.create_task(web.serve(sockets=[listener]))
    try:
        await until(lambda: web.started, 10, "started")
        yield listener.getsockname()[1]
    finally:
        web.should_exit = True
        await serving


@asynccontextmanager
async def connected(port: int, said: bytes = b"") -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection, over which something was said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(said)
        yield reader, writer
    finally:
        writer.close()


async def answered(reader: asyncio.StreamReader, limit_s: float = 10) -> bytes:
    """The first line that comes; empty if the connection ends instead."""
    async with asyncio.timeout(limit_s):
        try:
            return await reader.readline()
        except ConnectionError:
            return b""


async def ended(reader: asyncio.StreamReader, limit_s: float = 10) -> None:
    """Return when the server has closed the connection. Fails if it does not."""
    async with asyncio.timeout(limit_s):
        try:
            await reader.read()
        except ConnectionError:
            return
