"""Facts made from those before a change are those that the whole lead gives."""

import build
import strategies
import strategies_subjects
from build import MINUTE, NOON, RULES, folded
from engine import standing
from hypothesis import given
from hypothesis import strategies as st

from models.codes import Codes
from models.state.facts import NOTHING, facts, facts_after
from models.state.lead import Change, Lead, fold

CODES = Codes(RULES)


@given(st.one_of(strategies.histories(), strategies_subjects.histories()))
def test_after_every_event_facts_are_what_the_whole_lead_gives(history):
    lead, known = Lead(), NOTHING
    for event in history:
        change = fold(lead, event)
        if change is not None:
            known = facts_after(change, known, lead, CODES)
        assert known == facts(lead, CODES)


def test_touches_in_the_order_of_time_in_any_other_and_named_by_a_reply():
    lead, known = Lead(), NOTHING
    for event in (
        build.call("t2", NOON + MINUTE),
        build.call("t3", NOON + 2 * MINUTE),
        build.call("t1", NOON),
        build.call("t0", NOON + 2 * MINUTE),
        build.touch("t5", at=None),
        build.reply("r1", at=NOON + 3 * MINUTE, in_reply_to="t4"),
        build.call("t4", NOON + 3 * MINUTE),
        build.deleted("touch:t2"),
        build.restored("touch:t2", changed_at=NOON + 1),
        build.deleted(changed_at=NOON + 2),
        build.call("t6", NOON + 4 * MINUTE),
        build.restored(changed_at=NOON + 3),
    ):
        known = facts_after(fold(lead, event), known, lead, CODES)
        assert known == facts(lead, CODES), event


def test_replies_to_touches_that_say_the_same_answer_one_each():
    twins = (build.email(name, NOON) for name in ("t1", "t2", "t3"))
    replies = (build.reply(name, at=NOON + MINUTE, in_reply_to=to) for name, to in (("r1", "t3"), ("r2", "t1"), ("r3", "t3")))
    lead = folded(*twins, *replies)
    assert [answers for _, answers, *_ in standing(lead).replies] == [1, 0, 1]


def test_a_change_says_which_object_it_was_of_and_whether_that_is_new():
    lead = Lead()
    assert fold(lead, build.call("t1", NOON)) == Change("touch:t1", new=True)
    assert fold(lead, build.call("t1", NOON, changed_at=NOON + 1, connected=True)) == Change("touch:t1", new=False)
    assert fold(lead, build.lead(created_at=NOON)) == fold(lead, build.deleted()) == Change()
    assert fold(lead, build.deleted("touch:t2")) == Change("touch:t2", new=True)
    assert fold(lead, build.deleted("touch:t2")) is None
    assert fold(lead, build.erased()) == Change()
