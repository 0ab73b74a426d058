"""A person who is known again wherever they come up: told of in each field that a CRM can fill, and in what cannot be read.

What must never leave the deliveries and dead letters is personal: names, addresses, phone numbers, texts. Ids are in events,
states and alerts, and so is what is put into fields that hold the organisation's own words: a source, an owner, a reason.
"""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import conversation
from histories import (
    Event,
    account,
    call,
    deal,
    deleted,
    email,
    inquiry,
    lead,
    meeting,
    merged,
    nurture,
    of_account,
    proposal,
    reply,
    restored,
    subscription,
)

from models.units import DAY, HOUR, MINUTE

NAME, MAIL, PHONE, TEXT = "Jane Canaryname", "jane@canarymail.example", "+4915550001337", "canarytext, confidential"
PERSONAL = ("canaryname", "canarymail", "15550001337", "canarytext")

LEAD, OTHER, ACCOUNT = "canary-id-1", "canary-id-2", "canary-id-3"
CONTACT, COMPANY = "cont_canary", "lead_canary"
LOOSE = "loose canary"
"""What somebody writes who takes a field of the organisation's words for one of theirs."""

ANYTHING = ("canary", "15550001337")
"""Whatever of the person there can be, in small letters."""


def spoilt(thing: Any) -> Any:
    """The same, with the person beside everything that has a name."""
    match thing:
        case dict():
            more = {"name": NAME, "email": MAIL, "phone": PHONE, "note": TEXT, NAME: MAIL, "contacts": [{"name": NAME}]}
            return {**more, **{name: spoilt(value) for name, value in thing.items()}}
        case list():
            return [spoilt(each) for each in thing]
        case _:
            return thing


def life(now: int) -> list[Event]:
    """What our own webhooks tell of a person: all kinds of events, and every field with somebody's words in it."""
    asked, words = now - 2 * HOUR, dict.fromkeys(("lead_source", "origin", "sales_region", "segment", "campaign"), LOOSE)
    line = {"quantity": 1, "unit_price": 100, "product": LOOSE}
    of_deal = {"stage": LOOSE, "loss_reason": LOOSE, "competitor": LOOSE, "lines": [line], "rep": LOOSE}
    return [
        lead(LEAD, created_at=asked, owner=LOOSE, account=ACCOUNT, **words),
        lead(OTHER, created_at=asked - DAY, owner="ana"),
        lead(f"{LEAD}-waits", created_at=now - MINUTE, owner="ana"),
        inquiry("q1", LEAD, at=asked + MINUTE),
        call("c1", asked + HOUR, LEAD, rep="ana", connected=True),
        email("m1", asked + HOUR, LEAD, rep=LOOSE),
        reply("r1", LEAD, at=now - MINUTE, channel="email", kind="human", in_reply_to="m1"),
        meeting("x1", LEAD, booked_at=now - MINUTE, scheduled_at=now + DAY, rep="ana", kind=LOOSE),
        deal("d1", LEAD, created_at=asked, amount=100, outcome="lost", closed_at=now - MINUTE, **of_deal),
        proposal("p1", LEAD, sent_at=asked, rep="ana", deal="d1"),
        nurture("n1", LEAD, entered_at=asked, track=LOOSE),
        account(ACCOUNT, added_at=asked, owner=LOOSE, **words),
        subscription(100, asked, ACCOUNT),
        of_account("survey", "s1", ACCOUNT, at=asked, survey="nps", score=9, rep="ana"),
        of_account("ticket", "t1", ACCOUNT, opened_at=asked, rep=LOOSE),
        deleted(now - MINUTE, LEAD, ("touch", "c1")),
        restored(now, LEAD, ("touch", "c1")),
        merged(now, LEAD, OTHER),
    ]


def deliveries(now: int) -> Iterator[str]:
    """Bodies of our own webhooks: all that is told, once so that it can be read, and then with each field wrong."""
    events = life(now)
    yield json.dumps([spoilt(event) for event in events])
    yield json.dumps([wrong for event in events for wrong in _wrong(spoilt(event), event)][:1000])
    yield json.dumps(spoilt(events[0]))[:-1]
    yield f"lead={LEAD}&name={NAME}&mail={MAIL}"


OWN_WORDS = {"id", "owner", "rep", "account", "in_reply_to", "deal"}
"""Fields of ours that take any text, beside those that have a loose one."""


def _wrong(event: Event, plain: Event) -> Iterator[Event]:
    """An event with the person in place of what a field should be: of the subject's fields all but the id."""
    for name, held in plain.items():
        if name != "subject":
            yield from (event | {name: value} for value in _no_values_of(name, held))
        for inner, value in held.items() if isinstance(held, dict) else ():
            if (name, inner) != ("subject", "id"):
                yield from (event | {name: event[name] | {inner: wrong}} for wrong in _no_values_of(inner, value))


def _no_values_of(name: str, value: Any) -> list[Any]:
    is_text = name in OWN_WORDS or value == LOOSE
    return [[MAIL], {NAME: PHONE}, *([] if is_text else [NAME])]


TEXTS = {"note", "title", "subject", "text", "body_text", "body_preview", "description", "location", "display_name"}
"""Fields of Close in which people write what they like."""


def of_close() -> Iterator[str]:
    """Bodies of Close about the person, once so that they can be read, and then so that they cannot."""
    for name in conversation.names():
        body = _renamed(conversation.case(name).body)
        body["event"] = spoilt(body["event"]) | {"object_type": body["event"]["object_type"]}
        yield json.dumps(body)
        broken = deepcopy(body)
        broken["event"]["data"] = {NAME: MAIL, "id": CONTACT, "date_updated": TEXT}
        yield json.dumps(broken)
    yield json.dumps(body)[:-1]


def _renamed(told: Any, field: str = "") -> Any:
    """The person in place of everybody whom Close's bodies speak of."""
    match told:
        case dict():
            return {name: _renamed(value, name) for name, value in told.items()}
        case list():
            return [_renamed(each, field) for each in told]
        case str():
            for before, now in (
                ("cont_o0kP", CONTACT),
                ("cont_Bwlw", CONTACT),
                ("lead_IIDH", COMPANY),
                ("wayne.example", "canarymail.example"),
                ("Wayne.example", "Canarymail.example"),
                ("Bruce Wayne", NAME),
                ("+16503334444", PHONE),
            ):
                told = told.replace(before, now)
            return f"{told} {TEXT}" if field in TEXTS and told else told
        case _:
            return told


def addresses() -> set[str]:
    """All addresses that Close's bodies have of the person."""
    return set(re.findall(r"[\w.]+@canarymail\.example", " ".join(of_close()), re.IGNORECASE))
