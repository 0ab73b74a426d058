"""What compares KPIs: places of reps, and how much of a target is reached."""

import math
from fractions import Fraction

import build
import numpy as np
import pytest
from build import HOUR, MINUTE, NOON, RULES
from build_subjects import time
from engine import Engine
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from models.catalogue import KPIS
from models.compared import comparisons, is_compared
from models.givens import ahead_of
from models.grids import INSUFFICIENT, NO_TRAFFIC, OK, Grid
from models.places import Z, placed, wilson
from models.rules import KpiTarget, Leaderboard
from models.snapshot import STATES, State


def floor(*boards, targets=()):
    """Ana calls three leads, Ben and Cleo two each, Eve none yet."""
    roster = (*build.ROSTER[:2], build.member("cleo", "south"), build.member("eve", "south"))
    engine = Engine(replace(RULES, roster=roster, leaderboards=boards, targets=targets))
    for rep, calls, connected in (("ana", 3, 1), ("ben", 2, 2), ("cleo", 2, 1), ("stranger", 9, 9)):
        for number in range(calls):
            lead, at = f"{rep}-{number}", NOON + number * MINUTE
            engine.take(build.lead(of=lead, created_at=NOON - HOUR, owner=rep))
            engine.take(build.call("t1", at, of=lead, rep=rep, connected=number < connected))
    return engine.tick(NOON + HOUR)


def places(engine, kpi, window="24h"):
    return {rep: engine.cell(f"rank{{kpi={kpi}}}|rep={rep}", window).value for rep in ("ana", "ben", "cleo", "eve")}


def test_equals_share_a_place_and_the_next_is_left_out():
    assert places(floor(Leaderboard("calls")), "calls") == {"ana": 1, "ben": 2, "cleo": 2, "eve": 4}


def test_the_lowest_come_first_where_that_is_said():
    assert places(floor(Leaderboard("calls", "lowest")), "calls") == {"ana": 4, "ben": 2, "cleo": 2, "eve": 1}


def test_of_ratios_few_samples_do_not_win_by_luck_and_who_has_none_has_no_place():
    found = places(floor(Leaderboard("call_connect_ratio")), "call_connect_ratio")
    assert found == {"ana": 3, "ben": 1, "cleo": 2, "eve": None}
    assert wilson(90, 100, -1) > wilson(2, 2, -1)


def connected(**reps):
    """The places of reps by how many of how many of their calls connect."""
    roster = tuple(build.member(rep, "north") for rep in reps)
    engine = Engine(replace(RULES, roster=roster, leaderboards=(Leaderboard("call_connect_ratio"),)))
    for rep, (some, all_) in reps.items():
        for number in range(all_):
            engine.take(build.call(f"{rep}-{number}", NOON + number, rep=rep, connected=number < some))
    engine.tick(NOON + HOUR)
    return {rep: engine.cell(f"rank{{kpi=call_connect_ratio}}|rep={rep}", "24h").value for rep in reps}


def test_two_of_two_are_behind_ninety_of_a_hundred():
    assert connected(ana=(2, 2), ben=(90, 100), cleo=(9, 10)) == {"ana": 3, "ben": 1, "cleo": 2}


def ranked(kpi, best=0, **cells):
    """The places of reps who have so many of so many, and a state."""
    of = next(figure for figure in KPIS if figure.id == kpi)
    part, whole, state = (np.array([[cell[column]] for cell in cells.values()], np.int64) for column in range(3))
    grid = Grid(of, "rep", tuple(cells), np.where(state == OK, part / np.maximum(whole, 1), np.nan), part, whole, state)
    (rank,) = (each for each in comparisons([of]) if each.id == "rank")
    found = placed(rank, of, {(ahead_of(kpi).id, "now", ""): Fraction(best)}, lambda *_: grid, tuple(cells))
    told = zip(found.value[:, 0].tolist(), found.state[:, 0].tolist(), strict=True)
    return {rep: int(place) if known == OK else STATES[known] for rep, (place, known) in zip(cells, told, strict=True)}


@pytest.mark.parametrize("kpi", ["lead_growth_ratio", "win_value_ratio", "selling_time_ratio", "meeting_acceptance_ratio"])
def test_what_is_no_share_of_trials_is_ranked_by_its_value_if_that_is_shown(kpi):
    more = {
        "ana": (1500, 1000, OK),
        "ben": (20, 10, OK),
        "cleo": (-5, 10, OK),
        "dora": (4, 1, INSUFFICIENT),
        "eve": (0, 0, NO_TRAFFIC),
    }
    assert ranked(kpi, **more) == {"ana": 2, "ben": 1, "cleo": 3, "dora": State.INSUFFICIENT, "eve": State.NO_TRAFFIC}
    if kpi != "meeting_acceptance_ratio":
        assert ranked(kpi, ana=(900, 1000, OK), ben=(10, 10, OK)) == {"ana": 2, "ben": 1}


def test_a_share_that_is_not_shown_for_few_samples_is_ranked_all_the_same():
    cells = {"ana": (2, 2, INSUFFICIENT), "ben": (90, 100, OK), "cleo": (0, 0, NO_TRAFFIC)}
    assert ranked("reply_ratio", **cells) == {"ana": 2, "ben": 1, "cleo": State.NO_TRAFFIC}
    assert ranked("reply_ratio", -1, **cells) == {"ana": 2, "ben": 1, "cleo": State.NO_TRAFFIC}


def test_the_lowest_ratio_comes_first_by_the_upper_end_of_its_interval():
    found = places(floor(Leaderboard("call_connect_ratio", "lowest")), "call_connect_ratio")
    assert found == {"ana": 1, "ben": 3, "cleo": 2, "eve": None}


