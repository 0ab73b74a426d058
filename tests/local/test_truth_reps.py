"""The oracle against values worked out by hand: reps, how long they stay, and how their time is spent."""

from typing import Any

import pytest
from histories import NOON, RULES, Event, at, deleted, erased, merged, of_rep, rep, sliced, value

from models.units import DAY, HOUR, MINUTE

MORNING = NOON - 4 * HOUR
LAG = 2_000


def told(events: list[Event], *names: str, **options: Any) -> list[float | None]:
    """Some numbers of a day, and levels."""
    return [value(events, name, **options) for name in names]


TEAM = [
    *(rep(f"r{number}", employed_from=NOON - (100 + number) * DAY) for number in range(8)),
    *(rep(f"n{number}", employed_from=MORNING) for number in range(2)),
    *(rep(f"g{number}", employed_from=NOON - 9 * DAY, employed_until=MORNING) for number in range(4)),
]
"""At the start twelve; two came and four left: ten."""


def test_worked_example_turnover_of_four_of_eleven_on_average():
    assert told(TEAM, "reps_employed", "reps_joined", "reps_left") == [10, 2, 4]
    assert told(TEAM, "rep_turnover_ratio", "rep_retention_ratio") == [4 / 11, 7 / 11]
    assert told(TEAM, "rep_turnover_ratio", rules={**RULES, "minimum_n": {"ratio": 22}}) == [4 / 11]
    assert told(TEAM, "rep_turnover_ratio", rules={**RULES, "minimum_n": {"ratio": 23}}) == [None]


def test_tenure_is_of_those_who_are_employed_now():
    events = [rep("bo", employed_from=NOON - LAG - HOUR), rep("di", employed_from=NOON - LAG - 2 * HOUR)]
    events.append(rep("cy", employed_from=NOON - DAY, employed_until=NOON - LAG))
    assert told(events, "reps_employed", "rep_tenure_total_seconds", "rep_tenure_mean_seconds") == [2, 10_800, 5_400]
    assert sliced(events, "reps_employed") == {"team=north": 1, "team=south": 1}
    assert sliced(events, "rep_tenure_total") == {"team=north": HOUR, "team=south": 2 * HOUR}
    assert sliced(events, "reps_left") == {}


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"employed_from": MORNING}, [1, 1, 0]),
        ({"employed_from": NOON - LAG}, [1, 1, 0]),
        ({"employed_from": NOON - LAG + 1}, [0, 0, 0]),
        ({"employed_from": MORNING, "employed_until": NOON - LAG + 1}, [1, 1, 0]),
        ({"employed_from": MORNING, "employed_until": NOON - LAG}, [0, 1, 1]),
        ({"employed_from": MORNING, "employed_until": MORNING}, [0, 1, 1]),
        ({"employed_from": MORNING, "employed_until": MORNING - 1}, [0, 1, 0]),
        ({"employed_from": MORNING, "employed_until": None}, [1, 1, 0]),
        ({"employed_until": MORNING}, [0, 0, 0]),
        ({"employed_from": None, "employed_until": MORNING}, [0, 0, 0]),
    ],
)
def test_who_is_employed(fields, counts):
    assert told([rep(version=NOON, **fields)], "reps_employed", "reps_joined", "reps_left") == counts


def test_selling_time_by_day_of_the_organisation():
    kolkata = {**RULES, "organisation": {"zone": "Asia/Kolkata"}}
    events = [
        of_rep("time", "a", at=at("2026-03-01 18:29"), selling_seconds=600, working_seconds=3_600),
        of_rep("time", "b", at=at("2026-03-01 18:30"), selling_seconds=900, working_seconds=3_600),
        of_rep("time", "c", at=at("2026-03-02 01:00"), selling_seconds=300),
        of_rep("time", "d", "di", at=at("2026-03-02 02:00"), working_seconds=1_800),
        of_rep("time", "e", version=NOON, at=None, selling_seconds=300),
    ]
    names = ("selling_time_seconds", "time_worked_seconds", "selling_dates", "selling_time_ratio")
    assert told(events, *names, rules=kolkata) == [1_800, 9_000, 3, 0.2]
    assert told(events, "average_selling_time_mean_seconds", rules=kolkata) == [600]
    assert told(events, *names) == [1_800, 9_000, 3, 0.2]  # 1 March, 2 March, and di's
    assert sliced(events, "selling_dates") == {"rep=bo": 2, "rep=di": 1, "team=north": 2, "team=south": 1}
    assert sliced(events, "selling_time", kolkata) == {"rep=bo": 1_800_000, "team=north": 1_800_000}
    gone = [*events, deleted(NOON, "bo", ("time", "b"), of="rep")]
    assert told(gone, *names[:3], rules=kolkata) == [900, 5_400, 3]


def test_employees_answer_too():
    scores = [10, 9, 8, 2, 11]
    events = [of_rep("employee_survey", f"s{n}", at=MORNING, score=score) for n, score in enumerate(scores)]
    assert told(events, "enps_answers", "enps_promoters", "enps_detractors", "enps") == [4, 2, 1, 25]
    assert sliced(events, "enps_answers") == {"rep=bo": 4, "team=north": 4}


def test_of_merged_reps_one_is_left_and_of_erased_ones_none():
    events = [rep("bo", employed_from=MORNING), of_rep("time", "t", "bob", at=MORNING, selling_seconds=60)]
    merging = [*events, merged(NOON, "bob", "bo", of="rep")]
    assert sliced(events, "selling_time") == {"rep=other": 60_000, "team=other": 60_000}
    assert sliced(merging, "selling_time") == {"rep=bo": 60_000, "team=north": 60_000}
    assert told([*merging, erased(NOON + MINUTE, "bo", of="rep")], "selling_time_seconds", "reps_employed") == [0, 0]
