"""Deliveries that are signed as they should be, of bodies that are no good: they are accepted, and become dead letters."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Any, Final

from fuzz.storm.request import Bad, Kind, polite, post, signed

from models.units import DAY, MINUTE, Millis, isoformat
from streams.local.deliveries import wall

DEEP: Final = 2_000
ACCEPTED: Final = 202

Make = Callable[[Random], bytes]


def event(rng: Random, **fields: Any) -> dict[str, Any]:
    """An event that would count, but for some fields."""
    at = isoformat(Millis(wall() - MINUTE))
    return {
        "id": f"bad-{rng.getrandbits(60)}",
        "type": "touch.upserted",
        "timestamp": at,
        "subject": {"kind": "lead", "id": f"bad-{rng.getrandbits(10)}"},
        "object": {"kind": "touch", "id": "t1"},
        "sequence": 0,
        "data": {"at": at, "channel": "call", "rep": "ana"},
    } | fields


def with_field(name: str, *values: Any) -> Make:
    """Events with one of some values that a field must not have."""
    return lambda rng: json.dumps(event(rng, **{name: rng.choice(values)})).encode()


def with_data(name: str, *values: Any) -> Make:
    """The same of their data."""

    def make(rng: Random) -> bytes:
        good = event(rng)
        return json.dumps(good | {"data": good["data"] | {name: rng.choice(values)}}).encode()

    return make


def with_token(old: bytes, *tokens: bytes) -> Make:
    """Events in which something stands that no writer of JSON writes."""
    return lambda rng: json.dumps(event(rng)).encode().replace(old, rng.choice(tokens))


with_sequence = partial(with_token, b'"sequence": 0')
with_rep = partial(with_token, b'"ana"')


def any_of(*texts: bytes) -> Make:
    return lambda rng: rng.choice(texts)


def without(*names: str) -> Make:
    """Events without a field that they need."""

    def make(rng: Random) -> bytes:
        left_out = rng.choice(names)
        return json.dumps({name: value for name, value in event(rng).items() if name != left_out}).encode()

    return make


def one_of_a_hundred(rng: Random) -> bytes:
    events = [event(rng) for _ in range(100)]
    events[rng.randrange(100)]["timestamp"] = "soon"
    return json.dumps(events).encode()


def broken_within(rng: Random) -> bytes:
    """An array of three, of which the second is broken; the others count."""
    good = json.dumps(event(rng)).encode()
    return b"[" + good + b"," + rng.choice((b'{"x":"\\ud83d"}', b"tru", b"[" * DEEP + b"]" * DEEP, b"NaN")) + b"," + good + b"]"


def array_broken(rng: Random) -> bytes:
    return b"[" + json.dumps(event(rng)).encode() + rng.choice((b",]", b"", b"}", b"] x", b"]]"))


def merged_into_itself(rng: Random) -> bytes:
    told = event(rng, type="merged")
    return json.dumps({**told, "into": told["subject"], "data": None, "object": None}).encode()


def ahead(rng: Random) -> bytes:
    """What has happened an hour, or years, from now."""
    return with_data("at", isoformat(Millis(wall() + rng.choice((DAY, 20 * 365 * DAY)))))(rng)


def as_number(rng: Random) -> bytes:
    """Milliseconds, seconds, or neither."""
    now = wall()
    return with_data("at", now, now // 1000, -1, 0, 2**53, 1.5)(rng)


def wrong_types(rng: Random) -> bytes:
    return with_field(rng.choice(("id", "type", "subject", "data", "timestamp")), 1, [], True)(rng)


FAR: Final = (
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "2150-01-01T00:00:00Z",
    "1989-12-31T00:00:00Z",
)
NONE: Final = ("2026-02-30T00:00:00Z", "2026-03-02", "12:00", "", "now", "2026-03-02T12:00:00", "2026-03-02T25:00:00Z")

BODIES: Final[Mapping[str, tuple[Make, int]]] = {
    "nothing": (any_of(b""), 1),
    "not_json": (any_of(b"hello", b"<xml/>", b"a=1&b=2", b"{", b"nul", b"'x'", b"{}{}"), 1),
    "not_an_event": (any_of(b'"an event"', b"1", b"null", b"true", b"{}", b'{"type": 1}'), 1),
    "not_text": (lambda rng: b"\xff\xfe" + rng.randbytes(50), 1),
    "nan": (with_sequence(b'"sequence": NaN', b'"sequence": Infinity', b'"sequence": -Infinity'), 1),
    "huge_exponent": (with_sequence(b'"sequence": 1e999', b'"sequence": -1e999', b'"sequence": 1e99999999'), 1),
    "beyond_64_bits": (with_sequence(b'"sequence": 18446744073709551616', b'"sequence": -9223372036854775809'), 1),
    "many_digits": (with_sequence(b'"sequence": ' + b"9" * 4_300, b'"sequence": 1' + b"0" * 50_000), 1),
    "no_whole_number": (with_sequence(b'"sequence": 1.5', b'"sequence": -1', b'"sequence": "1"', b'"sequence": true'), 1),
    "deep_arrays": (with_sequence(b'"x": ' + b"[" * DEEP + b"]" * DEEP), 1),
    "deep_objects": (with_sequence(b'"x": ' + b'{"x":' * DEEP + b"1" + b"}" * DEEP), 1),
    "deep_and_open": (any_of(b"[" * 20_000, b'{"x":' * 5_000), 1),
    "lone_surrogates": (with_rep(b'"\\ud83d"', b'"\\udc00x"', b'"\\ud83d\\ud83d"'), 1),
    "control_characters": (with_rep(b'"a\x00"', b'"a\nb"', b'"\x1b[31m"'), 1),
    "invalid_utf_8": (with_rep(b'"\xff"', b'"\xed\xa0\xbd"', b'"\xc0\xaf"'), 1),
    "byte_order_mark": (lambda rng: b"\xef\xbb\xbf" + json.dumps(event(rng)).encode(), 1),
    "wrong_types": (wrong_types, 1),
    "fields_missing": (without("id", "timestamp", "subject", "object"), 1),
    "one_of_a_hundred": (one_of_a_hundred, 1),
    "broken_within": (broken_within, 1),
    "array_broken": (array_broken, 1),
    "too_many_events": (lambda rng: json.dumps([rng.getrandbits(60)] * 1_001).encode(), 1),
    "far_times": (with_data("at", *FAR), 1),
    "far_versions": (with_field("timestamp", *FAR), 1),
    "ahead": (ahead, 1),
    "times_as_numbers": (as_number, 1),
    "times_that_are_none": (with_data("at", *NONE), 1),
    "long_ids": (with_field("subject", {"kind": "lead", "id": "x" * 10_000}, {"kind": "lead", "id": ""}), 1),
    "long_names": (with_data("rep", "y" * 10_000, ""), 1),
    "unknown_values": (with_data("channel", "pigeon", "CALL", ""), 1),
    "merged_into_itself": (merged_into_itself, 1),
    "derived": (with_field("type", "absorbed"), 1),
    "unknown_types": (with_field("type", "invoice.paid", 'a"\n\0b', "", "x" * 10_000), 0),
    "nothing_in_an_array": (lambda rng: b"[" + b" " * rng.randrange(2**12) + b"]", 0),
}
"""By name: how a body is made, and how many dead letters it becomes."""


def proven(make: Make, dead: int) -> Kind:
    """Deliveries of such bodies."""

    def kind(rng: Random) -> Bad:
        body = make(rng)
        return polite(post(body, signed(body)), ACCEPTED, authentic=((body, dead),))

    return kind


def replayed(rng: Random) -> Bad:
    """The same delivery, again and again, in one go; each is accepted, and to read it again changes nothing."""
    body = json.dumps(event(rng)).encode()
    count = rng.randrange(2, 6)
    bad = polite(post(body, signed(body)) * count, ACCEPTED, authentic=((body, 0),) * count)
    return bad._replace(conversation=bad.conversation._replace(answers=count), shared=False)


def pipelined_among_others(rng: Random) -> Bad:
    """One that is proven between two that are not."""
    body = json.dumps(event(rng)).encode()
    sent = post(body, {}) + post(body, signed(body)) + post(body, signed(body, of=b""))
    bad = polite(sent, 401, ACCEPTED, authentic=((body, 0),))
    return bad._replace(conversation=bad.conversation._replace(answers=3), shared=False)


def in_pieces(rng: Random) -> Bad:
    """In chunks of a few bytes, with extensions and a trailer."""
    body = with_field("timestamp", "soon")(rng)
    pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
    chunks = b"".join(b"%x;e=1\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    sent = post(b"", {"transfer-encoding": "chunked", "trailer": "x"} | signed(body)).replace(b"content-length: 0\r\n", b"")
    return polite(sent + chunks + b"0\r\nx: y\r\n\r\n", ACCEPTED, authentic=((body, 1),))


KINDS: Final[Mapping[str, Kind]] = {
    **{name: proven(make, dead) for name, (make, dead) in BODIES.items()},
    **{kind.__name__: kind for kind in (replayed, pipelined_among_others, in_pieces)},
}
"""By name."""
