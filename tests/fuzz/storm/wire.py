"""Requests as bytes on real sockets, and the statuses that come back: what no client library would send, in its own time."""

import asyncio
import re
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from itertools import count
from typing import Final, NamedTuple, TypeAlias

from services import let_pass

PATIENCE_S: Final = 30.0
"""Longer than a gateway waits for anything."""

FRESH_S: Final = 2.0

SOURCES: Final = 250
"""Addresses of this machine to come from: so many connections would soon use up the ports of one."""

_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_numbers = count()


class End(Enum):
    """How a sender breaks off: in order, or at once."""

    CLOSE = auto()
    RESET = auto()


Step: TypeAlias = bytes | float | End
"""Bytes to send, seconds to wait, or the end."""


class Answer(NamedTuple):
    """A status, and whether the answer said when to come again."""

    status: int
    retry_after: bool = False


class Conversation(NamedTuple):
    """What is sent, in steps, and how many answers are waited for, for so long; `bodiless`: they are answers to HEAD."""

    steps: tuple[Step, ...]
    answers: int = 1
    bodiless: bool = False
    patience_s: float = PATIENCE_S


class Line:
    """A connection to a gateway."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._used_at = time.monotonic()
        self.is_open = True

    @property
    def is_fresh(self) -> bool:
        """Whether it can be used again: a gateway soon closes what is idle."""
        return self.is_open and time.monotonic() - self._used_at < FRESH_S

    async def talk(self, conversation: Conversation) -> list[Answer]:
        """Go through the steps; the answers that came, fewer than were waited for if the other side has closed.

        What comes while we still send is read afterwards. Fails if nothing comes though all patience was had.
        """
        found: list[Answer] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._send(conversation.steps)
            async with asyncio.timeout(conversation.patience_s):
                while len(found) < conversation.answers and self.is_open:
                    if answer := await self._answer(bodiless=conversation.bodiless):
                        found.append(answer)
        except TimeoutError:
            self.end(End.CLOSE)
            if conversation.patience_s == PATIENCE_S:
                raise AssertionError(f"no answer within {PATIENCE_S} s to {conversation.steps[:2]!r:.200}") from None
        self._used_at = time.monotonic()
        return found

    async def _send(self, steps: tuple[Step, ...]) -> None:
        with suppress(ConnectionError):
            for step in steps:
                match step:
                    case bytes():
                        if self._writer.transport.is_closing():  # uvloop lets nobody write then
                            return
                        self._writer.write(step)
                        await self._writer.drain()
                    case float():
                        await let_pass(step)
                    case end:
                        self.end(end)

    async def _answer(self, *, bodiless: bool) -> Answer | None:
        """The next answer; None for one that only says to go on, and at the end."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            status = int(_STATUS.match(head)[1])
            if 100 <= status < 200:
                return None
            if not bodiless and length:
                await self._reader.readexactly(int(length[1]))
            if length is None or b"\r\nconnection: close" in head.lower():
                await self._reader.read()
                self.end(End.CLOSE)
            return Answer(status, b"\r\nretry-after: " in head.lower())
        except (asyncio.IncompleteReadError, ConnectionError):
            self.end(End.CLOSE)
            return None

    def end(self, how: End) -> None:
        """Close the connection."""
        if how is End.RESET:
            raw = self._writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        else:
            self._writer.close()
        self.is_open = False


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Line]:
    """A connection to a gateway of this machine, from one of many addresses, which is closed at the end."""
    source = f"127.0.0.{2 + next(_numbers) % SOURCES}"
    line = Line(*await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0), limit=2**20))
    try:
        yield line
    finally:
        if line.is_open:
            line.end(End.CLOSE)
