"""Open clocks: the oldest in every slice, also after a restart."""

from build import MINUTE, NOON, ROSTER, lead
from hypothesis import given
from hypothesis import strategies as st

from models.codes import Codes
from models.meaning import Waiting
from models.measures import USUAL
from models.rollup import Totals
from models.rules import Rules
from streams.processing.open_clocks import Oldest, OpenClocks
from streams.processing.partition import Partition
from streams.processing.writes import restore, writes_of
from streams.tables import Progress
from streams.tables import Totals as Tables

RULES = Rules(roster=ROSTER, origins=("fair",), campaigns=("launch",), pairs=(("team", "origin"), ("rep", "channel")))
DIMS = ("", "rep", "team", "lead_source", "origin", "campaign", "team,origin")


def partition() -> Partition:
    return Partition(0, Codes(RULES), 1, Totals(Codes(RULES)))


def restored(cut) -> Partition:
    """What a new owner makes of what was written."""
    writes = writes_of(cut)
    again = partition()
    restore(again, Progress(), Tables([], {}, {}, dict(writes.oldest), dict(writes.open), []), {})
    return again


def test_a_lead_waits_in_every_slice_that_the_rules_have_before_and_after_a_restart():
    held = partition()
    assert held.waiting_dims == DIMS
    told = [
        lead(of="a", created_at=NOON, owner="ana", owner_at=NOON, origin="fair", segment="smb", campaign="spring"),
        lead(of="b", created_at=NOON + 1, owner="ana", owner_at=NOON),
    ]
    held.remember({"a": None, "b": None})
    held.apply(enumerate(told))
    cut = held.cut()
    first, second = Oldest(NOON, NOON + 5 * MINUTE), Oldest(NOON + 1, NOON + 1 + 5 * MINUTE)
    assert cut.open_clocks.oldest == {
        **dict.fromkeys(("", "rep=ana", "team=north", "lead_source=unknown", "origin=fair"), first),
        **dict.fromkeys(("campaign=other", "team,origin=north,fair"), first),
        **dict.fromkeys(("origin=unknown", "campaign=unknown", "team,origin=north,unknown"), second),
    }
    again = restored(cut)
    for name, oldest in cut.open_clocks.oldest.items():
        assert again.open_clocks.oldest(name) == oldest
    again.open_clocks.put("a", None)
    assert again.open_clocks.cut().oldest == {
        **dict.fromkeys(("", "rep=ana", "team=north", "lead_source=unknown"), second),
        **dict.fromkeys(("origin=fair", "campaign=other", "team,origin=north,fair"), None),
    }


VALUES = [st.sampled_from(("ana", "ben")), st.sampled_from(("north", "south")), *[st.sampled_from(("x", "y"))] * 5]
WAITING = st.builds(Waiting, st.integers(0, 9), st.one_of(st.none(), st.integers(10, 19)), *VALUES)
PUT = st.tuples(st.sampled_from("abcd"), st.one_of(st.none(), WAITING, WAITING))


@given(st.lists(PUT, max_size=30), st.integers(0, 30))
def test_the_oldest_of_each_slice_is_the_first_of_those_that_wait_there(puts, cut_after):
    dims = Codes(RULES).slices(USUAL)
    clocks, waiting, known = OpenClocks(dims), {}, {}
    for number, (subject, each) in enumerate(puts):
        clocks.put(subject, each)
        waiting[subject] = each
        if number == cut_after:
            known |= clocks.cut().oldest
    known |= clocks.cut().oldest
    wanted = {}
    for each in filter(None, waiting.values()):
        for name in each.slices(dims):
            mine = (each.since, float("inf") if each.due is None else each.due)
            wanted[name] = min(wanted.get(name, mine), mine)
    found = {
        name: (oldest.since, float("inf") if oldest.due is None else oldest.due) for name, oldest in known.items() if oldest
    }
    assert found == wanted
