"""Events and rules for tests: say what matters, the rest is filled in.

Instants are whole milliseconds, as the core has them; `NOON` is the usual one, and when a record was changed unless it says so.
"""

from typing import Any, TypeVar

from models.belief import INSTANTS as INSTANTS_OF
from models.data.leads import DealData, InquiryData, LeadData, MeetingData, ReplyData, TouchData
from models.data.refs import DealRef, InquiryRef, LeadRef, MeetingRef, ObjectRef, ReplyRef, SubjectRef, TouchRef
from models.events import (
    DealUpserted,
    Deleted,
    Erased,
    Event,
    InquiryUpserted,
    LeadUpserted,
    MeetingUpserted,
    Merged,
    ReplyUpserted,
    Restored,
    TouchUpserted,
)
from models.rules import Membership, Rules, SlaPolicy
from models.state.lead import Lead, fold
from models.state.subjects import kind_of
from models.units import DAY, HOUR, MINUTE, SECOND, Duration, Millis, moment

NOON = Millis(1_772_452_800_000)
"""2026-03-02T12:00:00Z, a Monday."""

INSTANTS: frozenset[str] = frozenset().union(*INSTANTS_OF.values())

_Data = TypeVar("_Data")


def filled(data: type[_Data], fields: dict[str, Any]) -> _Data:
    """Data with some fields, instants in ms."""
    return data(**{name: moment(value) if name in INSTANTS and value is not None else value for name, value in fields.items()})


def head(changed_at: int, sequence: int, subject: object) -> dict[str, Any]:
    """What every event has."""
    return {"id": "event-1", "timestamp": moment(Millis(changed_at)), "subject": subject, "sequence": sequence}


def _head(changed_at: int, sequence: int, of: str) -> dict[str, Any]:
    return head(changed_at, sequence, LeadRef("lead", of))


def any_ref(of: str) -> SubjectRef:
    """A subject of the kind that its id says."""
    return SubjectRef(kind_of(of), of)


def lead(*, changed_at: int = NOON, sequence: int = 0, of: str = "lead-1", **fields: Any) -> LeadUpserted:
    """A lead's own record."""
    return LeadUpserted(**_head(changed_at, sequence, of), data=filled(LeadData, fields))


def inquiry(name: str = "i1", *, changed_at: int = NOON, sequence: int = 0, of: str = "lead-1", **fields: Any) -> Event:
    """An inquiry."""
    return InquiryUpserted(
        **_head(changed_at, sequence, of), object=InquiryRef("inquiry", name), data=filled(InquiryData, fields)
    )


def touch(name: str = "t1", *, changed_at: int = NOON, sequence: int = 0, of: str = "lead-1", **fields: Any) -> Event:
    """A touch."""
    return TouchUpserted(**_head(changed_at, sequence, of), object=TouchRef("touch", name), data=filled(TouchData, fields))


def call(name: str, at: int, **fields: Any) -> Event:
    """A call by a person."""
    return touch(name, at=at, channel="call", **fields)


def email(name: str, at: int, **fields: Any) -> Event:
    """An e-mail by a person, unless `automated`."""
    return touch(name, at=at, channel="email", **fields)


def reply(name: str = "r1", *, changed_at: int = NOON, sequence: int = 0, of: str = "lead-1", **fields: Any) -> Event:
    """A reply."""
    return ReplyUpserted(**_head(changed_at, sequence, of), object=ReplyRef("reply", name), data=filled(ReplyData, fields))


def meeting(name: str = "m1", *, changed_at: int = NOON, sequence: int = 0, of: str = "lead-1", **fields: Any) -> Event:
    """A meeting."""
    return MeetingUpserted(
        **_head(changed_at, sequence, of), object=MeetingRef("meeting", name), data=filled(MeetingData, fields)
    )


def deal(name: str = "d1", *, changed_at: int = NOON, sequence: int = 0, of: str = "lead-1", **fields: Any) -> Event:
    """A deal."""
    return DealUpserted(**_head(changed_at, sequence, of), object=DealRef("deal", name), data=filled(DealData, fields))


def deleted(thing: str | None = None, *, changed_at: int = NOON, sequence: int = 0, of: str = "lead-1") -> Event:
    """The lead, or the object that is named as in `touch:t1`, is deleted."""
    return Deleted(**head(changed_at, sequence, any_ref(of)), object=_ref(thing))


def restored(thing: str | None = None, *, changed_at: int = NOON, sequence: int = 0, of: str = "lead-1") -> Event:
    """The lead, or the object that is named as in `touch:t1`, is restored."""
    return Restored(**head(changed_at, sequence, any_ref(of)), object=_ref(thing))


def erased(*, changed_at: int = NOON, of: str = "lead-1") -> Event:
    """The lead is erased."""
    return Erased(**head(changed_at, 0, any_ref(of)))


def merged(into: str | None, *, changed_at: int = NOON, sequence: int = 0, of: str = "lead-1") -> Event:
    """The lead is merged into another, or stands for itself again."""
    return Merged(**head(changed_at, sequence, any_ref(of)), into=None if into is None else any_ref(into))


def _ref(thing: str | None) -> ObjectRef | None:
    return None if thing is None else ObjectRef(*thing.split(":", 1))  # type: ignore[arg-type]


def folded(*events: Event) -> Lead:
    """The lead that events make."""
    known = Lead()
    for event in events:
        fold(known, event)
    return known


def sla(target_ms: int, since: int = 0, **names: str) -> SlaPolicy:
    """A policy; what is not named matches anything."""
    return SlaPolicy(Duration(target_ms), Millis(since), **names)


def member(rep: str, team: str | None = None, since: int = 0) -> Membership:
    """A line of the roster."""
    return Membership(rep, Millis(since), team)


ROSTER = (
    member("ana", "north"),
    member("ben", "north"),
    member("ben", "south", NOON + 10 * MINUTE),
    member("cleo", "south", NOON - 30 * DAY),
    member("cleo", None, NOON + 20 * MINUTE),
    member("dora", "east", NOON + DAY),
)
"""Ana stays, Ben moves ten minutes past noon, Cleo leaves at twenty past, Dora comes tomorrow."""

RULES = Rules(roster=ROSTER)
"""In UTC, five minutes to answer, an hour's grace for meetings."""

__all__ = [
    "DAY",
    "HOUR",
    "INSTANTS",
    "MINUTE",
    "NOON",
    "ROSTER",
    "RULES",
    "SECOND",
    "call",
    "deal",
    "deleted",
    "email",
    "erased",
    "folded",
    "inquiry",
    "lead",
    "meeting",
    "member",
    "merged",
    "reply",
    "restored",
    "sla",
    "touch",
]
