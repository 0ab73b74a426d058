"""What is stored of a partition against what its log says: equal whatever happened, and each alteration is named."""

from random import Random

import numpy as np
import pytest
import strategies
import strategies_rules
from build import DAY, HOUR, MINUTE, NOON, SECOND
from hypothesis import given
from hypothesis import strategies as st
from lived import live, ticks

from models.codes import Codes
from models.state.lead import pack, unpack
from models.sums import CHUNK, Sums, pack_runs
from models.sums import unpack as unpacked_chunk
from streams.audit.added_up import add_up
from streams.audit.comparing import compare_leads, compare_totals
from streams.audit.findings import MOST_SHOWN, Differences
from streams.errors import Fatal
from streams.tables import OpenClock, Pane, Waiting

FAR = st.lists(st.integers(805, 845), max_size=2).map(sorted)
"""Days after which leads are in no number any more, or forgotten."""


def differences(lived, still=None):
    """What an audit from the log finds in the totals."""
    found = Differences()
    still = still or lived.still
    derived = lived.rederived()
    added_up = add_up(derived.all_states(), lived.codes, still.applied.progress.clock)
    assert compare_totals(0, still, added_up, lived.codes, found) > 0
    return found


def told(found):
    return [(each.series, each.window, each.stored, each.derived) for each in found.shown]


def altered(chunk, offset, amount):
    """A chunk in which a series has another amount."""
    sums = Sums()
    sums.set_chunk(0, 0, chunk)
    sums.values[0, offset] += amount
    used = np.flatnonzero(sums.values[0])
    return next(pack_runs(used, sums.values[0, used], np.array([len(used)])))


def place(still, series):
    """The chunk and the offset of a series."""
    return divmod(next(number for number, name in still.series.items() if name == series), CHUNK)


def amount(still, window, series):
    number, offset = place(still, series)
    sums = Sums()
    sums.set_chunk(0, number, still.windows[window][number])
    return int(sums.values[0, number * CHUNK + offset])


def test_what_is_stored_is_what_the_log_says(lived):
    assert differences(lived).count == 0
    assert len(lived.rederived()) == len(lived.store.states)


