"""What is remembered of a lead, event by event."""

import build
from build import HOUR, MINUTE, NOON, folded

from models.state.facts import Meeting, Span, Touch, facts
from models.state.lead import Lead, fold
from models.state.registers import MERGED, value

LATER = NOON + HOUR


def test_a_field_that_is_absent_leaves_what_is_known():
    known = facts(folded(build.lead(lead_source="inbound", segment="smb"), build.lead(segment="enterprise", changed_at=LATER)))
    assert (known.lead_source, known.segment) == ("inbound", "enterprise")


def test_a_null_clears_what_is_known():
    known = facts(folded(build.lead(lead_source="inbound"), build.lead(lead_source=None, changed_at=LATER)))
    assert known.lead_source is None


def test_an_older_version_that_comes_late_fills_only_what_no_newer_one_told():
    known = facts(folded(build.lead(segment="smb", changed_at=LATER), build.lead(segment="enterprise", lead_source="inbound")))
    assert (known.segment, known.lead_source) == ("smb", "inbound")


def test_nothing_is_known_of_a_lead_without_events_and_yet_it_stands():
    assert facts(Lead()) == (None, None, None, [], [], [], [], [], [])


def test_a_deleted_lead_does_not_stand_whatever_comes_after():
    lead = folded(build.deleted(), build.lead(created_at=NOON, changed_at=LATER))
    assert facts(lead) is None


def test_a_deletion_may_come_before_the_creation():
    assert facts(folded(build.deleted("touch:t1", changed_at=LATER), build.call("t1", NOON))).touches == []


def test_a_restored_lead_stands_with_what_came_while_it_was_deleted():
    lead = folded(
        build.deleted(),
        build.lead(created_at=NOON, changed_at=LATER),
        build.restored(changed_at=LATER),
    )
    assert facts(lead).created_at == NOON


def test_a_restoration_that_is_older_than_the_deletion_restores_nothing():
    assert facts(folded(build.deleted(changed_at=LATER), build.restored())) is None


def test_of_a_deletion_and_a_restoration_of_one_version_the_deletion_holds():
    assert facts(folded(build.deleted(), build.restored())) is None
    assert facts(folded(build.restored(), build.deleted())) is None


def test_of_one_instant_the_larger_sequence_decides_between_deletion_and_restoration():
    assert facts(folded(build.restored(sequence=2), build.deleted(sequence=1))) is not None
    assert facts(folded(build.restored(sequence=1), build.deleted(sequence=2))) is None


def test_deleting_one_object_leaves_the_others():
    lead = folded(build.call("t1", NOON), build.call("t2", NOON), build.deleted("touch:t1", changed_at=LATER))
    assert [touch.id for touch in facts(lead).touches] == ["t2"]


def test_objects_of_different_kinds_may_have_the_same_id():
    lead = folded(build.call("1", NOON), build.reply("1", at=NOON), build.deleted("reply:1"))
    assert [touch.id for touch in facts(lead).touches] == ["1"]
    assert facts(lead).replies == []


def test_an_id_may_contain_what_separates_kind_and_id():
    assert facts(folded(build.call("a:b:c", NOON))).touches[0].id == "a:b:c"


def test_an_erased_lead_does_not_stand_and_swallows_a_restoration():
    lead = folded(build.lead(created_at=NOON), build.erased())
    assert not fold(lead, build.restored(changed_at=LATER))
    assert facts(lead) is None


def test_an_owner_holds_from_the_version_time_where_no_other_instant_is_given():
    lead = folded(build.lead(owner="ana"), build.lead(owner="ben", changed_at=LATER, owner_at=NOON + MINUTE))
    assert facts(lead).owners == [Span(NOON, "ana"), Span(NOON + MINUTE, "ben")]


def test_a_stage_holds_from_its_own_instant():
    lead = folded(build.lead(stage="sql"), build.lead(stage="customer", stage_at=NOON - HOUR, changed_at=LATER))
    assert facts(lead).stages == [Span(NOON - HOUR, "customer"), Span(NOON, "sql")]


