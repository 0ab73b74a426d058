"""What rules and clock give: lengths of windows, targets, margins."""

from fractions import Fraction

import pytest
from build import DAY, NOON

from models.givens import elapsed_days, givens, gross_margin, known_until, revenue_target
from models.money import Money
from models.rules import KpiTarget, Rules
from models.units import Millis
from models.windows import DAILY, NOW, WINDOWS

TARGETS = (
    KpiTarget("revenue", "1200", "year"),
    KpiTarget("revenue", "200.5", "month", NOON),
    KpiTarget("revenue", "300", "quarter", Millis(NOON + DAY)),
)


def test_a_window_has_as_many_days_as_it_has_begun():
    found = givens(Rules(zone="Europe/Berlin"), Millis(NOON + 27 * DAY))  # 29 March, on which clocks are put forward
    days = {window: number for (name, window, _), number in found.items() if name == elapsed_days.id}
    assert days == {
        "24h": 1,
        "7d": 7,
        "30d": 30,
        "60d": 60,
        "90d": 90,
        "today": 1,
        "week": 7,
        "month": 29,
        "quarter": 88,
        "year": 88,
    }
    assert list(days) == [window.name for window in DAILY]


@pytest.mark.parametrize(
    ("clock", "yearly"), [(NOON - 1, "1200"), (NOON, "2406"), (NOON + DAY, "1200"), (NOON + 2 * DAY, "1200")]
)
def test_the_target_that_was_set_last_holds_for_all_periods(clock, yearly):
    found = givens(Rules(targets=TARGETS, money=Money("KWD", 3)), Millis(clock))
    year = Fraction(yearly) * 1000
    assert {window: found[revenue_target.id, window, ""] for window in ("month", "quarter", "year")} == {
        "month": year / 12,
        "quarter": year / 4,
        "year": year,
    }


def test_nothing_is_given_of_what_is_not_configured():
    assert {name for name, _, _ in givens(Rules(), NOON)} == {elapsed_days.id, known_until.id}
    later = Rules(targets=TARGETS[1:])
    assert revenue_target.id not in {name for name, _, _ in givens(later, Millis(NOON - 1))}


def test_the_gross_margin_is_the_same_in_all_windows():
    found = givens(Rules(gross_margin_percent=80), NOON)
    assert {window: share for (name, window, _), share in found.items() if name == gross_margin.id} == dict.fromkeys(
        [*(window.name for window in WINDOWS), NOW], Fraction(4, 5)
    )


def test_of_targets_set_at_once_that_of_the_longest_period_is_the_years_whatever_their_order():
    year, month, week = (KpiTarget("revenue", value, window) for value, window in (("9", "year"), ("1", "month"), ("5", "7d")))
    assert Rules(targets=(week, year, month)).yearly_revenue_target(Millis(NOON)) == 9
    assert Rules(targets=(month, week, year)).yearly_revenue_target(Millis(NOON)) == 9
    assert Rules(targets=(week, month)).yearly_revenue_target(Millis(NOON)) == 12
    assert Rules(targets=(week,)).yearly_revenue_target(Millis(NOON)) is None
