"""Standard Webhooks that carry canonical events: one event, or an array of them.

The signature is HMAC-SHA256 over `id.timestamp.body`: https://www.standardwebhooks.com. Its own library does not serve
to verify: it takes the body as text, reads a clock, and answers malformed headers with whatever exception comes up.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec
from msgspec import Struct

from models.errors import InvalidEventError
from models.events import DERIVED_TYPES, EVENT_TYPES, Event, decode
from models.units import Millis
from streams.inbound.providers.contract import SECONDS, Busy, Element, Unauthentic, shaped, timely

KEPT_HEADERS = frozenset({"webhook-id"})
BUSY = Busy(503, 10)
"""Its specification has senders repeat what is answered with anything but 2xx, and heed `retry-after`."""

MOST_SIGNATURES = 5
MOST_ELEMENTS = 1000

_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SPACE = b" \t\r\n"
_ARRAY = re.compile(rb"[ \t\r\n]*\[")
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["\[\]{},]', re.DOTALL)
_NESTING = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}
_CUTS = {b"[": 1, b",": 1, b"]": 0}
"""Where elements end, by the depth behind the token."""


class _Head(Struct):
    type: str


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: Millis) -> None:
    """Raise Unauthentic unless one of the secrets signed the id, the timestamp and the body, within 5 minutes of now."""
    identity = shaped(headers, "webhook-id", _ID)
    timestamp = shaped(headers, "webhook-timestamp", SECONDS)
    signatures = _signatures(headers.get("webhook-signature", ""))
    matches = False
    for secret in secrets:
        expected = sign(identity, timestamp, body, key_of(secret))
        for signature in signatures:
            # Every pair is compared, so that the time taken tells nothing of which one matched.
            matches |= hmac.compare_digest(expected, signature)
    if not matches:
        raise Unauthentic("webhook-signature", "no signature matches", "check the secret, and that the raw body was signed")
    timely("webhook-timestamp", timestamp, now)


def _signatures(header: str) -> list[bytes]:
    """The digests of the version 1 signatures; others are versions that we do not take, or none at all."""
    versioned = header.split(" ")
    if len(versioned) > MOST_SIGNATURES:
        raise Unauthentic("webhook-signature", f"holds more than {MOST_SIGNATURES} signatures")
    return [digest for each in versioned if each.startswith("v1,") and (digest := _decoded(each.removeprefix("v1,")))]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def key_of(secret: str) -> bytes:
    """The signing key of a `whsec_...` secret. Raises Unauthentic if it holds none: an empty key would open to anybody."""
    key = _decoded(secret.removeprefix("whsec_"))
    if not key:
        raise Unauthentic("secret", "is not whsec_ and base64", "see docs/providers.md")
    return key


def sign(identity: str, timestamp: str, body: bytes, key: bytes) -> bytes:
    """The digest whose base64, behind `v1,`, is the signature. Takes the timestamp as its header has it, in Unix seconds."""
    return hmac.digest(key, f"{identity}.{timestamp}.".encode() + body, hashlib.sha256)


def parse(body: bytes) -> Sequence[Element]:
    """The events of a body, each as its own bytes. Raises InvalidEventError for an array that is broken or too long."""
    if not _ARRAY.match(body):
        return [body]
    try:
        elements: Sequence[Element] = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        elements = _split(body)
        if not elements:
            what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            raise InvalidEventError("$", what, "send one event, or an array of events, as JSON") from None
    if len(elements) > MOST_ELEMENTS:
        raise InvalidEventError("$", f"{len(elements)} events in one delivery", f"send at most {MOST_ELEMENTS} at once")
    return elements


def _split(body: bytes) -> Sequence[bytes]:
    """The elements of an array by its brackets and commas alone, or nothing if these do not match up.

    So one element with half a surrogate pair or without end to its nesting does not take the others with it.
    """
    cuts: list[int] = []
    depth = 0
    for token in _TOKEN.finditer(body):
        depth += _NESTING.get(token.group(), 0)
        if _CUTS.get(token.group()) == depth:
            cuts.append(token.start())
        if token.group() == b'"' or depth <= 0:
            break
    if depth or body[cuts[-1] :].strip(_SPACE) != b"]":
        return []
    pieces = [body[start + 1 : end].strip(_SPACE) for start, end in pairwise(cuts)]
    return pieces if all(pieces) else []


def read(element: Element) -> Sequence[Event] | None:
    """The event, in a tuple; None if all that is wrong with it is that Leadbeat does not know its type."""
    try:
        return (decode(element),)
    except InvalidEventError as error:
        kind = _type_of(element) if error.where == "$.type" else None
        if kind in DERIVED_TYPES:
            raise InvalidEventError("$.type", f"{kind!r} is what Leadbeat derives itself", "send `merged`") from None
        if kind is not None and kind not in EVENT_TYPES:
            return None
        raise


def _type_of(element: Element) -> str | None:
    try:
        return msgspec.json.decode(element, type=_Head).type
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
