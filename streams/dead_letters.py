"""Dead letters: the records that keep what could not be read, with the reason and the place, so that it can be sent again."""

import base64
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from models.errors import LeadbeatError

LONGEST_REASON: Final = 500


class Origin(Struct, frozen=True):
    """The record that something came in; where known, its delivery's connection and receipt (ms), and its place in an array."""

    topic: str
    partition: int
    offset: int
    connection: str | None = None
    received_at: int | None = None
    index: int | None = None


class DeadLetter(NamedTuple):
    """What could not be read: why, where in it, and the record that keeps it, as JSON."""

    reason: str
    where: str
    record: bytes


def dead_letter(error: LeadbeatError, body: bytes, origin: Origin) -> DeadLetter:
    """The dead letter of a body that could not be read."""
    reason = error.what[:LONGEST_REASON]
    told = {"reason": reason, "where": error.where, "todo": error.todo}
    return DeadLetter(reason, error.where, msgspec.json.encode({**told, **asdict(origin), **in_json(body)}))


def in_json(body: bytes) -> dict[str, str]:
    """A body as a field of JSON: `body` where it is text and not much longer so, else `body_base64`: a third more at most."""
    encoded = base64.b64encode(body).decode()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"body_base64": encoded}
    return {"body": text} if len(msgspec.json.encode(text)) <= max(len(encoded), 1000) else {"body_base64": encoded}
