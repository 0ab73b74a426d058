"""The oracle against values worked out by hand: leads that were merged."""

import pytest
from histories import NOON, Event, call, deleted, erased, lead, merged, restored, value

from models.units import HOUR, MINUTE
from streams.local.truth_facts import belonging

CALLS = [call(f"call of {name}", NOON - HOUR, name) for name in "abcd"]
THEN, LATER = NOON - 30 * MINUTE, NOON - 20 * MINUTE


def who_counts(*events: Event) -> dict[str, int]:
    """How many calls count at whom."""
    return {name: len(history) for name, history in counted([*CALLS, *events]).items() if history}


def counted(events: list[Event]) -> dict[str, list[Event]]:
    found = belonging(events)
    return {name: [event for event in history if event["type"] == "touch.upserted"] for name, history in found.items()}


CHAIN = [merged(THEN, "a", "b"), merged(THEN, "b", "c")]
CIRCLE = [*CHAIN, merged(THEN, "c", "a")]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], {"a": 1, "b": 1, "c": 1, "d": 1}),
        (CHAIN, {"c": 3, "d": 1}),
        (CIRCLE, {"a": 3, "d": 1}),
        ([*CIRCLE, merged(THEN, "d", "c")], {"a": 4}),
        ([*CHAIN, merged(LATER, "a", None)], {"a": 1, "c": 2, "d": 1}),
        ([*CHAIN, merged(LATER, "b", "d")], {"c": 1, "d": 3}),
        ([merged(THEN, "a", "nobody knew")], {"nobody knew": 1, "b": 1, "c": 1, "d": 1}),
        ([*CHAIN, erased(LATER, "a")], {"c": 2, "d": 1}),
        ([*CHAIN, erased(LATER, "b")], {"c": 1, "d": 1}),
        ([*CHAIN, erased(LATER, "c")], {"d": 1}),
    ],
)
def test_all_that_belongs_together_counts_at_the_end_of_the_chain(events, expected):
    assert who_counts(*events) == who_counts(*reversed(events)) == expected


def test_of_merges_of_one_version_the_undoing_holds():
    assert who_counts(merged(THEN, "a", "b"), merged(THEN, "a", None))["a"] == 1
    assert who_counts(merged(THEN, "a", None), merged(THEN, "a", "b"))["a"] == 1


def test_a_deletion_counts_where_a_lead_stands_for_itself():
    events = [*CALLS, *CHAIN]
    assert value(events, "calls") == 4
    assert value([*events, deleted(LATER, "a"), deleted(LATER, "b")], "calls") == 4
    assert value([*events, deleted(LATER, "c")], "calls") == 1
    assert value([*events, deleted(THEN, "c"), restored(LATER, "c")], "calls") == 4
    assert value([*events, deleted(LATER, "a"), merged(LATER, "a", None)], "calls") == 3


def test_two_leads_in_one_have_one_creation_and_one_clock():
    events = [lead("a", created_at=NOON - 3 * MINUTE), lead("b", created_at=NOON - 2 * MINUTE)]
    assert value(events, "leads_awaiting_response") == 2
    events.append(merged(NOON, "a", "b"))
    assert value(events, "leads_awaiting_response") == 1
    assert value(events, "leads_created") == 1
    assert value(events, "oldest_lead_waiting_timestamp_seconds") == (NOON - 2 * MINUTE) / 1000