def test_the_quickest_come_first_and_a_withheld_value_has_no_place():
    engine = floor(Leaderboard("lead_response_time_mean"), Leaderboard("lead_response_time_p90"))
    assert places(engine, "lead_response_time_mean") == {"ana": 3, "ben": 1, "cleo": 1, "eve": None}
    assert set(places(engine, "lead_response_time_p90").values()) == {None}
    states = [engine.cell(f"rank{{kpi=lead_response_time_p90}}|rep={rep}", "24h").state for rep in ("ana", "eve")]
    assert states == [State.INSUFFICIENT, State.NO_TRAFFIC]


def test_more_time_is_better_where_it_is_no_wait():
    engine = floor(Leaderboard("selling_time"))
    for rep, hours in (("ana", 1), ("ben", 3)):
        engine.take(time(of=f"rep/crm:{rep}", at=NOON, selling_seconds=hours * 3600, working_seconds=4 * 3600))
    assert places(engine.tick(NOON + HOUR + MINUTE), "selling_time") == {"ana": 2, "ben": 1, "cleo": 3, "eve": 3}


def test_more_than_all_comes_before_all_and_then_the_value_decides():
    board = Leaderboard("meeting_acceptance_ratio")
    engine = floor(board)
    for rep, bookings, replies in (("ana", 3, 2), ("ben", 2, 1), ("cleo", 2, 2)):
        for number in range(bookings):
            engine.take(build.meeting(f"m{number}", booked_at=NOON, rep=rep, of=f"{rep}-0"))
        for number in range(replies):
            engine.take(build.reply(f"r{number}", at=NOON, of=f"{rep}-0"))
    lines = engine.tick(NOON + HOUR + MINUTE).lines({})
    found = {rep: lines[f"rank{{kpi={board.kpi}}}|rep={rep}"] for rep in ("ana", "ben", "cleo", "eve")}
    day = found["ana"].windows.index("24h")
    assert {rep: line.cells[day].value for rep, line in found.items()} == {"ana": 2, "ben": 1, "cleo": 3, "eve": None}


def test_only_reps_of_the_roster_have_places_in_all_windows_that_the_kpi_has():
    lines = floor(Leaderboard("calls")).lines()
    ranks = {key: line for key, line in lines.items() if key.startswith("rank")}
    assert set(ranks) == {f"rank{{kpi=calls}}|rep={rep}" for rep in ("ana", "ben", "cleo", "eve")}
    figure, windows = ranks["rank{kpi=calls}|rep=ana"].figure, ranks["rank{kpi=calls}|rep=ana"].windows
    assert (windows, figure.dims) == (lines["calls"].windows, ("rep",))
    assert (figure.unit, figure.money, figure.seconds) == ("", False, False)


def test_nothing_is_compared_unless_that_is_asked_for():
    assert [key for key in floor().lines() if key.startswith(("rank", "target_"))] == []


def test_a_target_is_reached_by_a_share_in_its_window_alone():
    engine = floor(targets=(KpiTarget("calls", "64", "24h"), KpiTarget("calls", "12.5", "7d")))
    line = engine.lines()["target_attainment_ratio{kpi=calls}"]
    assert (line.windows, [cell.value for cell in line.cells]) == (("24h", "7d"), [0.25, 1.28])
    assert line.figure.unit == "ratio"


def test_the_target_that_was_set_last_holds_and_none_before_its_time():
    later = KpiTarget("calls", "1", "24h", NOON + 2 * HOUR)
    earlier, now = KpiTarget("calls", "2", "24h", NOON - HOUR), KpiTarget("calls", "32", "24h", NOON)
    found = floor(targets=(later, now, earlier)).lines()["target_attainment_ratio{kpi=calls}"]
    assert [cell.value for cell in found.cells] == [0.5]
    assert "target_attainment_ratio{kpi=calls}" not in floor(targets=(later,)).lines()


def test_what_has_no_value_reaches_nothing_and_a_level_is_compared_now():
    engine = floor(targets=(KpiTarget("reply_ratio", "0.5", "7d"), KpiTarget("leads_known", "4", "now")))
    nothing = engine.cell("target_attainment_ratio{kpi=reply_ratio}", "7d", {})
    assert (nothing.value, nothing.state) == (0.0, State.OK)
    few = engine.cell("target_attainment_ratio{kpi=reply_ratio}", "7d", {engine.lines()["reply_ratio"].figure.formula: 17})
    assert (few.value, few.state) == (None, State.INSUFFICIENT)
    assert engine.cell("target_attainment_ratio{kpi=leads_known}").value == 4.0


@pytest.mark.parametrize(
    ("successes", "n", "ends"),
    [(0, 10, (0, 0.277533)), (8, 10, (0.490162, 0.943318)), (10, 10, (0.722467, 1)), (81, 263, (0.255283, 0.366220))],
)
def test_intervals_are_those_that_are_published(successes, n, ends):
    """The last: Newcombe 1998, Statistics in Medicine 17:857-872, table I."""
    assert [wilson(successes, n, side) for side in (-1, 1)] == pytest.approx(ends, abs=1e-4)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_ends_of_an_interval_are_so_many_standard_deviations_away(of):
    part, n = of
    low, high = wilson(part, n, -1), wilson(part, n, 1)
    assert 0 <= low <= part / n <= high <= 1
    for end in (low, high):
        assert math.isclose((part / n - end) ** 2, Z * Z * end * (1 - end) / n, rel_tol=1e-6, abs_tol=1e-12)


def test_all_kpis_without_labels_can_be_compared_but_instants():
    compared = {figure.of.id for figure in KPIS if figure.of}
    assert compared == {figure.id for figure in KPIS if figure.of is None and not figure.labels} - {"oldest_lead_waiting"}
    assert comparisons([figure for figure in KPIS if not is_compared(figure)]) == ()
