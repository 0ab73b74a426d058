"""A lead: what is folded from its events, and nothing that is derived.

Accounts, reps and campaigns are folded alike: their records say what they are, and they have objects of their own kinds.

`fold` and `merge` change a lead in place and obey three laws: repeating an event changes nothing; any order of the same
events gives the same lead; the merge of two leads is the lead of the union of their events.

The touches of a huge lead lie in pages: of those that an event speaks of must be in memory before it is folded, and all before
the lead is looked at as a whole.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Struct, field
from msgspec.structs import asdict

from models.belief import INSTANTS
from models.errors import UNREADABLE, InvalidStateError
from models.events import (
    Absorbed,
    AccountUpserted,
    CampaignUpserted,
    DealUpserted,
    Deleted,
    Erased,
    LeadUpserted,
    Logged,
    Merged,
    RepUpserted,
    Restored,
    SubscriptionUpserted,
)
from models.state.pages import SIZE, ObjectKey, Objects, Pages, named_in
from models.state.pages import unpacked as unpacked_page
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
from models.state.spans import put_into_spans
from models.state.subjects import LEAD, mark
from models.state.told import Alerts
from models.units import millis

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
    """One lead's facts: own fields, owner and stage timelines, its objects by key; and by channel what others gave it.

    With `pages`, most of its touches lie there, and not in `objects`.
    """

    record: Record = field(default_factory=list)
    owner: Timeline = field(default_factory=dict)
    stage: Timeline = field(default_factory=dict)
    objects: Objects = field(default_factory=dict)
    erased: bool = False
    absorbed: dict[str, Portion] = field(default_factory=dict)
    retired_until: int = 0
    """What stood up to this instant is in no number any more, and forgotten: no clock starts there, whatever is told again."""
    pages: Pages | None = None

    @property
    def everything(self) -> Objects:
        """All of its objects, to be read only; all pages must be in memory."""
        return self.objects if self.pages is None else self.pages.everything(self.objects)

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
    subject = event.subject
    if subject.kind != LEAD and mark(lead.record, subject.kind, subject.id):
        _fold(lead, event)
        return _OF_THE_LEAD
    return _fold(lead, event)


def _fold(lead: Lead, event: Logged) -> Change | None:
    if isinstance(event, Absorbed):
        return _OF_THE_LEAD if _put_portion(lead, event.channel, Portion(event.sequence, event.path, event.lead)) else None
    version = millis(event.timestamp)
    if isinstance(event, _OWN):
        return _OF_THE_LEAD if _fold_own(lead, event, version) else None
    if isinstance(event, Erased):
        forget(lead)
        return _OF_THE_LEAD
    if isinstance(event, _MARKS):
        return _fold_mark(lead, event, version)
    fields = _fields(event.data)
    if isinstance(event, _WITH_SPANS):
        put_into_spans(fields, version)
    return _fold_object(lead, event, version, fields)


_OWN = (LeadUpserted, AccountUpserted, RepUpserted, CampaignUpserted)
_WITH_SPANS = (DealUpserted, SubscriptionUpserted)
_MARKS = (Deleted, Restored, Merged)


def _fold_object(lead: Lead, event: Any, version: int, fields: dict[str, Any]) -> Change | None:
    key = f"{event.object.kind}:{event.object.id}"
    objects = lead.objects if lead.pages is None else lead.pages.home(key, lead.objects)
    record = objects.get(key)
    new = record is None
    if record is None:
        if not fields:
            return None
        record = objects[key] = [(version, event.sequence, fields)]
    elif not put(record, version, event.sequence, fields):
        return None
    if lead.pages is not None:
        lead.pages.note(key, lead.objects, record, new=new)
    return Change(key, new=new)


def spoken_of(event: Logged) -> list[ObjectKey]:
    """The objects that an event speaks of."""
    named = getattr(event, "object", None)
    if named is None:
        return []
    reply_to = getattr(getattr(event, "data", None), "in_reply_to", None)
    return [f"{named.kind}:{named.id}", *([f"touch:{reply_to}"] if isinstance(reply_to, str) else [])]


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
    lead.pages = None


def retire(lead: Lead, until: int) -> None:
    """Forget the objects of a lead, none of which is in a number any more; its own record stays, for what comes later."""
    lead.objects.clear()
    lead.pages = None
    lead.retired_until = until


def merge(lead: Lead, other: Lead) -> None:
    """Make a lead the fold of both leads' events, in place; both are without pages."""
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


