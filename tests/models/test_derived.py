"""Derived figures: products and quotients of figures and of what is given, exact, and told where all of them are."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.catalogue.activity import calls, calls_connected, touches
from models.catalogue.deals import deals_won, revenue
from models.catalogue.funnel import leads_known
from models.catalogue.speed import lead_response_time
from models.givens import Given, elapsed_days, gross_margin
from models.grids import Columns
from models.kpis import Formula, Remaining, board, count, derived, latency, level_now, mean, ratio
from models.measures import summed
from models.snapshot import Cell, State, evaluate
from models.sums import LEVEL_ROW, Sums
from models.windows import DAILY, WINDOW_INDEX

AMOUNTS = st.integers(0, 20)
SHARE = ratio("share", calls_connected / calls)
EACH = mean("each", touches / calls)
WAIT = latency(lead_response_time)[1]
LEAST = {Formula.RATIO: 3, Formula.MEAN: 1, Formula.MEAN_TIME: 1}
QUOTA = Given("quota", "A quota.", ("rep",))
AIM = Given("aim", "An aim.", (), money=True)
DAY = WINDOW_INDEX["24h"]


def sums(row: int = DAY, **values: int) -> Sums:
    found = Sums(values)
    for name, value in values.items():
        found.values[row, found.id_of(name)] = value
    return found


def cells(figure, totals, given=None, minor_units=100, told=None):
    columns = Columns(totals).at_present(minor_units, given or {})
    lines = evaluate([figure], columns, {}, told or {"": [""]}, LEAST)
    return {line.key: dict(zip(line.windows, line.cells, strict=True)) for line in lines}


def cell(figure, totals, given=None, window="24h", minor_units=100) -> Cell:
    return cells(figure, totals, given, minor_units)[figure.id][window]


def value_of(figure, **values):
    return cell(figure, sums(**values)).value


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, st.integers(0, 10**6), AMOUNTS)
def test_a_product_is_divided_once_and_told_where_each_of_its_parts_is(now, over, under, touched, waited, waits):
    totals = sums(calls=under, calls_connected=over, touches=touched)
    totals.values[DAY, totals.id_of("lead_response_time#sum")] = waited
    totals.values[DAY, totals.id_of("lead_response_time#n")] = waits
    totals.values[LEVEL_ROW, totals.id_of("leads_known")] = now
    figure = derived("speed", "…", (level_now(leads_known), SHARE, 1000), (WAIT, EACH))
    found = cell(figure, totals)
    if min(under, waits, waited, touched) == 0:
        expected = None, State.NO_TRAFFIC
    elif under < LEAST[Formula.RATIO]:
        expected = None, State.INSUFFICIENT
    else:
        exact = Fraction(now * over * 1000, under) / Fraction(waited, waits) / Fraction(touched, under)
        expected = float(exact), State.OK
    assert found == Cell(expected[0], min(under, waits), None, expected[1])


@given(st.integers(1, 2**40), st.integers(1, 2**40), st.integers(1, 2**40))
def test_products_are_exact_however_large_they_are(one, two, three):
    figure = derived("cube", "…", (count(calls), count(touches), count(calls_connected)), (count(calls), count(touches)))
    assert value_of(figure, calls=one, touches=two, calls_connected=three) == float(three)


def test_what_is_given_counts_by_window_and_where_it_is_not_there_is_no_value():
    figure = derived("each_day", "…", (count(calls), gross_margin), (elapsed_days,))
    given_now = {
        (elapsed_days.id, "7d", ""): Fraction(7),
        (elapsed_days.id, "24h", ""): Fraction(0),
        (gross_margin.id, "24h", ""): Fraction(1, 2),
        (gross_margin.id, "7d", ""): Fraction(1, 2),
    }
    totals = sums(calls=3)
    totals.values[WINDOW_INDEX["7d"], totals.id_of("calls")] = 21
    assert cell(figure, totals, given_now, "7d") == Cell(1.5, 0, None, State.OK)
    assert cell(figure, totals, given_now, "24h").state is State.NO_TRAFFIC
    assert cell(figure, totals, given_now, "30d").state is State.NO_TRAFFIC


def test_what_is_given_by_a_dimension_is_looked_up_by_its_value():
    figure = derived("attained", "…", (count(calls),), (QUOTA,))
    totals = sums(**{"calls": 8, "calls|rep=ana": 6, "calls|rep=ben": 2, "calls|team=north": 8})
    given_now = {(QUOTA.id, "24h", "rep=ana"): Fraction(4), (QUOTA.id, "24h", ""): Fraction(32)}
    told = {"": [""], "rep": ["ana", "ben", "cleo"], "team": ["north"]}
    found = {key: windows["24h"].value for key, windows in cells(figure, totals, given_now, told=told).items()}
    assert found == {"attained": 0.25, "attained|rep=ana": 1.5, "attained|rep=ben": None, "attained|rep=cleo": None}


@pytest.mark.parametrize(("done", "left"), [(0, 12), (400, 8), (1200, 0), (1300, 0)])
def test_what_remains_of_an_aim_is_never_less_than_nothing_and_of_its_own_window(done, left):
    figure = derived("left", "…", (Remaining(AIM, summed(revenue), "year"),), (mean("size", revenue / deals_won),), ("24h",))
    totals = sums(revenue=300, deals_won=3)
    totals.values[WINDOW_INDEX["year"], totals.id_of("revenue")] = done
    found = cells(figure, totals, {(AIM.id, "year", ""): Fraction(1200)})
    assert list(found["left"]) == ["24h"]
    assert found["left"]["24h"].value == left
    assert cell(figure, totals).state is State.NO_TRAFFIC
    assert figure.dims == ()


def test_what_is_given_by_a_dimension_is_not_given_by_pairs():
    by_both = Given("by_both", "By two dimensions.", ("rep", "team"))
    figure = derived("attained", "…", (count(calls),), (by_both,))
    assert figure.dims == ("rep", "team")
    assert figure.has("rep")
    assert not figure.has("rep,team")
    assert derived("twice", "…", (count(calls), 2)).has("rep,team")


def test_money_stays_money_unless_it_is_divided_by_money():
    size = mean("size", revenue / deals_won)
    assert derived("velocity", "…", (count(calls), size)).unit == "money"
    assert derived("velocity", "…", (count(calls), size)).money
    assert derived("needed", "…", (Remaining(AIM, summed(revenue), "year"),), (size,)).unit == ""
    assert derived("paid", "…", (AIM,), (count(calls),)).unit == "money"
    assert derived("match_win_ratio", "…", (SHARE, EACH)).unit == "ratio"
    figure = derived("velocity", "…", (count(calls), size))
    assert value_of(figure, calls=2, revenue=1000, deals_won=4) == 5.0


def test_what_is_made_of_derived_figures_is_made_of_their_parts():
    inner = derived("inner", "…", (SHARE,), (EACH,))
    outer = derived("outer", "…", (inner, count(touches)), (inner,))
    assert outer.product.times == (SHARE, count(touches), EACH)
    assert outer.product.per == (EACH, SHARE)
    assert value_of(outer, calls=10, calls_connected=5, touches=7) == 7.0


def test_a_derived_figure_has_what_all_its_parts_have():
    figure = derived("speed", "…", (level_now(leads_known), SHARE), (mean("size", revenue / deals_won),))
    assert figure.windows == tuple(window.name for window in DAILY)
    assert figure.dims == SHARE.dims
    assert (figure.formula, figure.shown, figure.tells, figure.composed) == (Formula.DERIVED, board.NONE, None, False)
    assert derived("share", "…", (SHARE, EACH), only=("7d", "1h")).windows == ("1h", "7d")


def test_many_slices_are_worked_out_at_once():
    totals = Sums()
    for number in range(60):
        for name in ("calls", "calls_connected", "touches"):
            totals.values[:, totals.id_of(f"{name}|rep=r{number}")] = number + 1
    found = cells(derived("speed", "…", (SHARE, EACH)), totals)
    values = np.array([[cell.value for cell in windows.values()] for key, windows in found.items() if key != "speed"], float)
    assert values.shape == (60, 14)
    assert np.isnan(values).sum() == 2 * 14
    assert np.nanmin(values) == np.nanmax(values) == 1
