"""`leadbeat demo`: the whole of Leadbeat on one machine, fed by a simulated sales floor through signed webhooks.

It keeps nothing. With a time to run it ends by proving itself: every gauge is compared with the truth.
"""

import asyncio
import itertools
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from rich.console import Console
from rich.live import Live

from models.units import SECOND, Millis
from streams.errors import Fatal
from streams.local.deliveries import wall
from streams.local.proof import prove
from streams.local.simulator import Present
from streams.local.stage import Demo, Options, running
from streams.local.terminal import Status, screen, told

AHEAD_BYTES = 4 * 2**20
"""How much history may be on its way at once: the embedded broker keeps some 5 MiB a partition."""

STEP_S = 0.5
AGAIN_S = 1.0
"""How long after it was cancelled a demo that goes on is cancelled again."""

LINE_EVERY_S = 5.0
"""How often a line is printed where the output is no terminal."""


async def run(options: Options, console: Console) -> bool:
    """Run a demo; tell whether all gauges were equal to the truth (True also where nothing was compared).

    Raises CancelledError, with everything stopped, on Ctrl-C, on SIGTERM, and when the terminal is closed.
    """
    try:
        with cancelled_by(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as ending:
            async with running(options, console) as demo:
                with ending.insisting():
                    return await _show(demo)
    except* Fatal as faults:
        raise _first(faults) from None


async def _show(demo: Demo) -> bool:
    if not demo.console.is_terminal:
        _print_links(demo)
    demo.console.print("Delivering 400 days of history (about half a minute) …", style="dim")
    await feed_history(demo)
    await live(demo)
    return await prove(demo) if demo.options.seconds is not None else True


class Ending:
    """Cancels a task when it is asked to."""

    def __init__(self, task: "asyncio.Task[object]") -> None:
        self._task = task
        self._asked = False
        self._insists = False

    def ask(self) -> None:
        """Cancel the task."""
        self._asked = True
        self._task.cancel()
        if self._insists:
            asyncio.get_running_loop().call_later(AGAIN_S, self._again)

    def _again(self) -> None:
        if self._insists:
            self.ask()

    @contextmanager
    def insisting(self) -> Iterator[None]:
        """Within, cancel again while the task goes on: a client may swallow being cancelled. Cleaning up is not disturbed."""
        self._insists = True
        if self._asked:
            self.ask()
        try:
            yield
        finally:
            self._insists = False


@contextmanager
def cancelled_by(*signals: signal.Signals) -> Iterator[Ending]:
    """Have signals cancel the task that asks for it, but for those that are ignored: so `nohup` holds."""
    loop, ending = asyncio.get_running_loop(), Ending(cast("asyncio.Task[object]", asyncio.current_task()))
    heeded = [each for each in signals if signal.getsignal(each) is not signal.SIG_IGN]
    for each in heeded:
        loop.add_signal_handler(each, ending.ask)
    try:
        yield ending
    finally:
        for each in heeded:
            loop.remove_signal_handler(each)


def _first(group: BaseExceptionGroup[Fatal]) -> BaseException:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


async def feed_history(demo: Demo) -> None:
    """Deliver the floor's past, no further ahead of what is applied than the embedded broker can keep."""
    now = wall()
    pending = demo.courier.pack(demo.floor.history(now), now)
    while pending:
        sizes = itertools.accumulate(len(batch.body.encode()) for batch in pending)
        count = max(1, sum(size <= AHEAD_BYTES for size in sizes))
        await demo.send(pending[:count])
        pending = pending[count:]
        await demo.applied(Millis(wall() // SECOND * SECOND + SECOND))


async def live(demo: Demo) -> None:
    """Let the floor live in real time until the time is up, or for ever."""
    loop = asyncio.get_running_loop()
    ends = None if demo.options.seconds is None else loop.time() + demo.options.seconds
    present = Present(demo.floor, wall())
    printed = loop.time()
    with Live(console=demo.console, auto_refresh=False, transient=False) as display:
        while ends is None or loop.time() < ends:
            for service in demo.services:
                service.check()
            now = wall()
            await demo.send(demo.courier.pack(present.until(now), now))
            table = await demo.table()
            if demo.console.is_terminal:
                display.update(screen(_status(demo), table), refresh=True)
            elif loop.time() - printed >= LINE_EVERY_S:
                printed = loop.time()
                _print_line(demo, table)
            await asyncio.sleep(STEP_S)


def _print_links(demo: Demo) -> None:
    for link, where in demo.links:
        demo.console.print(f"{link}  {where}", highlight=False, soft_wrap=True)


def _status(demo: Demo) -> Status:
    return Status(demo.links, len(demo.delivered), _advice(demo.options.seconds))


def _advice(seconds: float | None) -> str:
    return "Ctrl-C stops everything." if seconds is None else "Ends by itself with a comparison of every gauge."


def _print_line(demo: Demo, table: dict[tuple[str, str], dict[str, object]]) -> None:
    figures = (("leads_awaiting_response", "now"), ("touches", "today"), ("response_within_sla_ratio", "today"))
    words = "  ".join(f"{name} {told(table.get((name, window)))}" for name, window in figures)
    demo.console.print(f"{len(demo.delivered):,} events delivered  {words}", highlight=False, soft_wrap=True)
