"""A model of Redis: a server with the commands that are used here, the true scripts run by the same Lua, and a past.

Everything is bytes. What a command may not do raises the client's own errors. A test holds it against a real one.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import lupa.lua51 as lua
import msgspec
from redis.exceptions import NoScriptError, OutOfMemoryError, ResponseError
from simulation.redis_commands import COMMANDS, WRITING, Stream, Value, copied

Text: TypeAlias = bytes | str | int

WRONG_TYPE: Final = "WRONGTYPE Operation against a key holding the wrong kind of value"
FULL: Final = "OOM command not allowed when used memory > 'maxmemory'."
REMEMBERED: Final = 40
"""Writes of a slot that can be taken back."""


Past: TypeAlias = tuple[float, dict[bytes, Value | None]]
"""When something was written, and what was there before."""


class ModelRedis:
    """A server. `now` tells the time of what is written; `observe` is told of each script's name, keys, arguments, answer."""

    def __init__(self, now: Callable[[], float], observe: Callable[[str, list[bytes], list[bytes], Any], None]) -> None:
        self._now = now
        self._observe = observe
        self.data: dict[bytes, Value] = {}
        self.full = False
        self.past: dict[bytes, deque[Past]] = {}
        self._writing: dict[bytes, Value | None] | None = None
        self._scripts: dict[bytes, Any] = {}
        self._names: dict[bytes, str] = {}
        self._lua = lua.LuaRuntime(encoding=None, unpack_returned_tuples=True)
        self._prepare_lua()

    # --- commands

    def run(self, commands: Sequence[Sequence[Text]]) -> list[Any]:
        """The answers to some commands, in turn; an error is an answer."""
        return [self._answer([as_bytes(each) for each in command]) for command in commands]

    def _answer(self, command: list[bytes]) -> Any:
        try:
            return self._command(command)
        except ResponseError as error:
            return error

    def _command(self, command: list[bytes]) -> Any:
        name = command[0].upper()
        if name in {b"EVAL", b"EVALSHA"}:
            return self._eval(name, command[1], int(command[2]), command[3:])
        if name in WRITING and self.full and not self._writing:  # whatever has passed its first write may end
            raise OutOfMemoryError(FULL)
        if name not in WRITING or self._writing is not None:
            return COMMANDS[name](self, *command[1:])
        before = self._begin()
        try:
            return COMMANDS[name](self, *command[1:])
        finally:
            self._remember(before)

    def _begin(self) -> dict[bytes, Value | None]:
        self._writing = {}
        return self._writing

    def _remember(self, before: dict[bytes, Value | None]) -> None:
        self._writing = None
        if before:
            slot = slot_of(next(iter(before)))
            self.past.setdefault(slot, deque(maxlen=REMEMBERED)).append((self._now(), before))

    def to_write(self, key: bytes, kind: type[Any]) -> Any:
        """What is at a key, made if nothing is, to be altered."""
        value = self.to_read(key, kind)
        if self._writing is not None and key not in self._writing:
            self._writing[key] = copied(value) if key in self.data else None
        return self.data.setdefault(key, value)

    def to_read(self, key: bytes, kind: type[Any]) -> Any:
        """What is at a key, or nothing of the kind."""
        value = self.data.get(key)
        if value is None:
            return kind()
        if not isinstance(value, kind):
            raise ResponseError(WRONG_TYPE)
        return value

    def tidy(self, key: bytes) -> None:
        """What holds nothing is not there. A stream may hold nothing."""
        if not self.data[key] and not isinstance(self.data[key], Stream):
            del self.data[key]

    # --- scripts

    def _prepare_lua(self) -> None:
        def unpacked(packed: bytes) -> Any:
            return self._table(msgspec.msgpack.decode(packed))

        def called(*command: Any) -> Any:
            return self._to_lua(self._command([as_bytes(each) for each in command]))

        def tried(*command: Any) -> Any:
            try:
                return called(*command)
            except ResponseError as error:
                return self._lua.table_from({b"err": str(error).encode()})

        names = self._lua.globals()
        names[b"redis"] = self._lua.table_from({b"call": called, b"pcall": tried})
        names[b"cmsgpack"] = self._lua.table_from({b"unpack": unpacked})

    def load(self, name: str, source: str, digest: str) -> None:
        """Know a script, which is sent by its digest, under the name by which it is observed."""
        self._names[digest.encode()] = name
        self._scripts[digest.encode()] = self._lua.eval(f"function(KEYS, ARGV) {source}\nend")

    def _eval(self, command: bytes, digest: bytes, count: int, rest: list[bytes]) -> Any:
        script = self._scripts.get(digest)
        if command == b"EVAL" or script is None:
            raise NoScriptError("No matching script.")
        before = self._begin()
        try:
            answer = from_lua(script(self._lua.table_from(rest[:count]), self._lua.table_from(rest[count:])))
        finally:
            self._remember(before)
        self._observe(self._names[digest], rest[:count], rest[count:], answer)
        return answer

    def _to_lua(self, answer: Any) -> Any:
        match answer:
            case None:
                return False
            case list():
                return self._lua.table_from([self._to_lua(each) for each in answer])
            case str():
                return self._lua.table_from({b"ok": answer.encode()})
            case _:
                return answer

    def _table(self, items: Iterable[Any]) -> Any:
        return self._lua.table_from([each.encode() if isinstance(each, str) else each for each in items])

    # --- what can happen to it

    def go_back(self, slots: Iterable[bytes], since: float) -> int:
        """Lose what was written to some slots from an instant on; tells how many writes those were."""
        lost = 0
        for slot in slots:
            past = self.past.get(slot, deque())
            while past and past[-1][0] >= since:
                for key, value in past.pop()[1].items():
                    if value is None:
                        self.data.pop(key, None)
                    else:
                        self.data[key] = value
                lost += 1
        return lost

    def copy(self) -> dict[bytes, Value]:
        """All that there is."""
        return {key: copied(value) for key, value in self.data.items()}

    def replace(self, data: dict[bytes, Value]) -> None:
        """Have other data, and no past."""
        self.data, self.past = data, {}


def as_bytes(text: Any) -> bytes:
    """A word of a command as it is sent."""
    if isinstance(text, bytes):
        return text
    if isinstance(text, float):
        return b"%d" % text if text.is_integer() else repr(text).encode()
    return str(text).encode()


def slot_of(key: bytes) -> bytes:
    """What stands in a key's braces."""
    return key.partition(b"{")[2].partition(b"}")[0]


def from_lua(answer: Any) -> Any:
    """A script's answer as Redis gives it: numbers cut to whole ones, tables up to the first hole."""
    if lua.lua_type(answer) == "table":
        return list(_listed(answer))
    if isinstance(answer, float):
        return int(answer)
    return answer


def _listed(table: Any) -> Iterator[Any]:
    place = 1
    while (item := table[place]) is not None:
        yield from_lua(item) if item is not False else None
        place += 1
