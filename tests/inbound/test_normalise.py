import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.events import LeadUpserted, decode, encode
from models.units import DAY, MINUTE, SECOND, Millis, isoformat, millis
from streams.errors import Poison
from streams.inbound.normalise import Delivery, Normalised, dead_letter_of, normalise
from streams.inbound.providers import standard

EUROS = {"EUR"}

RECEIVED = millis(datetime(2026, 5, 4, 9, tzinfo=UTC))


def event(**changes: object) -> dict[str, object]:
    return {
        "id": "ev-1",
        "type": "lead.upserted",
        "timestamp": isoformat(RECEIVED),
        "subject": {"kind": "lead", "id": "42"},
        "data": {"owner": "ada"},
    } | changes


def delivery(body: bytes) -> Delivery:
    return Delivery("acme", RECEIVED, {"webhook-id": "msg_1"}, body, "crm.deliveries.v1", 3, 17)


def normalised(*elements: object) -> Normalised:
    """What becomes of an array; bytes stand as they are."""
    parts = [element if isinstance(element, bytes) else json.dumps(element).encode() for element in elements]
    return normalise(delivery(b"[" + b",".join(parts) + b"]"), standard, EUROS)


def letters(result: Normalised) -> list[dict[str, object]]:
    return [json.loads(letter.record) for letter in result.dead]


def test_an_event_is_prefixed_with_its_connection_and_told_when_it_was_received():
    ((key, value),) = normalise(delivery(json.dumps(event()).encode()), standard, EUROS).events
    assert key == b"lead:acme:42"
    canonical = decode(value)
    assert isinstance(canonical, LeadUpserted)
    assert (canonical.subject.id, canonical.received_at, canonical.data.owner) == ("acme:42", RECEIVED, "ada")
    assert encode(canonical) == value


def test_what_the_sender_says_about_the_receipt_does_not_count():
    ((_, value),) = normalised(event(received_at=1)).events
    assert decode(value).received_at == RECEIVED


def test_the_events_of_a_batch_keep_their_order():
    result = normalised(*(event(subject={"kind": "lead", "id": str(number)}) for number in range(5)))
    assert [key for key, _ in result.events] == [f"lead:acme:{number}".encode() for number in range(5)]


def test_a_bad_event_of_a_batch_is_a_dead_letter_and_the_others_work():
    late = event(timestamp=isoformat(Millis(RECEIVED + 5 * MINUTE + SECOND)))
    result = normalised(event(), late, event(id=None), event(id="ev-2"))
    assert len(result.events) == 2
    ahead, unnamed = letters(result)
    assert ahead == {
        "reason": "2026-05-04T09:05:01.000Z lies over 5 minutes after the receipt at 2026-05-04T09:00:00.000Z",
        "where": "$.timestamp",
        "todo": "check the sender's clock",
        "connection": "acme",
        "received_at": RECEIVED,
        "topic": "crm.deliveries.v1",
        "partition": 3,
        "offset": 17,
        "headers": {"webhook-id": "msg_1"},
        "index": 1,
        "body": json.dumps(late),
    }
    assert (unnamed["where"], unnamed["index"]) == ("$.id", 2)


def test_of_a_hundred_events_with_one_bad_ninety_nine_work():
    events = [event(id=f"ev-{number}", subject={"kind": "lead", "id": str(number)}) for number in range(100)]
    events[42]["timestamp"] = "yesterday"
    result = normalised(*events)
    assert [decode(value).id for _, value in result.events] == [f"ev-{number}" for number in range(100) if number != 42]
    (letter,) = letters(result)
    assert (letter["index"], letter["where"], json.loads(letter["body"])) == (42, "$.timestamp", events[42])


