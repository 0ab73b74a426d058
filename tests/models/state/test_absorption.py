"""Leads that were merged: what belongs together counts once, at the right one, whatever comes when."""

from collections import defaultdict
from random import Random

import build
import msgspec
import pytest
import strategies
from build import HOUR, NOON, folded
from engine import standing
from hypothesis import given
from hypothesis import strategies as st

from models.data.refs import SubjectRef
from models.errors import InvalidEventError
from models.events import Absorbed, Event, decode, encode
from models.state.absorption import (
    NOTHING_GIVEN,
    check_part,
    handed,
    places,
    settle,
    stands_alone,
    target_of,
    touched,
    whole,
)
from models.state.absorption import given as given_by
from models.state.lead import Lead, Portion, fold, merge, pack, unpack
from streams.local.truth_facts import belonging

LATER = NOON + HOUR


class Talk:
    """Leads that read events and what others tell them, in any order, some of it twice."""

    def __init__(self, events: list[Event], seed: int) -> None:
        self.rng = Random(seed)
        self.leads: dict[str, Lead] = defaultdict(Lead)
        self.given = defaultdict(lambda: NOTHING_GIVEN)
        self.read = 0
        self.flying: list[Event | Absorbed] = [*events]
        while self.flying:
            self.step()

    def step(self) -> None:
        place = self.rng.randrange(len(self.flying))
        event = self.flying[place] if self.rng.random() < 0.2 else self.flying.pop(place)
        own = event.subject.id
        self.read += 1
        change = fold(self.leads[own], event)
        if change is None:
            return
        after = given_by(self.leads[own], own)
        assert places(self.leads[own], own) == after.keys()
        noted = touched(event, change, own, self.given[own].keys(), after.keys())
        everywhere = self.given[own].keys() | after.keys()
        assert {place for place in everywhere if self.given[own].get(place) != after.get(place)} <= noted
        self.flying += [part.event(str(part.path), self.read, "n") for part in handed(self.given[own], after)]
        self.given[own] = after

    def standing(self):
        return {own: found for own, lead in self.leads.items() if (found := stands(whole(lead, own)))}


def stands(lead: Lead):
    """What stands of a lead, None if that is nothing."""
    found = standing(lead)
    return found if found and any(found) else None


def as_told_of_survivors(events: list[Event]):
    """What stands by the oracle: as if everything had been told of those in whom it ends."""
    found = {}
    for survivor, history in belonging([msgspec.json.decode(encode(event)) for event in events]).items():
        subject = {"kind": "lead", "id": survivor}
        told = [decode(msgspec.json.encode(event | {"subject": subject})) for event in history if event["type"] != "merged"]
        if found_here := stands(folded(*told)):
            found[survivor] = found_here
    return found


@given(strategies.families(), st.integers(0, 2**30))
def test_in_any_order_all_that_belongs_together_ends_in_one_and_talk_ends(events, seed):
    assert Talk(events, seed).standing() == as_told_of_survivors(events)


@given(strategies.families())
def test_settled_leads_stand_as_those_that_talk(events):
    leads: dict[str, Lead] = defaultdict(Lead)
    for event in events:
        fold(leads[event.subject.id], event)
    leads = dict(leads)
    settle(leads)
    assert {own: found for own, lead in leads.items() if (found := stands(whole(lead, own)))} == as_told_of_survivors(events)


@given(strategies.families(), st.integers(0, 2**30))
def test_what_lies_in_a_lead_gives_the_same_after_packing(events, seed):
    for own, lead in Talk(events, seed).leads.items():
        again, _ = unpack(pack(lead, {}))
        assert given_by(again, own) == given_by(lead, own)
        assert again == lead


PORTIONS = st.builds(
    lambda channel, sequence, path, lead: Absorbed(
        id="a", subject=SubjectRef("lead", "lead-1"), channel=channel, sequence=sequence, path=path, lead=lead
    ),
    st.sampled_from("ab"),
    st.integers(0, 2),
    st.sampled_from([(), ("lead-2",), ("lead-3", "lead-2")]),
    st.sampled_from([b"", pack(folded(build.call("t9", NOON)), {})]),
)


@given(st.lists(PORTIONS), st.data())
def test_parts_fold_in_any_order_again_and_merge(told, data):
    lead = folded(*told)
    assert lead == folded(*data.draw(st.permutations(told)))
    assert [fold(lead, event) for event in told] == [None] * len(told)
    cut = data.draw(st.integers(0, len(told)))
    half = folded(*told[:cut])
    merge(half, folded(*told[cut:]))
    assert half == lead


def test_an_erased_lead_swallows_what_others_give_it():
    part = Absorbed(id="a", subject=SubjectRef("lead", "lead-1"), channel="c", sequence=1, path=("lead-2",), lead=b"x")
    assert folded(part, build.erased()) == folded(build.erased(), part) == Lead(erased=True)


def talked(*events: Event) -> dict[str, Lead]:
    return dict(Talk(list(events), 1).leads)


def calls(leads: dict[str, Lead]) -> dict[str, int]:
    """Who counts how many touches."""
    stand = {own: standing(whole(lead, own)) for own, lead in leads.items()}
    return {own: len(found.touches) for own, found in stand.items() if found and found.touches}


