"""The facts of a lead as they stand: its state without versions, tombstones and what lacks its instant, in order."""

from typing import NamedTuple

from models.state.lead import Lead
from models.state.registers import DELETED, Record, Timeline, value
from models.units import Millis

MEETING = "meeting"
"""The channel of a meeting where it counts as a touch."""


class Touch(NamedTuple):
    """An outbound call, email or message, or a held meeting; tuples order by instant, then kind, then id."""

    at: Millis
    order: int
    id: str
    channel: str
    rep: str | None = None
    automated: bool = False
    connected: bool = False
    delivered: bool = True


class Reply(NamedTuple):
    """Something inbound. `kind` is human, out_of_office, bounce or unsubscribe."""

    at: Millis
    order: int
    id: str
    channel: str | None
    kind: str
    sentiment: str | None
    in_reply_to: str | None


class Meeting(NamedTuple):
    """A meeting and its outcome: held, no_show, cancelled or None while nobody has said."""

    id: str
    booked_at: Millis | None
    scheduled_at: Millis | None
    rep: str | None
    kind: str | None
    outcome: str | None


class Span(NamedTuple):
    """A timeline's value from an instant on."""

    since: Millis
    value: str | None


class Facts(NamedTuple):
    """All that stands of a lead; every list is in order of time."""

    created_at: Millis | None
    lead_source: str | None
    segment: str | None
    owners: list[Span]
    stages: list[Span]
    inquiries: list[Millis]
    touches: list[Touch]
    replies: list[Reply]
    meetings: list[Meeting]


TOUCH_ORDER, REPLY_ORDER, MEETING_ORDER = range(3)
"""What comes first of two facts at one instant."""


def facts(lead: Lead) -> Facts | None:
    """What stands of a lead; None if it is deleted or erased."""
    if lead.erased or value(lead.record, DELETED):
        return None
    inquiries: set[Millis] = set()
    touches: list[Touch] = []
    replies: list[Reply] = []
    meetings: list[Meeting] = []
    for key, record in lead.objects.items():
        if value(record, DELETED):
            continue
        kind, _, name = key.partition(":")
        at = value(record, "at")
        if kind == "meeting":
            meetings.append(_meeting(name, record))
        elif at is None:
            continue
        elif kind == "touch":
            if value(record, "channel") is not None:
                touches.append(_touch(at, name, record))
        elif kind == "reply":
            replies.append(_reply(at, name, record))
        else:
            inquiries.add(at)
    created_at = value(lead.record, "created_at")
    if created_at is not None:
        inquiries.add(created_at)
    return Facts(
        created_at,
        value(lead.record, "lead_source"),
        value(lead.record, "segment"),
        _spans(lead.owner),
        _spans(lead.stage),
        sorted(inquiries),
        sorted(touches),
        sorted(replies),
        sorted(meetings, key=lambda meeting: meeting.id),
    )


def _spans(timeline: Timeline) -> list[Span]:
    return [Span(Millis(since), timeline[since][2]) for since in sorted(timeline)]


def _touch(at: Millis, name: str, record: Record) -> Touch:
    delivered = value(record, "delivered")
    return Touch(
        at,
        TOUCH_ORDER,
        name,
        value(record, "channel"),
        value(record, "rep"),
        bool(value(record, "automated")),
        bool(value(record, "connected")),
        delivered is None or delivered,
    )


def _reply(at: Millis, name: str, record: Record) -> Reply:
    return Reply(
        at,
        REPLY_ORDER,
        name,
        value(record, "channel"),
        value(record, "kind") or "human",
        value(record, "sentiment"),
        value(record, "in_reply_to"),
    )


def _meeting(name: str, record: Record) -> Meeting:
    names = ("booked_at", "scheduled_at", "rep", "kind", "outcome")
    return Meeting(name, *(value(record, field) for field in names))
