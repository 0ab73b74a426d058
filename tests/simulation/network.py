"""What lies between a process and its servers: answers take their time, get lost, come late, or go out to nobody."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from redis import asyncio as client
from redis.asyncio.client import Pipeline
from redis.exceptions import ConnectionError as Unconnected
from redis.exceptions import TimeoutError as Unanswered
from simulation.loop import SimulatedLoop
from simulation.model_redis import ModelRedis

T = TypeVar("T")

PATIENCE_S = 5.0
"""How long an answer is waited for."""

HALF = 0.5


@dataclass
class Weather:
    """How the network is just now: shares of requests, from 0 to 1, and seconds."""

    random: Random
    count: Callable[[str], None]
    quick_s: float = 0.002
    slow_s: float = 0.05
    slow: float = 0.1
    lost_requests: float = 0.0
    lost_answers: float = 0.0
    late_requests: float = 0.0
    late_s: float = 20.0
    paused_until: float = 0.0
    """Nothing arrives anywhere before this instant."""
    calm: bool = field(default=False)

    def way(self) -> float:
        """How long a message is under way."""
        slow = self.random.random() < self.slow
        return self.random.expovariate(1 / (self.slow_s if slow else self.quick_s))

    def strikes(self, kind: str, share: float) -> bool:
        """Whether something happens to a message."""
        struck = not self.calm and self.random.random() < share
        if struck:
            self.count(kind)
        return struck


class Exchange:
    """A request on its way, and what becomes of it: an answer, TimeoutError or ConnectionResetError, whether served or not."""

    def __init__(self, loop: SimulatedLoop, weather: Weather, serve: Callable[[], Any]) -> None:
        self._loop, self._weather, self._serve = loop, weather, serve
        self._patient_until = loop.time() + PATIENCE_S
        self.answer: asyncio.Future[Any] = loop.create_future()

    def begin(self) -> None:
        """Send it."""
        weather = self._weather
        delay = max(weather.way(), weather.paused_until - self._loop.time())
        if weather.strikes("late request", weather.late_requests):
            delay += weather.random.expovariate(1 / weather.late_s)
        if weather.strikes("lost request", weather.lost_requests):
            self._lose(delay)
            return
        self._loop.later(delay, self._arrive)
        if delay >= PATIENCE_S:
            self._loop.later(PATIENCE_S, self._end, TimeoutError())

    def _arrive(self) -> None:
        back = self._weather.way()
        try:
            found = self._serve()
        except Exception as error:  # noqa: BLE001 - it is the answer
            self._end(error)
            return
        if self._weather.strikes("lost answer", self._weather.lost_answers):
            self._lose(back)
        elif self._loop.time() + back < self._patient_until:
            self._loop.later(back, self._answered, found)
        else:
            self._lose(PATIENCE_S)

    def _lose(self, delay: float) -> None:
        """Find the connection cut, or wait in vain."""
        left = max(0.0, self._patient_until - self._loop.time())
        if delay < left and self._weather.random.random() < HALF:
            self._loop.later(delay, self._end, ConnectionResetError())
        else:
            self._loop.later(left, self._end, TimeoutError())

    def _answered(self, found: Any) -> None:
        if not self.answer.done():
            self.answer.set_result(found)

    def _end(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


def exchange(loop: SimulatedLoop, weather: Weather, serve: Callable[[], T]) -> "asyncio.Future[T]":
    """A server's answer, which comes or not."""
    request = Exchange(loop, weather, serve)
    request.begin()
    return request.answer


class Client(client.Redis):
    """The usual client, whose commands go to a model."""

    def __init__(self, loop: SimulatedLoop, weather: Weather, server: ModelRedis) -> None:
        super().__init__(protocol=2)
        self._to = loop, weather, server

    async def send(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """The answers to some commands, which go together."""
        loop, weather, server = self._to
        try:
            return await exchange(loop, weather, lambda: server.run(commands))
        except TimeoutError:
            raise Unanswered("no answer") from None
        except ConnectionResetError:
            raise Unconnected("connection reset") from None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """The answer to one command."""
        (answer,) = await self.send([args])
        return self.understood(args, options, answer)

    def understood(self, args: Sequence[Any], options: dict[str, Any], answer: Any) -> Any:
        """An answer as the client gives it."""
        if isinstance(answer, Exception):
            raise answer
        read = self.response_callbacks.get(args[0])
        told = {name: option for name, option in options.items() if name != "keys"}
        return read(answer, **told) if read and answer is not None else answer

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "Together":
        return Together(self)


class Together(Pipeline):
    """Commands that go together. Transaction or not: nobody comes between them."""

    def __init__(self, to: Client) -> None:
        super().__init__(to.connection_pool, to.response_callbacks, False, None)
        self._client = to

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands, self.command_stack = self.command_stack, []
        if not commands:
            return []
        answers = await self._client.send([args for args, _ in commands])
        return [self._client.understood(*command, answer) for command, answer in zip(commands, answers, strict=True)]


class Direct(Client):
    """A client that is answered on the spot, for whoever looks on."""

    async def send(self, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """The answers to some commands."""
        return self._to[2].run(commands)


def at_once(what: Coroutine[Any, Any, T]) -> T:
    """What comes of something that waits for nothing."""
    try:
        what.send(None)
    except StopIteration as end:
        found: T = end.value
        return found
    raise AssertionError("it waits")
