"""Dead letters as the records of their topic: what they keep, their ids, and what can be told of them without their bodies."""

import base64
import re
from hashlib import blake2b
from typing import Any, Final, NamedTuple, Protocol

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import asdict

from models.errors import UNREADABLE, LeadbeatError

LONGEST_REASON: Final = 500

ID_BYTES: Final = 8

DEAD_PARTITION: Final = 0
"""Where the normaliser's lie, and what is told of them: the topic has one partition."""

_QUOTED: Final = re.compile(r"(?<=value )\S.*", re.DOTALL)
_PARTICULAR: Final = re.compile(r"""'[^']*'|"[^"]*"|\b\d{3,}[\d:.TZ+-]*""")
_PLACE: Final = re.compile(r"\[\d+\]@\d+$")


class Record(Protocol):
    """A record of Kafka, as aiokafka gives it. `timestamp` is in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None


class Origin(Struct, frozen=True):
    """The record that something first came in; of a delivery also its connection, receipt (ms), kept headers, which element."""

    topic: str
    partition: int
    offset: int
    connection: str | None = None
    received_at: int | None = None
    headers: dict[str, str] = {}
    index: int | None = None

    @property
    def id(self) -> str:
        """The same whenever the same element of the same record is met; with the receipt, as a topic may be made anew."""
        place = [self.topic, self.partition, self.offset, self.index, self.received_at]
        return blake2b(msgspec.json.encode(place), digest_size=ID_BYTES).hexdigest()


class DeadLetter(Origin, frozen=True, kw_only=True):
    """What could not be read: why, where in it, what to do, and itself: as text, or else as base64.

    One that was read when it was sent again (`resent_at`, ms) has no body any more.
    """

    reason: str
    where: str
    todo: str = ""
    body: str | UnsetType = UNSET
    body_base64: bytes | UnsetType = UNSET
    resent_at: int | UnsetType = UNSET

    @property
    def record(self) -> bytes:
        """The value of its record; the key is its id."""
        return msgspec.json.encode(self)

    @property
    def content(self) -> bytes:
        """The body as it came."""
        if self.body_base64 is not UNSET:
            return self.body_base64
        return b"" if self.body is UNSET else self.body.encode()

    @property
    def is_resent(self) -> bool:
        """Whether it was read when it was sent again."""
        return self.resent_at is not UNSET


class Kind(NamedTuple):
    """What a dead letter has in common with others of its kind: instants and values of the body are left out."""

    connection: str | None
    where: str
    reason: str


def dead_letter(error: LeadbeatError, body: bytes, origin: Origin) -> DeadLetter:
    """The dead letter of a body that could not be read."""
    reason = error.what[:LONGEST_REASON]
    return DeadLetter(**asdict(origin), reason=reason, where=error.where, todo=error.todo, **_kept(body))


def _kept(body: bytes) -> dict[str, Any]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"body_base64": body}
    as_base64 = 4 * -(-len(body) // 3)
    return {"body": text} if len(msgspec.json.encode(text)) <= max(as_base64, 1000) else {"body_base64": body}


def in_json(body: bytes) -> dict[str, str]:
    """A body as a field of JSON: `body` where it is text and not much longer so, else `body_base64`: a third more at most."""
    return {name: told if isinstance(told, str) else base64.b64encode(told).decode() for name, told in _kept(body).items()}


_decode = msgspec.json.Decoder(DeadLetter).decode


def letter_of(record: Record) -> DeadLetter:
    """The dead letter that a record with a value holds. What is none of ours is told as one, without connection."""
    value = record.value or b""
    try:
        return _decode(value)
    except UNREADABLE:
        place = (record.topic, record.partition, record.offset)
        return DeadLetter(*place, reason="is not a dead letter of ours", where=record.topic, **_kept(value))


def kind_of(letter: DeadLetter) -> Kind:
    """Of which kind it is; nothing of its body is in that."""
    reason = _PARTICULAR.sub("…", _QUOTED.sub("…", letter.reason))
    return Kind(letter.connection, _PLACE.sub("", letter.where), reason)
