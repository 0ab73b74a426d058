"""The laws of the fold: repeating changes nothing, order does not matter, histories merge, packing loses nothing."""

from copy import deepcopy
from itertools import permutations

import build
import strategies
import strategies_subjects
from build import HOUR, NOON, folded
from engine import standing
from hypothesis import given
from hypothesis import strategies as st

from models.state.lead import Lead, fold, merge, pack, unpack
from models.state.registers import MERGED, fields_of, register
from models.state.told import Told

MERGES = st.lists(strategies.merges(), max_size=3)
HISTORIES = st.builds(
    lambda told, merges: [*merges, *told, *merges[:1]],
    st.one_of(strategies.histories(), strategies.histories(), strategies_subjects.histories()),
    MERGES,
)
"""Histories in which the lead may also be merged into others."""


@given(HISTORIES, st.data())
def test_any_order_of_the_same_events_gives_the_same_lead(history, data):
    assert folded(*history) == folded(*data.draw(st.permutations(history)))


@given(HISTORIES)
def test_events_delivered_again_change_nothing(history):
    lead = folded(*history)
    before = deepcopy(lead)
    assert [fold(lead, event) for event in history] == [None] * len(history)
    assert lead == before


@given(HISTORIES)
def test_the_fold_tells_whether_it_changed_the_lead(history):
    lead = Lead()
    for event in history:
        before = deepcopy(lead)
        assert (fold(lead, event) is not None) == (lead != before)


@given(HISTORIES, HISTORIES)
def test_the_merge_of_two_leads_is_the_lead_of_both_histories(mine, other):
    lead, source = folded(*mine), folded(*other)
    before = deepcopy(source)
    merge(lead, source)
    assert lead == folded(*mine, *other)
    assert source == before


@given(HISTORIES, HISTORIES)
def test_two_leads_merge_to_the_same_in_both_directions(mine, other):
    one, two = folded(*mine), folded(*other)
    merge(one, folded(*other))
    merge(two, folded(*mine))
    assert one == two


@given(HISTORIES)
def test_a_lead_merged_with_itself_stays_as_it_is(history):
    lead = folded(*history)
    merge(lead, folded(*history))
    assert lead == folded(*history)


@given(HISTORIES, st.dictionaries(st.text(), st.builds(Told, st.text(), st.integers(1, 9))))
def test_packing_loses_nothing(history, told):
    lead = folded(*history)
    assert unpack(pack(lead, told)) == (lead, told)


@given(HISTORIES, HISTORIES)
def test_a_lead_folds_on_after_unpacking_as_it_would_have_in_memory(before, after):
    lead, _ = unpack(pack(folded(*before), {}))
    for event in after:
        fold(lead, event)
    assert lead == folded(*before, *after)
    assert standing(lead) == standing(folded(*before, *after))


@given(HISTORIES, st.data())
def test_an_erased_lead_remembers_nothing_but_that(history, data):
    place = data.draw(st.integers(0, len(history)))
    assert folded(*history[:place], build.erased(), *history[place:]) == Lead(erased=True)


@given(HISTORIES)
def test_a_merge_with_an_erased_lead_erases_both_ways(history):
    kept, gone = folded(*history), folded(build.erased())
    merge(kept, gone)
    merge(gone, folded(*history))
    assert kept == gone == Lead(erased=True)


@given(HISTORIES, HISTORIES)
def test_what_stands_does_not_depend_on_the_order_of_folding(mine, other):
    assert standing(folded(*mine, *other)) == standing(folded(*other, *mine))


def test_of_equal_versions_the_same_value_wins_in_every_order():
    versions = [build.lead(lead_source=value) for value in ("inbound", "outbound", None)]
    assert {register(folded(*order).record, "lead_source")[2] for order in permutations(versions)} == {None}


def test_of_merges_the_latest_holds_in_every_order():
    told = (build.merged("a"), build.merged("b", changed_at=NOON + HOUR), build.merged(None, changed_at=NOON - HOUR))
    assert {fields_of(folded(*order).record)[MERGED] for order in permutations(told)} == {"lead:b"}
    undone = build.merged(None, changed_at=NOON + HOUR, sequence=1)
    assert {fields_of(folded(*order).record)[MERGED] for order in permutations((*told, undone))} == {None}


def test_a_later_sequence_wins_over_a_larger_value():
    low, high = build.lead(lead_source="zulu", sequence=1), build.lead(lead_source="alpha", sequence=2)
    assert folded(low, high) == folded(high, low)
    assert register(folded(low, high).record, "lead_source") == (NOON, 2, "alpha")


def test_a_later_version_wins_over_a_larger_sequence():
    early = build.lead(lead_source="zulu", sequence=9)
    late = build.lead(lead_source="alpha", changed_at=NOON + HOUR)
    assert folded(early, late) == folded(late, early)
    assert register(folded(early, late).record, "lead_source") == (NOON + HOUR, 0, "alpha")
