"""Which leads contribute otherwise, and how the numbers move."""

from collections import Counter

import build
from build import DAY, MINUTE, NOON, RULES, call, folded, lead
from hypothesis import given, settings
from msgspec import structs
from strategies import histories
from strategies_rules import rules

from models.codes import Codes
from models.contributions import WHOLE, evaluate
from models.state.facts import facts
from models.state.lead import pack
from models.units import Millis
from models.windows import DUE_LAG
from streams.rulebook.movement import Side, add, movements

D = Millis(NOON - DUE_LAG)


def contributed(lead, rules):
    """What a lead contributes, by names, with how often."""
    codes = Codes(rules)
    told: Counter = Counter()
    for found in evaluate([facts(lead, codes)], codes, D).contributions:
        for number, (at, value) in enumerate(zip(found.at.tolist(), found.value.tolist(), strict=True)):
            names = [codes.name(dim, code) for dim, code in zip(found.dims, found.by[:, number].tolist(), strict=True)]
            told[found.measure, found.slices if WHOLE not in found.slices else (), at, value, *names] += 1
    return told


@given(histories(of="a"), histories(of="b"), rules(), rules())
def test_a_lead_counts_as_changed_if_what_it_contributes_has_other_names_or_amounts(one, other, old, new):
    leads = [folded(*events) for events in (one, other, one)]
    sides = Side(old, NOON), Side(new, NOON)
    changed = sum(contributed(lead, old) != contributed(lead, new) for lead in leads)
    assert add(sides, {f"lead-{number}": pack(lead, {}) for number, lead in enumerate(leads)}, D) == changed


def test_names_count_and_not_their_codes():
    """A rep who sorts before all others moves their codes, and theirs only."""
    more = structs.replace(RULES, roster=(build.member("aaron", "a-team"), *RULES.roster))
    shared = [call(f"c{number}", NOON - number * MINUTE, rep=rep) for number, rep in enumerate(("ana", "ben", "stranger"))]
    states = {"lead-1": pack(folded(lead(created_at=NOON - DAY, owner="ana"), *shared), {})}
    assert add((Side(RULES, NOON), Side(more, NOON)), states, D) == 0
    states["lead-2"] = pack(folded(lead(created_at=NOON - DAY, owner="aaron")), {})
    assert add((Side(RULES, NOON), Side(more, NOON)), states, D) == 1


@settings(max_examples=20)
@given(histories(), rules())
def test_nothing_moves_under_the_same_rules(history, same):
    sides = Side(same, NOON), Side(same, NOON)
    assert add(sides, {"lead-1": pack(folded(*history), {})}, D) == 0
    assert list(movements(*sides)) == []
