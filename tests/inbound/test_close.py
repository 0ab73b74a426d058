"""What Close's bodies say: each kind of event as written down in `tests/golden/close`, and whatever else may come."""

import json
import random
import re
from copy import deepcopy
from typing import Any

import conversation
import msgspec
import pytest
from build_subjects import subject_of
from conversation import case, connection, read, told
from hypothesis import example, given
from hypothesis import strategies as st

from models.errors import InvalidEventError
from models.events import EVENT_TYPES, decode, encode
from models.state.lead import Lead, fold
from models.state.registers import DELETED, MERGED, fields_of
from models.units import isoformat
from streams.inbound.normalise import Unknown, Unreadable
from streams.inbound.providers import provider_of
from streams.inbound.providers.close import activities, records

CLOSE = provider_of(connection())
PEOPLE = ("acme:cont_o0kP", "acme:cont_Bwlw", "acme:lead_IIDH", "acme:email:1a05aa3f2ab98317da0a3d78980a08a0")


@pytest.mark.parametrize("name", conversation.names())
def test_a_body_says_what_is_written_down(name):
    known = case(name)
    found = read(known.raw)
    if known.events is None:
        assert found == [Unknown()]
    else:
        assert told(found) == known.events


TOLD = {kind for kind in EVENT_TYPES if subject_of(kind) == "lead"} - {"erased", "proposal.upserted", "nurture.upserted"}
"""What Close can say: nothing of accounts, reps and campaigns."""


def test_every_type_that_is_used_is_written_down_and_nothing_else_is_told():
    known = [case(name) for name in conversation.names()]
    used = {each.body["event"]["object_type"] for each in known if each.events is not None}
    assert used == set(records._TELLERS) | set(activities._ACTIVITIES)
    assert {event["type"] for each in known for event in each.events or ()} == TOLD


def changed(name: str, *path: str, to: Any) -> bytes:
    """A body with one thing changed."""
    body = deepcopy(case(name).body)
    place = body
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("body", "where", "what"),
    [
        (b"", "$", "truncated"),
        (b"{}", "$", "`event`"),
        (b"[]", "$", "Expected `object`"),
        (b'{"event": {"id": NaN}}', "$", "malformed"),
        (b'{"event": {"data": {"x": ' + b"[" * 5000, "$", "nested"),
        (b'{"event": {"id": "\xff"}}', "$", "utf-8"),
        (changed("call_completed", "event", "id", to="\ud83d"), "$", ""),
        (changed("call_completed", "event", "id", to="x y"), "$.event.id", "regex"),
        (changed("call_completed", "event", "object_id", to=None), "$.event.object_id", "Expected `str`"),
        (changed("call_completed", "event", "object_id", to="a@b.example"), "$.event.object_id", "regex"),
        (changed("call_completed", "event", "data", to=None), "$.event.data", "is missing"),
        (changed("call_completed", "event", "data", "contact_id", to="\u0000"), "$.event.data.contact_id", "regex"),
        (changed("call_completed", "event", "data", "duration", to="long"), "$.event.data.duration", "float"),
        (changed("call_completed", "event", "data", "date_updated", to="soon"), "$.event.data.date_updated", "RFC3339"),
        (changed("call_completed", "event", "data", "activity_at", to="1889-01-01T00:00:00Z"), "$.event", "outside the years"),
        (changed("call_completed", "event", "data", "date_updated", to="2026-03-02T18:06:00Z"), "$.timestamp", "receipt"),
        (changed("call_deleted", "event", "previous_data", to=None), "$.event.previous_data", "is missing"),
        (changed("lead_created", "event", "data", "contact_ids", to=["x"] * 1001), "$.event.data.contact_ids", "1000"),
        (changed("lead_created", "event", "data", "date_created", to="0001-01-01T00:00:00"), "$.event", "outside the years"),
        (changed("email_sent", "event", "data", "to", to=[1]), "$.event.data.to[0]", "Expected `str`"),
    ],
)
def test_a_body_that_cannot_be_read_is_told_with_its_place_and_kept_whole(body, where, what):
    (found,) = read(body)
    assert isinstance(found, Unreadable)
    assert (found.place, found.error.where, found.body) == (0, where, body)
    assert what in found.error.what


