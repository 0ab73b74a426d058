"""Quotas: whose, of which months, how much in the first of them, and what is due by now."""

from datetime import UTC, datetime
from fractions import Fraction

import build
import pytest
from build import NOON, RULES
from engine import Engine
from msgspec.structs import replace

from models.quotas import Due, quotas
from models.rules import Quota, Rules
from models.snapshot import State
from models.units import Millis, millis


def at(text: str) -> Millis:
    return millis(datetime.fromisoformat(text).replace(tzinfo=UTC))


def of(window: str, clock: str, *entries: Quota, roster=build.ROSTER) -> dict[str, Fraction]:
    found = quotas(Rules(roster=roster, quotas=entries), at(clock))
    return {due.slice: due.amount for due in found if due.window == window}


TEAM = build.member("ana", "north", 1), build.member("ben", "north", 1), build.member("cleo", "south", 1)


def test_a_period_has_the_quotas_of_its_months():
    monthly = Quota("100", "month", rep="ana")
    assert of("month", "2026-03-02", monthly) == {"": 100, "team=north": 100, "rep=ana": 100}
    assert of("quarter", "2026-03-02", monthly)["rep=ana"] == 300
    assert of("year", "2026-03-02", Quota("100.5", "quarter", rep="ana"))["rep=ana"] == 402
    assert of("month", "2026-03-02", Quota("100", "year", rep="ana"))["rep=ana"] == Fraction(100, 12)
    assert of("month", "2026-03-02") == {}


def test_a_month_counts_by_the_quota_that_is_set_when_it_ends():
    entries = Quota("100", "month", rep="ana"), Quota("200", "month", rep="ana", valid_from=at("2026-02-10"))
    assert of("quarter", "2026-03-02", *entries)["rep=ana"] == 500
    late = Quota("100", "month", rep="ana", valid_from=at("2026-03-01"))
    assert of("quarter", "2026-01-02", late)["rep=ana"] == 100
    assert of("month", "2026-02-28", late) == {}


def test_a_team_has_the_quotas_of_its_reps_unless_it_has_its_own_and_the_whole_those_of_all_teams():
    reps = Quota("10", "month", rep="ana"), Quota("20", "month", rep="ben"), Quota("5", "month", rep="cleo")
    assert of("month", "2026-03-02", *reps, roster=TEAM) == {
        "": 35,
        "team=north": 30,
        "team=south": 5,
        "rep=ana": 10,
        "rep=ben": 20,
        "rep=cleo": 5,
    }
    own = Quota("25", "month", team="north")
    assert of("month", "2026-03-02", *reps, own, roster=TEAM)["team=north"] == 25
    assert of("month", "2026-03-02", *reps, own, roster=TEAM)[""] == 30
    later = Quota("25", "month", team="north", valid_from=at("2026-04-01"))
    assert of("month", "2026-03-02", *reps, later, roster=TEAM)["team=north"] == 30


def test_a_rep_who_has_left_or_is_not_there_yet_has_no_quota():
    roster = build.member("ana", "north", at("2026-02-10")), build.member("ana", None, at("2026-03-20"))
    entry = Quota("100", "month", rep="ana")
    assert of("quarter", "2026-02-02", entry, roster=roster)["rep=ana"] == 100
    assert of("month", "2026-02-02", entry, roster=roster)["rep=ana"] == 100
    assert of("month", "2026-03-02", entry, roster=roster) == {}


@pytest.mark.parametrize(("month", "percent"), [("02", 0), ("03", 25), ("04", 50), ("05", 100), ("06", 100)])
def test_a_quota_rises_in_the_first_months(month, percent):
    roster = (build.member("ana", "north", at("2026-02-27")),)
    entry = Quota("200", "month", rep="ana", ramp=(0, 25, 50))
    assert of("month", f"2026-{month}-02", entry, roster=roster).get("rep=ana", 0) == 2 * percent


def test_what_is_due_by_now_goes_by_the_working_days_up_to_today():
    rules = Rules(roster=TEAM, quotas=(Quota("220", "month", rep="ana"),))
    (due, *_) = quotas(rules, at("2026-03-15T12:00"))  # a Sunday, after ten of the month's 22 working days
    assert due == Due("month", "", Fraction(220), Fraction(100))
    (due, *_) = quotas(rules, at("2026-03-31T23:00"))
    assert due.by_now == due.amount
    (due, *_) = quotas(rules, at("2026-08-02T12:00"))  # the month begins on a Saturday
    assert due.by_now == 0


def test_quotas_are_attained_by_rep_team_and_whole():
    entries = Quota("500", "month", rep="ana"), Quota("100", "month", rep="ben"), Quota("800", "month", team="south")
    engine = Engine(replace(RULES, quotas=entries))
    for rep, amount in (("ana", 40_000), ("ben", 20_000), ("cleo", 10_000)):
        engine.take(build.deal(of=f"lead-{rep}", created_at=NOON, amount=amount, rep=rep, outcome="won", closed_at=NOON))
    engine.tick(NOON)  # the first of 22 working days; ben is in north, and later this day in south
    lines = engine.lines()
    found = {line.name or "whole": line.cells[0] for line in lines.values() if line.figure.id == "quota_attainment_ratio"}
    assert {name: cell.value for name, cell in found.items() if cell.state is State.OK} == {
        "whole": 700 / 1300,
        "north": 600 / 500,
        "south": 100 / 800,
        "ana": 0.8,
        "ben": 2.0,
    }
    assert engine.cell("quota_pace_ratio", "month").value == float(Fraction(700) / (Fraction(1300) / 22))
    assert engine.cell("quota_attainment_ratio", "year").value == 700 / (
        12 * 1300 + 2 * 100
    )  # of the two months in which ben was in north
