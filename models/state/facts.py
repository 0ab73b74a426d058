"""The facts of a lead as they stand: its state without versions and tombstones, as rows that many leads' facts are joined from.

A table's rows are bytes, laid out as its `numpy` type says; each table is in the order of time. At one instant touches are in
the order of what they say, all else in that of ids: so a touch's row has a place of its own, whatever its id.
"""

from bisect import bisect_left
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from struct import Struct
from typing import Any, Final, NamedTuple, TypeAlias, TypedDict

import numpy as np

from models.codes import NEVER, NOBODY, Codes
from models.slices import OF_LEADS
from models.state.accounts import NO_ACCOUNT, AccountFacts, account_facts
from models.state.campaigns import NO_CAMPAIGN, CampaignFacts, campaign_facts
from models.state.deals import deal_rows, line_rows, proposal_rows
from models.state.lead import Change, Lead
from models.state.registers import DELETED, Fields, Record, Timeline, fields_of, standing
from models.state.reps import NO_REP, RepFacts, rep_facts
from models.state.subjects import CALLED, CAMPAIGN, KIND, REP

LEAD: Final = np.dtype(
    [("created_at", "<i8"), ("retired_until", "<i8"), *((dim, "<i4") for dim in OF_LEADS), ("left_out", "<i8")]
)
SPAN: Final = np.dtype([("at", "<i8"), ("value", "<i4")])
INQUIRY: Final = np.dtype([("at", "<i8")])
TOUCH: Final = np.dtype([("at", "<i8"), ("rep", "<i4"), ("channel", "u1"), ("flags", "u1")])
REPLY: Final = np.dtype([("at", "<i8"), ("answers", "<i4"), ("channel", "u1"), ("kind", "u1"), ("sentiment", "u1")])
MEETING: Final = np.dtype([("booked_at", "<i8"), ("scheduled_at", "<i8"), ("rep", "<i4"), ("demo", "u1"), ("outcome", "u1")])

_LEAD, _SPAN, _INQUIRY = Struct("<qqiiiiiq"), Struct("<qi"), Struct("<q")
_LEFT_OUT = Struct("<q")
_AT, _TOUCH, _REPLY, _MEETING = Struct("<q"), Struct("<qiBB"), Struct("<qiBBB"), Struct("<qqiBB")

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

Touch: TypeAlias = tuple[int, int, int, int]
"""What a touch says, and what touches are sorted by: its instant, the codes of rep and channel, its flags."""


class Facts(NamedTuple):
    """All that stands of a lead: one row of LEAD, and any number of each other kind.

    Of an account, rep or campaign: its dimensions in the row of LEAD, its owners, and what there is of its kind.
    """

    lead: bytes
    owners: bytes = b""
    stages: bytes = b""
    inquiries: bytes = b""
    touches: bytes = b""
    replies: bytes = b""
    meetings: bytes = b""
    deals: bytes = b""
    lines: bytes = b""
    proposals: bytes = b""
    nurtures: bytes = b""
    account: AccountFacts = NO_ACCOUNT
    rep: RepFacts = NO_REP
    campaign: CampaignFacts = NO_CAMPAIGN


NOTHING: Final = Facts(_LEAD.pack(NEVER, 0, *(NOBODY for _ in OF_LEADS), 0))
"""What stands of a lead that is unknown, deleted or erased."""


def facts(lead: Lead, codes: Codes) -> Facts:
    """What stands of a lead, all of whose pages must be in memory."""
    return facts_with(touch_rows(lead, codes), lead, codes)


def facts_with(touches: bytes, lead: Lead, codes: Codes) -> Facts:
    """What stands of a lead the rows of whose touches are known."""
    own = fields_of(lead.record)
    if lead.erased or own.get(DELETED):
        return NOTHING
    if KIND in own:
        return _of_other(lead, own, codes)
    return Facts(
        _own(lead, own, codes),
        _spans(lead.owner, codes.rep.code),
        _spans(lead.stage, _STAGE_CODES.__getitem__),
        _inquiries(lead, own),
        touches,
        _replies(lead, touches, codes),
        _meetings(lead, codes),
        **_sales(lead, codes),
    )


