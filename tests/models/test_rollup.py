"""Totals: whatever the way, they are those of a run in which all had been known from the start."""

from collections import Counter

import build
import strategies
import strategies_rules
from build import DAY, HOUR, MINUTE, NOON, SECOND
from engine import Engine, Stored, apply, of_one_subject, once, panes_of, sums_of
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue import MEASURES
from models.codes import Codes
from models.contributions import difference, evaluate
from models.measures import Kind
from models.rollup import Totals
from models.rules import Rules
from models.state.facts import NOTHING
from models.sums import LEVEL_ROW, series_name, split_name
from models.units import Millis
from models.windows import RETENTION, WINDOWS, Calendar, Pane

FACTS = strategies.floors()
CLOCKS = st.one_of(strategies.WHEN, strategies.WHEN.map(lambda at: at + 3 * DAY), st.just(NOON + 900 * DAY))
RULEBOOKS = strategies_rules.rules()
GROWING = {measure.id for measure in MEASURES if measure.grows}
RESTART, SAVE, CLOSE = "restart", "save", "close"


@st.composite
def runs(draw):
    """Facts, and a way through them: in another order, some again, with ticks, saves and restarts in between."""
    facts = draw(FACTS)
    told = draw(st.permutations([*facts, *facts[: draw(st.integers(0, 3))]]))
    pauses = draw(st.lists(st.one_of(CLOCKS, CLOCKS, st.sampled_from((RESTART, SAVE, CLOSE))), max_size=6))
    for pause in pauses:
        told.insert(draw(st.integers(0, len(told))), pause)
    return facts, told


def walk(engine, steps):
    for step in steps:
        if step == RESTART:
            engine.restart()
        elif step == SAVE:
            engine.save()
        elif step == CLOSE:
            engine.totals.close()
        elif isinstance(step, int):
            engine.tick(step)
        else:
            engine.take(step)
    return engine


def clean(rules, facts, clock):
    """All facts known first, looked at once when the clock stands at its end."""
    engine = Engine(rules)
    engine.known_until = Millis(clock - 2 * SECOND)
    engine.take(*facts)
    engine.totals.advance(clock)
    return engine


@given(runs(), RULEBOOKS, CLOCKS)
def test_totals_do_not_depend_on_order_repetition_time_of_arrival_or_restarts(run, rules, end):
    facts, steps = run
    walked = walk(Engine(rules), steps).tick(end)
    straight = clean(rules, facts, walked.totals.clock)
    assert walked.untold() == straight.untold()
    assert sums_of(walked.totals) == sums_of(straight.totals)
    assert panes_of(walked.totals) == panes_of(straight.totals)


@given(runs(), RULEBOOKS)
def test_what_is_loaded_is_what_was_saved(run, rules):
    engine = walk(Engine(rules), run[1])
    sums, panes, clock = sums_of(engine.totals), panes_of(engine.totals), engine.totals.clock
    engine.restart()
    assert (sums_of(engine.totals), panes_of(engine.totals), engine.totals.clock) == (sums, panes, clock)


@given(runs(), RULEBOOKS)
def test_nothing_is_left_in_totals_or_store_when_every_lead_is_taken_away(run, rules):
    engine = walk(Engine(rules), run[1])
    with_leads, without = (
        evaluate(facts, engine.codes, engine.known_until)
        for facts in (list(engine.facts.values()), [NOTHING] * len(engine.facts))
    )
    engine.totals.add(difference(without, with_leads))
    assert sums_of(engine.totals) == {}
    assert panes_of(engine.totals) == {}
    engine.save()
    assert not any(chunks for chunks in (engine.stored.levels, *engine.stored.windows.values(), *engine.stored.panes.values()))


@given(runs(), RULEBOOKS)
def test_a_second_cut_is_empty(run, rules):
    engine = walk(Engine(rules), run[1])
    engine.save()
    assert engine.totals.cut() == ([], len(engine.totals.sums), {}, {}, {}, [])


@given(runs(), RULEBOOKS, CLOCKS)
def test_window_totals_are_the_sum_of_the_panes_in_the_window(run, rules, end):
    totals = walk(Engine(rules), run[1]).tick(end).totals
    sums, panes = sums_of(totals), panes_of(totals)
    for row, window in enumerate(WINDOWS):
        span = totals.calendar.span(window, totals.clock)
        before = totals.calendar.previous_span(window, totals.clock)
        expected = Counter()
        for (pane, start), cells in panes.items():
            for name, amount in cells.items() if pane is window.pane else ():
                measure, part, dim, value = split_name(name)
                if start in span:
                    expected[name] += amount
                if start in before and measure in GROWING:
                    expected[series_name(measure, dim and f"{dim}={value}", f"{part}previous")] += amount
        found = {name: values[row] for name, values in sums.items() if values[row]}
        assert found == {name: amount for name, amount in expected.items() if amount}