def test_what_happened_over_five_minutes_after_its_receipt_is_a_dead_letter_and_what_is_planned_is_not():
    def at(field: str, instant: int, kind: str) -> dict[str, object]:
        channel = {"channel": "call"} if kind == "touch" else {}
        return event(
            type=f"{kind}.upserted", object={"kind": kind, "id": "1"}, data={field: isoformat(Millis(instant))} | channel
        )

    limit = RECEIVED + 5 * MINUTE
    assert len(normalised(at("at", limit, "touch"), at("scheduled_at", RECEIVED + 90 * DAY, "meeting")).events) == 2
    result = normalised(
        *(at(field, limit + 1, kind) for field, kind in (("at", "touch"), ("at", "reply"), ("booked_at", "meeting")))
    )
    assert [letter["where"] for letter in letters(result)] == ["$.data.at", "$.data.at", "$.data.booked_at"]
    assert all("over 5 minutes after the receipt" in letter["reason"] for letter in letters(result))


def test_a_delivery_that_cannot_be_taken_apart_is_one_dead_letter_without_an_index():
    (letter,) = letters(normalise(delivery(b"[{"), standard, EUROS))
    assert (letter["index"], letter["body"]) == (None, "[{")


def test_a_single_event_that_is_bad_is_a_dead_letter_too():
    (letter,) = letters(normalise(delivery(b"{}"), standard, EUROS))
    assert (letter["index"], letter["body"], letter["reason"]) == (0, "{}", "Object missing required field `type`")


def test_an_amount_in_a_currency_without_a_rate_is_a_dead_letter():
    def deal(currency):
        data = {"amount": 100, "currency": currency}
        return event(type="deal.upserted", object={"kind": "deal", "id": "d1"}, data=data)

    body = json.dumps([deal("EUR"), deal("GBP"), deal(None)]).encode()
    result = normalise(delivery(body), standard, {"EUR", "USD"})
    (letter,) = letters(result)
    assert len(result.events) == 2
    assert (letter["index"], letter["where"], letter["reason"]) == (1, "$.data.currency", "GBP has no rate")


def test_an_account_whose_id_is_too_long_with_the_connection_is_a_dead_letter():
    """Leads tell their accounts of replies, so what cannot be told is refused before."""
    body = json.dumps([event(data={"account": "x" * length}) for length in (150, 200)]).encode()
    result = normalise(delivery(body), standard, EUROS)
    (letter,) = letters(result)
    assert (len(result.events), letter["where"]) == (1, "$.data.account")
    assert "longer than 200" in letter["reason"]


def test_an_empty_array_holds_nothing():
    assert normalise(delivery(b"[]"), standard, EUROS) == Normalised()


def test_events_of_unknown_types_are_counted_and_kept_out():
    result = normalised(event(type="invoice.upserted"), {"type": "zzz"}, event(), {"type": 1}, event(subject={"kind": "deal"}))
    assert (len(result.events), len(result.dead), result.unknown) == (1, 2, 2)


def test_an_id_that_grows_too_long_with_its_connection_is_a_dead_letter():
    assert len(normalised(event(subject={"kind": "lead", "id": "x" * 195})).events) == 1
    (letter,) = letters(normalised(event(subject={"kind": "lead", "id": "x" * 196})))
    assert letter["where"] == "$.subject.id"


def test_control_characters_in_names_are_kept():
    name = "\u0000\n\u202ebob\U0001f600"
    ((key, value),) = normalised(event(subject={"kind": "lead", "id": name}, data={"owner": name})).events
    assert key == f"lead:acme:{name}".encode()
    assert b"\n" not in value
    assert decode(value).data.owner == name


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b'{"type": "erased", "id": NaN}', "malformed"),
        (b'{"type": "erased", "id": "\\ud83d"}', "truncated"),
        (b'{"type": "erased", "id": "\xff"}', "utf-8"),
        (json.dumps(event(data={"owner": "half a \ud83d pair"})).encode(), "surrogate"),
        (json.dumps(event(data={"owner": float("inf")})).encode(), "malformed"),
        (json.dumps(event(data={"owner": ["ada"]})).encode(), "got `array`"),
        (b'{"type": "erased", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested too deeply"),
        (json.dumps(event(sequence=10**400)).encode(), "<="),
        (json.dumps(event(sequence=2**64)).encode(), "<="),
        (json.dumps(event(sequence=1.5)).encode(), "int"),
        (json.dumps(event(timestamp="9999-12-31T23:59:59-23:59")).encode(), "outside the years"),
        (json.dumps(event(timestamp="0001-01-01T00:00:00+23:59")).encode(), "outside the years"),
        (json.dumps(event(timestamp=RECEIVED)).encode(), "datetime"),
        (json.dumps(event(data={"created_at": "2026-05-04T09:00:00"})).encode(), "timezone"),
    ],
)
def test_hostile_elements_die_alone(broken, reason):
    (letter,) = letters(normalise(delivery(broken), standard, EUROS))
    assert reason in letter["reason"]
    result = normalised(event(), broken, event())
    assert (len(result.events), len(result.dead)) == (2, 1)


