"""Snapshots: values by hand, what has none and why, and which slices are told."""

import build
import pytest
from build import DAY, HOUR, MINUTE, NOON, RULES
from engine import Engine, once
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue import FIGURES
from models.catalogue.activity import calls, calls_connected, meeting_no_shows, meetings_held, touches
from models.catalogue.deals import deals_won, pipeline_value, revenue
from models.catalogue.funnel import leads_known
from models.catalogue.speed import lead_response_time, leads_awaiting_response
from models.codes import Codes
from models.grids import Columns
from models.kpis import Formula, count, latency, level_now, mean, oldest, ratio, total
from models.rollup import Totals
from models.rules import Rules
from models.snapshot import Cell, Line, State, evaluate, slices
from models.sums import LEVEL_ROW, Sums
from models.units import Millis
from models.windows import WINDOW_INDEX, WINDOWS

HOUR_ROW = WINDOW_INDEX["1h"]
WHOLE = {"": [""]}
AMOUNTS = st.integers(0, 50)


def sums(**values: int) -> Sums:
    """Series with a value in the window of an hour."""
    return named(values)


def named(values: dict[str, int], row: int = HOUR_ROW) -> Sums:
    found = Sums(values)
    for name, value in values.items():
        found.values[row, found.id_of(name)] = value
    return found


def lines(figure, totals, told=WHOLE, minimum_n=None, oldest=None) -> dict[str, Line]:
    return {line.key: line for line in evaluate([figure], Columns(totals).at_present(100), oldest or {}, told, minimum_n or {})}


def hour(figure, totals, minimum_n=None) -> Cell:
    return lines(figure, totals, minimum_n=minimum_n)[figure.key].cells[HOUR_ROW]


@given(AMOUNTS, AMOUNTS, st.integers(0, 20))
def test_a_ratio_is_its_division_if_there_is_enough_to_divide_by(over, under, least):
    figure = ratio("share", calls_connected / calls)
    cell = hour(figure, sums(calls_connected=over, calls=under), {Formula.RATIO: least})
    state = State.NO_TRAFFIC if under == 0 else State.INSUFFICIENT if under < least else State.OK
    assert cell == Cell(over / under if state is State.OK else None, over, under, state)


@given(AMOUNTS, AMOUNTS)
def test_a_sum_in_a_ratio_adds_up(held, missed):
    figure = ratio("show", meetings_held / (meetings_held + meeting_no_shows))
    cell = hour(figure, sums(meetings_held=held, meeting_no_shows=missed))
    assert (cell.numerator, cell.denominator) == (held, held + missed)
    assert cell.value == (held / (held + missed) if held + missed else None)


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_in_a_formula_each_measure_counts_so_many_times_and_a_level_as_it_is_now(now, gained, lost):
    totals = sums(calls=gained, touches=lost, leads_known=-1)
    totals.values[LEVEL_ROW, totals.id_of("leads_known")] = now
    start = leads_known - 2 * calls + touches
    found = lines(total("start", start), totals)["start"].cells
    for window, cell in zip(WINDOWS, found, strict=True):
        at_start = now - 2 * gained + lost if window.name == "1h" else now
        assert cell == Cell(float(at_start), at_start, None, State.OK)
    assert lines(total("yearly", 12 * leads_known), totals)["yearly"].cells == (Cell(12.0 * now, 12 * now, None, State.OK),)
    cell = hour(ratio("churn", touches / start), totals)
    under = now - 2 * gained + lost
    value = lost / under if under > 0 else None
    assert cell == Cell(value, lost, under, State.OK if under > 0 else State.NO_TRAFFIC)


def test_four_of_seven_who_promote_less_two_who_do_not_are_two_in_seven():
    cell = hour(ratio("nps", 100 * (calls_connected - touches) / calls), sums(calls_connected=4, touches=2, calls=7))
    assert (cell.value, cell.numerator, cell.denominator) == (200 / 7, 200, 7)


def test_money_is_told_in_major_units_and_shares_of_it_are_not_divided_by_them():
    totals = named({"pipeline_value": 5000}, LEVEL_ROW)
    totals.values[WINDOW_INDEX["24h"], totals.id_of("revenue")] = 2500
    totals.values[WINDOW_INDEX["24h"], totals.id_of("deals_won")] = 2
    assert lines(total("yearly", 12 * pipeline_value), totals)["yearly"].cells[0].value == 600
    assert lines(ratio("share", revenue / pipeline_value), totals)["share"].cells[0].value == 0.5
    assert lines(mean("size", revenue / deals_won), totals)["size"].cells[0].value == 12.5
    assert lines(mean("shared", revenue / pipeline_value), totals)["shared"].cells[0].value == 0.5


@given(AMOUNTS)
def test_a_count_is_what_was_counted_also_where_that_is_nothing(amount):
    assert hour(count(calls), sums(calls=amount)) == Cell(float(amount), amount, None, State.OK)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=50), st.integers(0, 40))
