"""A lead: what is folded from its events, and nothing that is derived.

`fold` and `merge` change a lead in place and obey three laws: repeating an event changes nothing; any order of the same
events gives the same lead; the merge of two leads is the lead of the union of their events.
"""

from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec import UNSET, Struct, field
from msgspec.structs import asdict

from models.events import INSTANTS, Absorbed, Deleted, Erased, LeadUpserted, Logged, Merged, Restored
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
from models.state.told import Alerts
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
    retired_until: int = 0
    """What stood up to this instant is in no number any more, and forgotten: no clock starts there, whatever is told again."""

    def timeline(self, name: str) -> Timeline:
        """The timeline of a field named in TIMELINES."""
        return self.owner if name == "owner" else self.stage


class Change(NamedTuple):
    """What an event has changed: one of the lead's objects (and whether that was unknown before), or else the lead itself."""

    key: ObjectKey | None = None
    new: bool = False


_OF_THE_LEAD = Change()


def fold(lead: Lead, event: Logged) -> Change | None:
    """Fold one event of this lead into it, in place; tell what changed, if anything. An erased lead swallows everything."""
    if lead.erased:
        return None
    if isinstance(event, Absorbed):
        return _OF_THE_LEAD if _put_portion(lead, event.channel, Portion(event.sequence, event.path, event.lead)) else None
    version = millis(event.timestamp)
    if isinstance(event, LeadUpserted):
        return _OF_THE_LEAD if _fold_lead(lead, event, version) else None
    if isinstance(event, Erased):
        forget(lead)
        return _OF_THE_LEAD
    if isinstance(event, _MARKS):
        return _fold_mark(lead, event, version)
    return _fold_object(lead, event, version, _fields(event.data))


_MARKS = (Deleted, Restored, Merged)


def _fold_object(lead: Lead, event: Any, version: int, fields: dict[str, Any]) -> Change | None:
    key = f"{event.object.kind}:{event.object.id}"
    record = lead.objects.get(key)
    if record is not None:
        return Change(key) if put(record, version, event.sequence, fields) else None
    if not fields:
        return None
    lead.objects[key] = [(version, event.sequence, fields)]
    return Change(key, new=True)


def _fold_mark(lead: Lead, event: Deleted | Restored | Merged, version: int) -> Change | None:
    mark: dict[str, Any]
    if isinstance(event, Merged):
        mark = {MERGED: None if event.into is None else f"{event.into.kind}:{event.into.id}"}
    elif event.object is not None:
        return _fold_object(lead, event, version, {DELETED: isinstance(event, Deleted)})
    else:
        mark = {DELETED: isinstance(event, Deleted)}
    return _OF_THE_LEAD if put(lead.record, version, event.sequence, mark) else None


def forget(lead: Lead) -> None:
    """Erase: all contents go, only the fact of the erasure stays."""
    lead.erased = True
    for part in (lead.record, lead.owner, lead.stage, lead.objects, lead.absorbed):
        part.clear()


def retire(lead: Lead, until: int) -> None:
    """Forget the objects of a lead, none of which is in a number any more; its own record stays, for what comes later."""
    lead.objects.clear()
    lead.retired_until = until


def merge(lead: Lead, other: Lead) -> None:
    """Make a lead the fold of both leads' events, in place."""
    if lead.erased or other.erased:
        forget(lead)
        return
    lead.retired_until = max(lead.retired_until, other.retired_until)
    merge_records(lead.record, other.record)
    merge_timelines(lead.owner, other.owner)
    merge_timelines(lead.stage, other.stage)
    for key, record in other.objects.items():
        merge_records(lead.objects.setdefault(key, []), record)
    for channel, portion in other.absorbed.items():
        _put_portion(lead, channel, portion)


def _put_portion(lead: Lead, channel: str, portion: Portion) -> bool:
    old = lead.absorbed.get(channel)
    if old is not None and old >= portion:
        return False
    lead.absorbed[channel] = portion
    return True


def _fold_lead(lead: Lead, event: LeadUpserted, version: int) -> bool:
    fields = _fields(event.data)
    for name in _IN_TIMELINES:
        fields.pop(name, None)
    changed = put(lead.record, version, event.sequence, fields)
    for name, instant in TIMELINES.items():
        content = getattr(event.data, name)
        if content is not UNSET:
            since = getattr(event.data, instant)
            effective = version if since is UNSET else millis(since)
            changed |= put_span(lead.timeline(name), effective, (version, event.sequence, content))
    return changed


_IN_TIMELINES = (*TIMELINES, *TIMELINES.values())


def _fields(data: Struct) -> dict[str, Any]:
    """The fields that an event tells, instants in ms."""
    fields = {name: content for name, content in asdict(data).items() if content is not UNSET}
    for name in INSTANTS[type(data)]:
        content = fields.get(name)
        if content is not None:
            fields[name] = millis(content)
    return fields


class _Packed(Struct, array_like=True, omit_defaults=True):
    """A lead as it lies in Redis."""

    record: Record
    owner: list[tuple[int, Register]]
    stage: list[tuple[int, Register]]
    objects: dict[ObjectKey, Record]
    erased: bool
    told: Alerts
    absorbed: dict[str, Portion] = field(default_factory=dict)
    retired_until: int = 0


_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder(_Packed)


def pack(lead: Lead, told: Alerts) -> bytes:
    """A lead and what was told of it, as MessagePack."""
    owner, stage = list(lead.owner.items()), list(lead.stage.items())
    packed = _Packed(lead.record, owner, stage, lead.objects, lead.erased, told, lead.absorbed, lead.retired_until)
    return _packer.encode(packed)


def unpack(packed: bytes) -> tuple[Lead, Alerts]:
    """The inverse of `pack`."""
    raw = _unpacker.decode(packed)
    lead = Lead(raw.record, dict(raw.owner), dict(raw.stage), raw.objects, raw.erased, raw.absorbed, raw.retired_until)
    return lead, raw.told
