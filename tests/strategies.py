"""Generated histories: small worlds, so that what happens collides.

There are few ids, few versions and few instants, many of them on an edge: equal versions with different values, deletions
before creations, answers at the very due time, facts ahead of the clock, panes and days that end.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import build
import build_subjects
from build import DAY, HOUR, MINUTE, NOON, SECOND
from hypothesis import strategies as st

from models.data.leads import Line
from models.events import Event
from models.units import Millis

DAYS = (0, 0, 0, 0, 0, -1, 1, -7, -8, 7, -31, -400)
EDGES_MS = (0, 0, 0, 0, 1, 30_000, 2_000, 8_000, 9_999, 10_000, 59_999)


WHEN: st.SearchStrategy[Millis] = st.sampled_from(
    [Millis(NOON + days * DAY + minutes * MINUTE + edge) for edge in EDGES_MS for days in DAYS for minutes in range(31)]
)
"""Mostly within half an hour from noon, on a minute; at times on another day, or just before or after something."""

VERSIONS = st.sampled_from(
    [{"changed_at": NOON + minutes * MINUTE, "sequence": sequence} for sequence in (0, 0, 0, 1, 2) for minutes in range(13)]
)
"""When a record was changed: rarely twice the same, but often enough."""


def _fields(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A partial record: each field absent, cleared or with a value."""
    return st.fixed_dictionaries({}, optional=values)


