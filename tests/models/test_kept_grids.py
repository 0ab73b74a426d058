"""A grid that is kept is what it would be if it were worked out again; and one whose sums stand is kept."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue import FIGURES
from models.givens import givens, quota, target_of
from models.grids import Columns
from models.kpis import MINIMUM_N, Formula
from models.rules import Rules
from models.snapshot import NO_GRIDS, grids
from models.sums import LEVEL_ROW, Sums
from models.units import HOUR, Millis
from models.windows import WINDOW_INDEX

IDS = ("calls", "call_connect_ratio", "leads_awaiting_response", "oldest_lead_waiting", "reps_employed", "rep_tenure_mean")
PARTLY_GIVEN = ("quota_attainment_ratio", "revenue", "target_attainment_ratio")
OF_CALLS = (("kpi", "calls"),)
SOME = [
    figure
    for figure in FIGURES
    if (figure.id in {*IDS, *PARTLY_GIVEN} and figure.labels in {(), OF_CALLS}) or figure.id.startswith("lead_response_time_p")
]
"""Figures of each formula: of sums alone, of sums and the clock, of sums and rules, and of no sums at all."""

SERIES = ("calls", "calls_connected", "calls|rep=ana", "calls_connected|rep=ben", "leads_awaiting_response", "reps_employed")
FURTHER = ("rep_tenure_total", "revenue", *(f"lead_response_time#{part}|rep=ben" for part in ("n", "sum", "b7", "b9")))
CELLS = st.tuples(st.sampled_from((*SERIES, *FURTHER)), st.sampled_from((WINDOW_INDEX["1h"], WINDOW_INDEX["month"], LEVEL_ROW)))
WAITING = st.dictionaries(st.sampled_from(("", "rep=ana")), st.tuples(st.integers(1, 9), st.none() | st.just(99)))
NOON = Millis(1_772_452_800_000)
GIVENS = st.sampled_from(
    [
        givens(Rules(), NOON),
        givens(Rules(), Millis(NOON + HOUR)),
        givens(Rules(), NOON) | {(quota.id, "month", ""): Fraction(100), (target_of("calls").id, "1h", ""): Fraction(7)},
    ]
)
TOLD = {"": [""], "rep": ["ana"], "team": []}


@given(st.lists(st.tuples(st.dictionaries(CELLS, st.integers(0, 40)), WAITING, GIVENS), min_size=2, max_size=4))
def test_what_is_kept_is_what_would_be_found(rounds):
    sums = Sums()
    columns, kept = Columns(sums), NO_GRIDS
    for amounts, oldest, given_now in rounds:
        for (name, row), amount in amounts.items():
            column = sums.id_of(name)
            sums.values[row, column] = amount
        kept = grids(SOME, columns.at_present(100, given_now), oldest, TOLD, MINIMUM_N, kept)
        anew = grids(SOME, Columns(sums).at_present(100, given_now), oldest, TOLD, MINIMUM_N)
        assert kept.keys() == anew.keys()
        for key, grid in kept.items():
            assert grid.names == anew[key].names
            for mine, theirs in zip(grid[3:], anew[key][3:], strict=True):
                assert np.array_equal(mine.astype(float), theirs.astype(float), equal_nan=True), key


def test_only_what_has_moved_is_found_anew():
    sums = Sums(("calls|rep=ana", "calls_connected|rep=ana", "lead_response_time#n|rep=ana"))
    columns = Columns(sums)
    before = grids(SOME, columns.at_present(100, givens(Rules(), NOON)), {}, TOLD, MINIMUM_N)
    sums.values[WINDOW_INDEX["1h"], sums.id_of("calls_connected|rep=ana")] = 3
    after = grids(SOME, columns.at_present(100, givens(Rules(), NOON)), {}, TOLD, MINIMUM_N, before)
    anew = {key for key, grid in after.items() if grid is not before[key]}
    of_sums = {key for key, grid in after.items() if grid.figure.of_sums}
    assert {figure for figure, dim in anew & of_sums} == {"call_connect_ratio"}
    assert {dim for figure, dim in anew & of_sums} == {"rep"}
    assert {grid.figure.formula for key, grid in after.items() if key not in of_sums} >= {Formula.OLDEST, Formula.DERIVED}