@given(strategies.floors(3), strategies_rules.rules(), st.integers(0, 2**30), FAR)
def test_so_it_is_after_any_history(events, rules, seed, days):
    rng, log = Random(seed), [*events, *events[:2]]
    for at in sorted(rng.sample(range(NOON - HOUR, NOON + 2 * DAY, 30 * SECOND), 4)):
        log.insert(rng.randint(0, len(log)), ticks(at))
    for day in days:  # leads are forgotten, and some are told of again
        log += [ticks(NOON + day * DAY), *rng.sample(events, len(events) // 2)]
    end = NOON + max([2, *days]) * DAY
    history = live([*log, ticks(end)], rules)
    found = Differences()
    derived = history.rederived(rng.randint(1, 5))
    clock = history.still.applied.progress.clock
    assert (derived.clock, dict(derived.ticks)) == (clock, history.still.applied.progress.ticks)
    compare_totals(0, history.still, add_up(derived.all_states(), Codes(rules), clock), Codes(rules), found)
    whole = history.store.whole_states()
    compare_leads(0, whole, {name: derived.state(name) for name in {*whole, *derived.subjects()}}, found)
    assert found.shown == []


def test_an_altered_window_is_named(lived):
    still = lived.still
    number, offset = place(still, "calls|rep=ana")
    there = amount(still, "24h", "calls|rep=ana")
    windows = still.windows | {"24h": still.windows["24h"] | {number: altered(still.windows["24h"][number], offset, 5)}}
    assert told(differences(lived, still._replace(windows=windows))) == [("calls|rep=ana", "24h", str(there + 5), str(there))]


def test_a_window_that_is_lost_is_named_with_all_of_its_series(lived):
    still = lived.still
    windows = {name: chunks for name, chunks in still.windows.items() if name != "today"}
    found = differences(lived, still._replace(windows=windows))
    assert ("calls", "today", "0", str(amount(still, "today", "calls"))) in told(found)
    assert {each.window for each in found.shown} == {"today"}
    assert found.series == found.count > MOST_SHOWN == len(found.shown)


def test_altered_levels_are_named(lived):
    still = lived.still
    number, packed = next((number, packed) for number, packed in still.levels.items() if packed)
    offset = int(unpacked_chunk(packed)[0][0])
    found = told(differences(lived, still._replace(levels={**still.levels, number: altered(packed, offset, -1)})))
    assert [(series, window) for series, window, _, _ in found] == [(still.series[number * CHUNK + offset], "now")]
    assert int(found[0][2]) == int(found[0][3]) - 1


def test_an_altered_pane_is_named_and_one_too_many_and_one_that_is_gone(lived):
    still = lived.still
    pane = next(pane for pane in sorted(still.panes) if pane.size == "1d" and still.panes[pane])
    number, packed = next(iter(still.panes[pane].items()))
    changed = {**still.panes, pane: {number: altered(packed, 0, 1)}}
    (one,) = told(differences(lived, still._replace(panes=changed)))
    assert one[:2] == (still.series[0], "1d pane of 2026-03-02T00:00:00.000Z")
    assert int(one[2]) == int(one[3]) + 1
    without = {each: chunks for each, chunks in still.panes.items() if each != pane}
    assert all(stored == "0" for _, _, stored, _ in told(differences(lived, still._replace(panes=without))))
    more = {**still.panes, Pane("1h", NOON - 9 * HOUR): {0: altered(b"", 0, 2)}}
    assert told(differences(lived, still._replace(panes=more))) == [
        (still.series[0], "1h pane of 2026-03-02T03:00:00.000Z", "2", "0")
    ]


def test_what_has_no_name_is_told_by_its_number(lived):
    still = lived.still
    number = len(still.series) // CHUNK + 1
    windows = still.windows | {"1h": {**still.windows["1h"], number: altered(b"", 3, 2)}}
    (only,) = told(differences(lived, still._replace(windows=windows)))
    assert only == (f"series {number * CHUNK + 3} without a name", "1h", "2", "0")


def test_who_waits_is_compared_and_the_oldest_of_each_slice(lived):
    still = lived.still
    (clock, since), *others = sorted(still.open.items())
    moved = OpenClock(clock.subject, clock.due, "someone", *clock[3:])
    found = told(differences(lived, still._replace(open={moved: since, **dict(others)}, oldest={"": Waiting(1, None)})))
    assert (f"open clock of {clock.subject}", "now") == found[0][:2]
    assert ("oldest open clock of all", "now", "Waiting(since=1, due=None)") in [each[:3] for each in found]
    assert any(stored == "nobody waits" for _, _, stored, _ in found)


def test_how_many_are_behind_a_number_is_compared(lived):
    still = lived.still
    measure, count = next(iter(still.members.items()))
    found = told(differences(lived, still._replace(members=still.members | {measure: count + 1})))
    assert found == [(f"members of {measure}", "all", str(count + 1), str(count))]


def test_what_is_no_chunk_of_ours_cannot_be_audited(lived):
    still = lived.still
    with pytest.raises(Fatal, match="no chunk of ours"):
        differences(lived, still._replace(windows=still.windows | {"1h": {0: b"\xc1"}}))


def test_a_lead_that_was_altered_is_named_with_the_part_that_was(lived):
    derived = lived.rederived()
    expected = {subject: derived.state(subject) for subject in derived.subjects()}
    stored = lived.store.whole_states()
    lead, alerts = unpack(stored["crm:1"])
    lead.objects["touch:c1"][0][2]["at"] = NOON - MINUTE
    found = Differences()
    compare_leads(4, {**stored, "crm:1": pack(lead, alerts), "crm:2": None}, expected, found)
    assert {(each.partition, each.series, each.window) for each in found.shown if each.series != "lead crm:2"} == {
        (4, "lead crm:1", "touch:c1")
    }
    assert {each.stored for each in found.shown if each.series == "lead crm:2"} == {"nothing"}
    assert found.series == 2


def test_what_was_told_of_a_lead_and_that_it_was_erased_is_no_difference(lived):
    packed = lived.store.whole_states()["crm:1"]
    lead, _ = unpack(packed)
    found = Differences()
    gone, _ = unpack(packed)
    gone.erased = True
    compare_leads(0, {"crm:1": pack(lead, {}), "crm:9": pack(gone, {})}, {"crm:1": packed, "crm:9": None}, found)
    assert found.count == 0
