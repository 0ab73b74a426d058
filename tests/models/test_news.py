"""What is told of a lead's alerts: each once, its end, and that it never was; then nothing until that changes."""

from typing import NamedTuple

from build import MINUTE, NOON
from hypothesis import given
from hypothesis import strategies as st

from models.meaning import Threshold
from models.news import news, parts_of, threshold_name
from models.state.told import Told

DUE = NOON + 5 * MINUTE
ANSWERED = DUE + MINUTE


def threshold(percent=100, answered_at=None, *, late=False, clock=NOON):
    at = clock + percent * 5 * MINUTE // 100
    return Threshold(at, percent, clock, clock + 5 * MINUTE, "ana", "north", answered_at, late)


def told_by(*looks):
    """The types of what each look tells, in turn."""
    told = {}
    return [[each.told.type for each in news(told, look)] for look in looks]


def test_a_threshold_is_told_once_then_that_it_was_answered_once():
    assert told_by([threshold()], [threshold()], [threshold(answered_at=ANSWERED)], [threshold(answered_at=ANSWERED)]) == [
        ["breach"],
        [],
        ["resolved"],
        [],
    ]


def test_below_the_due_time_it_is_a_warning():
    assert told_by([threshold(50), threshold(80)], [threshold(50), threshold(80), threshold()]) == [["warning"] * 2, ["breach"]]


def test_what_was_answered_before_anybody_looked_is_told_with_its_end():
    assert told_by([threshold(answered_at=ANSWERED)]) == [["breach", "resolved"]]


def test_what_never_came_to_pass_is_retracted_even_if_its_end_was_told():
    assert told_by([threshold()], [], []) == [["breach"], ["retracted"], []]
    assert told_by([threshold(answered_at=ANSWERED)], []) == [["breach", "resolved"], ["retracted"]]


def test_what_comes_to_pass_again_is_told_again_however_late():
    again = threshold(late=True)
    assert told_by([threshold()], [], [again]) == [["breach"], ["retracted"], ["breach"]]
    assert told_by([threshold(answered_at=ANSWERED)], [again]) == [["breach", "resolved"], ["breach"]]
    assert told_by([threshold()], [], [threshold(answered_at=ANSWERED)]) == [["breach"], ["retracted"], []]


def test_what_is_long_past_is_not_told_but_the_end_of_what_was_told_is():
    assert told_by([threshold(late=True)], [threshold(late=True, answered_at=ANSWERED)], []) == [[], [], []]
    assert told_by([threshold()], [threshold(late=True, answered_at=ANSWERED)]) == [["breach"], ["resolved"]]


def test_messages_are_numbered_and_carry_what_their_name_says():
    told = {}
    (first,) = news(told, [threshold(80)])
    (second,) = news(told, [])
    assert (first.told, second.told) == (Told("warning", 1), Told("retracted", 2))
    assert first.name == second.name == threshold_name(threshold(80))
    assert parts_of(first.name) == (80, NOON, NOON + 4 * MINUTE)
    assert (first.at, first.percent, first.threshold, second.threshold) == (NOON + 4 * MINUTE, 80, threshold(80), None)
    assert told == {first.name: Told("retracted", 2)}


class Look(NamedTuple):
    """Whether a threshold stands at a look, whether its clock is answered by then, and whether it is long past."""

    stands: bool
    answered: bool
    late: bool


@given(st.lists(st.builds(Look, st.booleans(), st.booleans(), st.booleans())))
def test_whoever_follows_the_messages_knows_how_each_alert_stands(looks):
    told, state, numbers = {}, None, []
    for look in looks:
        standing = [threshold(answered_at=ANSWERED if look.answered else None, late=look.late)] if look.stands else []
        for each in news(told, standing):
            state = each.told.type
            numbers.append(each.told.number)
        assert news(told, standing) == []
        if state is not None:
            ended = {"resolved"} if look.answered else {"breach"}
            assert state in (ended | ({"retracted"} if look.answered else set()) if look.stands else {"retracted"})
    assert numbers == list(range(1, len(numbers) + 1))
