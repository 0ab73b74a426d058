"""A process that is told to stop does, whatever its parts make of that."""

import asyncio
from contextlib import suppress

import pytest

from streams.transport import app as transport
from streams.transport.watchdog import EXIT_CODE


class App:
    """Notes that it was stopped."""

    stopped = False

    async def stop(self):
        self.stopped = True


async def for_ever():
    await asyncio.Event().wait()


async def stubborn(released: asyncio.Event):
    """Goes on when it is cancelled, as clients of Kafka may."""
    while not released.is_set():
        with suppress(asyncio.CancelledError):
            await released.wait()


async def test_what_runs_beside_is_cancelled_and_the_app_is_stopped():
    app, tasks = App(), [asyncio.create_task(for_ever()) for _ in range(3)]
    await transport._stop(app, tasks)
    assert app.stopped
    assert all(task.cancelled() for task in tasks)


async def test_who_goes_on_once_is_cancelled_again(monkeypatch):
    monkeypatch.setattr(transport, "CANCEL_AGAIN_S", 0.01)
    swallowed = []

    async def forgetful():
        while len(swallowed) < 2:
            try:
                await for_ever()
            except asyncio.CancelledError:
                swallowed.append("once")
        await for_ever()

    app, tasks = App(), [asyncio.create_task(for_ever()), asyncio.create_task(forgetful())]
    await asyncio.sleep(0)
    await transport._stop(app, tasks)
    assert (app.stopped, len(swallowed), [task.cancelled() for task in tasks]) == (True, 2, [True, True])


async def test_a_part_that_goes_on_ends_the_process_on_the_spot(monkeypatch):
    def leave(code):
        raise SystemError(code)

    monkeypatch.setattr(transport.os, "_exit", leave)
    monkeypatch.setattr(transport, "STOP_LIMIT_S", 0.1)
    released = asyncio.Event()
    tasks = [asyncio.create_task(for_ever()), asyncio.create_task(stubborn(released))]
    await asyncio.sleep(0)
    with pytest.raises(SystemError, match=str(EXIT_CODE)):
        await transport._stop(App(), tasks)
    released.set()
    tasks[0].cancel()
    await asyncio.wait(tasks)
