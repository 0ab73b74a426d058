"""Wires in a thread of their own: however busy the harness is, what passes through them passes at once."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from wire import Wire

LIMIT_S = 10.0


class Ways:
    """The wires' event loop. What is done to a wire is done there; its plain fields may be set from anywhere."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._wires: list[Wire] = []

    def wire(self, upstream: int = 0) -> Wire:
        """A new wire that takes connections."""
        wire = Wire(upstream=upstream)
        asyncio.run_coroutine_threadsafe(wire.open(), self._loop).result(LIMIT_S)
        self._wires.append(wire)
        return wire

    def do(self, *actions: Callable[[], Any]) -> None:
        """Do something to wires, such as `wire.cut`, and return when it is done."""

        async def all_of_it() -> None:
            for action in actions:
                action()

        asyncio.run_coroutine_threadsafe(all_of_it(), self._loop).result(LIMIT_S)

    def close(self) -> None:
        """End all wires."""
        self.do(*(wire.close for wire in self._wires))


@contextmanager
def ways() -> Iterator[Ways]:
    """A thread for wires."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="wires", daemon=True)
    thread.start()
    found = Ways(loop)
    try:
        yield found
    finally:
        found.close()
        asyncio.run_coroutine_threadsafe(_ended(), loop).result(LIMIT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(LIMIT_S)
        loop.close()


async def _ended() -> None:
    """Return when nothing else runs in this loop."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
