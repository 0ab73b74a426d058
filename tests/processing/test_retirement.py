"""What is told of a lead that is in no number any more is forgotten when nothing has been told of it for a month."""

import pytest
from build import DAY, MINUTE, NOON, RULES, SECOND, call, lead, merged
from ticking import tick

from models.codes import Codes
from models.rollup import Totals
from models.state.lead import unpack
from models.units import Millis
from streams.processing.partition import QUIET, Partition

ENDS = NOON + 809 * DAY
OFFSET = 1


class Held(Partition):
    """A partition and the due set that was saved of it."""

    def __init__(self):
        super().__init__(0, Codes(RULES), 1, Totals(Codes(RULES)))
        self.stored = {}


@pytest.fixture
def partition():
    return Held()


def told(partition, *events):
    partition.remember(dict.fromkeys(partition.missing(event.subject.id for event in events)))
    partition.apply((OFFSET, event) for event in events)


def until(partition, instant):
    """How many objects the states have that a checkpoint writes once the due clock stands at an instant."""
    tick(partition, {0: Millis(instant + 2 * SECOND)}, partition.stored)
    cut = partition.cut()
    partition.saved()
    partition.stored |= cut.due
    return {subject: len(unpack(state)[0].objects) for subject, state in cut.states.items()}


ANSWERED = (lead(created_at=NOON, owner="ana", owner_at=NOON, lead_source="inbound"), call("t1", NOON))


def forgotten(partition):
    told(partition, *ANSWERED)
    until(partition, ENDS)
    assert until(partition, ENDS + QUIET) == {"lead-1": 0}


def sums(partition):
    """What the year so far has, and levels."""
    return {name: max(values) for name, values in partition.totals.sums.nonzero()}


def test_it_is_forgotten_a_month_after_it_has_ended(partition):
    told(partition, *ANSWERED)
    until(partition, NOON)
    until(partition, ENDS - DAY)
    until(partition, ENDS)
    assert until(partition, ENDS + QUIET - 10 * SECOND) == {}
    assert until(partition, ENDS + QUIET) == {"lead-1": 0}
    assert partition.stored == {"lead-1": None}
    assert until(partition, ENDS + 3 * QUIET) == {}


def test_what_is_told_of_it_meanwhile_keeps_it_for_another_month(partition):
    told(partition, *ANSWERED)
    until(partition, ENDS)
    until(partition, ENDS + 10 * DAY)
    told(partition, call("t1", NOON, changed_at=NOON + 1, connected=True))
    assert until(partition, ENDS + 11 * DAY) == {"lead-1": 1}
    assert until(partition, ENDS + QUIET) == {}
    assert until(partition, ENDS + 10 * DAY + QUIET) == {"lead-1": 0}


def test_an_import_of_old_leads_is_not_forgotten_while_it_goes_on(partition):
    until(partition, ENDS + 100 * DAY)
    told(partition, *ANSWERED)
    assert until(partition, ENDS + 101 * DAY) == {"lead-1": 1}
    told(partition, call("t2", ENDS + 99 * DAY))
    until(partition, ENDS + 102 * DAY)
    assert until(partition, ENDS + 100 * DAY + QUIET + DAY) == {}


def test_who_still_waits_or_is_merged_is_not_forgotten(partition):
    told(partition, lead(created_at=NOON), lead(of="lead-2", created_at=NOON), call("t1", NOON, of="lead-2"))
    told(partition, merged("lead-3", of="lead-2"))
    until(partition, NOON)
    until(partition, ENDS)
    assert until(partition, ENDS + 2 * QUIET) == {}
    assert sums(partition)["leads_awaiting_response"] == 1


def test_whose_record_is_told_again_does_not_wait(partition):
    forgotten(partition)
    told(partition, lead(changed_at=NOON + 1, created_at=NOON, owner="ben"))
    until(partition, ENDS + QUIET + DAY)
    assert {name.partition("|")[0] for name in sums(partition)} == {"leads_known"}


def test_what_comes_later_counts_as_if_nothing_had_been_forgotten(partition):
    forgotten(partition)
    at = ENDS + QUIET
    told(partition, call("t2", at + 5 * MINUTE), call("t1", NOON, changed_at=NOON + 1))
    until(partition, at + DAY)
    counted = sums(partition)
    assert counted["calls|lead_source=inbound"] == counted["calls|rep=ana"] == 1
    assert "leads_awaiting_response" not in counted


def test_it_is_forgotten_again_once_that_has_ended_too(partition):
    forgotten(partition)
    again = ENDS + QUIET
    told(partition, call("t2", again))
    until(partition, again + DAY)
    until(partition, again + 809 * DAY)
    assert until(partition, again + 809 * DAY + QUIET) == {"lead-1": 0}
    assert partition.stored == {"lead-1": None}
