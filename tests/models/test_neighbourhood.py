"""What a change adds is found from the touches about it: the same as from all of them."""

from collections import Counter
from typing import Any, NamedTuple

import build
import pytest
import strategies
import strategies_rules
from build import DAY, HOUR, MINUTE, NOON, RULES, folded
from engine import Listed, listed
from hypothesis import given, settings
from hypothesis import strategies as st

from models.codes import Codes
from models.contributions import Evaluation, difference, evaluate
from models.neighbourhood import Columns, few, more_and_more, neighbourhood
from models.state.facts import NOTHING, TOUCH, Facts, facts
from models.state.lead import fold
from models.units import Millis

TOUCHES = st.builds(
    lambda number, version, data: build.touch(f"t{number}", **version, **data),
    st.integers(1, 40),
    strategies.VERSIONS,
    strategies.TOUCH,
)
AFTERWARDS = st.sampled_from((NOON + HOUR, NOON + HOUR, NOON + 9 * DAY, NOON + 900 * DAY)).map(Millis)
CLOCKS = st.one_of(AFTERWARDS, AFTERWARDS, strategies.WHEN)
"""Mostly when all has happened: what lies ahead of the clock is never left out."""

HEAD = st.builds(
    lambda owner, stages: [
        build.lead(created_at=NOON, owner=owner, owner_at=NOON - HOUR),
        *(build.lead(stage=stage, stage_at=at) for stage, at in stages),
    ],
    strategies.REP,
    st.lists(st.tuples(st.sampled_from(("lead", "customer")), strategies.WHEN), max_size=2),
)
NEW = st.one_of(
    st.builds(lambda data: build.reply("new", **data), strategies.REPLY),
    st.builds(lambda data: build.inquiry("new", **data), strategies.INQUIRY),
    st.builds(lambda data: build.meeting("new", **data), strategies.MEETING),
    st.builds(lambda data: build.touch("new", **data), strategies.TOUCH),
)
CHANGE = st.one_of(TOUCHES, NEW, NEW, strategies.events())


@st.composite
def changes(draw: st.DrawFn) -> Any:
    """A lead's facts before and after a change, the codes of rules and two clocks."""
    codes, (then, now) = Codes(draw(strategies_rules.rules())), sorted((draw(CLOCKS), draw(CLOCKS)))
    history = draw(st.one_of(HEAD, HEAD, strategies.histories()))
    touches, others = draw(st.lists(TOUCHES, min_size=10, max_size=40)), draw(st.lists(strategies.events(), max_size=5))
    lead = folded(*history, *touches, *others)
    old = facts(lead, codes)
    for event in draw(st.lists(CHANGE, max_size=3)):
        fold(lead, event)
    return old, facts(lead, codes), codes, then, now


class Told(NamedTuple):
    """All that is said of a lead but its contributions."""

    waiting: Any
    thresholds: Any
    rest: Any


def told(found: Evaluation) -> Told:
    lists = [[column.tolist() for column in columns] for columns in (found.waiting, found.thresholds)]
    return Told(*lists, [column.tolist() for column in (found.next_change, found.ends_at, found.last_at)])


@settings(max_examples=2 * settings().max_examples)
@given(changes())
def test_any_change_adds_and_says_what_it_does_with_all_touches(change):
    old, new, codes, then, now = change
    fewer_old, fewer_new = neighbourhood(old, new, codes, then, now)

    was, is_now = evaluate([old], codes, then), evaluate([new], codes, now)
    seems, seems_now = evaluate([fewer_old], codes, then), evaluate([fewer_new], codes, now)
    assert listed(difference(seems_now, seems), codes) == listed(difference(is_now, was), codes)
    assert told(seems) == told(was)
    assert told(seems_now) == told(is_now)


@given(changes(), st.integers(1, 9))
def test_few_touches_say_what_all_do_and_the_others_are_added_some_at_a_time(change, size):
    _, known, codes, _, now = change
    fewer = few(known, codes, now)
    seems, is_so = (evaluate([each], codes, now) for each in (fewer, known))
    assert told(seems) == told(is_so)
    steps = [] if known == NOTHING else list(more_and_more(known, codes, now, size))
    added: Listed = Counter()
    for before, after in steps:
        added.update(listed(difference(*(evaluate([each], codes, now) for each in (after, before))), codes))
    whole = listed(difference(is_so, seems), codes)
    assert {row: times for row, times in added.items() if times} == dict(whole)
    assert len(steps) <= 1 + len(known.touches) // TOUCH.itemsize // size


CODES = Codes(RULES)
CLOCKED = (Millis(NOON + 9 * DAY), Millis(NOON + 9 * DAY + MINUTE))
_SEQUENCE = build.email("sequence", NOON - MINUTE, automated=True)


def many(*events: Any, touches: int = 2_000) -> tuple[Any, Facts]:
    """A lead with a touch in every minute, told a little more; and its facts under the usual rules."""
    reps = ("ana", "ben", None)
    calls = (
        build.touch(
            f"t{number}",
            at=NOON + number * MINUTE,
            channel=("call", "email")[number % 2],
            rep=reps[number % 3],
            connected=number % 5 == 0,
        )
        for number in range(touches)
    )
    lead = folded(build.lead(created_at=NOON, owner="ana"), build.call("first", NOON, rep="cleo"), *calls, *events, _SEQUENCE)
    return lead, facts(lead, CODES)


