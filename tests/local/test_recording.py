"""Reading recorded facts: what counts as one, and what is left out with its reason."""

import json

import pytest
from build import MINUTE, NOON, call, lead
from hypothesis import given
from hypothesis import strategies as st

from models.events import encode
from models.units import isoformat
from streams.inbound.normalise import Delivery, Unknown
from streams.local.recording import Fact, Mistake, line_of, read

EUROS = {"EUR"}


def delivery(body, **fields):
    record = {"received_at": NOON + 400, "connection": "crm", "headers": {"webhook-id": "m1"}, "body": body}
    return json.dumps(record | fields).encode()


def event(**fields):
    return json.loads(encode(call("t1", NOON))) | fields


def test_an_event_counts_as_received_when_it_says_so_else_at_its_version_time():
    (fact,) = read(1, json.dumps(event(received_at=NOON + 7)).encode(), EUROS)
    assert isinstance(fact, Fact)
    assert (fact.received_at, fact.event.subject.id) == (NOON + 7, "lead-1")
    (fact,) = read(1, encode(call("t1", NOON, changed_at=NOON + MINUTE)), EUROS)
    assert isinstance(fact, Fact)
    assert fact.received_at == NOON + MINUTE


def test_a_deliverys_events_belong_to_its_connection_and_its_receipt():
    (one,) = read(1, delivery(encode(lead(created_at=NOON)).decode()), EUROS)
    assert isinstance(one, Fact)
    assert (one.received_at, one.event.received_at, one.event.subject.id) == (NOON + 400, NOON + 400, "crm:lead-1")
    assert len(list(read(1, delivery(json.dumps([event(), event()]), provider="standard"), EUROS))) == 2


def test_a_type_that_is_not_known_is_no_mistake():
    assert list(read(4, delivery(json.dumps([event(type="invoice.upserted")])), EUROS)) == [Unknown()]
    assert list(read(4, json.dumps(event(type="invoice.upserted")).encode(), EUROS)) == [Unknown()]


def test_a_blank_line_is_nothing():
    assert list(read(1, b" \n", EUROS)) == []


@pytest.mark.parametrize("body", ["", "Zoë \U0001f600 \u2028", '{"a": "\\ud83d"}'])
def test_a_body_that_is_text_is_kept_as_text(body):
    line = json.loads(line_of(Delivery("crm", NOON, {"webhook-id": "m1"}, body.encode())))
    assert line == {
        "received_at": NOON,
        "connection": "crm",
        "provider": "standard",
        "headers": {"webhook-id": "m1"},
        "body": body,
    }


def test_a_body_that_is_no_text_is_kept_as_base64():
    bad, good = b'{"id": "\xff"}', json.dumps(event()).encode()
    line = line_of(Delivery("crm", NOON, {}, b"[%s,%s]" % (bad, good)))
    assert "body" not in json.loads(line)
    mistake, fact = read(1, line, EUROS)
    assert str(mistake).startswith("line 1, event 1: $: ")
    assert isinstance(fact, Fact)


@pytest.mark.parametrize(
    ("line", "where", "what"),
    [
        (b"{", "$", "truncated"),
        (b'"text"', "$", "Expected `object`"),
        (b'{"body": "\xff"}', "$", ""),
        (b"[" * 100_000, "$", ""),
        (b'{"x":' * 100_000, "$", "nested"),
        (delivery("[{"), "$.body", "truncated"),
        (delivery("[" * 100_000), "$.body", "nested"),
        (delivery("[" + "1," * 1000 + "1]"), "$.body", "1001 events in one delivery"),
        (delivery({"type": "deleted"}), "$.body", "Expected `str`"),
        (delivery("{}", body_base64="e30="), "$.body_base64", "beside a body"),
        (b'{"body_base64": "?", "connection": "crm", "received_at": %d}' % NOON, "$.body_base64", "base64"),
        (delivery("{}", connection="no name"), "$.connection", "regex"),
        (delivery("{}", provider="fax"), "$.provider", "'fax' is not known (one of standard, close)"),
        (delivery("{}", received_at="noon"), "$.received_at", "Expected `int`"),
        (delivery("{}", received_at=0), "$.received_at", ">= 6311"),
        (json.dumps(event(type=3)).encode(), "$.type", "Expected `str`"),
    ],
)
def test_a_line_that_cannot_be_read_is_told_with_its_place(line, where, what):
    (mistake,) = read(12, line, EUROS)
    assert isinstance(mistake, Mistake)
    assert (mistake.line, mistake.event, mistake.where) == (12, None, where)
    assert what in mistake.what


@pytest.mark.parametrize(
    ("body", "where", "what"),
    [
        ("{}", "$", "type"),
        (json.dumps(event(type=3)), "$.type", "Expected `str`"),
        (json.dumps(event(subject={"kind": "lead", "id": "x" * 200})), "$.subject.id", "longer than 200"),
        (json.dumps(event(timestamp=isoformat(NOON + 10 * MINUTE))), "$.timestamp", "5 minutes after the receipt"),
    ],
)
def test_an_event_that_cannot_be_read_is_told_with_its_place_in_the_delivery(body, where, what):
    (mistake,) = read(12, delivery(body), EUROS)
    assert isinstance(mistake, Mistake)
    assert (mistake.line, mistake.event, mistake.where) == (12, 1, where)
    assert what in mistake.what


def test_one_bad_event_does_not_spoil_its_delivery():
    good, bad = read(3, delivery(json.dumps([event(), event(data={"at": "soon"})])), EUROS)
    assert isinstance(good, Fact)
    assert str(bad).startswith("line 3, event 2: $.data.at: ")


@given(st.binary(max_size=60) | st.text(max_size=60).map(delivery))
def test_no_bytes_ever_raise(line):
    assert all(isinstance(found, Mistake | Unknown) for found in read(1, line, EUROS))
