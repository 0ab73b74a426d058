"""Reps as employees, by hand: how many there are, and how long they have been there."""

import build_subjects
import pytest
from build import DAY, MINUTE, NOON, SECOND
from engine import Engine

from models.kpis import Formula
from models.snapshot import State

ANA = build_subjects.rep(employed_from=NOON - DAY)
CLEO = build_subjects.rep(of="rep/crm:cleo", employed_from=NOON, employed_until=NOON + 10 * MINUTE)
LAG = 2 * SECOND


def tenure(engine: Engine, *slices: str) -> dict[str, tuple[float | None, float | None]]:
    return {each: tuple(engine.cell(f"rep_tenure_{what}{each}").value for what in ("total", "mean")) for each in slices}


def test_tenure_goes_on_with_the_clock_alone():
    engine = Engine().take(ANA, CLEO).tick(NOON + LAG + MINUTE)
    assert tenure(engine, "", "|team=north", "|team=south") == {
        "": (86_520, 43_260),
        "|team=north": (86_460, 86_460),
        "|team=south": (60, 60),
    }
    engine.save()
    engine.tick(NOON + LAG + 2 * MINUTE + 1)
    assert engine.save().levels == {}
    assert engine.cell("rep_tenure_total").value == pytest.approx(86_640.002)


def test_those_who_have_left_or_are_to_come_have_none():
    engine = Engine().take(ANA, CLEO).tick(NOON + LAG + 10 * MINUTE)
    assert engine.cell("rep_tenure_total").value == 87_000
    assert engine.cell("rep_tenure_mean").denominator == 1
    assert tenure(engine, "|team=south") == {"|team=south": (0, None)}
    early = Engine().take(CLEO).tick(NOON + LAG - 1)
    assert early.cell("rep_tenure_total").value == 0
    assert early.cell("rep_tenure_mean").state is State.NO_TRAFFIC


def test_a_mean_is_told_from_so_many_up():
    engine = Engine().take(ANA).tick(NOON + LAG)
    assert engine.cell("rep_tenure_mean", minimum_n={Formula.MEAN: 2}).state is State.INSUFFICIENT
    assert engine.cell("rep_tenure_mean").value == 86_400
