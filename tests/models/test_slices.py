"""Slices: their names, and that every measure counts in each of them what the oracle says, shown by Prometheus or not."""

from collections import Counter

import build
import msgspec
import pytest
import strategies
import strategies_rules
from behind import measure_of
from engine import listed
from hypothesis import given
from hypothesis import strategies as st
from told_rules import tables

from models.catalogue import MEASURES
from models.codes import Codes
from models.contributions import evaluate
from models.events import encode
from models.meaning import meanings
from models.measures import USUAL, Kind
from models.rules import Rules
from models.slices import DIMS, MOST_IN_PAIR, WHOLE, dims_of, is_pair, join_values, pair_faults, pair_name, split_values
from models.state.absorption import settle, whole
from models.state.facts import facts
from models.units import Millis
from models.windows import DUE_LAG
from streams.local.truth import ledger_of
from streams.local.truth_facts import rules_of

VALUES = st.text(alphabet=st.sampled_from("ab,\\=|"), max_size=5)


@given(VALUES, VALUES)
def test_the_values_of_a_pair_are_found_again(first, second):
    assert split_values("rep,team", join_values([first, second])) == (first, second)
    assert split_values("rep", join_values([first])) == (first,)


def test_a_name_tells_what_is_sliced_by():
    assert (dims_of(WHOLE), dims_of("rep"), dims_of("team,origin")) == ((), ("rep",), ("team", "origin"))
    assert pair_name(("team", "origin")) == "team,origin"
    assert [is_pair(dim) for dim in ("", "rep", "team,origin")] == [False, False, True]
    assert split_values(WHOLE, "") == ()
    assert join_values(["Doe, Ana", "a\\b"]) == "Doe\\, Ana,a\\\\b"


def test_pairs_that_cannot_be_meant_are_told_apart():
    sizes = dict.fromkeys(DIMS, 2) | {"origin": 0, "rep": MOST_IN_PAIR // 2}
    pairs = (("rep", "team"), ("team", "rep"), ("rep", "rep"), ("rep", "colour"), ("origin", "rep"), ("rep", "channel"))
    assert dict(pair_faults(pairs, sizes | {"channel": 3})) == {
        1: "is the same pair as pairs[0]",
        2: "rep cannot be paired with itself",
        3: f"'colour' is not a dimension: use {', '.join(DIMS)}",
        4: "no value of origin is listed, so nothing is sliced by it: list them",
        5: "has 75,000 slices, more than 50,000: pair smaller dimensions",
    }


def test_only_what_the_rules_list_is_sliced_by():
    codes = Codes(Rules(lead_sources=(), segments=("smb",), pairs=(("rep", "segment"), ("segment", "channel"))))
    assert codes.slices(("rep", "lead_source", "segment", "campaign")) == ("", "rep", "segment", "rep,segment")


@pytest.mark.parametrize("dim", ["rep", "segment", "rep,segment", "segment,rep"])
def test_every_code_has_a_name(dim):
    codes = Codes(Rules(roster=(build.member("ana", "north"), build.member("Doe, Ben", "north")), segments=("smb", "large")))
    names = [codes.name(dim, code) for code in range(codes.width(dim))]
    parts = [codes.names(each) for each in dims_of(dim)]
    assert len(set(names)) == len(names)
    values = {split_values(dim, name) for name in names}
    assert values == ({(name,) for name in parts[0]} if len(parts) == 1 else {(a, b) for a in parts[0] for b in parts[1]})


@given(strategies.histories(), strategies_rules.rules(), strategies.WHEN)
def test_every_measure_counts_in_every_slice_what_the_oracle_says(history, rules, clock):
    codes, known_until = Codes(rules), Millis(clock - DUE_LAG)
    leads = {"lead-1": build.folded(*history)}
    settle(leads)
    found = evaluate([facts(whole(lead, own), codes) for own, lead in leads.items()], codes, known_until)
    told = [msgspec.json.decode(encode(event)) for event in history]
    ledger = ledger_of(told, rules_of(tables(rules)), clock)
    assert _flows(listed(found.contributions, codes)) == _of_ledger(ledger)
    meaning, *_ = meanings(found, codes, known_until)
    waiting = {} if meaning.waiting is None else dict.fromkeys(meaning.waiting.slices(codes.slices(USUAL)), meaning.waiting[:2])
    assert waiting == {_name(key): (since, None if due == float("inf") else due) for key, (since, due) in ledger.oldest.items()}


LEVELS = {measure.id for measure in MEASURES if measure.kind is Kind.LEVEL}


def _flows(contributions):
    """How often each measure counts in each slice, when and how much; of levels, what they amount to."""
    flows = Counter()
    for (measure, names, at, value), times in contributions.items():
        for name in names:
            if measure in LEVELS:
                flows[measure, name] += value * times
            else:
                flows[measure, name, at, value] += times
    return +flows


def _of_ledger(ledger):
    flows = ((measure_of(name), _name(key), *each) for (name, key), found in ledger.flows.items() for each in found)
    levels = {(measure_of(name), _name(key)): amount for (name, key), amount in ledger.levels.items()}
    return +Counter({each: times for each, times in (Counter(flows) + Counter(levels)).items() if not _is_left_out(*each[:2])})


def _is_left_out(measure, name):
    """Whether a slice is one that the engine does not keep of a measure."""
    return measure == "leads_in_conversation" and any(dim in name.partition("=")[0].split(",") for dim in ("rep", "team"))


def _name(key):
    dims, values = key
    return f"{','.join(dims)}={join_values(values)}" if dims else ""