def _of_other(lead: Lead, own: Fields, codes: Codes) -> Facts:
    """What stands of a subject that is no lead."""
    objects: dict[str, list[tuple[str, Fields]]] = {}
    for name, fields in standing(lead.objects, ""):
        objects.setdefault(name.partition(":")[0], []).append((name, fields))
    if own[KIND] == REP:
        itself = _SPAN.pack(0, codes.rep.code(own[CALLED]))
        return NOTHING._replace(owners=itself, rep=rep_facts(own, objects))
    if own[KIND] == CAMPAIGN:
        named = {**own, "campaign": own[CALLED] if own.get("name") is None else own["name"]}
        return NOTHING._replace(lead=_dims(named, codes), campaign=campaign_facts(own, objects, codes))
    owners = _spans(lead.owner, codes.rep.code)
    return NOTHING._replace(lead=_dims(own, codes), owners=owners, account=account_facts(own, objects, codes))


def _dims(own: Fields, codes: Codes) -> bytes:
    """The row of LEAD of what is no lead: nothing but its dimensions."""
    return _LEAD.pack(NEVER, 0, *(getattr(codes, dim).code(own.get(dim)) for dim in OF_LEADS), 0)


def leaving_out(known: Facts, touches: int) -> Facts:
    """Facts from which touches were left out; so many of these were by a person, and lie before the follow-up ended."""
    return known._replace(lead=known.lead[: -_LEFT_OUT.size] + _LEFT_OUT.pack(touches))


def facts_after(change: Change, before: Facts, lead: Lead, codes: Codes) -> Facts:
    """What stands of a lead after a change, made from what stood before it: the same as `facts`, and quicker."""
    own = fields_of(lead.record)
    if lead.erased or own.get(DELETED):
        return NOTHING
    if change.key is None or before == NOTHING or KIND in own:
        return facts(lead, codes)
    kind, _, _ = change.key.partition(":")
    if kind == "touch":
        return _after_touch(change.key, before, lead, codes, new=change.new)
    match kind:
        case "reply":
            after = before._replace(replies=_replies(lead, before.touches, codes))
        case "meeting":
            after = before._replace(meetings=_meetings(lead, codes))
        case "deal" | "proposal" | "nurture":
            after = before._replace(**_sales(lead, codes))
        case _:
            after = before._replace(inquiries=_inquiries(lead, own))
    return after


def _after_touch(name: str, before: Facts, lead: Lead, codes: Codes, *, new: bool) -> Facts:
    """After a change of a touch. Most are new and later than all others, and there is no reply yet that might name it."""
    if new and not before.replies:
        touch = touch_of(lead.objects[name], codes)
        if touch is None:
            return before
        if not before.touches or touch[0] > _last_at(before.touches):
            return _with_touches(before, before.touches + _TOUCH.pack(*touch), before.replies)
    touches = touch_rows(lead, codes)
    return _with_touches(before, touches, _replies(lead, touches, codes) if before.replies else b"")


def _with_touches(before: Facts, touches: bytes, replies: bytes) -> Facts:
    return before._replace(touches=touches, replies=replies)


def _own(lead: Lead, own: Fields, codes: Codes) -> bytes:
    created_at = own.get("created_at")
    return _LEAD.pack(
        NEVER if created_at is None else created_at,
        lead.retired_until,
        codes.lead_source.code(own.get("lead_source")),
        codes.origin.code(own.get("origin")),
        codes.sales_region.code(own.get("sales_region")),
        codes.segment.code(own.get("segment")),
        codes.campaign.code(own.get("campaign")),
        0,
    )


def _inquiries(lead: Lead, own: Fields) -> bytes:
    instants = {fields.get("at") for _, fields in standing(lead.objects, "inquiry:")}
    instants.add(own.get("created_at"))
    return b"".join([_INQUIRY.pack(at) for at in sorted(at for at in instants if at is not None and at > lead.retired_until)])


def touch_rows(lead: Lead, codes: Codes) -> bytes:
    """The rows of a lead's touches that stand, whether or not the lead does; all of its pages must be in memory."""
    objects = lead.objects if lead.pages is None else lead.everything
    found = [_touch(fields, codes) for _, fields in standing(objects, "touch:") if _is_touch(fields)]
    found.sort()
    return b"".join([_TOUCH.pack(at, rep, channel, flags) for at, rep, channel, flags in found])