@pytest.mark.parametrize(
    ("name", "of", "fault"),
    [
        ("call_completed", {"contact_id": None, "lead_id": None}, "$.event.data: names no contact, no lead and no address"),
        ("opportunity_won", {"contact_id": None, "lead_id": None}, "$.event.data: names no contact and no lead"),
        ("unsubscribed", {"email": "Bruce"}, "$.event.data.email: is no address"),
    ],
)
def test_what_is_of_nobody_is_no_fact_that_can_be_told(name, of, fault):
    body = deepcopy(case(name).body)
    body["event"]["data"] |= of
    (found,) = read(json.dumps(body).encode())
    assert str(found.error) == fault


def test_without_any_time_of_its_change_nothing_is_told():
    body = case("call_deleted").body
    body["event"] |= {"date_created": None, "date_updated": None}
    (found,) = read(json.dumps(body).encode())
    assert found.error.where == "$.event.date_updated"


def test_when_the_log_does_not_say_when_it_changed_something_it_was_when_it_first_told_of_it():
    body = deepcopy(case("call_deleted").body)
    body["event"] |= {"date_updated": None}
    assert told(read(json.dumps(body).encode()))[0]["timestamp"] == "2026-03-02T09:09:00Z"


def test_times_without_a_zone_are_utc():
    body = changed("call_created", "event", "data", "date_updated", to="2026-03-02T09:05:00.000000")
    assert told(read(body))[0]["timestamp"] == "2026-03-02T09:05:00Z"


def test_a_change_that_the_log_has_joined_to_an_earlier_one_has_ids_of_its_own():
    later = changed("call_created", "event", "data", "date_updated", to="2026-03-02T09:05:30Z")
    ids = {event["id"] for body in (case("call_created").raw, later) for event in told(read(body))}
    assert len(ids) == 2


def test_without_settings_the_defaults_hold():
    plain = connection().model_copy(update={"close": None})
    (company, person) = told(read(case("lead_created").raw, plain))
    assert (company["type"], person["data"]["stage"]) == ("merged", "lead")
    qualified = changed("lead_updated_status", "event", "data", "status_label", to="qualified")
    assert {event["data"]["stage"] for event in told(read(qualified, plain))} == {"sql"}
    lead, deal = told(read(case("opportunity_created").raw, plain))
    assert lead["data"] == {"owner": "user_N6Kh", "stage": "opportunity"}
    assert deal["data"]["rep"] == "user_N6Kh"
    (meeting,) = told(read(case("meeting_held").raw, plain))
    assert (meeting["data"]["rep"], meeting["data"]["outcome"]) == ("user_N6Kh", None)


def test_words_and_labels_are_taken_in_capitals_or_not():
    close = connection().close.model_copy(update={"stages": {"QUALIFIED at last": "sal"}, "meeting_kinds": {"The": "chat"}})
    other = connection().model_copy(update={"close": close})
    assert {event["data"]["stage"] for event in told(read(case("lead_updated_status").raw, other))} == {"sal"}
    assert told(read(case("meeting_scheduled").raw, other))[0]["data"]["kind"] == "chat"


def test_a_message_that_is_in_the_inbox_has_come_even_if_it_does_not_say_which_way():
    for name in ("email_received", "sms_received"):
        assert told(read(changed(name, "event", "data", "direction", to=None))) == case(name).events


def test_a_long_text_in_a_custom_field_is_cut_to_a_name():
    events = told(read(changed("lead_created", "event", "data", "custom.cf_source", to=f" {'x' * 300}")))
    assert {event["data"]["lead_source"] for event in events if "data" in event} == {"x" * 200}


def test_an_address_in_a_custom_field_is_no_name():
    body = changed("lead_created", "event", "data", "custom.cf_source", to="bruce@wayne.example")
    assert {event["data"]["lead_source"] for event in told(read(body)) if "data" in event} == {None}


def folded(*names: str) -> dict[str, Lead]:
    """The leads that bodies make, by id."""
    leads: dict[str, Lead] = {}
    for name in names:
        for event in read(case(name).raw):
            fold(leads.setdefault(event.subject.id, Lead()), event)
    return leads