def test_the_figures_of_a_duration_are_those_of_the_sorted_list(durations, least):
    totals = Totals(Codes(Rules()))
    for duration in durations:
        totals.add([once("lead_response_time", NOON, duration)])
    totals.advance(NOON)
    n, ordered, state = len(durations), sorted(durations), State.OK if len(durations) >= least else State.INSUFFICIENT
    samples, average, *quantiles = (
        hour(figure, totals.sums, dict.fromkeys(Formula, least)) for figure in latency(lead_response_time)
    )
    assert samples == Cell(float(n), n, None, State.OK)
    assert average == Cell(sum(durations) / (n * 1000) if state is State.OK else None, sum(durations), n, state)
    for cell, percent in zip(quantiles, (50, 90, 95, 100), strict=True):
        exact = ordered[-(-n * percent // 100) - 1]
        assert cell[1:] == (n, None, state)
        assert cell.value is None if n < least else abs(cell.value * 1000 - exact) <= exact / 100


def test_without_samples_a_duration_has_no_value_whatever_the_minimum_is():
    for figure in latency(lead_response_time)[1:]:
        assert (hour(figure, Sums()).state, hour(figure, Sums()).value) == (State.NO_TRAFFIC, None)


def test_a_window_shows_its_own_value_and_no_other():
    cells = lines(count(calls), sums(calls=3))["calls"].cells
    assert [cell.numerator for cell in cells] == [3 if window.name == "1h" else 0 for window in WINDOWS]


def test_a_level_has_one_window_which_is_now():
    (line,) = lines(level_now(leads_awaiting_response), named({"leads_awaiting_response": 4}, LEVEL_ROW)).values()
    assert (line.windows, line.cells) == (("now",), (Cell(4.0, 4, None, State.OK),))


def test_a_line_tells_all_windows_and_its_key():
    (line,) = lines(count(calls), Sums()).values()
    assert line.windows == tuple(window.name for window in WINDOWS)
    assert line.key == "calls"
    assert line._replace(dim="rep", name="ana").key == "calls|rep=ana"


def test_slices_always_told_are_told_at_nothing_and_others_where_they_are_something():
    told = WHOLE | {"rep": ["ana", "ben"], "channel": ["call"]}
    found = lines(count(calls), named({"calls|rep=ben": 2, "calls|rep=zoe": 1, "calls|rep=other": 0}), told)
    assert list(found) == ["calls", "calls|rep=ana", "calls|rep=ben", "calls|rep=zoe"]
    assert [line.cells[HOUR_ROW].numerator for line in found.values()] == [0, 0, 2, 1]


def test_a_ratio_is_told_in_every_slice_that_one_of_its_parts_has():
    found = lines(
        ratio("share", calls_connected / calls), named({"calls|rep=ana": 2, "calls_connected|rep=ben": 1, "touches|rep=zoe": 1})
    )
    assert list(found) == ["share", "share|rep=ana", "share|rep=ben"]


def test_a_figure_is_told_by_its_own_dimensions_only():
    told = WHOLE | {"channel": ["call"], "sentiment": ["positive"]}
    assert list(lines(count(touches), Sums(), told)) == ["touches", "touches|channel=call"]
    assert list(lines(count(calls), Sums(), told)) == ["calls"]


def test_the_oldest_is_told_where_somebody_waits():
    figure = oldest("oldest_lead_waiting", leads_awaiting_response)
    waiting = {"": (Millis(5000), Millis(7500)), "rep=ana": (Millis(5000), None), "channel=call": (Millis(1), None)}
    found = lines(figure, Sums(), WHOLE | {"rep": ["ben"]}, oldest=waiting)
    assert {key: line.cells for key, line in found.items()} == {
        "oldest_lead_waiting": (Cell(5.0, 5000, 7500, State.OK),),
        "oldest_lead_waiting|rep=ana": (Cell(5.0, 5000, None, State.OK),),
    }
    assert lines(figure, Sums()) == {}


def test_the_slices_that_are_told_are_those_that_the_rules_have_then():
    assert slices(RULES, NOON) == {
        "": [""],
        "rep": ["ana", "ben", "cleo"],
        "team": ["north", "south"],
        "lead_source": ["inbound", "outbound"],
        "channel": ["call", "email", "message", "meeting"],
        "sentiment": ["positive", "neutral", "negative", "unknown"],
    }
    assert slices(RULES, Millis(NOON + DAY))["team"] == ["east", "north", "south"]


def test_before_anything_happened_every_line_is_there_and_nothing_has_a_value():
    found = Engine().tick(NOON).lines()
    always = {figure.key for figure in FIGURES if figure.of is None} - {"oldest_lead_waiting"}
    assert {line.figure.key for line in found.values()} == always
    for line in found.values():
        for cell in line.cells:
            assert cell.numerator == 0
            assert cell.value == (0 if cell.state is State.OK else None)
    assert {"calls|rep=ana", "calls|team=south", "touches|channel=meeting", "replies|sentiment=unknown"} <= set(found)


@pytest.mark.parametrize(("count_of", "state"), [(9, State.INSUFFICIENT), (10, State.OK)])
def test_a_ratio_is_withheld_under_ten(count_of, state):
    engine = Engine().take(*(build.call(f"t{number}", NOON, connected=True) for number in range(count_of))).tick(NOON)
    assert engine.cell("call_connect_ratio", "1h") == Cell(1.0 if state is State.OK else None, count_of, count_of, state)


def test_the_parts_of_a_slice_add_up_to_the_whole():
    engine = Engine().take(
        build.lead(created_at=NOON - HOUR, owner="ana", owner_at=NOON - HOUR),
        build.call("t1", NOON - 50 * MINUTE, rep="ben"),
        build.email("t2", NOON - 40 * MINUTE),
        build.email("t3", NOON, rep="stranger"),
    )
    found = engine.tick(NOON).lines()
    for dim in ("rep", "team", "lead_source", "channel"):
        parts = [line.cells[HOUR_ROW].numerator for line in found.values() if line.figure.id == "touches" and line.dim == dim]
        assert sum(parts) == found["touches"].cells[HOUR_ROW].numerator == 3
