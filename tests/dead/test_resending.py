"""What comes of a dead letter that is sent again, without sending it."""

import json
from dataclasses import replace

import conversation
import pytest
from conversation import case
from histories import NOON, call, deal, lead
from hypothesis import given
from hypothesis import strategies as st

from models.units import Millis
from streams.config import Settings
from streams.dead.resending import Desk
from streams.dead_letters import DeadLetter, dead_letter, letter_of
from streams.errors import Poison
from streams.inbound.normalise import Delivery, normalise
from streams.inbound.providers import provider_of, standard

CRM = {"name": "crm", "token": "t" * 16, "secrets": ["whsec_" + "A" * 32]}
BEFORE = Settings.model_validate({"connections": [CRM]})
AFTER = Settings.model_validate({"connections": [CRM], "money": {"rates": [{"currency": "GBP", "rate": "1.2"}]}})
IN_POUNDS = deal("d", "42", created_at=NOON, amount=100, currency="GBP")
NEVER = call("c", NOON, "42") | {"timestamp": "soon"}


def delivery(body: bytes, connection: str = "crm") -> Delivery:
    return Delivery(connection, Millis(NOON), {"webhook-id": "msg_1"}, body, "crm.deliveries.v1", 1, 17)


def dead(body: bytes, settings: Settings = BEFORE) -> list[DeadLetter]:
    """What the normaliser buries, as it lies in Kafka."""
    result = normalise(delivery(body), provider_of(settings.connections[0]), settings.unchecked_rules().money.currencies)
    return result.dead


def body(*events: object) -> bytes:
    return json.dumps(events).encode()


def tried(letter: DeadLetter, settings: Settings = AFTER):
    return Desk(settings)._tried(letter)


def arrived(sent: Delivery, settings: Settings = AFTER):
    """What the normaliser makes of what was sent again, from another place in the log."""
    record = (sent.record_headers(), sent.body, "crm.deliveries.v1", 3, 99)
    again = Delivery.of_record(*record)
    return normalise(again, provider_of(settings.connections[0]), settings.unchecked_rules().money.currencies)


def test_a_letter_that_can_be_read_now_says_what_it_would_have_said():
    (letter,) = dead(body(lead("1", created_at=NOON), IN_POUNDS))
    outcome, sent = tried(letter)
    assert (outcome.id, outcome.is_read, outcome.what) == (letter.id, True, "says 1 event")
    result = arrived(sent)
    assert result.events == normalise(delivery(body(IN_POUNDS)), provider_of(AFTER.connections[0]), {"GBP"}).events
    assert (result.dead, result.read.id, result.read.is_resent, result.read.content) == ([], letter.id, True, b"")


def test_one_that_cannot_be_read_yet_is_the_same_letter_again():
    (letter,) = dead(body(lead("1", created_at=NOON), NEVER))
    outcome, sent = tried(letter)
    assert (outcome.is_read, outcome.what, sent) == (False, "$.timestamp: Invalid RFC3339 encoded datetime", None)
    (pounds,) = dead(body(IN_POUNDS))
    _, sent = tried(pounds)
    result = arrived(sent, BEFORE)
    assert (result.dead, result.read) == ([pounds], None)


def test_the_elements_of_a_delivery_that_can_be_taken_apart_now_are_letters_of_their_own():
    (whole,) = dead(b"[" + json.dumps(NEVER).encode())
    mended = DeadLetter(
        *(whole.topic, whole.partition, whole.offset, "crm", whole.received_at, whole.headers),
        reason=whole.reason,
        where=whole.where,
        body=body(NEVER, lead("1", created_at=NOON)).decode(),
    )
    outcome, sent = tried(mended)
    assert (outcome.is_read, outcome.what) == (True, "says 1 event")
    result = arrived(sent)
    (element,) = result.dead
    assert (element.index, element.offset, result.read.id) == (0, 17, whole.id)
    assert element.id != whole.id


