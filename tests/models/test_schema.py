"""The published schema against what the decoder takes, with as much of JSON Schema as our schema uses."""

import json
import re
from copy import deepcopy
from datetime import datetime

import build
import pytest
import strategies
import strategies_subjects
from build import NOON
from build_subjects import subject_of
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidEventError
from models.events import EVENT_TYPES, decode, encode, schema

SCHEMA = schema()

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}

ANNOTATIONS = {"title", "description", "default", "discriminator", "$schema", "$defs"}
"""What says nothing about validity."""

OBEYS = {
    "$ref": lambda value, wanted: valid(value, SCHEMA["$defs"][wanted.removeprefix("#/$defs/")]),
    "anyOf": lambda value, wanted: any(valid(value, option) for option in wanted),
    "type": lambda value, wanted: isinstance(value, TYPES[wanted]) and not (wanted == "integer" and isinstance(value, bool)),
    "enum": lambda value, wanted: any(value == each and type(value) is type(each) for each in wanted),
    "properties": lambda value, wanted: all(valid(value[name], rule) for name, rule in wanted.items() if name in value),
    "required": lambda value, wanted: all(name in value for name in wanted),
    "items": lambda value, wanted: all(valid(each, wanted) for each in value),
    "minLength": lambda value, wanted: len(value) >= wanted,
    "maxLength": lambda value, wanted: len(value) <= wanted,
    "minimum": lambda value, wanted: value >= wanted,
    "maximum": lambda value, wanted: value <= wanted,
    "pattern": lambda value, wanted: re.search(wanted, value) is not None,
    "format": lambda value, wanted: wanted == "date-time" and is_zoned(value),
}
"""The keywords that our schema uses, each beside a `type` that is looked at first; any other one is an error of this test."""


def valid(value, rule) -> bool:
    """Whether a value obeys a rule of the schema."""
    keywords = sorted(rule.keys() - ANNOTATIONS, key=lambda keyword: keyword != "type")
    return all(OBEYS[keyword](value, rule[keyword]) for keyword in keywords)


def is_zoned(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


ALL = [name for names in strategies_subjects.NAMES.values() for name in names[:1]]
EXAMPLE = json.loads(encode(build.touch("t1", at=NOON, channel="call", rep=None)))
EVENTS = st.one_of(strategies.events(), strategies.merges(), st.just(build.erased()), *map(strategies_subjects.events, ALL))

OBJECTS = (
    *("inquiry", "touch", "reply", "meeting", "deal", "proposal", "nurture", "subscription", "purchase", "survey", "ticket"),
    *("usage", "referral", "time", "employee_survey", "day", "cost", "quote"),
)
SUBJECTS = ("lead", "account", "rep", "campaign")
KINDS = (*OBJECTS, *SUBJECTS, "planet")
VALUES = st.sampled_from(
    (
        *(None, True, 0, -1, 2, 1.5, 2**53, 2**53 + 1, [], {}, "", "x" * 200, "x" * 201),
        *(EXAMPLE["timestamp"], "2026-03-02T12:00:00", "call", "human", "held", "mql"),
        *("won", "upsell", "EUR", "eur", 12, 10**13, 10**13 + 1),
        *(*EVENT_TYPES, *KINDS, *({"kind": kind, "id": "1"} for kind in KINDS)),
    )
)
"""What is right in one place is wrong in most others."""

FIELDS = {
    "": ("id", "type", "timestamp", "subject", "object", "data", "into", "sequence", "schema_version", "received_at"),
    "subject": ("kind", "id"),
    "object": ("kind", "id"),
    "into": ("kind", "id"),
    "data": (
        *("created_at", "owner", "owner_at", "stage", "at", "channel", "automated", "kind", "sentiment", "outcome", "rep"),
        *("amount", "currency", "term_months"),
    ),
}


@st.composite
def nearly_events(draw):
    """An event with a few fields, at any depth, replaced or left out."""
    raw = json.loads(encode(draw(EVENTS)))
    for part in draw(st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=2)):
        record = raw.get(part) if part else raw
        if isinstance(record, dict):
            field = draw(st.sampled_from(FIELDS[part]))
            record[field] = deepcopy(draw(VALUES))
            if draw(st.booleans()):
                del record[field]
    return raw


def decodes(raw) -> bool:
    try:
        decode(json.dumps(raw).encode())
    except InvalidEventError:
        return False
    return True


@given(EVENTS)
def test_every_event_obeys_the_schema(event):
    assert valid(json.loads(encode(event)), SCHEMA)


@given(nearly_events())
def test_what_the_decoder_takes_the_schema_takes_and_nothing_else(raw):
    assert valid(raw, SCHEMA) == decodes(raw)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_an_object_is_of_the_kind_that_the_type_names(event_type, kind):
    subject = {"kind": subject_of(event_type), "id": "1"}
    raw = EXAMPLE | {"type": event_type, "subject": subject, "object": {"kind": kind, "id": "1"}, "data": {}, "into": None}
    named = event_type.removesuffix(".upserted")
    free = named in {"deleted", "restored"} and kind in OBJECTS
    assert valid(raw, SCHEMA) == decodes(raw) == (free or named in {kind, *SUBJECTS, "erased", "merged"})


@pytest.mark.parametrize("kind", SUBJECTS)
@pytest.mark.parametrize("event_type", sorted(EVENT_TYPES))
def test_a_subject_is_of_the_kind_that_the_type_is_of(event_type, kind):
    named = event_type.removesuffix(".upserted")
    thing = {"kind": named if named in OBJECTS else "touch", "id": "1"}
    raw = EXAMPLE | {"type": event_type, "subject": {"kind": kind, "id": "1"}, "object": thing, "data": {}, "into": None}
    free = named in {"deleted", "restored", "erased", "merged"}
    assert valid(raw, SCHEMA) == decodes(raw) == (free or kind == subject_of(event_type))


def test_an_array_of_events_obeys_the_schema():
    assert valid([EXAMPLE, EXAMPLE], SCHEMA)
    assert not valid([EXAMPLE, "and more"], SCHEMA)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "touch.created"},
        {"timestamp": "2026-03-02T12:00:00"},
        {"subject": {"kind": "lead", "id": ""}},
        {"subject": {"kind": "lead", "id": "x" * 201}},
        {"subject": {"kind": "lead"}},
        {"sequence": -1},
        {"schema_version": 2},
        {"data": {"channel": "fax"}},
        {"data": {"connected": 1}},
    ],
)
def test_what_the_decoder_refuses_the_schema_refuses(changes):
    assert not valid(EXAMPLE | changes, SCHEMA)


def test_the_schema_names_every_type_and_its_version():
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    tags = {part["properties"]["type"]["enum"][0] for part in SCHEMA["$defs"].values() if "type" in part["properties"]}
    assert tags == EVENT_TYPES


def test_every_reference_leads_somewhere():
    refs = set(re.findall(r'"\$ref": "#/\$defs/(\w+)"', json.dumps(SCHEMA)))
    assert refs
    assert refs == set(SCHEMA["$defs"])
