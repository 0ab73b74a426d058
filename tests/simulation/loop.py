"""An event loop whose time is made up, with processes on it that can be stopped, woken and killed at any instant.

Time moves when nothing is left to do at the present instant, to that of the next timer. Callbacks run in the order in which
they were called for, as asyncio promises; what comes first is a matter of how long each answer takes, which is drawn by lot.
"""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar
from enum import Enum
from typing import Any

PROCESS: ContextVar["Process"] = ContextVar("process")
"""The process that a callback belongs to; the world's own have none."""
MANY = 1_000
"""Tasks after which those that have ended are forgotten."""


class Life(Enum):
    """How a process is."""

    RUNNING = "running"
    STOPPED = "stopped"
    DEAD = "dead"


class Process:
    """What runs, stops and dies together: all tasks that one task has begun, as if it were a process of the system's."""

    def __init__(self, loop: "SimulatedLoop", name: str) -> None:
        self._loop = loop
        self.name = name
        self.life = Life.RUNNING
        self.context = Context()
        self.context.run(PROCESS.set, self)
        self._waiting: list[asyncio.Handle] = []

    def start(self, what: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Begin a task of this process."""
        return self._loop.create_task(what, context=self.context.copy())

    def stop(self) -> None:
        """Run nothing any more until woken: SIGSTOP."""
        self.life = Life.STOPPED

    def wake(self) -> None:
        """Go on with all that has come meanwhile: SIGCONT."""
        if self.life is Life.STOPPED:
            self.life = Life.RUNNING
            self._loop.ready(self._waiting)
            self._waiting = []

    def kill(self) -> None:
        """Never run anything again: SIGKILL."""
        self.life = Life.DEAD
        self._waiting = []

    def take(self, handle: asyncio.Handle) -> bool:
        """Whether a callback may run now; one of a stopped process waits."""
        if self.life is Life.STOPPED:
            self._waiting.append(handle)
        return self.life is Life.RUNNING


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs callbacks one at a time, without sockets, threads or waiting. What would run in a thread runs at once."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._asked = 0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self.set_exception_handler(self._failed)
        self.failures: list[dict[str, Any]] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self.set_task_factory(self._task)

    def _task(self, _: asyncio.AbstractEventLoop, what: Coroutine[Any, Any, Any], **options: Any) -> "asyncio.Task[Any]":
        """A task, which is remembered: those of dead processes wait for ever."""
        task = asyncio.Task(what, loop=self, **options)
        self._tasks.append(task)
        if len(self._tasks) % MANY == 0:
            self._tasks = [each for each in self._tasks if not each.done()]
        return task

    def time(self) -> float:
        """Seconds since the simulation began."""
        return self._now

    def ready(self, handles: list[asyncio.Handle]) -> None:
        """Have callbacks run as soon as their turn comes."""
        self._ready.extend(handles)

    def later(self, delay_s: float, what: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        """Call something of the world's, which no process's end can keep from happening."""
        return self.call_later(delay_s, what, *args, context=Context())

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":
        """The function's result, as if another thread had been quick."""
        answer = self.create_future()
        try:
            answer.set_result(func(*args))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it belongs to whoever waits
            answer.set_exception(error)
        return answer

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As always. Of equal instants the first that was asked for comes first."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._asked += 1
        heapq.heappush(self._timers, (when, self._asked, timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time comes."""

    def _run_once(self) -> None:
        while not self._ready and self._timers:
            when, _, timer = heapq.heappop(self._timers)
            if not timer.cancelled():
                self._now = max(self._now, when)
                self._ready.append(timer)
        if not self._ready:
            raise RuntimeError("everything waits, and nothing will ever happen")
        handle = self._ready.popleft()
        process = handle._context.get(PROCESS)
        if not handle.cancelled() and (process is None or process.take(handle)):
            handle._run()

    def _process_events(self, event_list: Any) -> None:
        """There are none."""

    def _write_to_self(self) -> None:
        """Nobody waits to be woken."""

    def _failed(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.failures.append(context)

    def end(self) -> None:
        """End whatever is left, of the living and the dead, and close."""
        self._ready.clear()
        self._timers.clear()
        left = [task for task in self._tasks if not task.done()]
        for task in left:
            task._log_destroy_pending = False
            with suppress(Exception):  # some would go on, but there is nothing left to do it with
                task.get_coro().close()
        self.close()


async def passed(seconds: float) -> None:
    """Return when so much time has passed; nobody waits for it."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    timer = loop.call_later(seconds, _end, over)
    try:
        await over
    finally:
        timer.cancel()


def _end(over: "asyncio.Future[None]") -> None:
    if not over.done():
        over.set_result(None)
