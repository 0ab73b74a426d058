"""What is remembered of a lead, event by event."""

import build
from build import HOUR, MINUTE, NOON, folded
from engine import standing

from models.state.lead import Lead, fold, merge, pack, retire, unpack
from models.state.registers import MERGED, fields_of, register

LATER = NOON + HOUR
OWNED = build.lead(owner="ana")


def test_a_field_that_is_absent_leaves_what_is_known():
    known = standing(folded(build.lead(lead_source="inbound", created_at=NOON), build.lead(created_at=LATER, changed_at=LATER)))
    assert (known.lead_source, known.created_at) == ("inbound", LATER)


def test_a_null_clears_what_is_known():
    known = standing(folded(OWNED, build.lead(lead_source="inbound"), build.lead(lead_source=None, changed_at=LATER)))
    assert known.lead_source is None


def test_an_older_version_that_comes_late_fills_only_what_no_newer_one_told():
    known = standing(folded(build.lead(created_at=LATER, changed_at=LATER), build.lead(created_at=NOON, lead_source="inbound")))
    assert (known.created_at, known.lead_source) == (LATER, "inbound")


def test_nothing_is_known_of_a_lead_without_events_and_yet_it_stands():
    assert standing(Lead()) == (None, None, [], [], [], [], [], [])


def test_a_deleted_lead_does_not_stand_whatever_comes_after():
    lead = folded(build.deleted(), build.lead(created_at=NOON, changed_at=LATER))
    assert standing(lead) is None


def test_a_deletion_may_come_before_the_creation():
    assert standing(folded(OWNED, build.deleted("touch:t1", changed_at=LATER), build.call("t1", NOON))).touches == []


def test_a_restored_lead_stands_with_what_came_while_it_was_deleted():
    lead = folded(
        build.deleted(),
        build.lead(created_at=NOON, changed_at=LATER),
        build.restored(changed_at=LATER),
    )
    assert standing(lead).created_at == NOON


def test_a_restoration_that_is_older_than_the_deletion_restores_nothing():
    assert standing(folded(OWNED, build.deleted(changed_at=LATER), build.restored())) is None


def test_of_a_deletion_and_a_restoration_of_one_version_the_deletion_holds():
    assert standing(folded(OWNED, build.deleted(), build.restored())) is None
    assert standing(folded(OWNED, build.restored(), build.deleted())) is None


def test_of_one_instant_the_larger_sequence_decides_between_deletion_and_restoration():
    assert standing(folded(OWNED, build.restored(sequence=2), build.deleted(sequence=1))) is not None
    assert standing(folded(OWNED, build.restored(sequence=1), build.deleted(sequence=2))) is None


def test_deleting_one_object_leaves_the_others():
    lead = folded(build.call("t1", NOON), build.email("t2", NOON), build.deleted("touch:t1", changed_at=LATER))
    assert [channel for _, _, channel, *_ in standing(lead).touches] == ["email"]


def test_objects_of_different_kinds_may_have_the_same_id():
    lead = folded(build.call("1", NOON), build.reply("1", at=NOON), build.deleted("reply:1"))
    assert len(standing(lead).touches) == 1
    assert standing(lead).replies == []


def test_an_id_may_contain_what_separates_kind_and_id():
    named, other = build.call("a:b:c", NOON, rep="ben"), build.call("a:b", NOON, rep="ana")
    lead = folded(named, other, build.reply(at=NOON, in_reply_to="a:b:c"))
    assert standing(lead).replies[0][:2] == (NOON, 1)


def test_an_erased_lead_does_not_stand_and_swallows_a_restoration():
    lead = folded(build.lead(created_at=NOON), build.erased())
    assert not fold(lead, build.restored(changed_at=LATER))
    assert standing(lead) is None


def test_an_owner_holds_from_the_version_time_where_no_other_instant_is_given():
    lead = folded(build.lead(owner="ana"), build.lead(owner="ben", changed_at=LATER, owner_at=NOON + MINUTE))
    assert standing(lead).owners == [(NOON, "ana"), (NOON + MINUTE, "ben")]


def test_a_stage_holds_from_its_own_instant():
    lead = folded(build.lead(stage="sql"), build.lead(stage="customer", stage_at=NOON - HOUR, changed_at=LATER))
    assert standing(lead).stages == [(NOON - HOUR, "customer"), (NOON, "sql")]


def test_two_owners_from_one_instant_leave_the_one_of_the_later_version():
    lead = folded(build.lead(owner="ben", owner_at=NOON, changed_at=LATER), build.lead(owner="ana", owner_at=NOON))
    assert standing(lead).owners == [(NOON, "ben")]


