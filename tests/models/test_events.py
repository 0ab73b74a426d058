"""Events: whatever the bytes are, an event comes out or an InvalidEventError, and nothing is lost on the way."""

import json
from datetime import UTC, datetime

import build
import build_subjects
import msgspec
import pytest
import strategies
from build import DAY, HOUR, MINUTE, NOON, SECOND
from build_subjects import subject_of
from hypothesis import given
from hypothesis import strategies as st

from models.belief import AHEAD_LIMIT, EARLIEST, LATEST, believe, instants
from models.data.leads import Line
from models.data.refs import SubjectRef
from models.errors import InvalidEventError
from models.events import (
    EVENT_TYPES,
    Absorbed,
    Deleted,
    Erased,
    Event,
    LeadUpserted,
    Merged,
    Restored,
    TouchUpserted,
    decode,
    decode_logged,
    encode,
)

EUROS = {"EUR"}

EVENTS = st.one_of(strategies.events(), strategies.merges(), st.just(build.erased()))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
EVENT = {
    "id": "e1",
    "type": "touch.upserted",
    "timestamp": "2026-03-02T12:00:00Z",
    "subject": {"kind": "lead", "id": "1"},
    "object": {"kind": "touch", "id": "t1"},
    "data": {"at": "2026-03-02T11:59:00+01:00", "channel": "call"},
}


def told(body: bytes) -> Event | InvalidEventError:
    try:
        return decode(body)
    except InvalidEventError as error:
        return error


def fault(**changes):
    with pytest.raises(InvalidEventError) as caught:
        decode(json.dumps(EVENT | changes).encode())
    return caught.value


@given(EVENTS)
def test_an_event_comes_back_as_it_was_written(event):
    assert decode(encode(event)) == event
    assert decode(msgspec.Raw(encode(event))) == event


@given(st.binary())
def test_any_bytes_are_an_event_or_invalid(body):
    assert isinstance(told(body), Event | InvalidEventError)


@given(VALUES)
def test_any_json_is_an_event_or_invalid(value):
    assert isinstance(told(json.dumps(value).encode()), Event | InvalidEventError)


@given(
    EVENTS,
    st.sampled_from(
        ("id", "type", "timestamp", "sequence", "subject", "object", "data", "schema_version", "received_at", "new")
    ),
    VALUES,
)
def test_an_event_with_any_value_anywhere_is_an_event_that_can_be_written_or_invalid(event, field, value):
    body = json.dumps(json.loads(encode(event)) | {field: value}).encode()
    found = told(body)
    if not isinstance(found, InvalidEventError):
        assert decode(encode(found)) == found


@given(
    EVENTS.filter(lambda event: hasattr(event, "data")),
    st.sampled_from(("at", "owner", "created_at", "rep", "automated", "kind", "x")),
    VALUES,
)
def test_a_record_with_any_value_in_any_field_is_an_event_that_can_be_written_or_invalid(event, field, value):
    raw = json.loads(encode(event))
    raw["data"][field] = value
    found = told(json.dumps(raw).encode())
    if not isinstance(found, InvalidEventError):
        assert decode(encode(found)) == found
        build.folded(found)


@given(EVENTS, st.data())
def test_an_event_cut_short_or_with_a_byte_changed_is_an_event_or_invalid(event, data):
    body = bytearray(encode(event))
    place = data.draw(st.integers(0, len(body) - 1))
    assert isinstance(told(bytes(body[:place])), InvalidEventError)
    body[place] = data.draw(st.integers(0, 255))
    assert isinstance(told(bytes(body)), Event | InvalidEventError)


