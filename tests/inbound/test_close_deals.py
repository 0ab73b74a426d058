"""Opportunities of Close: what their bodies say of deals, beside what is written down in `tests/golden/close`."""

import json
from copy import deepcopy

import conversation
import pytest
from conversation import case, connection, read, told

from streams.inbound.normalise import Delivery, Unreadable, contents
from streams.inbound.providers import provider_of


def a_deal(name="opportunity_won", changed_fields=("value",), previous=None, **data):
    """What is told of an opportunity of which some fields have changed."""
    body = deepcopy(case(name).body)
    body["event"] |= {"changed_fields": list(changed_fields), "previous_data": previous or {}}
    body["event"]["data"] |= data
    return told(read(json.dumps(body).encode()))


def test_a_deal_that_only_changes_its_value_says_nothing_else():
    (deal,) = a_deal(value=70)
    assert deal["data"] == {
        "created_at": "2026-03-02T10:00:00Z",
        "rep": "ana",
        "amount": 70,
        "currency": "USD",
        "term_months": None,
        "outcome": "won",
        "closed_at": "2026-03-02T12:00:00Z",
    }


@pytest.mark.parametrize(
    ("period", "amount", "months"), [("one_time", 500, None), ("monthly", 6000, 12), ("annual", 500, 12), (None, 500, None)]
)
def test_what_is_paid_again_and_again_is_taken_for_a_year(period, amount, months):
    (deal,) = a_deal(value=500, value_period=period)
    assert (deal["data"]["amount"], deal["data"]["term_months"]) == (amount, months)


@pytest.mark.parametrize(
    ("day", "closed_at"),
    [
        ("2026-03-02", "2026-03-02T12:00:00Z"),
        ("2026-02-27", "2026-02-27T12:00:00Z"),
        ("2026-02-27T11:00:00+01:00", "2026-02-27T11:00:00+01:00"),
        ("2026-03-03", "2026-03-02T16:30:00Z"),  # in the morning of a day that has not begun in UTC
    ],
)
def test_a_deal_is_won_on_the_day_that_it_names(day, closed_at):
    (deal,) = a_deal(date_won=day)
    assert (deal["data"]["outcome"], deal["data"]["closed_at"]) == ("won", closed_at)


def test_a_deal_that_names_no_day_was_won_when_its_status_changed():
    _, closed = a_deal(changed_fields=["status_type"], date_won=None)
    (later,) = a_deal(changed_fields=["note"], date_won=None)
    assert closed["data"]["closed_at"] == "2026-03-02T16:30:00Z"
    assert "closed_at" not in later["data"]
    assert later["data"]["outcome"] == "won"


def test_a_deal_that_is_opened_again_has_no_close():
    _, deal = a_deal("opportunity_lost", ["status_type"], status_type="active", status_label="Active")
    assert [deal["data"][name] for name in ("stage", "outcome", "closed_at")] == ["Active", None, None]


def test_what_a_deal_was_before_does_not_keep_it_from_being_corrected():
    (deal,) = a_deal(value=70, previous={"value": -5, "value_currency": "usd"})
    assert deal["data"]["amount"] == 70


def test_a_day_that_is_none_is_told_with_its_place():
    body = deepcopy(case("opportunity_won").body)
    body["event"]["data"]["date_won"] = "last week"
    (found,) = [each for each in read(json.dumps(body).encode()) if isinstance(each, Unreadable)]
    assert str(found.error) == "$.event.data.date_won: is no date"


def test_a_deal_that_goes_to_another_contact_is_told_whole_there():
    events = a_deal(changed_fields=["contact_id"], previous={"contact_id": "cont_Bwlw"})
    assert [(event["type"], event["subject"]["id"]) for event in events] == [
        ("lead.upserted", "acme:cont_o0kP"),
        ("deleted", "acme:cont_Bwlw"),
        ("restored", "acme:cont_o0kP"),
        ("deal.upserted", "acme:cont_o0kP"),
    ]
    assert {"stage", "closed_at", "outcome"} <= events[-1]["data"].keys()


def test_a_deal_in_a_currency_without_a_rate_still_says_how_far_its_lead_has_come():
    known = connection()
    found = list(
        contents(Delivery(known.name, conversation.RECEIVED, {}, case("opportunity_won").raw), provider_of(known), {"EUR"})
    )
    event, unreadable = found
    assert event.data.stage == "customer"
    assert (unreadable.place, unreadable.error.where, unreadable.error.what) == (0, "$.data.currency", "USD has no rate")
