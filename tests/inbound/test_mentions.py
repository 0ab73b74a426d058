"""Whom a body may be about: nobody whom it is about is missed, whatever is wrong with it."""

import json
import random

import conversation
import pytest
from conversation import case, connection
from histories import NOON, Event, call, lead, merged
from hypothesis import example, given
from hypothesis import strategies as st

from streams.inbound.mentions import LONGEST, Mention, mentions

KEY = bytes.fromhex(connection().email_key.get_secret_value())
OWN = f"{connection().name}:"

BRUCE = "email:f035b6ea4dfd1b78b4a28279a4f7fcc9"
"""The subject of bruce@wayne.example."""


def body(*events: object) -> bytes:
    return json.dumps(events[0] if len(events) == 1 else events).encode()


def known(name: str) -> Event:
    return lead(name, created_at=NOON)


def leads(*names: str) -> set[Mention]:
    return {Mention("lead", name) for name in names}


@pytest.mark.parametrize("name", [name for name in conversation.names() if case(name).events])
def test_whoever_a_body_of_close_tells_of_is_mentioned_also_if_it_is_cut_off(name):
    told = case(name)
    people = {event["subject"]["id"] for event in told.events} | {
        event["into"]["id"] for event in told.events if event.get("into")
    }
    expected = {person.removeprefix(OWN) for person in people}
    assert expected <= {mention.name for mention in mentions(told.raw, KEY)}
    assert expected <= {mention.name for mention in mentions(told.raw[:-1], KEY)}


def test_of_our_own_events_the_subjects_are_meant_and_not_whoever_has_the_same_number():
    deal = known("42") | {"object": {"kind": "deal", "id": "43"}, "data": {"amount": 44, "rep": "45"}, "sequence": 46}
    assert mentions(body(deal)) == leads("42")
    assert mentions(body(merged(NOON, "42", "43"))) == leads("42", "43")
    assert mentions(body(known("42"), {"subject": {"kind": "account", "id": 43}})) == leads("42") | {Mention("account", "43")}


def test_an_event_that_names_nobody_properly_may_be_about_whoever_is_in_it():
    nameless = {"type": "lead.upserted", "lead_id": 42, "who": ["43"], "44": None}
    assert {Mention(None, name) for name in ("42", "43", "44")} <= mentions(body(known("1"), nameless))
    assert Mention(None, "42") in mentions(body({"subject": {"kind": "person", "id": "42"}}))


def test_an_address_is_found_in_any_writing_and_within_a_text():
    for text in (
        "bruce@wayne.example",
        "Bruce Wayne <Bruce@Wayne.Example>",
        "please write to bruce@wayne.example.",
        "mailto:bruce@wayne.example?",
    ):
        assert Mention("lead", BRUCE) in mentions(body({"note": text}), KEY)
        assert Mention("lead", BRUCE) in mentions(f"note={text}&x=1".encode(), KEY)
    assert mentions(body({"note": "bruce@wayne.example"})) == {Mention(None, "note"), Mention(None, "bruce@wayne.example")}


ids = st.text(st.characters(exclude_characters='"\\', exclude_categories=["Cs", "Cc"]), min_size=1, max_size=LONGEST)


@given(ids, st.binary(max_size=50), st.booleans())
def test_an_id_in_broken_json_is_found(name, junk, escaped):
    whole = json.dumps({"subject": {"kind": "lead", "id": name}}, ensure_ascii=escaped).encode()
    broken = b'[{"a": ' + junk + b"," + whole[:-1]
    try:
        json.loads(broken)
    except ValueError:
        assert name in {mention.name for mention in mentions(broken, KEY)}


@pytest.mark.parametrize("form", ["id={}&name=Jane", "<lead id='{}'/>", "id: {}\nname: Jane", "{};Jane", "({})"])
def test_an_id_in_what_is_no_json_at_all_is_found(form):
    for name in ("42", "cont_o0kP", "3f2b-11", "email:ab12"):
        assert name in {mention.name for mention in mentions(form.format(name).encode())}


values = st.recursive(st.none() | st.text() | st.integers() | st.floats(), st.lists)


@given(st.binary() | values.map(json.dumps).map(str.encode))
@example(b"[" * 100_000)
@example(b'{"id": "\\ud83d", "kind": "lead"}')
@example(b'{"kind": "lead", "id": ' + b"9" * 5000 + b"}")
@example(b'{"kind": [], "id": {}}')
@example('{"subject": {"kind": "lead", "id": "42"}}'.encode("utf-16"))
def test_any_bytes_mention_ids_that_can_be_written(told):
    for kind, name in mentions(told, KEY):
        assert 0 < len(name.encode().decode()) <= LONGEST
        assert kind in {None, "lead", "account", "rep", "campaign"}


def test_a_body_of_one_huge_word_is_looked_at_in_one_go():
    """By an expression that goes back, this takes hours."""
    word = bytes(random.Random(1).choices(b"abcdefghij", k=2**20))
    assert mentions(b"x" + word, KEY) == set()
    assert Mention("lead", BRUCE) in mentions(b"%s <bruce@wayne.example>" % word, KEY)


def test_a_call_whose_time_cannot_be_read_is_about_its_lead():
    assert mentions(body(call("c1", NOON, "42") | {"timestamp": "soon"})) == leads("42")
