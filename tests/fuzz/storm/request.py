"""What all kinds of bad requests are made of: tokens, signatures, heads, and what may be answered."""

import base64
from collections.abc import Callable, Mapping
from random import Random
from typing import Final, NamedTuple, TypeAlias

from fuzz.storm.wire import PATIENCE_S, Conversation, Step
from system import SECRET, TOKEN

from models.units import SECOND
from streams.inbound.providers import standard
from streams.local.deliveries import wall

LEGITIMATE: Final = "legitimate"
"""The connection of the sender who means it well; nobody else knows its secret."""

LEGITIMATE_TOKEN: Final = "token_of_a_good_sender_01"

TOO_MANY: Final = 429
"""A gateway may answer so to anything."""

Headers: TypeAlias = Mapping[str, str]


class Bad(NamedTuple):
    """A bad request, or some on one connection.

    `answers` are the statuses that may come; `silent`: it may be closed without one. `authentic` are the bodies in it that are
    signed as they should be, each with the number of dead letters that it becomes; all others must never be accepted.
    `shared`: it leaves the connection as it was, for another request.
    """

    conversation: Conversation
    answers: frozenset[int]
    silent: bool = False
    authentic: tuple[tuple[bytes, int], ...] = ()
    shared: bool = False

    @property
    def requests(self) -> int:
        """How many there are."""
        return self.conversation.answers


Kind: TypeAlias = Callable[[Random], Bad]


def body_of(rng: Random) -> bytes:
    """A body as good as any, which nobody has signed; no two are the same."""
    at = wall()
    return b'{"id":"bad-%d","type":"lead.upserted","timestamp":%d,"subject":{"kind":"lead","id":"%d"}}' % (
        rng.getrandbits(60),
        at,
        rng.getrandbits(20),
    )


def signed(
    body: bytes, *, secret: str = SECRET, identity: str = "", ago_s: int = 0, of: bytes | None = None, at: str = ""
) -> dict[str, str]:
    """The headers that prove a body, or nearly so: of another secret, an id, a time ago or as text, or of another body."""
    identity = identity or f"msg_{len(body)}"
    timestamp = at or str(wall() // SECOND - ago_s)
    digest = standard.sign(identity, timestamp, body if of is None else of, standard.key_of(secret))
    return {
        "webhook-id": identity,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def head(method: str, path: str, headers: Headers, *more: bytes) -> bytes:
    """A request's line and headers, with further lines as they are."""
    lines = [f"{method} {path} HTTP/1.1".encode("latin-1"), b"host: x"]
    lines += [f"{name}: {value}".encode("latin-1") for name, value in headers.items()]
    return b"\r\n".join([*lines, *more, b"", b""])


def post(body: bytes, headers: Headers, *more: bytes, path: str = f"/hooks/{TOKEN}") -> bytes:
    """A whole delivery."""
    return head("POST", path, {"content-length": str(len(body)), **headers}, *more) + body


def polite(sent: bytes, *answers: int, authentic: tuple[tuple[bytes, int], ...] = (), bodiless: bool = False) -> Bad:
    """A request that is HTTP: it is answered, and the connection stays."""
    return Bad(Conversation((sent,), bodiless=bodiless), frozenset(answers), authentic=authentic, shared=True)


def rude(*steps: Step, answers: tuple[int, ...] = (400,), requests: int = 1, patience_s: float = PATIENCE_S) -> Bad:
    """Something that need not be answered; whoever is patient for less waits for no more than that."""
    return Bad(Conversation(steps, requests, patience_s=patience_s), frozenset(answers), silent=True)