def touches(lead: Lead | None) -> dict[str, Any]:
    """The touches that stand of a lead, by id: whether each is connected."""
    known = {key: fields_of(record) for key, record in lead.objects.items()} if lead else {}
    standing = {key: fields for key, fields in known.items() if fields.get("at") is not None and not fields.get(DELETED)}
    return {key.removeprefix("touch:"): fields.get("connected") for key, fields in standing.items()}


def test_the_day_of_a_lead_is_the_same_in_whatever_order_it_is_told():
    day = [name for name in conversation.names() if case(name).events]
    whole = folded(*day)
    shuffler = random.Random(7)
    for _ in range(20):
        shuffler.shuffle(day)
        assert folded(*day, *day[:9]) == whole


def test_a_call_is_connected_when_it_is_and_stays_so():
    assert touches(folded("call_created", "call_answered", "call_completed")["acme:cont_o0kP"]) == {"acti_call": True}
    assert touches(folded("call_created")["acme:cont_o0kP"]) == {"acti_call": None}
    assert touches(folded("call_created", "call_completed_no_answer")["acme:cont_o0kP"]) == {"acti_call": False}


@pytest.mark.parametrize("status", [None, "created", "in-progress"])
def test_while_a_call_goes_on_a_note_says_nothing_of_whether_it_is_connected(status):
    body = deepcopy(case("call_answered").body)
    body["event"] |= {"action": "updated"}
    body["event"]["data"]["status"] = status
    (event,) = read(json.dumps(body).encode())
    assert event.data.connected is msgspec.UNSET


@pytest.mark.parametrize(
    ("status", "duration", "connected"),
    [("completed", 1, True), ("completed", 0, False), ("busy", 9, False), ("failed", 9, False)],
)
def test_a_call_without_disposition_is_connected_if_it_was_completed_and_lasted(status, duration, connected):
    body = deepcopy(case("call_logged").body)
    body["event"]["data"] |= {"status": status, "duration": duration}
    (event,) = read(json.dumps(body).encode())
    assert event.data.connected is connected


def test_a_call_that_could_not_be_made_is_no_touch_after_all():
    assert touches(folded("call_created", "call_blocked")["acme:cont_o0kP"]) == {}


def test_an_activity_that_is_given_to_another_contact_counts_there_alone():
    leads = folded("call_created", "call_completed", "call_updated_contact")
    assert [list(touches(leads.get(person))) for person in PEOPLE[:2]] == [[], ["acti_call"]]


def test_and_it_may_come_back():
    body = case("call_updated_contact").body
    body["event"]["previous_data"] = {"contact_id": "cont_Bwlw"}
    body["event"]["data"] |= {"contact_id": "cont_o0kP", "date_updated": "2026-03-02T09:20:00Z"}
    leads = folded("call_completed", "call_updated_contact")
    for event in read(json.dumps(body).encode()):
        fold(leads[event.subject.id], event)
    assert [list(touches(leads.get(person))) for person in PEOPLE[:2]] == [["acti_call"], []]


def test_an_email_went_out_when_it_was_sent_and_not_when_it_was_begun():
    body = deepcopy(case("email_sent").body)
    body["event"]["data"] |= {"date_created": "2026-03-02T08:00:00Z", "activity_at": "2026-03-02T08:00:00Z"}
    assert told(read(json.dumps(body).encode()))[0]["data"]["at"] == "2026-03-02T09:10:00Z"


def test_an_email_to_an_address_moves_to_the_contact_that_close_finds_for_it():
    leads = folded("email_sent_to_address", "email_updated_contact")
    assert [list(touches(leads.get(person))) for person in PEOPLE] == [[], ["acti_mail"], [], []]


def test_an_email_that_was_told_of_nobody_before_it_was_sent_moves_from_nobody():
    body = deepcopy(case("email_sent_to_address").body)
    body["event"]["previous_data"] |= {"status": "draft", "to": ["robin@wayne.example"]}
    (event,) = read(json.dumps(body).encode())
    assert event.subject.id == PEOPLE[3]


@pytest.mark.parametrize("number", range(40))
def test_a_meeting_is_never_that_of_our_own_address(number):
    body = deepcopy(case("meeting_with_address").body)
    body["event"]["data"]["attendees"][0]["email"] = f"ana{number}@ours.example"
    assert [event.subject.id for event in read(json.dumps(body).encode())] == [PEOPLE[3]]


