"""The types of a model of Redis, and those of its commands that are used here."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias

from redis.exceptions import ResponseError


class Hash(dict[bytes, bytes]):
    """Fields and values."""

    kind = b"hash"


class Set(dict[bytes, None]):
    """Members, in the order in which they came: the answers are the same each time."""

    kind = b"set"


class Zset(dict[bytes, int]):
    """Members and scores, which are whole numbers here."""

    kind = b"zset"

    def ordered(self, least: float = float("-inf"), most: float = float("inf")) -> list[tuple[bytes, int]]:
        """Members with their scores, ascending."""
        return sorted(((member, at) for member, at in self.items() if least <= at <= most), key=lambda item: (item[1], item[0]))


class Stream(dict[tuple[int, int], list[bytes]]):
    """Entries by id. The last id is remembered when they are gone."""

    kind = b"stream"

    def __init__(self, entries: Any = (), last: tuple[int, int] = (0, 0)) -> None:
        super().__init__(entries)
        self.last = last


Value: TypeAlias = Hash | Set | Zset | Stream


def copied(value: Value) -> Value:
    """The same once more."""
    return Stream(value, value.last) if isinstance(value, Stream) else type(value)(value)


class Keyspace(Protocol):
    """What commands act on."""

    data: dict[bytes, Value]

    def to_read(self, key: bytes, kind: type[Any]) -> Any:
        """What is at a key, or nothing of the kind. Raises ResponseError if it is of another."""

    def to_write(self, key: bytes, kind: type[Any]) -> Any:
        """What is at a key, made if nothing is, to be altered."""

    def tidy(self, key: bytes) -> None:
        """Have a key that holds nothing be gone."""


def _hset(redis: Keyspace, key: bytes, *pairs: bytes) -> int:
    held = redis.to_write(key, Hash)
    before = len(held)
    held.update(zip(pairs[::2], pairs[1::2], strict=True))
    return len(held) - before


def _drop(kind: type[Any]) -> Callable[..., int]:
    def drop(redis: Keyspace, key: bytes, *names: bytes) -> int:
        if key not in redis.data:
            return 0
        held = redis.to_write(key, kind)
        found = [name for name in dict.fromkeys(names) if name in held]
        for name in found:
            del held[name]
        redis.tidy(key)
        return len(found)

    return drop


def _hgetall(redis: Keyspace, key: bytes) -> list[bytes]:
    return [text for pair in redis.to_read(key, Hash).items() for text in pair]


def _sadd(redis: Keyspace, key: bytes, *members: bytes) -> int:
    held = redis.to_write(key, Set)
    before = len(held)
    held.update(dict.fromkeys(members))
    return len(held) - before


def _zadd(redis: Keyspace, key: bytes, *pairs: bytes) -> int:
    held = redis.to_write(key, Zset)
    before = len(held)
    held.update((member, int(float(score))) for score, member in zip(pairs[::2], pairs[1::2], strict=True))
    return len(held) - before


def _with_scores(found: list[tuple[bytes, int]], words: Sequence[bytes]) -> list[bytes]:
    if b"WITHSCORES" in [word.upper() for word in words]:
        return [text for member, at in found for text in (member, b"%d" % at)]
    return [member for member, _ in found]


def _zrange(redis: Keyspace, key: bytes, start: bytes, stop: bytes, *words: bytes) -> list[bytes]:
    found = redis.to_read(key, Zset).ordered()
    end = len(found) if int(stop) == -1 else int(stop) + 1
    return _with_scores(found[int(start) : end], words)


def _bound(text: bytes, by: int) -> float:
    """A bound of whole scores; what begins with a bracket is left out."""
    return int(text[1:]) + by if text.startswith(b"(") else float(text)


def _zrangebyscore(redis: Keyspace, key: bytes, least: bytes, most: bytes, *words: bytes) -> list[bytes]:
    found = redis.to_read(key, Zset).ordered(_bound(least, 1), _bound(most, -1))
    if b"LIMIT" in words:
        place = words.index(b"LIMIT")
        start, count = int(words[place + 1]), int(words[place + 2])
        found = found[start : start + count]
    return _with_scores(found, words)


def _zremrangebyscore(redis: Keyspace, key: bytes, least: bytes, most: bytes) -> int:
    if key not in redis.data:
        return 0
    held = redis.to_write(key, Zset)
    gone = held.ordered(_bound(least, 1), _bound(most, -1))
    for member, _ in gone:
        del held[member]
    redis.tidy(key)
    return len(gone)


def entry_id(text: bytes) -> tuple[int, int]:
    """The two numbers of an entry's id; without a second one it is the first of its first."""
    first, _, second = text.partition(b"-")
    return int(first), int(second or b"0")


