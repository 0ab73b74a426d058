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
LINE_EVERY_S = 5.0
"""How often a line is printed where the output is no terminal."""


async def run(options: Options, console: Console) -> bool:
    """Run a demo; tell whether all gauges were equal to the truth (True also where nothing was compared).

    Raises CancelledError, with everything stopped, on SIGTERM, and when the terminal is closed.
    """
    try:
        with cancelled_by(signal.SIGTERM, signal.SIGHUP):
            async with running(options, console) as demo:
                console.print("Delivering 400 days of history (about half a minute) …", style="dim")
                await feed_history(demo)
                await live(demo)
                return await prove(demo) if options.seconds is not None else True
    except* Fatal as faults:
        raise _first(faults) from None


@contextmanager
def cancelled_by(*signals: signal.Signals) -> Iterator[None]:
    """Have signals cancel the task that asks for it, but for those that are ignored: so `nohup` holds."""
    loop, task = asyncio.get_running_loop(), cast("asyncio.Task[object]", asyncio.current_task())
    heeded = [each for each in signals if signal.getsignal(each) is not signal.SIG_IGN]
    for each in heeded:
        loop.add_signal_handler(each, task.cancel)
    try:
        yield
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


def _status(demo: Demo) -> Status:
    return Status(demo.links, len(demo.delivered), _advice(demo.options.seconds))


def _advice(seconds: float | None) -> str:
    return "Ctrl-C stops everything." if seconds is None else "Ends by itself with a comparison of every gauge."


def _print_line(demo: Demo, table: dict[tuple[str, str], dict[str, object]]) -> None:
    figures = (("leads_awaiting_response", "now"), ("touches", "today"), ("response_within_sla_ratio", "today"))
    words = "  ".join(f"{name} {told(table.get((name, window)))}" for name, window in figures)
    demo.console.print(f"{len(demo.delivered):,} events delivered  {words}", highlight=False)
