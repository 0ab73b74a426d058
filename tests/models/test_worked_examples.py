"""The worked examples of the sales literature, from facts to figures."""

import build
from build import HOUR, MINUTE, NOON, SECOND
from engine import Engine

from models.kpis import Formula
from models.snapshot import State

ANY_N = dict.fromkeys(Formula, 0)
CHANNELS = ("call", "email", "message")


def test_three_of_fifty_prospects_answer_positively():
    engine = Engine()
    for number in range(50):
        prospect = f"lead-{number}"
        engine.take(build.lead(of=prospect, created_at=NOON - 8 * HOUR))
        for attempt in range(2 + number % 3):
            channel = CHANNELS[(number + attempt) % 3]
            engine.take(build.touch(f"t{attempt}", of=prospect, at=NOON - (5 - attempt) * HOUR, channel=channel))
    for number, sentiment in (
        (3, "positive"),
        (11, "positive"),
        (40, "positive"),
        (41, "negative"),
        (42, "neutral"),
        (43, None),
    ):
        engine.take(build.reply(of=f"lead-{number}", at=NOON - HOUR, channel="email", sentiment=sentiment))
    cell = engine.tick(NOON).cell("positive_reply_ratio", "24h", ANY_N)
    assert (cell.value, cell.numerator, cell.denominator, cell.state) == (0.06, 3, 50, State.OK)


def test_two_of_four_inquiries_are_answered_in_time_and_the_last_is_not_due_yet():
    engine = Engine()
    clock = NOON + 2 * SECOND  # the due clock stands at noon
    for number, answered_after in enumerate((1, 4, 6)):
        asked_at = NOON - 20 * MINUTE
        engine.take(
            build.lead(of=f"lead-{number}", created_at=asked_at),
            build.call("t1", asked_at + answered_after * MINUTE, of=f"lead-{number}"),
        )
    for number, waits in ((3, 10), (4, 2)):
        engine.take(build.lead(of=f"lead-{number}", created_at=NOON - waits * MINUTE))
    cell = engine.tick(clock).cell("response_within_sla_ratio", "1h", ANY_N)
    assert (cell.value, cell.numerator, cell.denominator) == (0.5, 2, 4)
    assert engine.cell("leads_awaiting_response").numerator == 2
    assert engine.cell("leads_overdue").numerator == 1
    assert engine.tick(clock + 3 * MINUTE).cell("response_within_sla_ratio", "1h", ANY_N).denominator == 5
