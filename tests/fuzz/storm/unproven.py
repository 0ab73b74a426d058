"""Requests that are HTTP, and prove nothing: signatures, ids, times, tokens, paths and methods that are wrong."""

import gzip
import zlib
from collections.abc import Mapping
from functools import cache
from random import Random
from typing import Final

from fuzz.storm.request import LEGITIMATE_TOKEN, Bad, Kind, body_of, head, polite, post, signed
from system import TOKEN

from models.units import MINUTE, SECOND
from streams.local.deliveries import secret_of

MEBIBYTE: Final = 2**20
OTHER: Final = secret_of(99)


def unsigned(rng: Random) -> Bad:
    return polite(post(body_of(rng), {}), 401)


def of_another(rng: Random) -> Bad:
    body = body_of(rng)
    return polite(post(body, signed(body, secret=OTHER)), 401)


def of_another_body(rng: Random) -> Bad:
    body = body_of(rng)
    return polite(post(body, signed(body, of=body + b" ")), 401)


def of_another_id(rng: Random) -> Bad:
    body = body_of(rng)
    return polite(post(body, signed(body) | {"webhook-id": "msg_other"}), 401)


def stale(rng: Random) -> Bad:
    body = body_of(rng)
    return polite(post(body, signed(body, ago_s=rng.choice((6 * MINUTE // SECOND, 10**6, 10**9)))), 401)


def of_the_future(rng: Random) -> Bad:
    body = body_of(rng)
    return polite(post(body, signed(body, ago_s=-rng.choice((6 * MINUTE // SECOND, 10**6, 10**11)))), 401)


def no_seconds(rng: Random) -> Bad:
    body = body_of(rng)
    at = rng.choice(("0x10", "1e9", "-1", "1.5", "9" * 13, "9" * 5000, "nan", "now", "1 2"))
    return polite(post(body, signed(body, at=at)), 401)


def no_signature(rng: Random) -> Bad:
    body = body_of(rng)
    good = signed(body)["webhook-signature"]
    wrong = (
        "",
        "v1",
        "v1,",
        good.replace("v1,", "v2,"),
        good[3:],
        good[:-2],
        " ".join([good] * 6),
        "v1,!" + good[4:],
        "v1,\xff",
    )
    return polite(post(body, signed(body) | {"webhook-signature": rng.choice(wrong)}), 401)


def no_id(rng: Random) -> Bad:
    body = body_of(rng)
    return polite(post(body, signed(body, identity=rng.choice(("a.b", "a b", "x" * 129, "../x", "a/b", "%00", "a:b")))), 401)


def of_another_connection(rng: Random) -> Bad:
    body = body_of(rng)
    return polite(post(body, signed(body), path=f"/hooks/{LEGITIMATE_TOKEN}"), 401)


def of_another_provider(rng: Random) -> Bad:
    headers = {"close-sig-timestamp": signed(b"")["webhook-timestamp"], "close-sig-hash": rng.randbytes(32).hex()}
    return polite(post(body_of(rng), headers), 401)


def as_if_let_in(rng: Random) -> Bad:
    """With headers by which proxies and frameworks are told to trust."""
    headers = {
        "x-forwarded-for": "127.0.0.1",
        "x-original-url": "/metrics",
        "x-http-method-override": "GET",
        "authorization": "Basic YWRtaW46YWRtaW4=",
        "cookie": "session=" + rng.randbytes(8).hex(),
        "forwarded": "for=127.0.0.1;proto=https",
    }
    return polite(post(body_of(rng), headers), 401)


def token_of_nobody(rng: Random) -> Bad:
    body = body_of(rng)
    return polite(post(body, signed(body), path=f"/hooks/{rng.randbytes(12).hex()}"), 404)


def token_nearly(rng: Random) -> Bad:
    body = body_of(rng)
    token = rng.choice((TOKEN[:-1], TOKEN + "x", TOKEN.upper(), TOKEN + "%20", "%00" + TOKEN, TOKEN + "%2f", TOKEN + "/"))
    return polite(post(body, signed(body), path=f"/hooks/{token}"), 404)


def token_odd(rng: Random) -> Bad:
    token = rng.choice(("%00", "%ff", "%F0%9F%98%80", "%", "%zz", "'OR'1'='1", "${jndi:x}", "x" * 5000, "%2e%2e"))
    return polite(post(body_of(rng), {}, path=f"/hooks/{token}"), 404)


def path_traversing(rng: Random) -> Bad:
    path = rng.choice(
        ("/hooks/../metrics", "/hooks/%2e%2e/metrics", "/../../etc/passwd", "//hooks//", "/hooks/..%2f..%2fetc", "/./hooks/x/.")
    )
    return polite(post(body_of(rng), {}, path=path), 404)


def path_elsewhere(rng: Random) -> Bad:
    path = rng.choice(
        ("/", "/hooks", "/hooks/", "/admin", "/.env", "/table", "/router/", "/api/v1/kpis", "/livez/", "/?x=" + "y" * 999)
    )
    return polite(post(body_of(rng), {}, path=path), 404)


def own_pages_posted(rng: Random) -> Bad:
    return polite(post(body_of(rng), {}, path=rng.choice(("/metrics", "/livez", "/readyz"))), 405)


def method(rng: Random) -> Bad:
    name = rng.choice(("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD"))
    return polite(head(name, f"/hooks/{TOKEN}", {}), 405, bodiless=name == "HEAD")


def method_with_body(rng: Random) -> Bad:
    body = body_of(rng)
    sent = head(rng.choice(("PUT", "DELETE", "PATCH")), f"/hooks/{TOKEN}", {"content-length": str(len(body)), **signed(body)})
    return polite(sent + body, 405)


def too_large_declared(rng: Random) -> Bad:
    """The body is not even sent."""
    length = rng.choice((str(MEBIBYTE + 1), str(2**40), "9" * 18))
    return polite(head("POST", f"/hooks/{TOKEN}", {"content-length": length, "expect": "100-continue"}), 413)._replace(
        shared=False
    )


def too_large(rng: Random) -> Bad:
    body = _spaces(MEBIBYTE + 1 + rng.randrange(1000))
    return polite(post(body, signed(body)), 413)._replace(shared=False)


def too_large_in_pieces(rng: Random) -> Bad:
    piece = b"%x\r\n%b\r\n" % (MEBIBYTE // 4, _spaces(MEBIBYTE // 4))
    sent = head("POST", f"/hooks/{TOKEN}", {"transfer-encoding": "chunked"}) + piece * 5 + b"0\r\n\r\n"
    return polite(sent, 413)._replace(shared=False)


@cache
def _spaces(count: int) -> bytes:
    return b" " * count


@cache
def _bomb() -> bytes:
    """64 MiB in 64 kB."""
    return gzip.compress(_spaces(64 * MEBIBYTE), 9, mtime=0)


def bomb(rng: Random) -> Bad:
    body = _bomb()
    return polite(
        post(body, signed(body) | {"content-encoding": rng.choice(("gzip", "GZIP", "identity, gzip"))}), 415
    )._replace(shared=False)


def compressed(rng: Random) -> Bad:
    body = zlib.compress(body_of(rng))
    encoding = rng.choice(("deflate", "br", "zstd", "gzip, gzip", "x"))
    return polite(post(body, signed(body) | {"content-encoding": encoding}), 415)._replace(shared=False)


def expecting(rng: Random) -> Bad:
    return polite(post(body_of(rng), {"expect": "100-continue"}), 401)


KINDS: Final[Mapping[str, Kind]] = {
    kind.__name__: kind
    for kind in (
        *(unsigned, of_another, of_another_body, of_another_id, stale, of_the_future, no_seconds, no_signature, no_id),
        *(of_another_connection, of_another_provider, as_if_let_in, token_of_nobody, token_nearly, token_odd),
        *(path_traversing, path_elsewhere, own_pages_posted, method, method_with_body),
        *(too_large_declared, too_large, too_large_in_pieces, bomb, compressed, expecting),
    )
}
"""By name."""