def added(old: Facts, new: Facts) -> Any:
    """What a change adds between the two clocks."""
    was, is_now = (evaluate([each], CODES, clock) for each, clock in zip((old, new), CLOCKED, strict=True))
    return listed(difference(is_now, was), CODES)


def counts(*known: Facts) -> list[int]:
    return [len(each.touches) // TOUCH.itemsize for each in known]


@pytest.mark.parametrize(
    "event",
    [
        build.call("new", NOON + 3_000 * MINUTE, rep="ben"),
        build.call("again", NOON + 3_000 * MINUTE, rep="cleo"),
        build.call("late", NOON + 700 * MINUTE + 1, rep="ana"),
        build.touch("t900", changed_at=NOON + DAY, connected=True),
        build.deleted("touch:t1999", changed_at=NOON + 2 * DAY),
        build.reply("r", at=NOON + 1_500 * MINUTE, in_reply_to="t7"),
        build.inquiry("i", at=NOON + 1_000 * MINUTE),
        build.meeting("m", booked_at=NOON + 300 * MINUTE, scheduled_at=NOON + 10 * DAY, rep="ana"),
        build.lead(stage="sql", stage_at=NOON + 500 * MINUTE),
        build.deal("d", created_at=NOON + 20 * MINUTE, amount=100),
    ],
    ids=lambda event: type(event).__name__,
)
def test_of_thousands_of_touches_a_few_are_left(event):
    lead, old = many()
    fold(lead, event)
    new = facts(lead, CODES)
    fewer = neighbourhood(old, new, CODES, *CLOCKED)
    assert max(counts(*fewer)) < 25
    assert added(*fewer) == added(old, new)


@pytest.mark.parametrize(
    "event",
    [
        build.lead(stage="customer", stage_at=NOON + 500 * MINUTE),
        build.deal("d", created_at=NOON, outcome="lost", closed_at=NOON + 500 * MINUTE),
    ],
    ids=lambda event: type(event).__name__,
)
def test_of_a_customer_and_of_a_deal_that_ended_all_touches_matter(event):
    lead, old = many()
    fold(lead, event)
    new = facts(lead, CODES)
    assert neighbourhood(old, new, CODES, *CLOCKED) == (old, new)


def test_a_contact_before_the_creation_is_one_where_another_comes():
    vain = [build.call(f"t{number}", NOON + (number - 5) * HOUR) for number in range(50)]
    lead = folded(build.lead(created_at=NOON), build.call("before", NOON - 1, connected=True), *vain)
    old = facts(lead, CODES)
    fold(lead, build.call("new", NOON + DAY, connected=True))
    new = facts(lead, CODES)
    fewer = neighbourhood(old, new, CODES, *CLOCKED)
    assert max(counts(*fewer)) < 10
    assert added(*fewer) == added(old, new)


def test_without_touches_there_are_none_to_leave_out():
    old, new = (facts(folded(build.lead(created_at=NOON), *events), CODES) for events in ([], [build.call("t1", NOON)]))
    assert neighbourhood(old, new, CODES, *CLOCKED) == (old, new)
    assert few(old, CODES, CLOCKED[0]) == old
    assert few(NOTHING, CODES, CLOCKED[0]) == NOTHING


@pytest.mark.parametrize("event", [build.lead(owner="ben", owner_at=NOON + MINUTE), build.lead(segment="smb")])
def test_where_all_touches_count_otherwise_none_is_left_out(event):
    lead, old = many(touches=50)
    fold(lead, event)
    new = facts(lead, CODES)
    assert neighbourhood(old, new, CODES, Millis(NOON + DAY), Millis(NOON + DAY)) == (old, new)


def test_another_owner_changes_no_touch_that_names_its_rep():
    named = [build.call(f"c{number}", NOON + number, rep="ana") for number in range(100)]
    old, new = (facts(folded(build.lead(created_at=NOON, owner=owner), *named), CODES) for owner in ("ana", "ben"))
    assert max(counts(*neighbourhood(old, new, CODES, Millis(NOON + DAY), Millis(NOON + DAY)))) < 10


def test_of_a_lead_that_came_or_went_all_touches_matter():
    _, known = many(touches=3)
    now = Millis(NOON + DAY)
    assert neighbourhood(NOTHING, known, CODES, now, now) == (NOTHING, known)
    assert neighbourhood(known, NOTHING, CODES, now, now) == (known, NOTHING)


def test_columns_are_kept_for_the_same_touches_only():
    _, known = many(touches=3)
    columns = Columns(known.touches)
    assert columns.of(known.touches) is columns
    assert columns.of(known.touches[: TOUCH.itemsize]).at.tolist() == columns.at.tolist()[:1]
    now = Millis(NOON + DAY)
    same = neighbourhood(known, known, CODES, now, now, (columns, columns))
    assert same == neighbourhood(known, known, CODES, now, now)