def _record(known: dict[str, st.SearchStrategy[Any]], **values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A record with what makes it count, or (one in three) a partial one."""
    whole = st.fixed_dictionaries(known, optional=values)
    return st.one_of(whole, whole, _fields(**(known | values)))


def _or_null(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from((*values, *values, None))


WHEN_OR_NULL = st.one_of(WHEN, WHEN, WHEN, WHEN, st.none())
REP = _or_null("ana", "ben", "cleo", "dora", "stranger")
CHANNEL = st.sampled_from(("call", "email", "message"))

LEAD = _record(
    {"created_at": WHEN_OR_NULL, "owner": REP},
    owner_at=WHEN,
    stage=_or_null("lead", "sql", "customer", "disqualified"),
    stage_at=WHEN,
    lead_source=_or_null("inbound", "outbound", "partner"),
    segment=_or_null("smb", "enterprise"),
    origin=_or_null("webinar", "fair, spring"),
    account=_or_null("crm:a1", "crm:a2", "crm:a3"),
    sales_region=_or_null("dach", "iberia"),
    campaign=_or_null("launch", "guide"),
)
INQUIRY = _record({"at": WHEN_OR_NULL})
TOUCH = _record(
    {"at": WHEN, "channel": CHANNEL},
    rep=REP,
    automated=_or_null(False, True),
    connected=_or_null(True, False),
    delivered=_or_null(True, False),
)
REPLY = _record(
    {"at": WHEN},
    channel=st.one_of(CHANNEL, st.none()),
    kind=_or_null("human", "human", "human", "out_of_office", "bounce", "unsubscribe"),
    sentiment=_or_null("positive", "neutral", "negative"),
    in_reply_to=_or_null("t1", "t2", "t9", "m1"),
)
MEETING = _record(
    {"booked_at": WHEN, "scheduled_at": st.one_of(WHEN, WHEN, WHEN.map(lambda at: at + 3 * DAY))},
    rep=REP,
    kind=_or_null("demo", "intro"),
    outcome=_or_null("held", "held", "no_show", "cancelled"),
)

AMOUNT = _or_null(100_00, 99_99, 150, 3, 1, 0, 12_345_67, 10**13)
"""Some of them are halves once they are converted, or shared out over the months of a contract."""

CURRENCY = _or_null("EUR", "USD", "JPY", "GBP")
WORTH = {
    "list_amount": AMOUNT,
    "currency": CURRENCY,
    "kind": _or_null("new_business", "upsell", "cross_sell", "renewal"),
    "term_months": _or_null(12, 24, 7, 1),
}
"""What an amount is of, and for."""

LINE = st.builds(
    Line,
    quantity=st.sampled_from((1, 3, 100)),
    unit_price=st.sampled_from((0, 1, 50_00)),
    product=_or_null("basic", "pro", "other one"),
)
LINES = st.lists(LINE, max_size=2).map(tuple)

DEAL = _record(
    {"created_at": WHEN_OR_NULL, "amount": AMOUNT},
    rep=REP,
    stage=_or_null("qualified", "proposal", "contract", "limbo"),
    stage_at=WHEN,
    outcome=st.sampled_from(("won", "lost", None, None)),
    closed_at=WHEN_OR_NULL,
    loss_reason=_or_null("price", "no answer"),
    competitor=_or_null("acme", "evil"),
    lines=st.one_of(LINES, LINES, st.none()),
    **WORTH,
)
CLOSE = st.fixed_dictionaries({"outcome": st.sampled_from(("won", "lost", "won", None)), "closed_at": WHEN_OR_NULL})

PROPOSAL = _record({"sent_at": WHEN_OR_NULL, "signed_at": WHEN_OR_NULL}, rep=REP)
NURTURE = _record({"entered_at": WHEN_OR_NULL, "track": _or_null("onboarding", "winback")})

THINGS = ("inquiry:i1", "touch:t1", "touch:t2", "reply:r1", "meeting:m1", "deal:d1", "proposal:p1", "nurture:n1")


def _object(make: Any, names: Sequence[str], fields: st.SearchStrategy[dict[str, Any]], of: str) -> st.SearchStrategy[Event]:
    return st.builds(lambda name, version, data: make(name, of=of, **version, **data), st.sampled_from(names), VERSIONS, fields)


def events(of: str = "lead-1") -> st.SearchStrategy[Event]:
    """Any record of a lead, new or changed, a deletion or a restoration; touches and the lead itself are the most frequent."""
    heads = st.builds(lambda version, data: build.lead(of=of, **version, **data), VERSIONS, LEAD)
    touches = _object(build.touch, ("t1", "t2", "t3"), TOUCH, of)
    inquiries = _object(build.inquiry, ("i1", "i2"), INQUIRY, of)
    replies = _object(build.reply, ("r1", "r2"), REPLY, of)
    meetings = _object(build.meeting, ("m1", "m2", "t1"), MEETING, of)
    deals = _object(build.deal, ("d1", "d2", "t1"), st.one_of(DEAL, DEAL, DEAL, CLOSE), of)
    removals = st.builds(
        lambda make, thing, version: make(thing, of=of, **version),
        st.sampled_from((build.deleted, build.restored)),
        st.sampled_from((*THINGS, None)),
        VERSIONS,
    )
    proposals = _object(build_subjects.proposal, ("p1", "p2"), PROPOSAL, of)
    nurtures = _object(build_subjects.nurture, ("n1", "n2"), NURTURE, of)
    usual = [heads, heads, heads, touches, touches, touches, replies, replies, meetings, meetings, deals, deals]
    return st.one_of(*usual, inquiries, removals, proposals, nurtures)


def merges(of: str = "lead-1") -> st.SearchStrategy[Event]:
    """The lead is merged into one of two others, or that is undone."""
    into = st.sampled_from(("lead-8", "lead-9", None))
    return st.builds(lambda into, version: build.merged(into, of=of, **version), into, VERSIONS)


@cache
def families(leads: int = 4, longest: int = 2) -> st.SearchStrategy[list[Event]]:
    """The histories of a few leads that are merged into one another: in chains and circles, undone, deleted, into strangers."""
    names = [f"lead-{number}" for number in range(1, leads + 1)]
    merge = st.builds(
        lambda of, into, version: build.merged(into if into != of else None, of=of, **version),
        st.sampled_from(names),
        st.sampled_from((*names, *names, "lead-9", None)),
        VERSIONS,
    )
    gone = st.builds(lambda of, version: build.deleted(of=of, **version), st.sampled_from(names), VERSIONS)
    extra = st.tuples(st.lists(merge, max_size=2 * leads), st.lists(gone, max_size=2))
    told = st.tuples(*(histories(name, longest) for name in names))
    return st.builds(lambda told, extra: [event for part in (*told, *extra) for event in part], told, extra)


WAIT = st.sampled_from((MINUTE, 0, 1, 150 * SECOND, 4 * MINUTE, 5 * MINUTE, 5 * MINUTE + 1, 20 * MINUTE, HOUR, DAY, 8 * DAY))
"""How long the next thing takes; a good part of an SLA, exactly all of it, or a little more."""

SENTIMENT = st.sampled_from(("positive", "negative", "positive", "neutral", None))
OUTCOME = st.sampled_from(("held", "no_show", "held", "cancelled", None))


def lives(of: str = "lead-1") -> st.SearchStrategy[list[Event]]:
    """What usually happens to a lead, from its creation to its close, in order, though some of it may be missing."""

    def life(
        start: int,
        waits: list[int],
        happened: int,
        rep: str | None,
        how: str,
        came: str | None,
        went: str | None,
        worth: dict[str, Any],
    ):
        touched = start + waits[0]
        owned = start + waits[1] if happened % 3 else start
        replied = touched + waits[1]
        asked = replied + waits[2]
        called = asked + waits[3]
        told = [
            build.lead(
                created_at=start,
                owner=rep,
                owner_at=owned,
                lead_source="inbound",
                segment="smb",
                origin="webinar",
                account="crm:a1",
                of=of,
            ),
            build.touch("t1", at=touched, channel=how, rep=rep, connected=True, of=of),
            build.reply("r1", at=replied, channel=how, sentiment=came, in_reply_to="t1", of=of),
            build.inquiry("i1", at=asked, of=of),
            build.call("t2", called, connected=True, of=of),
            build.meeting("m1", booked_at=called, scheduled_at=called + waits[0], rep=rep, outcome=went, kind="demo", of=of),
            build.email("t3", start, automated=True, delivered=went != "no_show", of=of),
            build.reply("r2", at=asked, kind="unsubscribe" if came else "bounce", of=of),
            build.lead(stage="customer" if went else "disqualified", stage_at=called, of=of),
            build.lead(owner="ben" if rep == "cleo" else "cleo", owner_at=touched + 1, of=of),
            build.deal("d1", created_at=replied, stage="qualified", stage_at=asked, rep=None if came else rep, **worth, of=of),
            build.deal("d1", stage="proposal" if went else "limbo", stage_at=called, of=of),
            build_subjects.proposal(of=of, sent_at=asked, signed_at=called if went else None, rep=rep),
            build_subjects.nurture(of=of, entered_at=touched, track="onboarding"),
            build.deal("d1", outcome="won" if went in {"held", "no_show"} else "lost", closed_at=called + waits[0], of=of),
        ]
        return [event for number, event in enumerate(told) if happened >> number & 1]

    waits = st.lists(WAIT, min_size=4, max_size=4)
    happened = st.integers(0, 2**15 - 1).map(lambda mask: 2**15 - 1 - mask)
    worth = st.fixed_dictionaries({"amount": AMOUNT}, optional=WORTH)
    return st.builds(life, WHEN, waits, happened, REP, CHANNEL, SENTIMENT, OUTCOME, worth)


@cache
def histories(of: str = "lead-1", longest: int = 8) -> st.SearchStrategy[list[Event]]:
    """One lead's life, mixed with records, new and changed, in any order, some of them twice; one lead in twenty is erased."""
    erased = build.erased(of=of)

    def mixed(life: list[Event], others: list[Event], place: int, erasure: int) -> list[Event]:
        told = [*others[:place], *life, *others[place:], *others[:2]]
        return told if erasure else [*told[:place], erased, *told[place:]]

    records = st.lists(events(of), max_size=longest)
    return st.builds(mixed, lives(of), records, st.integers(0, longest), st.sampled_from((*range(1, 20), 0)))


@cache
def floors(leads: int = 3, longest: int = 4) -> st.SearchStrategy[list[Event]]:
    """The histories of a few leads, one after another."""
    every = [histories(f"lead-{number}", longest) for number in range(1, leads + 1)]
    return st.tuples(*every).map(lambda told: [event for history in told for event in history])
