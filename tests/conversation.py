"""A conversation with Close: a body for each kind of event, made after its documentation, and what it says.

The bodies have more than is used, as Close's have: names, addresses, phone numbers, texts.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from models.events import Event, encode
from models.units import Millis
from streams.config import Connection, load
from streams.inbound.normalise import Delivery, Unknown, Unreadable, contents
from streams.inbound.providers import provider_of

CASES = Path(__file__).parent / "golden" / "close"
RECEIVED = Millis(1_772_474_400_000)
"""2026-03-02T18:00:00Z, the evening of the day that the bodies tell of."""


class Case(NamedTuple):
    """A delivery's body and the canonical events that it says, without their receipt; None: it is of a type not used."""

    body: dict[str, Any]
    events: list[dict[str, Any]] | None

    @property
    def raw(self) -> bytes:
        return json.dumps(self.body, ensure_ascii=False).encode()


@cache
def connection() -> Connection:
    """The connection of all cases."""
    (only,) = load(CASES / "settings.toml").connections
    return only


def names() -> list[str]:
    return sorted(path.stem for path in CASES.glob("*.json"))


def case(name: str) -> Case:
    return Case(**json.loads((CASES / f"{name}.json").read_text()))


def read(body: bytes, of: Connection | None = None) -> list[Event | Unknown | Unreadable]:
    """All that the normaliser makes of a body."""
    known = of or connection()
    return list(contents(Delivery(known.name, RECEIVED, {}, body), provider_of(known), {"EUR", "USD"}))


def told(events: list[Any]) -> list[dict[str, Any]]:
    """Events, or their JSON, as the cases have them. Fails if one is none, or was not received when it was."""
    plain = [json.loads(event if isinstance(event, bytes) else encode(event)) for event in events]
    assert {event.pop("received_at") for event in plain} <= {RECEIVED}
    assert {event.pop("schema_version", 1) for event in plain} <= {1}
    return plain