@given(
    st.sampled_from(strategies_rules.ZONES),
    st.lists(st.tuples(CLOCKS, st.integers(1, 9), st.booleans()), min_size=1, max_size=12),
    st.lists(st.integers(-100 * DAY, 400 * DAY), max_size=3),
    CLOCKS,
)
def test_what_grows_is_kept_of_the_windows_before_too_and_nothing_else_is(zone, occurrences, pauses, clock):
    totals, stored = Totals(Codes(Rules(zone=zone))), Stored([], {}, {}, {})
    for at, amount, pause in occurrences:
        totals.add([once("leads_created", at, amount), once("calls", at)])
        if pause and pauses:
            totals.advance(Millis(at + pauses.pop()))
            apply(totals.cut(), stored)
            totals = Totals.load(totals.codes, totals.clock, stored)
    totals.advance(clock)
    sums = sums_of(totals)
    assert {name for name in sums if "#" in name} <= {"leads_created#previous"}
    for row, window in enumerate(WINDOWS):
        span = Calendar(zone).previous_span(window, totals.clock)
        expected = sum(amount for at, amount, _ in occurrences if at in span)
        assert sums.get("leads_created#previous", [0] * len(WINDOWS))[row] == expected


@given(runs(), RULEBOOKS, CLOCKS)
def test_no_pane_past_its_retention_is_kept_or_stored(run, rules, end):
    engine = walk(Engine(rules), run[1]).tick(end)
    engine.save()
    calendar, clock = engine.totals.calendar, engine.totals.clock
    for pane, start in [*engine.stored.panes, *panes_of(engine.totals)]:
        assert start >= calendar.oldest_start(pane, clock)
    assert engine.totals.kept_from == calendar.oldest_start(Pane.DAY, clock)


@given(runs(), RULEBOOKS)
def test_levels_are_the_leads_that_are_so_now(run, rules):
    engine = walk(Engine(rules), run[1])
    waiting = [meaning.waiting for meaning in engine.meanings.values() if meaning.waiting]
    told = {name: values[LEVEL_ROW] for name, values in sums_of(engine.totals).items() if values[LEVEL_ROW]}
    assert told.get("leads_awaiting_response", 0) == len(waiting)
    overdue = [each for each in waiting if each.due is not None and each.due <= engine.known_until]
    assert told.get("leads_overdue", 0) == len(overdue)


@given(FACTS, CLOCKS, RULEBOOKS)
def test_partitions_together_are_one_partition_with_all_leads(facts, clock, rules):
    parts = [Engine(rules), Engine(rules)]
    for event in facts:
        parts[event.subject.id == "lead-1"].take(event)
    together: dict[str, list[int]] = {}
    for part in parts:
        for name, values in sums_of(part.tick(clock).totals).items():
            together[name] = [sum(both) for both in zip(together.get(name, [0] * len(values)), values, strict=True)]
    whole = sums_of(Engine(rules).take(*facts).tick(clock).totals)
    assert of_one_subject({name: values for name, values in together.items() if any(values)}) == of_one_subject(whole)


@given(
    st.sampled_from(strategies_rules.ZONES),
    st.lists(st.tuples(CLOCKS, st.booleans()), min_size=1, max_size=12),
    st.lists(st.integers(-100 * DAY, 400 * DAY), max_size=3),
    CLOCKS,
)
def test_each_window_counts_the_occurrences_that_lie_in_it(zone, occurrences, pauses, clock):
    totals = Totals(Codes(Rules(zone=zone)))
    for at, pause in occurrences:
        totals.add([once("calls", at)])
        if pause and pauses:
            totals.advance(Millis(at + pauses.pop()))
    totals.advance(clock)
    for row, window in enumerate(WINDOWS):
        span = Calendar(zone).span(window, totals.clock)
        expected = sum(span.start <= at < span.end for at, _ in occurrences)
        assert sums_of(totals).get("calls", [0] * len(WINDOWS))[row] == expected


def test_facts_ahead_of_the_clock_count_within_its_pane_and_later_when_the_clock_gets_there():
    engine = Engine().tick(NOON).take(build.call("t1", NOON + 9_999), build.call("t2", NOON + 10_000))
    assert engine.cell("calls", "5m").numerator == 1
    assert engine.tick(NOON + 9_999).cell("calls", "5m").numerator == 1
    assert engine.tick(NOON + 10_000).cell("calls", "5m").numerator == 2


def test_a_window_lets_go_of_a_pane_as_soon_as_it_has_moved_past_it():
    engine = Engine().take(build.call("t1", NOON)).tick(NOON)
    assert engine.tick(NOON + 5 * MINUTE - 1).cell("calls", "5m").numerator == 1
    assert engine.tick(NOON + 5 * MINUTE).cell("calls", "5m").numerator == 0
    assert engine.cell("calls", "15m").numerator == 1