def touch_of(record: Record, codes: Codes) -> Touch | None:
    """What a touch says; None if it does not stand."""
    fields = fields_of(record)
    if fields.get(DELETED) or not _is_touch(fields):
        return None
    return _touch(fields, codes)


def _is_touch(fields: Fields) -> bool:
    return fields.get("at") is not None and fields.get("channel") is not None


def _last_at(touches: bytes) -> int:
    at: int = _AT.unpack_from(touches, len(touches) - _TOUCH.size)[0]
    return at


def pack_touch(touch: Touch) -> bytes:
    """The row of a touch."""
    return _TOUCH.pack(*touch)


def place_of(touch: Touch, touches: bytes) -> int:
    """The place of a touch among the rows of touches: before all that are not smaller."""
    return bisect_left(range(len(touches) // _TOUCH.size), touch, key=lambda place: _touch_at(touches, place))


def _touch_at(touches: bytes, place: int) -> Touch:
    touch: Touch = _TOUCH.unpack_from(touches, place * _TOUCH.size)
    return touch


def _touch(fields: Fields, codes: Codes) -> Touch:
    get = fields.get
    flags = AUTOMATED if get("automated") else 0
    if get("connected"):
        flags |= CONNECTED
    if get("delivered") is not False:
        flags |= DELIVERED
    return fields["at"], codes.rep.code(get("rep")), codes.channel.code(get("channel")), flags


def _replies(lead: Lead, touches: bytes, codes: Codes) -> bytes:
    found = [(fields["at"], name, fields) for name, fields in standing(lead.objects, "reply:") if fields.get("at") is not None]
    named = {f"touch:{fields['in_reply_to']}" for _, _, fields in found if fields.get("in_reply_to") is not None}
    places = _places(named, lead, touches, codes) if named else {}
    return b"".join([_reply(at, fields, places, codes) for at, _, fields in sorted(found, key=_by_time)])


def _places(names: AbstractSet[str], lead: Lead, touches: bytes, codes: Codes) -> dict[str, int]:
    """The place of each of some touches that stands; of those that say the same, each has its own."""
    places: dict[str, int] = {}
    taken: set[int] = set()
    for name in sorted(names & lead.objects.keys()):
        touch = touch_of(lead.objects[name], codes)
        if touch is not None:
            place = place_of(touch, touches)
            while place in taken:
                place += 1
            taken.add(place)
            places[name] = place
    return places


def _reply(at: int, fields: Fields, places: Mapping[str, int], codes: Codes) -> bytes:
    get = fields.get
    return _REPLY.pack(
        at,
        places.get(f"touch:{get('in_reply_to')}", NOT_NAMED),
        codes.channel.code(get("channel")),
        _KIND_CODES[get("kind")],
        codes.sentiment.code(get("sentiment")),
    )


def _meetings(lead: Lead, codes: Codes) -> bytes:
    return b"".join(
        [row for _, row in sorted([(name, _meeting(fields, codes)) for name, fields in standing(lead.objects, "meeting:")])]
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


class _Sales(TypedDict):
    """The tables that are made of deals, proposals and nurture tracks."""

    deals: bytes
    lines: bytes
    proposals: bytes
    nurtures: bytes


def _sales(lead: Lead, codes: Codes) -> _Sales:
    deals = list(standing(lead.objects, "deal:"))
    entered = [
        (fields["entered_at"], codes.nurture_track.code(fields.get("track")))
        for _, fields in standing(lead.objects, "nurture:")
        if fields.get("entered_at") is not None
    ]
    return {
        "deals": deal_rows(deals, codes),
        "lines": line_rows(deals, codes) if deals else b"",
        "proposals": proposal_rows(standing(lead.objects, "proposal:"), codes),
        "nurtures": b"".join([_SPAN.pack(*each) for each in sorted(entered)]),
    }


def _by_time(found: tuple[int, str, Fields]) -> tuple[int, str]:
    return found[:2]


def _spans(timeline: Timeline, code: Any) -> bytes:
    if not timeline:
        return b""
    return b"".join([_SPAN.pack(since, code(timeline[since][2])) for since in sorted(timeline)])