def test_json_that_is_nested_too_deeply_is_invalid_and_not_the_end():
    assert told(b"[" * 100_000).where == "$"
    body = json.dumps(EVENT | {"extra": 0}).encode().replace(b"0}", b"[" * 100_000)
    assert isinstance(told(body), InvalidEventError)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"type": "touch.created"}, "$.type"),
        ({"timestamp": "yesterday"}, "$.timestamp"),
        ({"timestamp": "2026-03-02T12:00:00"}, "$.timestamp"),
        ({"timestamp": 1_772_452_800}, "$.timestamp"),
        ({"subject": {"kind": "account", "id": "1"}}, "$.subject.kind"),
        ({"subject": {"kind": "lead", "id": ""}}, "$.subject.id"),
        ({"subject": {"kind": "lead", "id": "x" * 201}}, "$.subject.id"),
        ({"sequence": -1}, "$.sequence"),
        ({"schema_version": 2}, "$.schema_version"),
        ({"data": {"channel": "fax"}}, "$.data.channel"),
        ({"data": {"at": "2026-03-02T12:00:00Z", "automated": "yes"}}, "$.data.automated"),
        ({"object": {"kind": "reply", "id": "r1"}}, "$.object.kind"),
        ({"object": None}, "$.object"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(changes, where):
    assert fault(**changes).where == where


def test_a_missing_field_is_told():
    without = {name: value for name, value in EVENT.items() if name != "subject"}
    with pytest.raises(InvalidEventError, match="subject"):
        decode(json.dumps(without).encode())


def test_a_field_nobody_knows_is_passed_over():
    assert decode(json.dumps(EVENT | {"note": "hello"}).encode()) == decode(json.dumps(EVENT).encode())


def test_absent_and_null_are_told_apart():
    absent = decode(json.dumps(EVENT).encode()).data.rep
    null = decode(json.dumps(EVENT | {"data": {"rep": None}}).encode()).data.rep
    assert (absent, null) == (msgspec.UNSET, None)


def test_every_event_type_is_read_and_written():
    found = set()
    for kind in EVENT_TYPES:
        name = kind.removesuffix(".upserted")
        subject = {"kind": subject_of(kind), "id": "1"}
        body = EVENT | {"type": kind, "subject": subject, "object": {"kind": name, "id": "1"}, "data": {}, "into": None}
        if name in {"lead", "account", "rep", "campaign", "deleted", "restored", "erased", "merged"}:
            body["object"] = None
        found.add(json.loads(encode(decode(json.dumps(body).encode())))["type"])
    assert found == EVENT_TYPES


def test_a_merge_names_another_subject_or_nobody_and_says_so():
    subject = {"kind": "lead", "id": "1"}
    body = {name: EVENT[name] for name in ("id", "timestamp")} | {"type": "merged", "subject": subject}
    assert decode(json.dumps(body | {"into": None}).encode()).into is None
    assert decode(json.dumps(body | {"into": {"kind": "lead", "id": "2"}}).encode()).into == SubjectRef("lead", "2")
    for into, where in (({}, "$"), ({"into": {"kind": "lead"}}, "$.into")):
        with pytest.raises(InvalidEventError) as caught:
            decode(json.dumps(body | into).encode())
        assert caught.value.where == where


def test_a_merge_of_a_subject_into_itself_is_not_believed():
    with pytest.raises(InvalidEventError) as caught:
        believe(build.merged("1", of="1"), NOON, EUROS)
    assert caught.value.where == "$.into"
    believe(build.merged("2", of="1"), NOON, EUROS)


def test_events_are_told_apart_by_type():
    events = (build.lead(), build.touch(), build.deleted(), build.restored(), build.erased(), build.merged(None))
    assert [type(event) for event in events] == [LeadUpserted, TouchUpserted, Deleted, Restored, Erased, Merged]


def test_each_instant_is_told_and_only_the_scheduled_one_is_planned():
    event = build.meeting(booked_at=NOON + 1, scheduled_at=NOON + 2, changed_at=NOON)
    assert list(instants(event)) == [
        ("$.timestamp", NOON, False),
        ("$.data.booked_at", NOON + 1, False),
        ("$.data.scheduled_at", NOON + 2, True),
    ]
    assert [path for path, _, _ in instants(build.lead(created_at=NOON, owner_at=NOON, stage_at=NOON))] == [
        "$.timestamp",
        "$.data.created_at",
        "$.data.owner_at",
        "$.data.stage_at",
    ]
    assert list(instants(build.touch(at=None))) == list(instants(build.deleted())) == [("$.timestamp", NOON, False)]


@given(EVENTS, st.integers(-10 * HOUR, 10 * HOUR))
def test_an_event_is_believed_unless_something_happened_over_five_minutes_after_its_receipt(event, after):
    received_at = NOON + after
    happened = [at for _, at, planned in instants(event) if not planned]
    try:
        believe(event, received_at, {"EUR", "USD", "JPY", "GBP"})
    except InvalidEventError:
        assert max(happened) > received_at + 5 * MINUTE
    else:
        assert max(happened) <= received_at + 5 * MINUTE


@pytest.mark.parametrize(
    "make",
    [
        lambda at: build.erased(changed_at=at),
        lambda at: build.touch(at=at),
        lambda at: build.meeting(booked_at=at),
        lambda at: build.lead(created_at=at),
        lambda at: build.lead(owner="ana", owner_at=at),
    ],
)
def test_five_minutes_ahead_are_believed_and_not_a_millisecond_more(make):
    believe(make(NOON + AHEAD_LIMIT), NOON, EUROS)
    with pytest.raises(InvalidEventError, match="over 5 minutes after"):
        believe(make(NOON + AHEAD_LIMIT + 1), NOON, EUROS)


def test_a_plan_may_lie_ahead_but_not_out_of_this_world():
    believe(build.meeting(scheduled_at=NOON + 10_000 * HOUR), NOON, EUROS)
    believe(build.meeting(scheduled_at=LATEST - 1), NOON, EUROS)
    with pytest.raises(InvalidEventError, match="outside the years"):
        believe(build.meeting(scheduled_at=LATEST), NOON, EUROS)


def test_an_instant_before_1990_is_a_unit_mistaken_for_another():
    believe(build.touch(at=EARLIEST), NOON, EUROS)
    with pytest.raises(InvalidEventError) as caught:
        believe(build.touch(at=EARLIEST - 1), NOON, EUROS)
    assert caught.value.where == "$.data.at"


@pytest.mark.parametrize("local", ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999"])
@pytest.mark.parametrize("offset", ["-23:00", "+00:00", "+23:00"])
def test_the_edges_of_the_calendar_are_not_believed_but_do_no_harm(local, offset):
    event = decode(json.dumps(EVENT | {"timestamp": local + offset}).encode())
    assert decode(encode(event)) == event
    with pytest.raises(InvalidEventError):
        believe(event, NOON, EUROS)


def test_an_instant_is_the_same_in_any_zone():
    at = decode(json.dumps(EVENT).encode()).data.at
    assert at == datetime(2026, 3, 2, 10, 59, tzinfo=UTC)
    assert [at for _, at, _ in instants(decode(json.dumps(EVENT).encode()))][1] == NOON - HOUR - 60 * SECOND


def test_what_leadbeat_derives_lies_in_the_log_and_is_no_event_of_a_webhook():
    part = Absorbed(id="a", subject=SubjectRef("lead", "1"), channel="c", sequence=7, path=("2", "3"), lead=b"\x00\xff")
    assert decode_logged(encode(part)) == part
    assert decode_logged(encode(build.merged("2"))) == build.merged("2")
    with pytest.raises(InvalidEventError, match="absorbed"):
        decode(encode(part))


def test_an_amount_is_in_a_currency_that_has_a_rate():
    deal = build.deal(amount=1, currency="USD")
    believe(deal, NOON, {"EUR", "USD"})
    believe(build.deal(amount=1, currency=None), NOON, {"EUR"})
    with pytest.raises(InvalidEventError) as caught:
        believe(deal, NOON, {"EUR"})
    assert (caught.value.where, caught.value.what) == ("$.data.currency", "USD has no rate")


@pytest.mark.parametrize(
    ("event", "where"),
    [
        (build_subjects.cost(date="2026-02-30"), "$.data.date"),
        (build_subjects.day(date="1989-12-31"), "$.data.date"),
        (build_subjects.subscription(mrr=1, currency="USD"), "$.data.currency"),
        (build_subjects.survey(kind="csat", score=0), "$.data.score"),
        (build_subjects.purchase(at=NOON + HOUR), "$.data.at"),
        (build.deal(lines=(Line(10**6, 10**13),)), "$.data.lines"),
        (build.merged("account/crm:a1", of="lead-1"), "$.into.kind"),
    ],
)
def test_what_is_not_believed_of_other_subjects_and_of_what_was_sold(event, where):
    with pytest.raises(InvalidEventError) as caught:
        believe(event, NOON, EUROS)
    assert caught.value.where == where


def test_a_change_of_a_subscription_and_the_end_of_an_employment_may_be_planned():
    for planned in (build_subjects.subscription(mrr=0, effective_at=NOON + DAY), build_subjects.rep(employed_until=NOON + DAY)):
        believe(planned, NOON, EUROS)
    believe(build_subjects.day(date="2026-02-28"), NOON, EUROS)
    believe(build.deal(lines=(Line(2, 50_00),)), NOON, EUROS)
