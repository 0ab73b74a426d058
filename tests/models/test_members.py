"""Members move by difference, and stand for rows that can be found again."""

import numpy as np
import strategies
import strategies_rules
from build import NOON, RULES, folded, lead, reply
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue import MEASURES
from models.codes import Codes
from models.contributions import difference, evaluate
from models.measures import Kind
from models.members import DRILLED, moved, rows_of
from models.state.facts import NOTHING, facts
from models.story import Story
from models.units import Millis

HISTORIES = strategies.histories()
LEADS = st.lists(st.tuples(HISTORIES, HISTORIES), min_size=1, max_size=4)


def evaluated(histories, codes, known_until):
    return evaluate([facts(folded(*each), codes) for each in histories], codes, Millis(known_until))


def members_of(evaluation):
    """All members of some leads, counted by hand."""
    found = set()
    for each in evaluation.contributions:
        if each.measure in DRILLED:
            seen = {}
            for place in zip(each.of.tolist(), each.at.tolist(), strict=True):
                seen[place] = seen.get(place, -1) + 1
                found.add((DRILLED[each.measure], *place, seen[place]))
    return found


def played(members, moves):
    """Members after some have come and gone; none comes that is there, and none goes that is not."""
    members = set(members)
    for found in moves:
        for of, at, k, came in zip(*(column.tolist() for column in found[1:]), strict=True):
            member = (found.measure, of, at, k)
            assert (member in members) != came
            (members.add if came else members.remove)(member)
    return members


@given(LEADS, strategies_rules.rules(), strategies.WHEN, strategies.WHEN)
def test_what_comes_and_goes_turns_the_members_of_leads_into_those_of_what_they_have_become(pairs, rules, one, two):
    codes = Codes(rules)
    old = evaluated([before for before, _ in pairs], codes, one)
    new = evaluated([after for _, after in pairs], codes, two)
    assert played(members_of(old), moved(difference(new, old), old)) == members_of(new)
    assert played(set(), moved(new.contributions)) == members_of(new)


@given(LEADS, strategies_rules.rules(), strategies.WHEN)
def test_what_changes_nothing_moves_nobody(pairs, rules, known_until):
    codes = Codes(rules)
    old = evaluated([before for before, _ in pairs], codes, known_until)
    assert list(moved(difference(old, old), old)) == []


def test_a_lead_that_changes_hands_keeps_its_members():
    codes = Codes(RULES)
    told = lead(created_at=NOON, owner="ana", owner_at=NOON)
    given_away = lead(changed_at=NOON + 1, owner="ben", owner_at=NOON)
    old, new = (evaluated([each], codes, NOON) for each in ([told], [told, given_away]))
    changes = difference(new, old)
    assert DRILLED.keys() & {change.measure for change in changes}
    assert list(moved(changes, old)) == []


def test_of_what_is_of_one_instant_the_last_comes_and_goes():
    codes = Codes(RULES)
    (two, three) = (evaluated([[reply(f"r{number}", at=NOON) for number in range(count)]], codes, NOON) for count in (2, 3))
    (came,) = moved(difference(three, two), two)
    (went,) = moved(difference(two, three), three)
    assert (came.measure, came.k.tolist(), came.came.tolist()) == ("replies", [2], [True])
    assert (went.measure, went.k.tolist(), went.came.tolist()) == ("replies", [2], [False])


@given(LEADS, strategies_rules.rules(), strategies.WHEN)
def test_what_can_be_drilled_into_is_a_flow_of_ones(pairs, rules, known_until):
    story = Story([facts(folded(*before), Codes(rules)) for before, _ in pairs], Codes(rules), Millis(known_until))
    for measure in MEASURES:
        if measure.drill:
            assert measure.kind is Kind.FLOW
            assert (measure.select(story).value == 1).all(), measure.id


@given(LEADS, strategies_rules.rules(), strategies.WHEN)
def test_every_member_stands_for_a_row_of_its_own_and_any_other_for_none(pairs, rules, known_until):
    codes = Codes(rules)
    story = Story([facts(folded(*before), codes) for before, _ in pairs], codes, Millis(known_until))
    (came,) = [list(moved(evaluated([before for before, _ in pairs], codes, known_until).contributions))]
    for found in came:
        select = next(measure.select for measure in MEASURES if measure.id == found.measure)
        rows = select(story)
        place = rows_of(rows, found.of, found.at, found.k)
        assert sorted(place.tolist()) == list(range(len(rows)))
        assert (rows.of[place] == found.of).all()
        assert (rows.at[place] == found.at).all()
        assert (rows_of(rows, found.of, found.at + 1, found.k + len(rows)) == -1).all()
    nobody = Story([NOTHING], codes, Millis(known_until))
    none = MEASURES[next(iter(DRILLED))].select(nobody)
    assert rows_of(none, *(np.zeros(1, np.int64),) * 3).tolist() == [-1]
