"""Generated histories of accounts, reps and campaigns, as small worlds in which what happens collides."""

from datetime import timedelta
from functools import cache, partial
from typing import Any

import build
import build_subjects
from build import DAY, NOON
from hypothesis import strategies as st
from strategies import AMOUNT, CHANNEL, CURRENCY, REP, VERSIONS, WHEN, WHEN_OR_NULL, _fields, _or_null, _record

from models.events import Event
from models.units import moment

SOURCE = {
    "lead_source": _or_null("inbound", "outbound", "partner"),
    "segment": _or_null("smb", "enterprise"),
    "origin": _or_null("webinar", "fair, spring"),
    "sales_region": _or_null("dach", "iberia"),
}
SPAN = st.sampled_from((0, 1, 30, 3_600, 86_400))
SCORE = _or_null(*range(11))
DATE = st.sampled_from([(moment(NOON) + timedelta(days=days)).date().isoformat() for days in (0, 0, 0, -1, 1, -8, -31, -400)])
LATER = st.one_of(WHEN, WHEN, WHEN.map(lambda at: at + 3 * DAY), WHEN.map(lambda at: at - 365 * DAY))
MRR = _or_null(100_00, 50_00, 3, 1, 0, 0)

ACCOUNT = _fields(added_at=WHEN_OR_NULL, owner=REP, owner_at=WHEN, campaign=_or_null("launch", "guide"), **SOURCE)
OBJECTS: dict[str, dict[str, st.SearchStrategy[dict[str, Any]]]] = {
    "account": {
        "subscription": st.one_of(*[_record({"mrr": MRR, "effective_at": LATER}, currency=CURRENCY)] * 2),
        "purchase": _record({"at": LATER, "amount": AMOUNT}, currency=CURRENCY),
        "survey": _record({"at": WHEN, "kind": _or_null("nps", "csat"), "score": SCORE}, rep=REP),
        "ticket": _record({"opened_at": WHEN}, closed_at=WHEN_OR_NULL, rep=REP),
        "usage": _record({"at": WHEN, "seconds": SPAN}),
        "referral": _record({"at": WHEN_OR_NULL}),
    },
    "rep": {
        "time": _record({"at": WHEN, "selling_seconds": SPAN, "working_seconds": SPAN}),
        "employee_survey": _record({"at": WHEN, "score": SCORE}),
    },
    "campaign": {
        "day": _record({"date": DATE}, **dict.fromkeys(("visits", "impressions", "deliveries", "clicks", "sign_ups"), SPAN)),
        "cost": _record({"date": DATE, "category": _or_null("marketing", "sales", "sdr"), "amount": AMOUNT}, currency=CURRENCY),
        "quote": _record(
            {
                "at": WHEN,
                "product": _or_null("basic", "pro", "other one"),
                "competitor": _or_null("acme", "evil"),
                "price": AMOUNT,
            },
            currency=CURRENCY,
        ),
    },
}
OWN = {
    "account": ACCOUNT,
    "rep": _fields(employed_from=LATER, employed_until=st.one_of(LATER, st.none())),
    "campaign": _fields(name=_or_null("launch", "guide"), channel=CHANNEL, **SOURCE),
}
NAMES = {
    "account": ("account/crm:a1", "account/crm:a2"),
    "rep": ("rep/crm:ana", "rep/crm:ben", "rep/crm:stranger"),
    "campaign": ("campaign/crm:launch", "campaign/crm:c2"),
}


def _made(make: Any, of: str, name: str, version: dict[str, Any], data: dict[str, Any]) -> Event:
    event: Event = make(name, of=of, **version, **data)
    return event


def events(of: str) -> st.SearchStrategy[Event]:
    """Any record of a subject, new or changed, a deletion or a restoration; and some erasures and merges."""
    kind = of.partition("/")[0]
    own = st.builds(lambda version, data: getattr(build_subjects, kind)(of=of, **version, **data), VERSIONS, OWN[kind])
    objects = [
        st.builds(
            partial(_made, getattr(build_subjects, thing), of),
            st.sampled_from(("1", "2", "3")),
            VERSIONS,
            fields,
        )
        for thing, fields in OBJECTS[kind].items()
    ]
    things = [f"{thing}:{number}" for thing in OBJECTS[kind] for number in ("1", "2")]
    marks = st.builds(
        lambda make, thing, version: make(thing, of=of, **version),
        st.sampled_from((build.deleted, build.restored)),
        st.sampled_from((*things, None)),
        VERSIONS,
    )
    return st.one_of(own, own, *objects, *objects, *objects, marks)


@cache
def others(longest: int = 12) -> st.SearchStrategy[list[Event]]:
    """What happens to some subjects of each kind."""
    every = [st.lists(events(name), max_size=longest) for names in NAMES.values() for name in names]
    erased = [st.builds(lambda of: build.erased(of=of), st.sampled_from(names)) for names in NAMES.values()]
    merged = [
        st.builds(
            lambda of, into, version: build.merged(into if into != of else None, of=of, **version),
            st.sampled_from(names),
            st.sampled_from((*names, None)),
            VERSIONS,
        )
        for names in NAMES.values()
    ]
    rare = st.lists(st.one_of(*merged, *merged, *erased), max_size=2)
    return st.builds(lambda told, rare: [event for part in (*told, rare) for event in part], st.tuples(*every), rare)


def histories(longest: int = 8) -> st.SearchStrategy[list[Event]]:
    """What happens to one subject that is no lead."""
    return st.one_of(*(st.lists(events(names[0]), max_size=longest) for names in NAMES.values()))