def test_what_has_moved_stands_also_where_both_subjects_become_one():
    stream = [event for name in ("email_sent_to_address", "email_updated_contact") for event in read(case(name).raw)]
    for order in (stream, stream[::-1]):
        one = Lead()
        for event in order:
            fold(one, event)
        assert list(touches(one)) == ["acti_mail"]


def test_an_address_belongs_to_the_contact_that_carries_it():
    bruce, old = "acme:email:f035b6ea4dfd1b78b4a28279a4f7fcc9", "acme:cont_o0kP"
    assert fields_of(folded("contact_created")[bruce].record)[MERGED] == f"lead:{old}"
    assert fields_of(folded("contact_created", "contact_deleted")[bruce].record)[MERGED] is None
    assert fields_of(folded("contact_created", "contact_deleted")[old].record)[DELETED] is True


def test_the_owner_and_the_stage_of_a_company_hold_since_its_contact_was_created():
    lead = folded("contact_created", "lead_created", "lead_updated_status")["acme:cont_o0kP"]
    created_at = fields_of(lead.record)["created_at"]
    assert [(content, since <= created_at) for since, (_, _, content) in lead.owner.items()] == [("ana", True)]
    assert [(content, since <= created_at) for since, (_, _, content) in lead.stage.items()] == [("lead", True), ("sql", False)]


def test_a_company_that_is_merged_is_not_deleted_with_it():
    leads = folded("call_without_contact", "lead_created", "lead_merged", "lead_updated_in_merge", "lead_deleted_in_merge")
    assert fields_of(leads["acme:lead_IIDH"].record)[MERGED] == "lead:acme:lead_zwqY"
    assert list(touches(leads["acme:lead_IIDH"])) == ["acti_call"]


# --- whatever comes

ADDRESS = re.compile(r"@|wayne\.example|ours\.example", re.IGNORECASE)
"""What would show an address of the bodies."""

BODIES = [case(name).body for name in conversation.names()]
TYPES = sorted({body["event"]["object_type"] for body in BODIES})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("someone@wayne.example"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = sorted({name for body in BODIES for part in ("data", "previous_data") for name in body["event"][part] or ()})


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """A body of Close, some of its fields replaced by anything, and by values of other bodies."""
    event = deepcopy(draw(st.sampled_from(BODIES))["event"])
    event |= draw(st.dictionaries(st.sampled_from([*event, "x"]), VALUES, max_size=2))
    if draw(st.booleans()):
        event["object_type"] = draw(st.sampled_from(TYPES))
    for part in ("data", "previous_data"):
        if isinstance(event.get(part), dict):
            event[part] |= draw(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3))
            other = draw(st.sampled_from(BODIES))["event"][part] or {}
            event[part] |= {name: other[name] for name in draw(st.sets(st.sampled_from(NAMES), max_size=4)) if name in other}
    return json.dumps({"event": event}).encode(errors="surrogatepass")


@given(st.binary() | VALUES.map(lambda content: json.dumps(content).encode()) | mangled())
@example(b'{"event":' * 10_000)
@example(b"[" * 100_000)
def test_any_body_is_read_or_refused_and_what_is_told_is_valid(body):
    (element,) = CLOSE.parse(body)
    try:
        events = CLOSE.read(element)
    except InvalidEventError:
        return
    for event in events or ():
        assert decode(encode(event)) == event


@given(mangled())
def test_no_address_is_ever_told(body):
    for found in read(body):
        if isinstance(found, Unreadable):
            assert not ADDRESS.search(f"{found.error}")
        elif not isinstance(found, Unknown):
            assert not ADDRESS.search(encode(found).decode())


def test_no_name_number_or_text_is_told_either():
    personal = re.compile(r"Bruce|Wayne|Alfred|650|Dear|Robin|Batman|192\.0\.2|Great|Knight", re.IGNORECASE)
    for name in conversation.names():
        for event in read(case(name).raw):
            if not isinstance(event, Unknown):
                assert not personal.search(re.sub(r"email.[0-9a-f]{32}", "", encode(event).decode())), name


def test_an_element_may_be_raw_json():
    assert CLOSE.read(msgspec.Raw(case("call_created").raw)) == CLOSE.read(case("call_created").raw)
    assert isoformat(conversation.RECEIVED) == "2026-03-02T18:00:00.000Z"
