"""The facts of a lead as they stand: its state without versions and tombstones, as rows that many leads' facts are joined from.

A table's rows are bytes, laid out as its `numpy` type says; each table is in the order of time, then of ids.
"""

from collections.abc import Mapping
from struct import Struct
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from models.codes import NEVER, Codes
from models.state.lead import Lead
from models.state.registers import DELETED, Timeline, fields_of

LEAD: Final = np.dtype([("created_at", "<i8"), ("lead_source", "<i4"), ("segment", "<i4")])
SPAN: Final = np.dtype([("at", "<i8"), ("value", "<i4")])
INQUIRY: Final = np.dtype([("at", "<i8")])
TOUCH: Final = np.dtype([("at", "<i8"), ("rep", "<i4"), ("channel", "u1"), ("flags", "u1")])
REPLY: Final = np.dtype([("at", "<i8"), ("answers", "<i4"), ("channel", "u1"), ("kind", "u1"), ("sentiment", "u1")])
MEETING: Final = np.dtype([("booked_at", "<i8"), ("scheduled_at", "<i8"), ("rep", "<i4"), ("demo", "u1"), ("outcome", "u1")])

_LEAD, _SPAN, _INQUIRY = Struct("<qii"), Struct("<qi"), Struct("<q")
_TOUCH, _REPLY, _MEETING = Struct("<qiBB"), Struct("<qiBBB"), Struct("<qqiBB")

AUTOMATED, CONNECTED, DELIVERED = 1, 2, 4
"""Flags of touches."""

REPLY_KINDS: Final = ("human", "out_of_office", "bounce", "unsubscribe")
OUTCOMES: Final = (None, "held", "no_show", "cancelled")
STAGES: Final = ("subscriber", "lead", "mql", "sal", "sql", "opportunity", "customer", "disqualified")

_KIND_CODES = {kind: code for code, kind in enumerate(REPLY_KINDS)} | {None: 0}
_OUTCOME_CODES = {outcome: code for code, outcome in enumerate(OUTCOMES)}
_STAGE_CODES = {stage: code for code, stage in enumerate(STAGES)} | {None: -1}

NOT_NAMED: Final = -1
"""In place of a touch that a reply does not name."""


Fields: TypeAlias = Mapping[str, Any]


class Facts(NamedTuple):
    """All that stands of a lead: one row of LEAD, and any number of each other kind."""

    lead: bytes
    owners: bytes = b""
    stages: bytes = b""
    inquiries: bytes = b""
    touches: bytes = b""
    replies: bytes = b""
    meetings: bytes = b""


NOTHING: Final = Facts(_LEAD.pack(NEVER, 0, 0))
"""What stands of a lead that is unknown, deleted or erased."""


def facts(lead: Lead, codes: Codes) -> Facts:
    """What stands of a lead."""
    own = fields_of(lead.record)
    if lead.erased or own.get(DELETED):
        return NOTHING
    objects = _Objects(codes)
    for name, record in lead.objects.items():
        objects.take(name, fields_of(record))
    created_at = own.get("created_at")
    if created_at is not None:
        objects.inquiries.add(created_at)
    return Facts(
        _LEAD.pack(
            NEVER if created_at is None else created_at,
            codes.lead_source.code(own.get("lead_source")),
            codes.segment.code(own.get("segment")),
        ),
        _spans(lead.owner, codes.rep.code),
        _spans(lead.stage, _STAGE_CODES.__getitem__),
        b"".join([_INQUIRY.pack(at) for at in sorted(objects.inquiries)]),
        *objects.rows(),
    )


class _Objects:
    """A lead's objects while they are sorted into tables."""

    def __init__(self, codes: Codes) -> None:
        self.inquiries: set[int] = set()
        self._codes = codes
        self._touches: list[tuple[int, str, bytes]] = []
        self._replies: list[tuple[int, str, Fields]] = []
        self._meetings: list[tuple[str, bytes]] = []

    def take(self, key: str, fields: Fields) -> None:
        """Sort one object in, unless it is deleted or lacks what it cannot count without."""
        get = fields.get
        if get(DELETED):
            return
        kind, _, name = key.partition(":")
        if kind == "meeting":
            self._meetings.append((name, self._meeting(fields)))
            return
        at = get("at")
        if at is None:
            return
        if kind == "touch":
            if get("channel") is not None:
                self._touches.append((at, name, self._touch(at, fields)))
        elif kind == "reply":
            self._replies.append((at, name, fields))
        else:
            self.inquiries.add(at)

    def rows(self) -> tuple[bytes, bytes, bytes]:
        """The rows of touches, replies and meetings."""
        touches, replies = sorted(self._touches), sorted(self._replies, key=_by_time)
        places = {name: place for place, (_, name, _) in enumerate(touches)} if replies else {}
        return (
            b"".join([row for _, _, row in touches]),
            b"".join([self._reply(at, fields, places) for at, _, fields in replies]),
            b"".join([row for _, row in sorted(self._meetings)]),
        )

    def _touch(self, at: int, fields: Fields) -> bytes:
        get, codes = fields.get, self._codes
        flags = AUTOMATED if get("automated") else 0
        flags |= CONNECTED if get("connected") else 0
        flags |= 0 if get("delivered") is False else DELIVERED
        return _TOUCH.pack(at, codes.rep.code(get("rep")), codes.channel.code(get("channel")), flags)

    def _reply(self, at: int, fields: Fields, places: Mapping[str, int]) -> bytes:
        get, codes = fields.get, self._codes
        return _REPLY.pack(
            at,
            places.get(get("in_reply_to", ""), NOT_NAMED),
            codes.channel.code(get("channel")),
            _KIND_CODES[get("kind")],
            codes.sentiment.code(get("sentiment")),
        )

    def _meeting(self, fields: Fields) -> bytes:
        get = fields.get
        booked_at, scheduled_at = get("booked_at"), get("scheduled_at")
        return _MEETING.pack(
            NEVER if booked_at is None else booked_at,
            NEVER if scheduled_at is None else scheduled_at,
            self._codes.rep.code(get("rep")),
            get("kind") == "demo",
            _OUTCOME_CODES[get("outcome")],
        )


def _by_time(found: tuple[int, str, Fields]) -> tuple[int, str]:
    return found[:2]


def _spans(timeline: Timeline, code: Any) -> bytes:
    return b"".join([_SPAN.pack(since, code(timeline[since][2])) for since in sorted(timeline)])
