"""The published schema against what the decoder takes, with as much of JSON Schema as our schema uses."""

import json
import re
from datetime import datetime

import build
import pytest
import strategies
from build import NOON
from hypothesis import given
from hypothesis import strategies as st

from models.events import EVENT_TYPES, encode, schema

SCHEMA = schema()

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}

ANNOTATIONS = {"title", "description", "default", "discriminator", "$schema", "$defs"}
"""What says nothing about validity."""

OBEYS = {
    "$ref": lambda value, wanted: valid(value, SCHEMA["$defs"][wanted.removeprefix("#/$defs/")]),
    "anyOf": lambda value, wanted: any(valid(value, option) for option in wanted),
    "type": lambda value, wanted: isinstance(value, TYPES[wanted]) and not (wanted == "integer" and isinstance(value, bool)),
    "enum": lambda value, wanted: value in wanted,
    "properties": lambda value, wanted: all(valid(value[name], rule) for name, rule in wanted.items() if name in value),
    "required": lambda value, wanted: all(name in value for name in wanted),
    "items": lambda value, wanted: all(valid(each, wanted) for each in value),
    "minLength": lambda value, wanted: len(value) >= wanted,
    "maxLength": lambda value, wanted: len(value) <= wanted,
    "minimum": lambda value, wanted: value >= wanted,
    "maximum": lambda value, wanted: value <= wanted,
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


EXAMPLE = json.loads(encode(build.touch("t1", at=NOON, channel="call", rep=None)))


@given(st.one_of(strategies.events(), strategies.merges(), st.just(build.erased())))
def test_every_event_obeys_the_schema(event):
    assert valid(json.loads(encode(event)), SCHEMA)


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