def test_two_owners_from_one_instant_leave_the_one_of_the_later_version():
    lead = folded(build.lead(owner="ben", owner_at=NOON, changed_at=LATER), build.lead(owner="ana", owner_at=NOON))
    assert facts(lead).owners == [Span(NOON, "ben")]


def test_an_instant_without_its_owner_or_stage_says_nothing():
    assert folded(build.lead(owner_at=NOON, stage_at=NOON)) == Lead()


def test_a_lead_nobody_owns_any_more_has_a_timeline_that_says_so():
    lead = folded(build.lead(owner="ana"), build.lead(owner=None, changed_at=LATER))
    assert facts(lead).owners[-1] == Span(LATER, None)


def test_an_event_without_fields_leaves_no_trace():
    assert folded(build.touch("t1"), build.lead()) == Lead()


def test_creation_and_inquiries_at_one_instant_are_one_inquiry():
    lead = folded(build.lead(created_at=NOON), build.inquiry("i1", at=NOON), build.inquiry("i2", at=NOON - HOUR))
    assert facts(lead).inquiries == [NOON - HOUR, NOON]


def test_a_touch_without_instant_or_channel_does_not_count_yet():
    assert facts(folded(build.touch("t1", channel="call"), build.touch("t2", at=NOON))).touches == []
    assert len(facts(folded(build.touch("t1", channel="call"), build.touch("t1", at=NOON, changed_at=LATER))).touches) == 1


def test_a_touch_is_by_a_person_not_connected_and_delivered_unless_told_otherwise():
    told_nothing = facts(folded(build.email("t1", NOON, automated=None, connected=None, delivered=None))).touches[0]
    assert told_nothing == Touch(NOON, 0, "t1", "email", None, automated=False, connected=False, delivered=True)
    assert told_nothing == facts(folded(build.email("t1", NOON))).touches[0]
    told = facts(folded(build.email("t1", NOON, automated=True, connected=True, delivered=False))).touches[0]
    assert told[-3:] == (True, True, False)


def test_a_reply_is_a_persons_unless_told_otherwise_and_needs_no_channel():
    (reply,) = facts(folded(build.reply(at=NOON, kind=None))).replies
    assert (reply.kind, reply.channel, reply.sentiment, reply.in_reply_to) == ("human", None, None, None)
    assert facts(folded(build.reply(kind="bounce"))).replies == []


def test_a_meeting_stands_with_whatever_is_known_of_it():
    (meeting,) = facts(folded(build.meeting("m1", scheduled_at=NOON, outcome="held"))).meetings
    assert meeting == Meeting("m1", None, NOON, None, None, "held")


def test_touches_and_replies_stand_in_order_of_time_then_id():
    lead = folded(build.call("b", NOON), build.call("c", NOON - HOUR), build.call("a", NOON))
    assert [touch.id for touch in facts(lead).touches] == ["c", "a", "b"]
    lead = folded(build.reply("b", at=NOON), build.reply("a", at=NOON), build.reply("c", at=NOON - HOUR))
    assert [reply.id for reply in facts(lead).replies] == ["c", "a", "b"]


def test_a_timeline_is_found_by_its_name():
    lead = folded(build.lead(owner="ana", stage="sql"))
    assert lead.timeline("owner") == {NOON: (NOON, 0, "ana")}
    assert lead.timeline("stage") == {NOON: (NOON, 0, "sql")}


def test_a_lead_remembers_whom_it_was_merged_into_and_all_it_knew():
    lead = folded(build.lead(created_at=NOON), build.merged("lead-2", changed_at=LATER))
    assert value(lead.record, MERGED) == "lead:lead-2"
    assert facts(lead).created_at == NOON


def test_a_merge_that_was_undone_is_a_merge_into_nobody():
    lead = folded(build.merged("lead-2"), build.merged(None, changed_at=LATER))
    assert lead.record[MERGED] == (LATER, 0, None)