def _xadd(redis: Keyspace, key: bytes, name: bytes, *fields: bytes) -> bytes:
    held, number = redis.to_write(key, Stream), entry_id(name)
    if number <= held.last:
        raise ResponseError("ERR The ID specified in XADD is equal or smaller than the target stream top item")
    held[number] = list(fields)
    held.last = number
    return name


def _xrange(redis: Keyspace, key: bytes, start: bytes, _: bytes, *words: bytes) -> list[Any]:
    after = entry_id(start[1:]) if start.startswith(b"(") else (-1, -1)
    count = int(words[1]) if words else None
    entries = [(number, fields) for number, fields in redis.to_read(key, Stream).items() if number > after]
    return [[b"%d-%d" % number, fields] for number, fields in entries[:count]]


def _xtrim(redis: Keyspace, key: bytes, _: bytes, least: bytes) -> int:
    if key not in redis.data:
        return 0
    held = redis.to_write(key, Stream)
    gone = [number for number in held if number < entry_id(least)]
    for number in gone:
        del held[number]
    return len(gone)


def _unlink(redis: Keyspace, *keys: bytes) -> int:
    there = [key for key in keys if key in redis.data]
    for key in there:
        redis.to_write(key, type(redis.data[key]))
        del redis.data[key]
    return len(there)


def _xinfo(redis: Keyspace, _: bytes, key: bytes) -> list[Any]:
    return [b"length", len(redis.to_read(key, Stream)), b"last-generated-id", b"%d-%d" % redis.to_read(key, Stream).last]


COMMANDS: Final[dict[bytes, Callable[..., Any]]] = {
    b"EXISTS": lambda redis, *keys: sum(key in redis.data for key in keys),
    b"HDEL": _drop(Hash),
    b"HEXISTS": lambda redis, key, name: int(name in redis.to_read(key, Hash)),
    b"HGET": lambda redis, key, name: redis.to_read(key, Hash).get(name),
    b"HGETALL": _hgetall,
    b"HLEN": lambda redis, key: len(redis.to_read(key, Hash)),
    b"HMGET": lambda redis, key, *names: [redis.to_read(key, Hash).get(name) for name in names],
    b"HSET": _hset,
    b"HVALS": lambda redis, key: list(redis.to_read(key, Hash).values()),
    b"PING": lambda _: "PONG",
    b"SADD": _sadd,
    b"SMEMBERS": lambda redis, key: list(redis.to_read(key, Set)),
    b"SREM": _drop(Set),
    b"SSCAN": lambda redis, key, *_: [b"0", list(redis.to_read(key, Set))],
    b"TYPE": lambda redis, key: redis.data[key].kind.decode() if key in redis.data else "none",
    b"UNLINK": _unlink,
    b"XADD": _xadd,
    b"XINFO": _xinfo,
    b"XRANGE": _xrange,
    b"XTRIM": _xtrim,
    b"ZADD": _zadd,
    b"ZCARD": lambda redis, key: len(redis.to_read(key, Zset)),
    b"ZRANGE": _zrange,
    b"ZRANGEBYSCORE": _zrangebyscore,
    b"ZREM": _drop(Zset),
    b"ZREMRANGEBYSCORE": _zremrangebyscore,
}

WRITING: Final = frozenset(
    (b"HDEL", b"HSET", b"SADD", b"SREM", b"UNLINK", b"XADD", b"XTRIM", b"ZADD", b"ZREM", b"ZREMRANGEBYSCORE")
)
