"""How many reps sell their quota, by hand."""

import build
from build import DAY, HOUR, NOON, RULES, member
from engine import Engine
from msgspec.structs import replace

from models.kpis import Formula
from models.rules import Quota, Rules
from models.snapshot import State
from models.units import Millis

REPS = ("ana", "ben", "cleo", "dora", "eve")
FLOOR = replace(
    RULES,
    roster=(
        *(member(rep, "north, west" if rep in REPS[:3] else "south") for rep in REPS),
        member("gone", "south"),
        member("gone", None, NOON - DAY),
    ),
    quotas=(*(Quota("10", "month", rep=rep) for rep in (*REPS[:4], "gone")), Quota("5", "month", team="south")),
)
AT_QUOTA = "reps_at_quota_ratio"


def sold(rules: Rules = FLOOR, **amounts: int) -> Engine:
    """What each rep sold this month, in major units."""
    engine = Engine(rules)
    for rep, amount in amounts.items():
        won = build.deal(of=rep, created_at=NOON - DAY, amount=amount * 100, rep=rep, outcome="won", closed_at=NOON - HOUR)
        engine.take(won)
    return engine.tick(NOON)


def test_reps_are_counted_who_sold_their_quota_or_more():
    engine = sold(ana=10, ben=9, cleo=31, eve=99, gone=99)
    assert engine.cell(AT_QUOTA, "month")[:2] == (2 / 4, 4)
    assert engine.cell(f"{AT_QUOTA}|team=north, west", "month").value == 2 / 3
    assert engine.cell(f"{AT_QUOTA}|team=south", "month")[:2] == (0, 1)
    assert engine.cell(AT_QUOTA, "quarter").value == 1 / 4
    assert engine.cell(AT_QUOTA, "year").value == 0
    assert engine.lines()[AT_QUOTA].windows == ("month", "quarter", "year")
    assert engine.lines()[AT_QUOTA].figure.dims == ("team",)
    assert engine.lines()[AT_QUOTA].figure.unit == "ratio"


def test_it_is_told_how_many_have_a_quota():
    engine = sold()
    assert [engine.cell(f"reps_with_quota{of}", "quarter").value for of in ("", "|team=north, west", "|team=south")] == [
        4,
        3,
        1,
    ]
    assert engine.lines()["reps_with_quota"].windows == ("month", "quarter", "year")


def test_without_quotas_there_is_nothing_to_tell_and_of_few_only_if_that_is_enough():
    assert sold(RULES, ana=1).cell(AT_QUOTA, "month").state is State.NO_TRAFFIC
    assert sold(RULES, ana=1).cell("reps_with_quota", "month").value is None
    assert sold(ana=1).cell(AT_QUOTA, "month", {Formula.MEAN: 5}).state is State.INSUFFICIENT
    eased = replace(FLOOR, quotas=(Quota("10", "month", rep="ana", ramp=(0,)),), roster=(member("ana", "north", Millis(NOON)),))
    assert sold(eased, ana=1).cell(AT_QUOTA, "month").state is State.NO_TRAFFIC


def test_the_worked_example_fewer_than_sixty_percent_or_all_of_them():
    assert sold(ana=10, dora=10).cell(AT_QUOTA, "month").value == 0.5
    assert sold(ana=10, ben=10, cleo=10, dora=10).cell(AT_QUOTA, "month").value == 1
