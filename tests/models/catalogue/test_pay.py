"""What reps are paid: commissions by their plans, and what they earn on target."""

from decimal import ROUND_HALF_EVEN, Decimal

import build
import numpy as np
import pytest
from build import DAY, HOUR, MINUTE, NOON, RULES, member
from engine import Engine, told
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from models.deals import of_amounts
from models.money import LARGEST
from models.rules import Plan, Quota
from models.snapshot import State
from models.units import Millis

OWNED = build.lead(owner="ana", owner_at=NOON - 9 * DAY, lead_source="inbound")
PLANNED = replace(
    RULES,
    plans=(
        Plan("ana", "10", "50000", Millis(NOON)),
        Plan("ana", "12.5", "100", Millis(NOON + HOUR)),
        Plan("cleo", "0.0001"),
        Plan("stranger", "50", "1"),
    ),
)


def won(name="d1", *, closed_at=NOON, **data):
    return build.deal(name, created_at=NOON - DAY, outcome="won", closed_at=closed_at, **data)


def of(*events, **options):
    return told("commission", OWNED, *events, rules=PLANNED, **options)


def test_a_commission_is_the_percent_in_force_at_the_close_of_whose_deal_it_is():
    assert of(won(amount=1000)) == [(0, 100, "ana north inbound")]
    assert of(won(amount=1000, closed_at=NOON + HOUR)) == [(HOUR, 125, "ana north inbound")]
    assert of(won(amount=1_000_000, rep="cleo")) == [(0, 1, "cleo south inbound")]


def test_who_has_no_plan_then_is_paid_nothing():
    assert of(won(amount=1000, closed_at=NOON - MINUTE)) == []
    assert of(won(amount=1000, rep="ben")) == []
    assert of(won(amount=1000, rep="stranger")) == []
    assert told("commission", won(amount=1000), rules=PLANNED) == []


def test_nothing_is_paid_for_what_is_not_sold_or_of_no_amount():
    assert of(won(rep="ana")) == []
    assert of(build.deal(created_at=NOON, amount=1000, outcome="lost", closed_at=NOON)) == []


def test_each_commission_is_rounded_halves_to_the_even_one():
    deals = [won(f"d{number}", amount=amount) for number, amount in enumerate((4, 5, 15, 25, 26))]
    assert sorted(value for _, value, _ in of(*deals)) == [0, 0, 2, 2, 3]


@given(st.integers(0, LARGEST), st.integers(0, 10**6))
def test_a_share_of_any_amount_is_exact(amount, share):
    exact = (Decimal(amount) * share / 10**6).quantize(Decimal(1), ROUND_HALF_EVEN)
    assert of_amounts(np.array([amount]), np.array([share])).tolist() == [int(exact)]


def test_what_reps_earn_on_target_is_measured_by_the_quotas_of_those_who_have_both():
    roster = (member("ana", "north"), member("ben", "north"), member("cleo", "south"), member("gone", None))
    quotas = (
        Quota("100000", "quarter", rep="ana"),
        Quota("100", "month", rep="ben", ramp=(0,)),
        Quota("200", "month", rep="ben", valid_from=Millis(NOON + HOUR)),
        Quota("5", "month", team="north"),
        Quota("5", "month", rep="gone"),
    )
    plans = (
        Plan("ana", "1", "50000"),
        Plan("ana", "1", "80000", Millis(NOON - DAY)),
        Plan("ben", "1", "600"),
        Plan("cleo", "1", "9"),
        Plan("gone", "1", "9"),
        Plan("ben", "1", None, Millis(NOON + 2 * HOUR)),
    )
    engine = Engine(replace(RULES, roster=roster, quotas=quotas, plans=plans)).tick(NOON)
    lines = engine.lines()
    assert (lines["ote_quota_ratio"].windows, lines["ote_quota_ratio"].figure.unit) == (("now",), "ratio")
    assert engine.cell("ote_quota_ratio|rep=ana").value == 0.2
    assert engine.cell("ote_quota_ratio|rep=ben").value == 0.5
    assert engine.cell("ote_quota_ratio|rep=cleo").state is State.NO_TRAFFIC
    assert engine.cell("ote_quota_ratio|team=north").value == engine.cell("ote_quota_ratio").value == 80600 / 401200
    assert engine.tick(NOON + HOUR).cell("ote_quota_ratio|rep=ben").value == 0.25
    assert engine.tick(NOON + 2 * HOUR).cell("ote_quota_ratio|rep=ben").value is None


@pytest.mark.parametrize("rules", [RULES, replace(RULES, plans=(Plan("ana", "1", "9"),))])
def test_without_plans_or_quotas_there_is_no_such_ratio(rules):
    assert Engine(rules).tick(NOON).cell("ote_quota_ratio").state is State.NO_TRAFFIC
