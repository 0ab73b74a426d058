"""Grids: which cells have changed, whatever slices came and went; and columns of sums that grow."""

from hypothesis import given
from hypothesis import strategies as st

from models.catalogue.activity import calls, calls_connected
from models.catalogue.speed import lead_response_time, leads_awaiting_response
from models.grids import Columns, Grid, changed, grid_of
from models.kpis import Formula, count, latency, oldest, ratio
from models.snapshot import cell_of
from models.sums import Sums
from models.windows import WINDOW_INDEX

FIGURES = (
    count(calls),
    ratio("share", calls_connected / calls),
    *latency(lead_response_time),
    oldest("waiting", leads_awaiting_response),
)
SERIES = ("calls", "calls_connected", *(f"lead_response_time#{part}" for part in ("n", "sum", "b5", "b9")))
REPS = ("ana", "ben", "zoe")
TOTALS = st.dictionaries(st.tuples(st.sampled_from(SERIES), st.sampled_from(REPS)), st.integers(0, 12))
WAITING = st.dictionaries(st.sampled_from(REPS).map("rep={}".format), st.tuples(st.integers(1, 9), st.none() | st.just(99)))
ROW = WINDOW_INDEX["1h"]


def grids(columns: Columns, totals, waiting) -> list[Grid]:
    columns.sums.values[:] = 0
    for (series, rep), amount in totals.items():
        columns.sums.values[ROW, columns.sums.id_of(f"{series}|rep={rep}")] = amount
    columns.at_present(100)
    least = dict.fromkeys(Formula, 3) | {Formula.MEAN_TIME: 0}
    return [grid_of(figure, "rep", columns, waiting, ["ana"], least) for figure in FIGURES]


def told(grid: Grid):
    cells = zip(*(array.ravel().tolist() for array in grid[3:]), strict=True)
    places = ((name, column) for name in grid.names for column in range(grid.value.shape[1]))
    return dict(zip(places, (cell_of(*cell) for cell in cells), strict=True))


@given(TOTALS, WAITING, TOTALS, WAITING)
def test_cells_have_changed_that_say_something_else_or_are_of_new_slices(totals, waiting, later, waiting_later):
    columns = Columns(Sums())
    before, after = grids(columns, totals, waiting), grids(columns, later, waiting_later)
    for old, new in zip(before, after, strict=True):
        mask = changed(new, old)
        says, said = told(new), told(old)
        places = [place for place, _ in zip(says, mask.ravel(), strict=True)]
        found = {place for place, differs in zip(places, mask.ravel().tolist(), strict=True) if differs}
        assert found == {place for place, cell in says.items() if place not in said or said[place] != cell}
        assert changed(new, None).all()


@given(st.lists(st.tuples(TOTALS, WAITING), min_size=1, max_size=4))
def test_columns_that_have_grown_say_what_new_ones_do(steps):
    columns = Columns(Sums())
    for totals, waiting in steps:
        for grown, new in zip(grids(columns, totals, waiting), grids(Columns(Sums()), totals, waiting), strict=True):
            assert told(grown) == told(new)
