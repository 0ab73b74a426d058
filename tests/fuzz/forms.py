"""The forms that inputs have: bytes as a tree of plain values and back, and what can stand in each that no tree says."""

import json
import math
import tomllib
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from typing import Any, Final, NamedTuple

import msgspec

DEEP: Final = 3_000
"""Deeper than any reader goes."""


class Form(NamedTuple):
    """How inputs are written. `tokens`: values as bytes; in a tree they stand as msgspec.Raw."""

    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
    tokens: Sequence[bytes]


def _toml(value: Any) -> str:
    match value:
        case msgspec.Raw():
            text = bytes(value).decode(errors="surrogateescape")
        case dict():
            text = "{" + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + "}"
        case list():
            text = "[" + ", ".join(map(_toml, value)) + "]"
        case datetime() | date() | time():
            text = value.isoformat()
        case float() if not math.isfinite(value):
            text = str(value)
        case _:
            text = json.dumps(value)
    return text


def _toml_document(tree: Any) -> bytes:
    if not isinstance(tree, dict):
        return _toml(tree).encode(errors="surrogateescape")
    return "\n".join(f"{json.dumps(key)} = {_toml(value)}" for key, value in tree.items()).encode(errors="surrogateescape")


JSON: Final = Form(
    msgspec.json.decode,
    msgspec.json.encode,
    (
        *(b"NaN", b"1e999", b"-1e999", b"1e-999", b"-0", b"-0.0", b"1.0", b"0.1", b"01", b"0x1", b"1" * 4_300),
        *(b"9223372036854775807", b"9223372036854775808", b"18446744073709551616", b"-9223372036854775809"),
        *(b'"\\ud83d"', b'"\\u0000"', b'"\\udc00\\ud800"', b'"\xff"', b'"\\q"', b'"', b"tru", b'{"a":1,"a":2}', b"[1,]"),
        *(b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP, b"[" * DEEP),
    ),
)
"""A document; what it is made into may be none."""

MESSAGEPACK: Final = Form(
    msgspec.msgpack.decode,
    msgspec.msgpack.encode,
    (
        *(
            b"\xc1",
            b"\xc0",
            b"\xcb\x7f\xf8\0\0\0\0\0\0",
            b"\xcb\x7f\xf0\0\0\0\0\0\0",
            b"\xcf" + b"\xff" * 8,
            b"\xd3\x80" + b"\0" * 7,
        ),
        *(b"\xa1\xff", b"\xdb\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff"),
        *(b"\xc7\x03\x05abc", b"\xd6\xff\xff\xff\xff\xff", b"\x91" * DEEP + b"\x90", b"\x81\x01" * DEEP + b"\xc0"),
    ),
)

TOML: Final = Form(
    lambda data: tomllib.loads(data.decode()),
    _toml_document,
    (
        *(b"nan", b"inf", b"-inf", b"1e999", b"9223372036854775808", b"1" * 4_300, b"0x7f", b"1_000", b"''", b'"\\u0000"'),
        *(b"0001-01-01", b"9999-12-31T23:59:59.999999Z", b"2026-03-02T12:00:00+23:59", b"12:00:00", b"2026-02-30"),
        *(b'"\xc3\xa9"', b'"\xed\xa0\xbd"', b"{}", b"[]", b"[[]]", b"[" * 500 + b"]" * 500, b"[" * DEEP + b"]" * DEEP),
    ),
)


def _text(tree: Any) -> bytes:
    return tree if isinstance(tree, bytes) else str(tree).encode(errors="surrogatepass")


def _no_tree(data: bytes) -> Any:
    raise ValueError("has no parts")


TEXT: Final = Form(
    _no_tree,
    _text,
    (
        *(
            b"\0",
            b"%",
            b"%00",
            b"%ff",
            b"%F0%9F%98%80",
            b"&",
            b"&&",
            b"=",
            b";",
            b"+",
            b",",
            b":",
            b"{",
            b"}",
            b"|",
            b"\\",
            b" ",
        ),
        *(
            "٣".encode(),
            "²".encode(),
            "é".encode(),
            "\u202e".encode(),
            b"\xed\xa0\xbd",
            b"\xff",
            b"-1",
            b"0",
            b"1e9",
            b"9" * 30,
        ),
    ),
)
"""Bytes that have no parts to be told apart: tokens are put in between."""
