"""People, by hand: a line is how long after noon, how much, and under which values."""

import build
from build import DAY, HOUR, MINUTE, NOON, RULES
from build_subjects import employee_survey, rep, time
from engine import Engine, told
from msgspec.structs import replace

from models.kpis import Formula

ANY_N = dict.fromkeys(Formula, 0)
ANA = "ana north"


def test_a_rep_is_employed_from_the_beginning_to_the_end():
    engine = Engine().take(
        rep(of="rep/crm:ana", employed_from=NOON - 100 * DAY),
        rep(of="rep/crm:ben", employed_from=NOON - DAY, employed_until=NOON + DAY),
        rep(of="rep/crm:cleo", employed_until=NOON),
    )
    for days, employed, left in ((0, 2, 0), (2, 1, 1)):
        engine.tick(NOON + days * DAY + HOUR)
        assert engine.cell("reps_employed").numerator == employed
        assert engine.cell("reps_left", "7d").numerator == left
    assert engine.cell("rep_turnover_ratio", "7d", ANY_N).value == 1.0
    assert engine.cell("rep_retention_ratio", "7d", ANY_N).value == 0.0
    assert engine.cell("reps_employed|team=north").numerator == 1


def test_an_employment_that_ends_before_it_begins_is_none_that_ends():
    strange = rep(employed_from=NOON, employed_until=NOON - DAY)
    assert told("reps_left", strange) == []
    assert len(told("reps_joined", strange)) == 1


def test_time_is_logged_by_the_rep_and_counts_its_local_days_once():
    entries = [
        time("1", at=NOON, selling_seconds=3_600, working_seconds=28_800),
        time("2", at=NOON + HOUR, selling_seconds=1_800),
        time("3", at=NOON + DAY, selling_seconds=600),
        time("4", selling_seconds=9_000),
    ]
    assert told("selling_time", *entries) == [
        (0, 3_600_000, ANA),
        (HOUR, 1_800_000, ANA),
        (DAY, 600_000, ANA),
    ]
    assert told("selling_dates", *entries) == [(0, 1, ANA), (DAY, 1, ANA)]
    assert told("time_worked", *entries)[0] == (0, 28_800_000, ANA)
    engine = Engine().take(*entries).tick(NOON + DAY + MINUTE)
    assert engine.cell("average_selling_time_mean", "7d").value == 3_000
    assert len(told("selling_dates", *entries, rules=replace(RULES, zone="Pacific/Kiritimati"))) == 2


def test_employees_recommend_their_employer_or_not():
    scores = (10, 9, 8, 6, 0)
    answers = [employee_survey(str(number), at=NOON, score=score) for number, score in enumerate(scores)]
    engine = Engine().take(*answers, employee_survey("none", at=NOON)).tick(NOON + MINUTE)
    parts = ("enps_answers", "enps_promoters", "enps_detractors")
    assert [engine.cell(each, "24h").numerator for each in parts] == [5, 2, 2]
    gone = build.erased(of="rep/crm:ana")
    assert engine.take(gone).cell("enps_answers", "24h").numerator == 0
