"""Small histories for tests: canonical events in which only the fields that matter are set, and what the oracle makes of them.

Instants are ms; `at(...)` reads them from text. An event's version time is its `version`, else the latest thing it tells.
"""

from datetime import date, datetime
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from models.units import Millis, isoformat, millis
from streams.local.truth import truth

Event = dict[str, Any]

_numbers = count(1)


def at(text: str, zone: str = "UTC") -> Millis:
    """An instant from a local time such as `2026-03-02 12:00`."""
    return millis(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


NOON = at("2026-03-02 12:00")
ZERO = {"mean": 0, "ratio": 0, "p50": 0, "p90": 0, "p95": 0, "max": 0}
RULES: dict[str, Any] = {
    "roster": [
        {"rep": "bo", "team": "north"},
        {"rep": "cy", "team": "north"},
        {"rep": "cy", "team": "south", "from": date(2026, 3, 2)},
        {"rep": "di", "team": "south"},
    ],
    "minimum_n": ZERO,
}


def value(events: list[dict[str, Any]], name: str, *, clock: int = NOON, rules: dict[str, Any] = RULES, **labels: str) -> Any:
    """What a series says, None if it is absent; of a quantile the exact value. The window is 24h unless given."""
    is_level = "leads_awaiting" in name or "leads_overdue" in name or "oldest" in name
    wanted = labels if is_level else {"window": "24h"} | labels
    found = truth(events, rules, clock).get((f"leadbeat_{name}", frozenset(wanted.items())))
    return found[0] if isinstance(found, tuple) else found


def lead(subject: str = "ada", *, version: int | None = None, sequence: int = 0, **data: Any) -> Event:
    """The lead's own record."""
    return _event("lead.upserted", subject, None, version, sequence, data)


def inquiry(identity: str, subject: str = "ada", *, version: int | None = None, **data: Any) -> Event:
    return _event("inquiry.upserted", subject, ("inquiry", identity), version, 0, data)


def touch(identity: str, subject: str = "ada", *, version: int | None = None, sequence: int = 0, **data: Any) -> Event:
    return _event("touch.upserted", subject, ("touch", identity), version, sequence, data)


def call(identity: str, when: int, subject: str = "ada", **data: Any) -> Event:
    """A call at an instant."""
    return touch(identity, subject, **{"at": when, "channel": "call"} | data)


def email(identity: str, when: int, subject: str = "ada", **data: Any) -> Event:
    """An e-mail at an instant."""
    return touch(identity, subject, **{"at": when, "channel": "email"} | data)


def reply(identity: str, subject: str = "ada", *, version: int | None = None, **data: Any) -> Event:
    return _event("reply.upserted", subject, ("reply", identity), version, 0, data)


def meeting(identity: str, subject: str = "ada", *, version: int | None = None, **data: Any) -> Event:
    return _event("meeting.upserted", subject, ("meeting", identity), version, 0, data)


def deleted(version: int, subject: str = "ada", thing: tuple[str, str] | None = None) -> Event:
    return _event("deleted", subject, thing, version, 0, None)


def restored(version: int, subject: str = "ada", thing: tuple[str, str] | None = None) -> Event:
    return _event("restored", subject, thing, version, 0, None)


def merged(version: int, subject: str, into: str | None) -> Event:
    """A lead is merged into another, or (None) stands for itself again."""
    event = _event("merged", subject, None, version, 0, None)
    return event | {"into": None if into is None else {"kind": "lead", "id": into}}


def erased(version: int, subject: str = "ada") -> Event:
    return _event("erased", subject, None, version, 0, None)


def _event(
    kind: str, subject: str, thing: tuple[str, str] | None, version: int | None, sequence: int, data: dict[str, Any] | None
) -> Event:
    instants = [value for value in (data or {}).values() if isinstance(value, int) and not isinstance(value, bool)]
    event: Event = {
        "id": f"event-{next(_numbers)}",
        "type": kind,
        "timestamp": isoformat(Millis(version if version is not None else max(instants))),
        "subject": {"kind": "lead", "id": subject},
        "sequence": sequence,
    }
    if thing is not None:
        event["object"] = {"kind": thing[0], "id": thing[1]}
    if data is not None:
        event["data"] = {name: isoformat(Millis(value)) if type(value) is int else value for name, value in data.items()}
    return event
