"""What an evaluation says of each lead by itself."""

import build
from build import DAY, HOUR, MINUTE, NOON, RULES, folded

from models.codes import Codes
from models.contributions import ALERT_LIMIT, evaluate
from models.meaning import count_appeared_late, meanings
from models.news import threshold_name
from models.state.facts import NOTHING, facts
from models.units import Millis

CODES = Codes(RULES)
WAITING = facts(folded(build.lead(created_at=NOON, owner="ana", owner_at=NOON)), CODES)
ANSWERED = facts(folded(build.lead(created_at=NOON), build.call("t1", NOON + MINUTE)), CODES)


def seen(*found, at):
    return evaluate(found, CODES, Millis(at))


def test_each_lead_has_its_own_meaning():
    at = NOON + 6 * MINUTE
    waiting, answered, nothing = meanings(seen(WAITING, ANSWERED, NOTHING, at=at), CODES, Millis(at))
    assert [threshold.percent for threshold in waiting.thresholds] == [50, 80, 100]
    assert threshold_name(waiting.thresholds[0]) == f"50:{NOON}:{NOON + 150_000}"
    assert waiting.waiting.since == NOON
    assert (answered.waiting, answered.thresholds) == (None, ())
    assert waiting.next_change == answered.next_change == NOON + 7 * DAY
    assert nothing == (None, (), None, None, 0)
    assert (waiting.ends_at, answered.ends_at) == (None, NOON + MINUTE + 809 * DAY)


def test_a_threshold_is_told_until_its_due_time_is_a_quarter_of_an_hour_past():
    due = NOON + 5 * MINUTE
    for late, told in ((0, 3), (1, 0)):
        at = Millis(due + ALERT_LIMIT + late)
        (meaning,) = meanings(seen(WAITING, at=at), CODES, at)
        assert len(meaning.thresholds) == told


def test_thresholds_that_appear_too_late_to_be_told_are_counted_once():
    late = Millis(NOON + HOUR)
    told, nothing = seen(WAITING, NOTHING, at=late), seen(NOTHING, NOTHING, at=late)
    assert count_appeared_late(told.thresholds, nothing.thresholds, late) == 3
    assert count_appeared_late(told.thresholds, told.thresholds, late) == 0
    assert count_appeared_late(nothing.thresholds, told.thresholds, late) == 0
    partly = seen(WAITING, NOTHING, at=NOON + 3 * MINUTE)
    assert count_appeared_late(told.thresholds, partly.thresholds, late) == 2
    soon = Millis(NOON + 6 * MINUTE)
    assert count_appeared_late(seen(WAITING, at=soon).thresholds, seen(NOTHING, at=soon).thresholds, soon) == 0


def test_a_threshold_says_when_its_clock_was_answered_after_all():
    at = Millis(NOON + 10 * MINUTE)
    answered_late = facts(folded(build.lead(created_at=NOON), build.call("t1", NOON + 7 * MINUTE)), CODES)
    found = meanings(seen(answered_late, WAITING, at=at), CODES, at)
    assert [[each.answered_at for each in meaning.thresholds] for meaning in found] == [[NOON + 7 * MINUTE] * 3, [None] * 3]
