"""Requests' bodies, taken in within limits: of size, of time, and of what all of them may hold together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import ClientDisconnect, Request

from streams.inbound.answers import CLOSE, Refused, later

MOST_DISCARDED = 32 * 2**20
"""Bytes of a refused body that are taken in, so that its sender comes to read the answer."""

MOST_HELD = 64 * 2**20
"""Bytes that all bodies together may hold, each from its first byte until its request is answered."""

RETRY_AFTER_S: Final = 10


@dataclass(eq=False, slots=True)
class _Coming:
    """A body on its way in."""

    deadline: asyncio.Timeout
    data: bytearray = field(default_factory=bytearray)
    overtaken: bool = False


class Bodies:
    """The bodies of all requests under way. What is too much is at the cost of the one that has been coming for longest."""

    def __init__(self, limit: int, timeout_s: float) -> None:
        self._limit = limit
        self._timeout_s = timeout_s
        self._held = 0
        self._coming: dict[_Coming, None] = {}

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The body as sent, which counts as held within. Raises Refused for one that is encoded, too large or too slow.

        The rest of what is refused is taken in, up to a limit, and not kept: a connection that is closed while the sender
        still writes loses the answer. Who waits for our word before the body gets it at once.
        """
        fault = self._unwanted(request)
        if fault and "expect" in request.headers:
            raise fault
        data = await self._read(request, fault)
        self._held += len(data)
        try:
            yield data
        finally:
            self._held -= len(data)

    async def _read(self, request: Request, fault: Refused | None) -> bytes:
        coming = _Coming(asyncio.timeout(self._timeout_s))
        self._coming[coming] = None
        length = 0
        try:
            async with coming.deadline:
                async for chunk in request.stream():
                    length += len(chunk)
                    if length > self._limit:
                        fault = fault or self._too_large()
                    if length > MOST_DISCARDED:
                        break
                    if not fault:
                        self._take(coming, chunk)
        except TimeoutError:
            fault = fault or self._overdue(coming)
        except ClientDisconnect:
            fault = fault or Refused(400, "the body is incomplete", "disconnected")
        finally:
            self._coming.pop(coming, None)
            self._held -= len(coming.data)
        if coming.overtaken:
            fault = self._overdue(coming)
        if fault:
            raise fault
        return bytes(coming.data)

    def _take(self, coming: _Coming, chunk: bytes) -> None:
        coming.data += chunk
        self._held += len(chunk)
        while self._held > MOST_HELD and self._coming:
            longest = next(iter(self._coming))
            del self._coming[longest]
            self._held -= len(longest.data)
            longest.data.clear()
            longest.overtaken = True
            longest.deadline.reschedule(0)  # long past: it ends when its task is next at work

    def _overdue(self, coming: _Coming) -> Refused:
        if coming.overtaken:
            return Refused(503, "try again later", "overloaded", CLOSE | later(RETRY_AFTER_S))
        return Refused(408, "the body took too long", "too_slow", CLOSE)

    def _unwanted(self, request: Request) -> Refused | None:
        """What the headers say against a body."""
        transfer = request.headers.getlist("transfer-encoding")
        encodings = [*request.headers.getlist("content-encoding"), *(each for each in transfer if each.lower() != "chunked")]
        if any(encoding.strip().lower() not in {"", "identity"} for encoding in encodings):
            return Refused(415, "send the body without a content encoding", "encoded", CLOSE)
        length = request.headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return Refused(400, "content-length is not a number", "malformed", CLOSE)
        # Compared by its digits first: Python refuses to read thousands of them.
        if len(length.lstrip("0")) > len(str(self._limit)) or int(length) > self._limit:
            return self._too_large()
        return None

    def _too_large(self) -> Refused:
        return Refused(413, f"the limit is {self._limit} bytes", "too_large", CLOSE)