def test_what_is_not_text_is_kept_as_base64():
    (letter,) = letters(normalise(delivery(b"\xff\x00"), standard, EUROS))
    assert base64.b64decode(letter["body_base64"]) == b"\xff\x00"
    assert "body" not in letter


def test_a_dead_letter_is_hardly_longer_than_what_it_keeps():
    for body in (b'{"\x01' * 100_000, b'{"x":"' + b"y" * 300_000 + b'"}', b"\x00" * 300_000):
        (letter,) = normalise(delivery(body), standard, EUROS).dead
        assert len(letter.record) < len(body) * 1.34 + 1000


def test_a_reason_that_quotes_the_body_is_cut():
    (letter,) = letters(
        normalised(event(type="touch.upserted", object={"kind": "touch", "id": "1"}, data={"channel": "z" * 9000}))
    )
    assert len(letter["reason"]) <= 500


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
almost = st.builds(
    lambda changes: event(**changes),
    st.dictionaries(st.sampled_from([*event(), "sequence", "object", "schema_version", "x"]), values, max_size=2),
)


@given(st.lists(almost | values | st.just(event()) | st.just({"type": "deal.upserted"}), max_size=8))
def test_nothing_is_lost(elements):
    result = normalised(*elements)
    assert len(result.events) + len(result.dead) + result.unknown == len(elements)
    for key, value in result.events:
        canonical = decode(value)
        assert key == f"lead:{canonical.subject.id}".encode()
        assert encode(canonical) == value
    assert [letter["index"] for letter in letters(result)] == sorted({letter["index"] for letter in letters(result)})


@given(st.binary())
@example(b"")
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"[1,\xff]")
@example(b"\xef\xbb\xbf{}")
def test_any_bytes_are_read_or_kept(body):
    result = normalise(delivery(body), standard, EUROS)
    kept = [
        letter["body"].encode() if "body" in letter else base64.b64decode(letter["body_base64"]) for letter in letters(result)
    ]
    assert kept or result.unknown or result.events or not json.loads(body)
    assert all(piece in body for piece in kept)


def test_a_delivery_comes_back_from_its_record():
    sent = delivery(b"body")
    assert Delivery.of_record(sent.record_headers(), sent.body, sent.topic, sent.partition, sent.offset) == sent
    assert sent.record_headers() == [
        ("connection", b"acme"),
        ("received_at", str(RECEIVED).encode()),
        ("h-webhook-id", b"msg_1"),
    ]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({"connection": b"acme"}, b""),
        ({"connection": b"acme", "received_at": b"soon"}, b""),
        ({"connection": b"acme", "received_at": b"99999999999999999999"}, b""),
        ({"connection": b"acme", "received_at": b"0"}, b""),
        ({"connection": None, "received_at": b"1777885200000"}, b""),
        ({"connection": b"\xff", "received_at": b"1777885200000"}, b""),
        ({"connection": b"acme", "received_at": b"1777885200000"}, None),
    ],
)
def test_a_record_that_the_gateway_did_not_write_is_poison(headers, body):
    with pytest.raises(Poison, match=r"crm\[1\]@2: is not a delivery of the gateway") as caught:
        Delivery.of_record(headers.items(), body, "crm", 1, 2)
    place = Delivery("", Millis(0), {}, body or b"", "crm", 1, 2)
    assert json.loads(dead_letter_of(place, caught.value, None, place.body).record)["where"] == "crm[1]@2"
