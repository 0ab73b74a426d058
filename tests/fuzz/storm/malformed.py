"""What is no HTTP, or not quite: lines, headers, lengths, chunks, other protocols; and senders who dawdle or go away."""

from collections.abc import Mapping
from random import Random
from typing import Final

from fuzz.storm.request import Bad, Kind, body_of, head, post, rude, signed
from fuzz.storm.wire import End
from system import TOKEN

HOOK: Final = f"/hooks/{TOKEN}"
REFUSED: Final = (400, 401, 404, 405, 408, 413, 415, 431)

SHORTLY_S: Final = 0.1
"""How long an answer is waited for that need not come."""

TLS_HELLO: Final = bytes.fromhex(
    "16030100a5010000a10303d6c7a1b2e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f6071829320a1b2c3d4e5f60718293a4b5c6d7e8f90"
    "a1b2c3d4e5f60718293a4b5c6d7e8f9000081302130313011301"
)
HTTP_2: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000012040000000000000300000064000401000000000200000000")


def line(rng: Random) -> Bad:
    lines = (
        *(
            b"POST\r\n\r\n",
            b"POST /x\r\n\r\n",
            b" POST / HTTP/1.1\r\n\r\n",
            b"POST / HTTP/9.9\r\n\r\n",
            b"POST / HTTP/1.1 x\r\n\r\n",
        ),
        *(
            b"POST  /  HTTP/1.1\r\n\r\n",
            b"POST / http/1.1\r\n\r\n",
            b"\r\n" * 50 + b"X\r\n\r\n",
            b"POST / HTTP/1.1\r\r\n\r\n",
            b"\0\r\n\r\n",
        ),
        *(b"POST \xff\xfe HTTP/1.1\r\n\r\n", b"POST /\0 HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"GET /hooks/x\n\n"),
    )
    return rude(rng.choice(lines), answers=REFUSED, patience_s=SHORTLY_S)


def method_unknown(rng: Random) -> Bad:
    name = rng.choice(("BREW", "post", "P\u00d6ST", "G" * 5000, "<script>", "PROPFINDX", "M-SEARCH"))
    return rude(head(name, HOOK, {"connection": "close"}), answers=REFUSED)


def tunnel(rng: Random) -> Bad:
    host = rng.choice(("169.254.169.254:80", "127.0.0.1:6379", "x:443"))
    return rude(f"CONNECT {host} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode(), answers=REFUSED)


def target_absolute(rng: Random) -> Bad:
    path = rng.choice(
        ("http://169.254.169.254/latest", "http://x/hooks/y", "*", "file:///etc/passwd", "//evil.example/%2f", "/hooks/\xe9")
    )
    return rude(post(body_of(rng), {"connection": "close"}, path=path), answers=REFUSED)


def path_very_long(rng: Random) -> Bad:
    return rude(
        post(body_of(rng), {"connection": "close"}, path="/hooks/" + "a%2f" * rng.choice((10_000, 20_000))), answers=REFUSED
    )


def header(rng: Random) -> Bad:
    lines = (
        *(
            b"no colon",
            b" leading: x",
            b"space : x",
            b": nothing",
            b"nul\0: x",
            b"nul: \0",
            b"\xff\xfe: x",
            b"bell: \x07",
            b"a\rb: x",
        ),
        *(
            b"folded: a\r\n b",
            b"lf: a\nb: c",
            b"esc: \x1b[31m",
            b"name(): x",
            b"webhook-id: a\0b",
            b"content-type: \xed\xa0\xbd",
        ),
    )
    return rude(post(body_of(rng), {"connection": "close"}, rng.choice(lines)), answers=REFUSED)


def header_huge(rng: Random) -> Bad:
    size = rng.choice((40_000, 100_000, 1_000_000))
    return rude(post(body_of(rng), {"connection": "close"}, b"x: " + b"y" * size), answers=REFUSED)


def header_flood(rng: Random) -> Bad:
    lines = [b"x-%d: y" % number for number in range(rng.choice((200, 5_000)))]
    return rude(post(body_of(rng), {"connection": "close"}, *lines), answers=REFUSED)


def header_twice(rng: Random) -> Bad:
    """The signature is good, and then there is another one; or the other way round."""
    body = body_of(rng)
    name = rng.choice(("webhook-id", "webhook-timestamp", "webhook-signature"))
    others = {"webhook-id": "msg_other", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
    sent = head("POST", HOOK, {name: others[name]} | {"connection": "close", "content-length": str(len(body))})
    return rude(sent[:-2] + head("", "", signed(body)).partition(b"host: x\r\n")[2] + body, answers=REFUSED)


def host(rng: Random) -> Bad:
    hosts = (b"", b"host: a\r\nhost: b\r\n", b"host: \r\n", b"host: x:99999999\r\n", b"host: ]\r\n")
    return rude(b"POST " + HOOK.encode() + b" HTTP/1.1\r\nconnection: close\r\n" + rng.choice(hosts) + b"\r\n", answers=REFUSED)


def smuggled(rng: Random) -> Bad:
    """A request in the body of another one, whose length is told in two ways."""
    hidden = head("GET", "/metrics", {})
    sent = head("POST", HOOK, {"content-length": str(5 + len(hidden)), "transfer-encoding": "chunked"}) + b"0\r\n\r\n" + hidden
    other = head("POST", HOOK, {"transfer-encoding": "chunked", "content-length": "3"}) + b"8\r\nSMUGGLED\r\n0\r\n\r\n"
    third = head("POST", HOOK, {"transfer-encoding": "chunked", "Transfer-Encoding": "identity"}) + b"0\r\n\r\n" + hidden
    return rude(rng.choice((sent, other, third)), answers=REFUSED, requests=2, patience_s=SHORTLY_S)


def lengths(rng: Random) -> Bad:
    body = body_of(rng)
    own = str(len(body))
    told = rng.choice(
        (
            (own, "1"),
            (own, own),
            ("1", own),
            (f"{own}, {own}",),
            (f"+{own}",),
            ("-1",),
            ("0x20",),
            ("1e3",),
            (" ",),
            ("9" * 5000,),
        )
    )
    lines = [f"content-length: {each}".encode() for each in told]
    return rude(head("POST", HOOK, {"connection": "close"}, *lines) + body, answers=REFUSED, patience_s=SHORTLY_S)


def encoded_transfer(rng: Random) -> Bad:
    told = rng.choice(
        ("xchunked", "chunked, identity", "identity", "gzip", "chunked\x0b", "\x00chunked", "chunked, chunked", ",")
    )
    sent = head("POST", HOOK, {"connection": "close", "transfer-encoding": told})
    return rude(sent + b"3\r\nabc\r\n0\r\n\r\n", answers=REFUSED, patience_s=SHORTLY_S)


def chunks(rng: Random) -> Bad:
    sent = head("POST", HOOK, {"connection": "close", "transfer-encoding": "chunked"})
    nonsense = (
        *(
            b"x\r\nabc\r\n0\r\n\r\n",
            b"-1\r\n",
            b"FFFFFFFFFFFFFFFFF\r\nabc",
            b"FFFFFFFFFFFFFFFF\r\nabc",
            b"0x3\r\nabc\r\n0\r\n\r\n",
        ),
        *(
            b"3\nabc\n0\n\n",
            b"3\r\nabcdef\r\n0\r\n\r\n",
            b"3\r\nab",
            b"\r\n\r\n",
            b"3;" + b"e" * 100_000 + b"\r\nabc\r\n0\r\n\r\n",
        ),
        *(
            b"1\r\na\r\n" * 500 + b"0\r\n\r\n",
            b"0\r\nx: y\r\ncontent-length: 3\r\n\r\n",
            b"0\r\n" + b"t: y\r\n" * 3_000 + b"\r\n",
        ),
    )
    return rude(sent + rng.choice(nonsense), answers=REFUSED, patience_s=SHORTLY_S)


def pipelined(rng: Random) -> Bad:
    count = rng.randrange(2, 20)
    return rude(b"".join(post(body_of(rng), {}) for _ in range(count)), answers=(401,), requests=count)


def pipelined_rubbish(rng: Random) -> Bad:
    return rude(post(body_of(rng), {}) + rng.randbytes(200), answers=REFUSED, requests=2, patience_s=SHORTLY_S)


def http_2(_: Random) -> Bad:
    return rude(HTTP_2, answers=REFUSED, patience_s=SHORTLY_S)


def http_2_upgrade(_: Random) -> Bad:
    headers = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABkAAQCAAAAAAIAAAAA"}
    return rude(head("GET", HOOK, headers), answers=REFUSED)


def websocket(_: Random) -> Bad:
    headers = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
    }
    return rude(head("GET", HOOK, headers) + b"\x81\x85\x01\x02\x03\x04abcde", answers=REFUSED)


def tls(_: Random) -> Bad:
    return rude(TLS_HELLO, answers=REFUSED, patience_s=SHORTLY_S)


def rubbish(rng: Random) -> Bad:
    return rude(rng.randbytes(rng.choice((1, 100, 5_000))) + b"\r\n\r\n", answers=REFUSED, patience_s=SHORTLY_S)


def zeros(rng: Random) -> Bad:
    return rude(b"\0" * rng.choice((1, 1_000, 100_000)), answers=REFUSED, patience_s=SHORTLY_S)


def redis(_: Random) -> Bad:
    return rude(b"*1\r\n$8\r\nFLUSHALL\r\n", answers=REFUSED, patience_s=SHORTLY_S)


def other_version(rng: Random) -> Bad:
    version = rng.choice((b"1.0", b"0.9", b"2", b"3.0", b"1.", b"11"))
    return rude(
        b"POST " + HOOK.encode() + b" HTTP/" + version + b"\r\ncontent-length: 1\r\n\r\nx",
        answers=REFUSED,
        patience_s=SHORTLY_S,
    )


def gone_at_once(_: Random) -> Bad:
    return rude(End.CLOSE)


def gone_in_the_headers(rng: Random) -> Bad:
    sent = post(body_of(rng), {})
    return rude(sent[: rng.randrange(1, 40)], rng.choice((End.CLOSE, End.RESET)))


def gone_in_the_body(rng: Random) -> Bad:
    body = body_of(rng)
    sent = post(body, signed(body))
    return rude(sent[: len(sent) - rng.randrange(1, len(body))], rng.choice((End.CLOSE, End.RESET)))


def gone_before_the_answer(rng: Random) -> Bad:
    return rude(post(body_of(rng), {}), rng.choice((End.CLOSE, End.RESET)))


def slow_in_the_headers(_: Random) -> Bad:
    """A byte now and then; the whole never comes."""
    return rude(b"POST ", *(step for byte in HOOK[:7] for step in (1.0, byte.encode())))


def slow_in_the_body(_: Random) -> Bad:
    sent = head("POST", HOOK, {"content-length": "1000"})
    return rude(sent, *(step for _ in range(6) for step in (2.0, b"{")), answers=(408,))


def silent(_: Random) -> Bad:
    """Nothing is sent until the other side has closed."""
    return rude(b"")


KINDS: Final[Mapping[str, Kind]] = {
    kind.__name__: kind
    for kind in (
        *(line, method_unknown, tunnel, target_absolute, path_very_long, header, header_huge, header_flood, header_twice, host),
        *(smuggled, lengths, encoded_transfer, chunks, pipelined, pipelined_rubbish, http_2, http_2_upgrade, websocket, tls),
        *(rubbish, zeros, redis, other_version, gone_at_once, gone_in_the_headers, gone_in_the_body, gone_before_the_answer),
    )
}
"""By name."""

SLOW: Final[Mapping[str, Kind]] = {kind.__name__: kind for kind in (slow_in_the_headers, slow_in_the_body, silent)}
"""Those who take as long as they may: there are only some at once."""
