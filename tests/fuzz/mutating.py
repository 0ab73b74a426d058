"""Small changes to an input: to what it says where that can be read, else to its bytes."""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Final

import msgspec
from fuzz.forms import Form

from models.errors import UNREADABLE

UNKNOWN: Final = "unknown"
"""A key that no object has."""

MOST_CHANGES: Final = 3

LONG: Final = 100
"""A list of so many is not made longer."""

TEXTS: Final = (
    *("", " ", "\0", "\n", "\u202e", "\ufeff", "\U0001f600", "é", "٣", "²", "null", "__proto__", "=1+1", "a,b", "a|b=c", "<b>"),
    *("x" * 200, "x" * 201, "x" * 10_000, "lead-1", "crm:lead-1", "email:x", "ana", "other", "unassigned"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "2026-03-02T12:00:00", "2026-03-02"),
    *("2026-03-02T12:00:00+23:59", "2026-03-02T12:00:00.123456789Z", "2026-02-29T12:00:00Z", "1772452800000", "1e999"),
)

NUMBERS: Final = (0, 1, -1, 10, 100, 255, 256, 2**31, 2**32, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 0.5, -0.0, 1e300, 1e-300)

OTHERS: Final[tuple[Callable[[], Any], ...]] = (
    list,
    dict,
    lambda: None,
    lambda: True,
    lambda: False,
    lambda: [None],
    lambda: [[]],
)


def mutated(data: bytes, form: Form, rng: Random) -> bytes:
    """An input with one to three changes. The same for the same generator."""
    try:
        tree = [form.decode(data)]
        for _ in range(rng.randint(1, MOST_CHANGES)):
            _change(tree, form, rng)
        return form.encode(tree[0])
    except (*UNREADABLE, TypeError):
        return _cut_up(data, form.tokens, rng)


def with_tokens(data: bytes, form: Form) -> Iterator[bytes]:
    """The tokens of a form alone, and an input with each in the place of each of its values, or beside those of an object."""
    yield from form.tokens
    try:
        tree = [form.decode(data)]
    except UNREADABLE:
        return
    for container, key in list(_places(tree)):
        value = container[key]
        for holder, name in [(container, key), *([(value, UNKNOWN)] if isinstance(value, dict) else [])]:
            for token in form.tokens:
                holder[name] = msgspec.Raw(token)
                yield form.encode(tree[0])
            if holder is container:
                container[key] = value
            else:
                del value[UNKNOWN]


def _change(tree: list[Any], form: Form, rng: Random) -> None:
    places = list(_places(tree))
    container, key = rng.choice(places)
    match rng.randrange(9):
        case 0 if container is not tree:
            del container[key]
        case 1:
            container[key] = msgspec.Raw(rng.choice(form.tokens))
        case 2:
            other, its = rng.choice(places)
            container[key] = _copy(other[its])
        case 3 if isinstance(container, dict):
            container[rng.choice([*map(_key, places), *TEXTS])] = container.pop(key)
        case 3 if container is not tree:
            container.insert(key, _copy(container[key]))
        case 4:
            container[key] = rng.choice((*TEXTS, *NUMBERS))
        case 5:
            container[key] = rng.choice(OTHERS)()
        case 6 if isinstance(container, dict):
            container[rng.choice(TEXTS)] = msgspec.Raw(rng.choice(form.tokens))
        case _:
            container[key] = _varied(container[key], rng)


def _places(container: Any) -> Iterator[tuple[Any, Any]]:
    """Every value within, as what holds it and under which key."""
    keys = list(container) if isinstance(container, dict) else range(len(container))
    for key in keys:
        yield container, key
        if isinstance(container[key], dict | list):
            yield from _places(container[key])


def _key(place: tuple[Any, Any]) -> str:
    return str(place[1])


def _copy(value: Any) -> Any:
    match value:
        case dict():
            return {key: _copy(each) for key, each in value.items()}
        case list():
            return [_copy(each) for each in value]
    return value


def _varied(value: Any, rng: Random) -> Any:
    match value:
        case bool():
            varied: Any = not value
        case int():
            varied = rng.choice((value + 1, value - 1, -value, value * 1000, value // 1000, value * 2**20))
        case float():
            varied = rng.choice((-value, value * 1e10, value / 1e10, int(value)))
        case str():
            place = rng.randrange(len(value) + 1)
            piece = rng.choice((rng.choice(TEXTS), chr(rng.choice((rng.randrange(128), rng.randrange(0xD800))))))
            varied = value[:place] + piece + value[place + rng.randrange(2) :]
        case bytes():
            varied = _cut_up(value, (b"", b"\0", b"\xff"), rng)
        case list():
            varied = value * rng.choice((2, 50)) if len(value) < LONG else []
        case dict():
            varied = [value]
        case _:
            varied = rng.choice((*TEXTS, *NUMBERS))
    return varied


def _cut_up(data: bytes, tokens: Sequence[bytes], rng: Random) -> bytes:
    """Bytes in which a stretch is gone, there twice, or another."""
    start = rng.randrange(len(data) + 1)
    end = min(len(data), start + rng.choice((0, 1, 1, 2, 8, 64)))
    piece = rng.choice((b"", data[start:end] * 2, rng.randbytes(1), rng.choice(tokens), rng.choice(tokens)))
    return data[:start] + piece + data[end:]
