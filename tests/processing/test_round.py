"""Rounds tell what changed and what is gone, and nothing else: a table that follows them is what a whole evaluation says."""

import json
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from models.catalogue import FIGURES
from models.givens import ahead_of, givens, quota, target_of
from models.grids import Columns
from models.kpis import MINIMUM_N
from models.rules import Rules
from models.snapshot import NO_GRIDS, evaluate, grids
from models.sums import LEVEL_ROW, Sums
from models.units import Millis
from models.windows import NOW, WINDOW_INDEX
from streams.processing.round import NOTHING, Told, work_out

TOLD = {"": [""], "rep": ["ana"], "team": [], "lead_source": ["inbound"]}
SERIES = (
    "calls",
    "calls_connected",
    "calls|rep=ana",
    "calls|rep=ben",
    "calls_connected|rep=ben",
    "lead_response_time#n|rep=ben",
    "lead_response_time#sum|rep=ben",
    "lead_response_time#b7|rep=ben",
    "lead_response_time#b9|rep=ben",
    "leads_awaiting_response|team=north",
    "reps_employed",
    "rep_tenure_total",
    "revenue",
)
WAITING = st.dictionaries(st.sampled_from(("", "rep=ana", "team=north")), st.tuples(st.integers(1, 9), st.none() | st.just(99)))
CELLS = [0, WINDOW_INDEX["1h"], WINDOW_INDEX["month"], WINDOW_INDEX["year"], LEVEL_ROW]
TOTALS = st.dictionaries(st.tuples(st.sampled_from(SERIES), st.sampled_from(CELLS)), st.integers(0, 40))


NOON = Millis(1_772_452_800_000)
GIVEN = givens(Rules(), NOON)
QUOTA = {(quota.id, "month", ""): Fraction(100)}


def content(row: bytes) -> tuple[object, ...]:
    told = json.loads(row)
    return told["value"], told["numerator"], told["denominator"], told["state"]


GIVENS = st.sampled_from(
    [
        GIVEN,
        {**GIVEN, (target_of("calls").id, "1h", ""): Fraction(7), (ahead_of("calls").id, NOW, ""): Fraction(-1)},
        {**GIVEN, (target_of("calls").id, "24h", ""): Fraction(7)},
        GIVEN | QUOTA,
        givens(Rules(), Millis(NOON + 3_600_000)),
    ]
)
"""What rules and clock give; rules may say otherwise in the next round."""


@given(
    st.lists(st.tuples(TOTALS, WAITING, GIVENS), min_size=1, max_size=4),
    st.sets(st.sampled_from(("left|rep=x", "calls|rep=ben"))),
)
def test_a_table_that_follows_rounds_says_what_stands(rounds, left):
    table = {("1h", key): (None, -1, None, "?") for key in left}
    said = Told({}, frozenset(table))
    sums = Sums()
    columns, stood = Columns(sums), NO_GRIDS
    for version, (totals, oldest, given_now) in enumerate(rounds):
        sums.values[:] = 0
        for (name, row), amount in totals.items():
            number = sums.id_of(name)
            sums.values[row, number] = amount
        stood = grids(FIGURES, columns.at_present(100, given_now), oldest, TOLD, MINIMUM_N, stood)
        found = work_out(said, stood, version)
        before = dict(table)
        written = {(window, key): content(packed) for window, rows in found.written.items() for key, packed in rows.items()}
        table |= written
        for row in found.farewells:
            del table[row]
        expected = {
            (window, line.key): (cell.value, cell.numerator, cell.denominator, cell.state)
            for line in evaluate(FIGURES, Columns(sums).at_present(100, given_now), oldest, TOLD, MINIMUM_N)
            for window, cell in zip(line.windows, line.cells, strict=True)
        }
        assert table == expected
        assert all(before.get(row) != table[row] for row in written)
        assert not found.farewells.keys() & written.keys()
        said = Told(found.grids)


def test_nothing_new_is_nothing_to_write():
    sums = Sums(SERIES)
    sums.values[WINDOW_INDEX["1h"], :] = 30
    first = work_out(NOTHING, grids(FIGURES, Columns(sums).at_present(100, GIVEN), {}, TOLD, MINIMUM_N), 1)
    again = work_out(Told(first.grids), grids(FIGURES, Columns(sums).at_present(100, GIVEN), {}, TOLD, MINIMUM_N), 2)
    assert first.written
    assert (again.written, again.farewells) == ({}, {})
