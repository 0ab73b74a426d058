"""What events leave of a subject: each field is simply the value of its largest version.

Plain and slow on purpose, and with nothing in common with the engine: all events of a subject are read at once.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Json = Mapping[str, Any]

INSTANTS = {
    *("created_at", "at", "booked_at", "scheduled_at", "closed_at", "sent_at", "signed_at", "entered_at"),
    *("added_at", "opened_at", "employed_from", "employed_until"),
}
TIMELINES = {"owner": "owner_at", "stage": "stage_at"}
"""What holds from an instant on, and the field that says from which; without that it is the version's."""

Version = tuple[int, int, str]
ObjectKey = tuple[str, str] | None


class Record:
    """A subject's own record and its objects as all of its events left them."""

    def __init__(self, history: list[Json]) -> None:
        self.fields: dict[ObjectKey, dict[str, tuple[Version, Any]]] = {None: {}}
        self.timelines: dict[tuple[ObjectKey, str], dict[int, tuple[Version, Any]]] = {}
        self.deleted: set[ObjectKey] = set()
        for event in history:
            if event["type"].endswith(".upserted"):
                self.read(event)
        self.deleted = {key for key in self.fields if is_deleted(history, key)}

    def read(self, event: Json) -> None:
        """Keep what an event tells, where nothing larger tells it."""
        key, data = _object_key(event), event["data"]
        known = self.fields.setdefault(key, {})
        for name, raw in data.items():
            if name in TIMELINES.values():
                continue
            value = instant_of(raw) if name in INSTANTS and raw is not None else raw
            version = version_of(event, raw if value is raw else isoformat(value))
            if name in TIMELINES:
                effective = instant_of(data.get(TIMELINES[name], event["timestamp"]))
                _keep_larger(self.timelines.setdefault((key, name), {}), effective, version, value)
            elif name == "mrr":
                effective = instant_of(data.get("effective_at") or event["timestamp"])
                worth = [value, data.get("currency")]
                _keep_larger(self.timelines.setdefault((key, name), {}), effective, version_of(event, worth), worth)
            else:
                _keep_larger(known, name, version, value)

    @property
    def head(self) -> dict[str, Any]:
        """The fields of its own record."""
        return {name: value for name, (_, value) in self.fields[None].items()}

    def timeline(self, name: str, key: ObjectKey = None) -> list[tuple[int, Any]]:
        """What holds from which instant on, in time."""
        found = self.timelines.get((key, name), {})
        return [(effective, found[effective][1]) for effective in sorted(found)]

    def objects(self, kind: str, timeline: str | None = None) -> list[dict[str, Any]]:
        """The objects of a kind that are not deleted; each may have a timeline of its own, under that name and an s."""
        return [
            {"id": key[1]}
            | {name: value for name, (_, value) in known.items()}
            | ({f"{timeline}s": self.timeline(timeline, key)} if timeline else {})
            for key, known in self.fields.items()
            if key is not None and key[0] == kind and key not in self.deleted
        ]


def is_deleted(history: list[Json], key: ObjectKey) -> bool:
    """Whether the largest of the deletions and restorations is a deletion; of equal versions the deletion is."""
    marks = [
        (instant_of(event["timestamp"]), event.get("sequence", 0), event["type"] == "deleted")
        for event in history
        if event["type"] in {"deleted", "restored"} and _object_key(event) == key
    ]
    return bool(marks) and max(marks)[2]


def _object_key(event: Json) -> ObjectKey:
    named = event.get("object")
    return (named["kind"], named["id"]) if named else None


def _keep_larger(known: dict[Any, tuple[Version, Any]], name: object, version: Version, value: object) -> None:
    if name not in known or version > known[name][0]:
        known[name] = (version, value)


def version_of(event: Json, value: object) -> Version:
    """What decides between two events that tell something of the same."""
    return instant_of(event["timestamp"]), event.get("sequence", 0), json.dumps(value, ensure_ascii=False)


def instant_of(text: str) -> int:
    """An instant in ms."""
    return millis_of(datetime.fromisoformat(text))


def millis_of(moment: datetime) -> int:
    """An instant in ms."""
    return (moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def isoformat(at: int) -> str:
    """An instant as events tell it."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).isoformat(timespec="milliseconds")
