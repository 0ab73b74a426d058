"""The facts of a lead as they stand: its state without versions and tombstones, as rows that many leads' facts are joined from.

A table's rows are bytes, laid out as its `numpy` type says; each table is in the order of time, then of ids.
"""

from collections.abc import Mapping
from struct import Struct
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from models.codes import NEVER, NOBODY, Codes
from models.slices import OF_LEADS
from models.state.lead import Lead
from models.state.registers import DELETED, Timeline, fields_of

LEAD: Final = np.dtype([("created_at", "<i8"), *((dim, "<i4") for dim in OF_LEADS)])
SPAN: Final = np.dtype([("at", "<i8"), ("value", "<i4")])
INQUIRY: Final = np.dtype([("at", "<i8")])
TOUCH: Final = np.dtype([("at", "<i8"), ("rep", "<i4"), ("channel", "u1"), ("flags", "u1")])
REPLY: Final = np.dtype([("at", "<i8"), ("answers", "<i4"), ("channel", "u1"), ("kind", "u1"), ("sentiment", "u1")])
MEETING: Final = np.dtype([("booked_at", "<i8"), ("scheduled_at", "<i8"), ("rep", "<i4"), ("demo", "u1"), ("outcome", "u1")])

_LEAD, _SPAN, _INQUIRY = Struct("<qiiiii"), Struct("<qi"), Struct("<q")
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
Row: TypeAlias = tuple[int, str, bytes]
"""A row with what it is sorted by: instant and name."""


class Facts(NamedTuple):
    """All that stands of a lead: one row of LEAD, and any number of each other kind."""

    lead: bytes
    owners: bytes = b""
    stages: bytes = b""
    inquiries: bytes = b""
    touches: bytes = b""
    replies: bytes = b""
    meetings: bytes = b""


NOTHING: Final = Facts(_LEAD.pack(NEVER, *(NOBODY for _ in OF_LEADS)))
"""What stands of a lead that is unknown, deleted or erased."""


def facts(lead: Lead, codes: Codes) -> Facts:
    """What stands of a lead."""
    own = fields_of(lead.record)
    if lead.erased or own.get(DELETED):
        return NOTHING
    inquiries: set[int] = set()
    touches: list[Row] = []
    replies: list[tuple[int, str, Fields]] = []
    meetings: list[Row] = []
    for name, record in lead.objects.items():
        fields = record[0][2] if len(record) == 1 else fields_of(record)
        if fields.get(DELETED):
            continue
        at = fields.get("at")
        if name.startswith("meeting:"):
            meetings.append((0, name, _meeting(fields, codes)))
        elif at is None:
            continue
        elif name.startswith("touch:"):
            if fields.get("channel") is not None:
                touches.append((at, name, _touch(at, fields, codes)))
        elif name.startswith("reply:"):
            replies.append((at, name, fields))
        else:
            inquiries.add(at)
    created_at = own.get("created_at")
    if created_at is not None:
        inquiries.add(created_at)
    touches.sort()
    return Facts(
        _LEAD.pack(
            NEVER if created_at is None else created_at,
            codes.lead_source.code(own.get("lead_source")),
            codes.origin.code(own.get("origin")),
            codes.sales_region.code(own.get("sales_region")),
            codes.segment.code(own.get("segment")),
            codes.campaign.code(own.get("campaign")),
        ),
        _spans(lead.owner, codes.rep.code),
        _spans(lead.stage, _STAGE_CODES.__getitem__),
        b"".join([_INQUIRY.pack(at) for at in sorted(inquiries)]),
        b"".join([row for _, _, row in touches]),
        _replies(replies, touches, codes) if replies else b"",
        b"".join([row for _, _, row in sorted(meetings)]),
    )


def _touch(at: int, fields: Fields, codes: Codes) -> bytes:
    get = fields.get
    flags = AUTOMATED if get("automated") else 0
    if get("connected"):
        flags |= CONNECTED
    if get("delivered") is not False:
        flags |= DELIVERED
    return _TOUCH.pack(at, codes.rep.code(get("rep")), codes.channel.code(get("channel")), flags)


def _replies(found: list[tuple[int, str, Fields]], touches: list[Row], codes: Codes) -> bytes:
    places = {name: place for place, (_, name, _) in enumerate(touches)}
    return b"".join([_reply(at, fields, places, codes) for at, _, fields in sorted(found, key=_by_time)])


def _reply(at: int, fields: Fields, places: Mapping[str, int], codes: Codes) -> bytes:
    get = fields.get
    return _REPLY.pack(
        at,
        places.get(f"touch:{get('in_reply_to')}", NOT_NAMED),
        codes.channel.code(get("channel")),
        _KIND_CODES[get("kind")],
        codes.sentiment.code(get("sentiment")),
    )


def _meeting(fields: Fields, codes: Codes) -> bytes:
    get = fields.get
    booked_at, scheduled_at = get("booked_at"), get("scheduled_at")
    return _MEETING.pack(
        NEVER if booked_at is None else booked_at,
        NEVER if scheduled_at is None else scheduled_at,
        codes.rep.code(get("rep")),
        get("kind") == "demo",
        _OUTCOME_CODES[get("outcome")],
    )


def _by_time(found: tuple[int, str, Fields]) -> tuple[int, str]:
    return found[:2]


def _spans(timeline: Timeline, code: Any) -> bytes:
    if not timeline:
        return b""
    return b"".join([_SPAN.pack(since, code(timeline[since][2])) for since in sorted(timeline)])