A, B, C = build.call("t1", NOON, of="a"), build.call("t2", NOON, of="b"), build.call("t3", NOON, of="c")


def test_a_chain_ends_in_the_last():
    assert calls(talked(A, B, C, build.merged("b", of="a"), build.merged("c", of="b"))) == {"c": 3}


def test_of_a_circle_the_smallest_id_counts_all_and_what_hangs_on_it():
    circle = [build.merged("b", of="a"), build.merged("c", of="b"), build.merged("a", of="c")]
    tail = [build.call("t4", NOON, of="0"), build.merged("c", of="0")]
    assert calls(talked(A, B, C, *circle, *tail)) == {"a": 4}


def test_a_circle_that_opens_counts_at_its_end():
    circle = [build.merged("b", of="a"), build.merged("a", of="b")]
    assert calls(talked(A, B, *circle, build.merged(None, of="b", changed_at=LATER))) == {"b": 2}


def test_one_of_a_circle_that_is_merged_elsewhere_counts_nothing_at_once():
    lead = talked(A, B, build.merged("b", of="a"), build.merged("a", of="b"))["a"]
    assert calls({"a": lead}) == {"a": 2}
    fold(lead, build.merged("c", of="a", changed_at=LATER))
    assert calls({"a": lead}) == {}


def test_a_merge_that_is_undone_leaves_each_its_own():
    assert calls(talked(A, B, build.merged("b", of="a"), build.merged(None, of="a", changed_at=LATER))) == {"a": 1, "b": 1}


def test_one_object_told_of_both_counts_once():
    assert calls(talked(A, build.call("t1", NOON, of="b"), build.merged("b", of="a"))) == {"b": 1}


def test_a_lead_that_its_crm_deletes_after_merging_it_lives_on_in_the_other():
    gone = build.deleted(of="a", changed_at=LATER)
    assert calls(talked(A, B, build.merged("b", of="a"), gone)) == {"b": 2}
    assert calls(talked(A, B, build.merged("b", of="a"), gone, build.merged(None, of="a", changed_at=LATER))) == {"b": 1}


def test_what_was_merged_into_a_deleted_lead_counts_no_more_and_again_when_it_is_restored():
    told = [A, B, build.merged("b", of="a"), build.deleted(of="b")]
    assert calls(talked(*told)) == {}
    assert calls(talked(*told, build.restored(of="b", changed_at=LATER))) == {"b": 2}


def test_erasing_one_that_was_merged_takes_its_facts_from_the_other():
    leads = talked(A, B, build.merged("b", of="a"), build.merged("c", of="b"), build.erased(of="a"))
    assert calls(leads) == {"c": 1}
    assert all(portion.path[:1] != ("a",) for lead in leads.values() for portion in lead.absorbed.values())


def test_what_was_merged_into_an_erased_lead_is_not_brought_back():
    assert calls(talked(A, B, C, build.merged("b", of="a"), build.merged("c", of="b"), build.erased(of="b"))) == {"c": 1}


def test_a_lead_merged_into_itself_stands_for_itself():
    lead = folded(A, build.merged("a", of="a"))
    assert target_of(lead, "a") is None
    assert calls({"a": lead}) == {"a": 1}


def test_a_lead_that_was_never_merged_is_not_copied():
    lead = folded(A)
    assert whole(lead, "a") is lead
    assert given_by(lead, "a") is NOTHING_GIVEN


def test_what_does_not_change_is_not_told_again():
    lead = folded(A, build.merged("b", of="a"))
    before = given_by(lead, "a")
    fold(lead, build.deleted(of="a", changed_at=LATER))
    assert list(handed(before, given_by(lead, "a"))) == []


def test_back_over_whom_it_came_goes_no_content():
    lead = folded(A, build.merged("b", of="a"))
    lead.absorbed["x"] = Portion(1, ("b",), pack(folded(B), {}))
    assert {path: len(part) > 0 for (_, path), part in given_by(lead, "a").items()} == {("a",): True, ("b", "a"): False}


@pytest.mark.parametrize("packed", [b"\xc1", b"\x90", b"no"])
def test_a_part_that_is_no_lead_is_refused(packed):
    part = Absorbed(id="a", subject=SubjectRef("lead", "a"), channel="c", sequence=1, path=("b",), lead=packed)
    with pytest.raises(InvalidEventError, match="no packed lead"):
        check_part(part)


def test_a_part_that_is_given_no_longer_is_no_fault():
    check_part(Absorbed(id="a", subject=SubjectRef("lead", "a"), channel="c", sequence=1))


def test_a_lead_stands_alone_until_it_has_to_do_with_another():
    one = folded(build.lead(created_at=NOON), build.call("t1", NOON))
    assert stands_alone(one)
    fold(one, build.merged("lead-2"))
    assert not stands_alone(one)
    fold(one, build.merged(None, changed_at=LATER))
    assert not stands_alone(one)
    other = Lead()
    fold(
        other,
        Absorbed(id="a", subject=SubjectRef("lead", "lead-2"), channel="c", sequence=1, path=("lead-1",), lead=pack(one, {})),
    )
    assert not stands_alone(other)
