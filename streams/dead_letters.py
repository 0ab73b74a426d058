"""Dead letters: the records that keep what could not be read, with the reason and the place, so that it can be sent again."""

import base64
from typing import Final

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


def dead_letter(error: LeadbeatError, body: bytes, origin: Origin) -> bytes:
    """A dead letter as JSON: why and where `body` could not be read, and where it came from."""
    told = {"reason": error.what[:LONGEST_REASON], "where": error.where, "todo": error.todo}
    return msgspec.json.encode({**told, **asdict(origin), **in_json(body)})


def in_json(body: bytes) -> dict[str, str]:
    """A body as a field of JSON: `body` where it is text and not much longer so, else `body_base64`: a third more at most."""
    encoded = base64.b64encode(body).decode()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return {"body_base64": encoded}
    return {"body": text} if len(msgspec.json.encode(text)) <= max(len(encoded), 1000) else {"body_base64": encoded}