def test_an_element_is_not_taken_apart_again():
    (letter,) = dead(body([lead("1", created_at=NOON), lead("2", created_at=NOON)]))
    outcome, _ = tried(letter)
    assert not outcome.is_read


def test_a_letter_of_a_connection_that_is_gone_or_of_none_stays_where_it_is():
    gone = dead_letter(Poison("connections", "x"), body(IN_POUNDS), delivery(b"", "gone").origin(None))
    assert tried(gone)[0].what == "connections: there is no connection 'gone'"
    for connection in ("", None):
        place = ("crm.events.v1", 0, 1, connection)
        stranger = DeadLetter(*place, reason="x", where="$", body="{}")
        assert tried(stranger)[0].what == "crm.events.v1: it was no delivery of the gateway"


def test_one_that_was_read_already_is_not_sent_once_more():
    (letter,) = dead(body(IN_POUNDS))
    _, sent = tried(letter)
    outcome, again = tried(arrived(sent).read)
    assert (outcome.is_read, again) == (True, None)


def test_part_of_a_change_of_close_that_is_told_already_does_not_count_as_read():
    acme = Settings().model_copy(update={"connections": (conversation.connection(),)})
    raw = json.loads(case("opportunity_won").raw)
    raw["event"]["data"]["value_currency"] = "GBP"
    sender = provider_of(conversation.connection())
    result = normalise(Delivery("acme", conversation.RECEIVED, {}, json.dumps(raw).encode()), sender, {"EUR"})
    assert result.events
    outcome, _ = tried(result.dead[0], acme)
    assert (outcome.is_read, outcome.what) == (False, "$.data.currency: GBP has no rate")


def test_what_is_of_a_type_that_is_not_used_counts_nothing_and_is_not_dead():
    letter = DeadLetter(
        "crm.deliveries.v1", 1, 2, "crm", NOON, reason="was refused", where="$", index=0, body='{"type": "invoice.paid"}'
    )
    outcome, sent = tried(letter)
    assert (outcome.is_read, outcome.what) == (True, "is of a type that is not used")
    assert arrived(sent).unknown == 1


elements = st.sampled_from([IN_POUNDS, NEVER, lead("1", created_at=NOON), [], {}, "x", {"type": "zzz"}])


@given(st.lists(elements).map(lambda found: body(*found)) | st.binary())
def test_whatever_is_dead_keeps_its_id_or_is_told_to_be_read(raw):
    for letter in dead(raw):
        kept = letter_of(type("Record", (), {"value": letter.record, "topic": "", "partition": 0, "offset": 0}))
        assert kept == letter
        outcome, sent = tried(kept)
        assert outcome.is_read == (sent is not None)
        result = arrived(sent) if sent else None
        assert result is None or (result.read.id == letter.id and letter.id not in {each.id for each in result.dead})


def test_ids_differ_by_place_and_element_and_by_receipt():
    here = delivery(body(NEVER, NEVER))
    elsewhere = [replace(here, offset=18), replace(here, partition=2), replace(here, received_at=Millis(NOON + 1))]
    letters = [letter for each in (here, here, *elsewhere) for letter in normalise(each, standard, set()).dead]
    assert len({letter.id for letter in letters}) == len(letters) - 2


@pytest.mark.parametrize("header", [b"", b"{", b"[]", b'{"topic": 1}', b"\xff"])
def test_a_header_that_is_none_of_ours_is_poison(header):
    headers = [*delivery(b"").record_headers(), ("dead_letter", header)]
    with pytest.raises(Poison, match="is not a delivery of the gateway"):
        Delivery.of_record(headers, b"{}", "crm.deliveries.v1", 1, 2)


def test_no_sender_can_say_that_it_sends_a_letter_again():
    """What the gateway keeps of a request's headers has names of its own."""
    kept = replace(delivery(b"{}"), headers={"dead_letter": dead(body(NEVER))[0].record.decode()})
    assert Delivery.of_record(kept.record_headers(), b"{}", "crm.deliveries.v1", 1, 17).again is None
