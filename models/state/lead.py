"""A lead: what is folded from its events, and nothing that is derived.

`fold` and `merge` change a lead in place and obey three laws: repeating an event changes nothing; any order of the same
events gives the same lead; the merge of two leads is the lead of the union of their events.
"""

from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, Struct, field

from models.events import Absorbed, Deleted, Erased, LeadUpserted, Logged, Merged, Restored
from models.state.registers import (
    DELETED,
    MERGED,
    Record,
    Register,
    Timeline,
    merge_records,
    merge_timelines,
    put,
    put_span,
)
from models.units import millis

ObjectKey: TypeAlias = str
"""The object's kind, a colon, its id: `touch:42`."""

TIMELINES = {"owner": "owner_at", "stage": "stage_at"}
"""Fields that hold from an instant on, and the field that tells which; without it they hold from the version time."""


class Portion(NamedTuple):
    """What another lead has given this one, packed, over whom (`path`, its own id first); without a path it is given no longer.

    Of two in a channel the larger `sequence` holds.
    """

    sequence: int
    path: tuple[str, ...]
    lead: bytes


class Lead(Struct):
    """One lead's facts: own fields, owner and stage timelines, its objects by key; and by channel what others gave it."""

    record: Record = field(default_factory=list)
    owner: Timeline = field(default_factory=dict)
    stage: Timeline = field(default_factory=dict)
    objects: dict[ObjectKey, Record] = field(default_factory=dict)
    erased: bool = False
    absorbed: dict[str, Portion] = field(default_factory=dict)

    def timeline(self, name: str) -> Timeline:
        """The timeline of a field named in TIMELINES."""
        return self.owner if name == "owner" else self.stage


def fold(lead: Lead, event: Logged) -> bool:
    """Fold one event of this lead into it, in place; tell whether anything changed. An erased lead swallows everything."""
    if lead.erased:
        return False
    if isinstance(event, Erased):
        forget(lead)
        return True
    if isinstance(event, Absorbed):
        return _put_portion(lead, event.channel, Portion(event.sequence, event.path, event.lead))
    version = millis(event.timestamp)
    if isinstance(event, Deleted | Restored | Merged):
        return _fold_mark(lead, event, version)
    if isinstance(event, LeadUpserted):
        return _fold_lead(lead, event, version)
    key = f"{event.object.kind}:{event.object.id}"
    record = lead.objects.get(key)
    if record is None:
        record = []
    changed = put(record, version, event.sequence, _fields(event.data))
    if changed:
        lead.objects[key] = record
    return changed


def _fold_mark(lead: Lead, event: Deleted | Restored | Merged, version: int) -> bool:
    if isinstance(event, Merged):
        into = None if event.into is None else f"{event.into.kind}:{event.into.id}"
        return put(lead.record, version, event.sequence, {MERGED: into})
    target = lead.record if event.object is None else _object(lead, f"{event.object.kind}:{event.object.id}")
    return put(target, version, event.sequence, {DELETED: isinstance(event, Deleted)})


def forget(lead: Lead) -> None:
    """Erase: all contents go, only the fact of the erasure stays."""
    lead.erased = True
    for part in (lead.record, lead.owner, lead.stage, lead.objects, lead.absorbed):
        part.clear()


def merge(lead: Lead, other: Lead) -> None:
    """Make a lead the fold of both leads' events, in place."""
    if lead.erased or other.erased:
        forget(lead)
        return
    merge_records(lead.record, other.record)
    merge_timelines(lead.owner, other.owner)
    merge_timelines(lead.stage, other.stage)
    for key, record in other.objects.items():
        merge_records(_object(lead, key), record)
    for channel, portion in other.absorbed.items():
        _put_portion(lead, channel, portion)


def _put_portion(lead: Lead, channel: str, portion: Portion) -> bool:
    old = lead.absorbed.get(channel)
    if old is not None and old >= portion:
        return False
    lead.absorbed[channel] = portion
    return True


def _object(lead: Lead, key: ObjectKey) -> Record:
    return lead.objects.setdefault(key, [])


def _fold_lead(lead: Lead, event: LeadUpserted, version: int) -> bool:
    changed = put(lead.record, version, event.sequence, _fields(event.data))
    for name, instant in TIMELINES.items():
        content = getattr(event.data, name)
        if content is not UNSET:
            since = getattr(event.data, instant)
            effective = version if since is UNSET else millis(since)
            changed |= put_span(lead.timeline(name), effective, (version, event.sequence, content))
    return changed


_IN_TIMELINES = frozenset((*TIMELINES, *TIMELINES.values()))


def _fields(data: Struct) -> dict[str, Any]:
    """The fields that an event tells, instants in ms."""
    fields = {}
    for name in data.__struct_fields__:
        content = getattr(data, name)
        if content is not UNSET and name not in _IN_TIMELINES:
            fields[name] = millis(content) if isinstance(content, datetime) else content
    return fields


class _Packed(Struct, array_like=True, omit_defaults=True):
    """A lead as it lies in Redis."""

    record: Record
    owner: list[tuple[int, Register]]
    stage: list[tuple[int, Register]]
    objects: dict[ObjectKey, Record]
    erased: bool
    notified: list[str]
    absorbed: dict[str, Portion] = field(default_factory=dict)


_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder(_Packed)


def pack(lead: Lead, notified: list[str]) -> bytes:
    """A lead and the ids of the alerts sent for it, as MessagePack."""
    owner, stage = list(lead.owner.items()), list(lead.stage.items())
    return _packer.encode(_Packed(lead.record, owner, stage, lead.objects, lead.erased, notified, lead.absorbed))


def unpack(packed: bytes) -> tuple[Lead, list[str]]:
    """The inverse of `pack`."""
    raw = _unpacker.decode(packed)
    return Lead(raw.record, dict(raw.owner), dict(raw.stage), raw.objects, raw.erased, raw.absorbed), raw.notified
