"""The oracle against values worked out by hand: corrections, and the order in which things are told."""

from random import Random

from histories import NOON, RULES, call, deleted, erased, inquiry, lead, meeting, reply, restored, touch, value

from models.units import DAY, HOUR, MINUTE
from streams.local.truth import truth


def test_a_deleted_touch_opens_its_clock_again_and_a_restored_one_closes_it():
    answered = [lead(created_at=NOON - HOUR), call("c", NOON - HOUR + MINUTE)]
    assert value(answered, "leads_awaiting_response") == 0
    gone = [*answered, deleted(NOON - 30 * MINUTE, thing=("touch", "c"))]
    assert value(gone, "leads_awaiting_response") == 1
    assert value(gone, "touches") == 0
    corrected = [*gone, touch("c", version=NOON - 20 * MINUTE, channel="email")]
    assert value(corrected, "touches") == 0
    back = [*corrected, restored(NOON - 10 * MINUTE, thing=("touch", "c"))]
    assert value(back, "leads_awaiting_response") == 0
    assert [value(back, "calls"), value(back, "emails")] == [0, 1]
    at_once = [*answered, deleted(NOON, thing=("touch", "c")), restored(NOON, thing=("touch", "c"))]
    assert value(at_once, "touches") == 0
    another_kind = [*answered, deleted(NOON, thing=("reply", "c"))]
    assert value(another_kind, "touches") == 1


def test_a_deleted_lead_adds_nothing_until_it_is_restored_and_an_erased_one_never_again():
    events = [lead(created_at=NOON - HOUR), call("c", NOON - HOUR + MINUTE)]
    gone = [*events, deleted(NOON - 30 * MINUTE)]
    assert value(gone, "touches") == value(gone, "leads_created") == 0
    assert value([*gone, restored(NOON - 40 * MINUTE)], "touches") == 0
    back = [*gone, restored(NOON - 20 * MINUTE)]
    assert value(back, "touches") == value(back, "leads_created") == 1
    assert value([*back, erased(NOON - 50 * MINUTE), restored(NOON)], "touches") == 0


def test_of_each_field_the_largest_version_holds():
    first = call("c", NOON - HOUR, version=NOON - 50 * MINUTE, connected=False)
    later = touch("c", version=NOON - 40 * MINUTE, connected=True)
    assert value([later, first], "calls_connected") == 1
    twice = [touch("c", version=NOON, connected=True), touch("c", version=NOON, connected=False)]
    assert value([first, *twice], "calls_connected") == value([first, *reversed(twice)], "calls_connected") == 1
    ordered = [touch("c", version=NOON, connected=True, sequence=1), touch("c", version=NOON, connected=False, sequence=2)]
    assert value([first, *reversed(ordered)], "calls_connected") == 0
    cleared = [touch("c", version=NOON, channel="email"), touch("c", version=NOON, channel=None)]
    assert value([first, *reversed(cleared)], "touches") == 0


def test_of_owners_since_the_same_instant_the_last_told_holds():
    since = NOON - HOUR
    events = [
        lead(created_at=since, version=since),
        lead(owner="bo", owner_at=since, version=since + 2),
        lead(owner="di", owner_at=since, version=since + 1),
        call("c", NOON - MINUTE),
        lead(owner="cy", version=NOON),
    ]
    for told in (events, events[::-1]):
        assert value(told, "leads_created") == 1
        assert value(told, "calls_by_rep", rep="bo") == 1
        assert value(told, "leads_followed_up_by_rep", rep="bo") == 1


def test_repetition_and_order_change_nothing():
    events = [
        lead(created_at=NOON - HOUR, owner="bo"),
        call("c", NOON - 40 * MINUTE, connected=True),
        inquiry("i", at=NOON - 30 * MINUTE),
        deleted(NOON - 20 * MINUTE, thing=("touch", "c")),
        restored(NOON - 10 * MINUTE, thing=("touch", "c")),
        reply("r", at=NOON - 5 * MINUTE, sentiment="positive"),
        meeting("m", booked_at=NOON - 4 * MINUTE, scheduled_at=NOON + DAY, version=NOON),
    ]
    once = truth(events, RULES, NOON)
    for seed in range(5):
        told = events * 3
        Random(seed).shuffle(told)
        assert truth(told, RULES, NOON) == once


def test_what_has_no_time_or_no_channel_is_not_there():
    events = [
        touch("t", version=NOON, channel="call"),
        touch("u", version=NOON, at=NOON - HOUR),
        reply("r", version=NOON, kind="human"),
        inquiry("i", version=NOON, at=None),
        meeting("m", version=NOON, outcome="held"),
    ]
    assert not any(truth(events, RULES, NOON).values())