def _fold_own(lead: Lead, event: Any, version: int) -> bool:
    fields = _fields(event.data)
    for name in _IN_TIMELINES:
        fields.pop(name, None)
    changed = put(lead.record, version, event.sequence, fields)
    for name, instant in TIMELINES.items():
        content = getattr(event.data, name, UNSET)
        if content is not UNSET:
            since = getattr(event.data, instant)
            effective = version if since is UNSET else millis(since)
            changed |= put_span(lead.timeline(name), effective, (version, event.sequence, content))
    return changed


_IN_TIMELINES = (*TIMELINES, *TIMELINES.values())


def _fields(data: Struct) -> dict[str, Any]:
    """The fields that an event tells, instants in ms, whatever has parts as plain lists and dictionaries."""
    fields = {name: content for name, content in asdict(data).items() if content is not UNSET}
    for name in INSTANTS[type(data)]:
        content = fields.get(name)
        if content is not None:
            fields[name] = millis(content)
    if fields.get("lines") is not None:
        fields["lines"] = [msgspec.to_builtins(line) for line in fields["lines"]]
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


MOST_PAGES: Final = 2**16
"""Of one lead, which has millions of touches then."""


class _PackedHead(_Packed, array_like=True):
    """A huge lead as it lies in Redis; or whole, with what lies in its pages."""

    pages: tuple[Annotated[int, Meta(ge=1, le=MOST_PAGES)], Annotated[int, Meta(ge=0)]] = (1, 0)
    """How many there are, and how many touches lie in them."""
    paged: Objects = field(default_factory=dict)


_HEAD: Final = b"\xc1"
"""What a packed huge lead begins with, and MessagePack never."""

_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder(_Packed)
_head_unpacker = msgspec.msgpack.Decoder(_PackedHead)


def pack(lead: Lead, told: Alerts) -> bytes:
    """A lead and what was told of it, as MessagePack. Of a huge one, without what lies in its pages."""
    owner, stage = list(lead.owner.items()), list(lead.stage.items())
    fields = lead.record, owner, stage, lead.objects, lead.erased, told, lead.absorbed, lead.retired_until
    if lead.pages is None:
        return _packer.encode(_Packed(*fields))
    return _HEAD + _packer.encode(_PackedHead(*fields, (lead.pages.count, lead.pages.touches)))


def unpack(packed: bytes) -> tuple[Lead, Alerts]:
    """The inverse of `pack`; of a huge lead that of `joined`. Raises InvalidStateError."""
    if is_huge(packed):
        return _unpacked_whole(packed)
    try:
        raw = _unpacker.decode(packed)
    except UNREADABLE as error:
        raise InvalidStateError("state", error) from None
    return _unpacked(raw), raw.told


def _unpacked_whole(packed: bytes) -> tuple[Lead, Alerts]:
    lead, pages, head = _unpacked_head(packed, SIZE)
    pages.fill(head.paged)
    if len(head.paged) != head.pages[1]:
        missing = ValueError(f"{head.pages[1]} touches should be in its pages, {len(head.paged)} are")
        raise InvalidStateError("state", missing)
    return lead, head.told


def is_huge(packed: bytes) -> bool:
    """Whether a packed lead has pages beside it."""
    return packed.startswith(_HEAD)


def unpack_head(packed: bytes, size: int = SIZE) -> tuple[Lead, Alerts]:
    """A huge lead of whose pages none is in memory. `size`: touches that a page is to have. Raises InvalidStateError."""
    lead, _, head = _unpacked_head(packed, size)
    return lead, head.told


def joined(packed: bytes, pages: Iterable[bytes]) -> bytes:
    """A huge lead as a whole, from itself and its pages as they are stored. Raises InvalidStateError."""
    head = _head_of(packed)
    for page in pages:
        head.paged.update(unpacked_page(page))
    return _HEAD + _packer.encode(head)


def _head_of(packed: bytes) -> _PackedHead:
    try:
        return _head_unpacker.decode(packed[1:])
    except UNREADABLE as error:
        raise InvalidStateError("state", error) from None


def _unpacked_head(packed: bytes, size: int) -> tuple[Lead, Pages, _PackedHead]:
    head = _head_of(packed)
    lead = _unpacked(head)
    pages = lead.pages = Pages(*head.pages, size, named_in(lead.objects))
    return lead, pages, head


def _unpacked(raw: _Packed) -> Lead:
    return Lead(raw.record, dict(raw.owner), dict(raw.stage), raw.objects, raw.erased, raw.absorbed, raw.retired_until)