def test_the_clock_does_not_go_back():
    totals = Totals(Codes(Rules()))
    totals.advance(NOON)
    totals.advance(Millis(NOON - HOUR))
    assert totals.clock == NOON


def test_a_fact_that_is_older_than_the_retention_of_a_pane_is_in_the_longer_ones_only():
    engine = Engine().tick(NOON).take(build.call("t1", NOON - 3 * HOUR))
    assert {pane for pane, _ in panes_of(engine.totals)} == {Pane.FIVE_MINUTES, Pane.HOUR, Pane.DAY}
    assert engine.cell("calls", "4h").numerator == 1
    engine.take(build.deleted("touch:t1", changed_at=NOON + 1))
    assert panes_of(engine.totals) == {}


def test_a_pane_past_its_retention_is_named_once_in_the_cut_and_gone_from_the_store():
    engine = Engine().take(build.call("t1", NOON)).tick(NOON)
    engine.save()
    assert (Pane.TEN_SECONDS, NOON) in engine.stored.panes
    past = NOON + RETENTION[Pane.TEN_SECONDS]
    assert engine.tick(past - 10 * SECOND).save().dead_panes == []
    assert engine.tick(past).save().dead_panes == [(Pane.TEN_SECONDS, NOON)]
    assert engine.save().dead_panes == []
    assert (Pane.TEN_SECONDS, NOON) not in engine.stored.panes


def test_before_the_first_tick_facts_lie_in_panes_and_in_no_window():
    engine = Engine().take(build.call("t1", NOON))
    assert len({pane for pane, _ in panes_of(engine.totals)}) == len(Pane)
    assert sums_of(engine.totals) == {}
    assert engine.restart().tick(NOON).cell("calls", "5m").numerator == 1


def test_a_duration_is_kept_as_sum_count_and_bucket_and_a_flow_as_it_is():
    engine = Engine().take(build.lead(created_at=NOON), build.call("t1", NOON + 1000)).tick(NOON)
    whole = {name for name in sums_of(engine.totals) if "|" not in name}
    assert {"lead_response_time#sum", "lead_response_time#n", "lead_response_time#b350", "calls"} <= whole


def test_a_new_series_is_named_in_one_cut_with_the_next_id():
    engine = Engine(Rules())
    first = engine.take(build.call("t1", NOON)).save()
    assert first.known_series == 0
    assert {"calls", "calls|rep=unassigned"} <= set(first.series)
    second = engine.take(build.call("t1", NOON, rep="zoe", changed_at=NOON + 1)).save()
    assert second.known_series == len(first.series)
    assert "calls|rep=other" in second.series
    assert not set(second.series) & set(first.series)


def test_a_cut_can_be_written_twice():
    engine = Engine().take(build.call("t1", NOON)).tick(NOON)
    cut = engine.totals.cut()
    apply(cut, engine.stored)
    before = repr(engine.stored)
    apply(cut._replace(series=[], known_series=len(engine.stored.series)), engine.stored)
    assert repr(engine.stored) == before


def test_to_be_compact_changes_nothing_that_is_said_or_saved():
    calls = [build.call(f"t{number}", NOON - number * MINUTE, rep="ana") for number in range(20)]
    one, other = Engine().tick(NOON), Engine().tick(NOON)
    for each in calls:
        one.take(each)
        other.take(each).totals.compact()
    assert not any(kept._waiting for kept in other.totals.panes.values())
    assert other.totals.cut() == one.totals.cut()
    assert panes_of(other.totals) == panes_of(one.totals)


def test_panes_are_closed_once_all_that_has_changed_is_cut():
    engine = Engine().tick(NOON).take(build.call("t1", NOON))
    panes = panes_of(engine.totals)
    engine.totals.close()
    assert all(kept._open for kept in engine.totals.panes.values())
    engine.save()
    engine.totals.close()
    assert not any(kept._open or len(kept._cells) for kept in engine.totals.panes.values())
    assert panes_of(engine.totals) == panes


def test_every_kind_of_measure_is_in_the_catalogue():
    assert {measure.kind for measure in MEASURES} == set(Kind)


def test_what_lies_before_the_oldest_pane_is_counted_as_late_and_what_is_taken_back_is_not():
    engine = Engine().tick(NOON).take(build.call("kept", NOON - 799 * DAY))
    assert engine.totals.late == 0
    engine.take(build.call("late", NOON - 801 * DAY))
    late = engine.totals.late
    assert late > 0
    engine.take(build.deleted("touch:late", changed_at=NOON + 1))
    engine.restart()
    engine.take(build.call("kept too", NOON - 799 * DAY), build.call("late too", NOON - 801 * DAY))
    assert engine.totals.late == late