def test_an_instant_without_its_owner_or_stage_says_nothing():
    assert folded(build.lead(owner_at=NOON, stage_at=NOON)) == Lead()


def test_a_lead_nobody_owns_any_more_has_a_timeline_that_says_so():
    lead = folded(build.lead(owner="ana"), build.lead(owner=None, changed_at=LATER))
    assert standing(lead).owners[-1] == (LATER, "unassigned")


def test_an_event_without_fields_leaves_no_trace():
    assert folded(build.touch("t1"), build.lead()) == Lead()


def test_creation_and_inquiries_at_one_instant_are_one_inquiry():
    lead = folded(build.lead(created_at=NOON), build.inquiry("i1", at=NOON), build.inquiry("i2", at=NOON - HOUR))
    assert standing(lead).inquiries == [NOON - HOUR, NOON]


def test_a_touch_without_instant_or_channel_does_not_count_yet():
    assert standing(folded(OWNED, build.touch("t1", channel="call"), build.touch("t2", at=NOON))).touches == []
    assert len(standing(folded(build.touch("t1", channel="call"), build.touch("t1", at=NOON, changed_at=LATER))).touches) == 1


def test_a_touch_is_by_a_person_not_connected_and_delivered_unless_told_otherwise():
    told_nothing = standing(folded(build.email("t1", NOON, automated=None, connected=None, delivered=None))).touches[0]
    assert told_nothing == (NOON, "unassigned", "email", False, False, True)
    assert told_nothing == standing(folded(build.email("t1", NOON))).touches[0]
    told = standing(folded(build.email("t1", NOON, automated=True, connected=True, delivered=False))).touches[0]
    assert told[-3:] == (True, True, False)


def test_a_reply_is_a_persons_unless_told_otherwise_and_needs_no_channel():
    (reply,) = standing(folded(build.reply(at=NOON, kind=None))).replies
    assert reply == (NOON, -1, "unknown", "human", "unknown")
    assert standing(folded(OWNED, build.reply(kind="bounce"))).replies == []


def test_a_meeting_stands_with_whatever_is_known_of_it():
    (meeting,) = standing(folded(build.meeting("m1", scheduled_at=NOON, outcome="held"))).meetings
    assert meeting == (None, NOON, "unassigned", False, "held")


def test_touches_and_replies_stand_in_order_of_time_then_id():
    lead = folded(build.call("b", NOON, rep="ben"), build.call("c", NOON - HOUR, rep="cleo"), build.call("a", NOON, rep="ana"))
    assert [rep for _, rep, *_ in standing(lead).touches] == ["cleo", "ana", "ben"]
    kinds = {"b": "bounce", "a": "human", "c": "unsubscribe"}
    lead = folded(*(build.reply(name, at=NOON - HOUR * (name == "c"), kind=kind) for name, kind in kinds.items()))
    assert [kind for *_, kind, _ in standing(lead).replies] == ["unsubscribe", "human", "bounce"]


def test_a_timeline_is_found_by_its_name():
    lead = folded(build.lead(owner="ana", stage="sql"))
    assert lead.timeline("owner") == {NOON: (NOON, 0, "ana")}
    assert lead.timeline("stage") == {NOON: (NOON, 0, "sql")}


def test_a_lead_remembers_whom_it_was_merged_into_and_all_it_knew():
    lead = folded(build.lead(created_at=NOON), build.merged("lead-2", changed_at=LATER))
    assert fields_of(lead.record)[MERGED] == "lead:lead-2"
    assert standing(lead).created_at == NOON


def test_a_merge_that_was_undone_is_a_merge_into_nobody():
    lead = folded(build.merged("lead-2"), build.merged(None, changed_at=LATER))
    assert register(lead.record, MERGED) == (LATER, 0, None)


def test_a_retired_lead_has_its_record_and_no_clock_up_to_then():
    told = build.lead(created_at=NOON, owner="ana", lead_source="inbound")
    lead = folded(told, build.call("t1", NOON), build.inquiry("i1", at=NOON))
    retire(lead, NOON)
    fold(lead, build.inquiry("i2", at=NOON + 1))
    found = standing(lead)
    assert (found.created_at, found.lead_source, found.inquiries, found.touches) == (NOON, "inbound", [NOON + 1], [])
    assert unpack(pack(lead, {}))[0] == lead


def test_of_two_that_are_merged_the_later_retirement_holds():
    one, other = folded(build.lead(created_at=NOON)), folded(build.lead(created_at=NOON))
    retire(one, NOON)
    merge(other, one)
    merge(one, other)
    assert one.retired_until == other.retired_until == NOON
