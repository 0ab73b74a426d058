"""What the topic of dead letters holds beside them: erasures, by which its readers leave out the letters of who was erased."""

from typing import Final

import msgspec
from msgspec import Struct

from models.errors import UNREADABLE
from models.state.subjects import Kind
from streams.dead_letters.letters import Record
from streams.hashing import Hashing

CLOSING_KEY: Final = b"closing"
"""Of a record that says nothing: behind it Kafka begins another segment, and compacts the one before."""

_KEY: Final = b"erased:"


class Erasure(Struct, frozen=True):
    """Somebody was erased: of which kind the subject is, and the keyed hash of its id."""

    kind: Kind
    digest: bytes

    @property
    def key(self) -> bytes:
        """The key of its record."""
        return _KEY + self.digest.hex().encode()

    @property
    def record(self) -> bytes:
        """The value of its record."""
        return msgspec.json.encode(self)


def erasure_by(hashing: Hashing, kind: Kind, subject: str) -> Erasure:
    """The erasure of a subject, by its id across the whole system."""
    return Erasure(kind, hashing.digest(subject))


_decode = msgspec.json.Decoder(Erasure).decode


def is_erasure(record: Record) -> bool:
    """Whether a record tells of an erasure, or that it is too old to matter."""
    return record.key is not None and record.key.startswith(_KEY)


def is_letter(record: Record) -> bool:
    """Whether a record is of a dead letter: that it is there, or that it is not any more."""
    return not is_erasure(record) and record.key != CLOSING_KEY


def erasure_of(record: Record) -> Erasure | None:
    """The erasure that a record tells of, if it does."""
    if not is_erasure(record) or record.value is None:
        return None
    try:
        return _decode(record.value)
    except UNREADABLE:
        return None
