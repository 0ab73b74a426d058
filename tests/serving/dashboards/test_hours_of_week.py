"""The heat maps' PromQL, over weeks of Prometheus's history, says what a plain reckoning of these weeks says."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple

import pytest
from alerting import tool

from streams.serving.dashboards.promql import mean_by_hour_of_week, n_by_hour_of_week, ratio_by_hour_of_week

HOURS = 4 * 7 * 24
SUMMER = 300
"""The hour at which the organisation's clocks go forward."""

LEAST = 10
"""From how many on a ratio is told."""

SLA = "response_within_sla_ratio"
MEAN = "lead_response_time_mean"


class Hour(NamedTuple):
    """What is told at the end of an hour about it; `scraped` and `fresh`: whether Prometheus and the pipeline ran then."""

    ends_s: int
    utc_offset_s: int
    ended: int
    within: int
    mean_s: int
    answered: int
    scraped: bool
    fresh: bool

    @property
    def place(self) -> tuple[str, str]:
        """Its hour and weekday, of which Sunday is 0, on the organisation's clocks."""
        began = datetime.fromtimestamp(self.ends_s, UTC) + timedelta(seconds=self.utc_offset_s, hours=-1)
        return str(began.hour), str(began.isoweekday() % 7)


def history(seed: int) -> list[Hour]:
    rng = Random(seed)
    hours = []
    for number in range(1, HOURS + 1):
        ended, answered = rng.choice([0, 0, 1, 4, 12]), rng.choice([0, 1, 3])
        hours.append(
            Hour(
                3600 * number,
                7200 if number >= SUMMER else 3600,
                ended,
                rng.randint(0, ended),
                rng.randint(5, 900),
                answered,
                rng.random() > 0.03,
                rng.random() > 0.05,
            )
        )
    return hours


def series(hours: Iterable[Hour]) -> list[dict[str, str]]:
    """The history as two exporters told it, in promtool's notation: a value for each hour, `_` for none."""
    told: dict[str, Callable[[Hour], int | None]] = {
        'leadbeat_responses_within_sla{window="1h"': lambda hour: hour.within,
        'leadbeat_clocks_ended{window="1h"': lambda hour: hour.ended,
        'leadbeat_clocks_ended{window="24h"': lambda _: 1000,
        'leadbeat_lead_response_time_mean_seconds{window="1h"': lambda hour: hour.mean_s if hour.answered else None,
        'leadbeat_lead_response_time_samples{window="1h"': lambda hour: hour.answered,
        "leadbeat_utc_offset_seconds{": lambda hour: hour.utc_offset_s,
        "leadbeat_clock_timestamp_seconds{": lambda hour: hour.ends_s - (1 if hour.fresh else 1800),
    }
    return [
        {"series": f'{name}, instance="{exporter}"}}'.replace("{, ", "{"), "values": " ".join(["_", *values])}
        for name, value in told.items()
        for values in [["_" if not hour.scraped or value(hour) is None else str(value(hour)) for hour in hours]]
        for exporter in ("a", "b")
    ]


def summed(hours: Iterable[Hour], value: Callable[[Hour], int]) -> dict[tuple[str, str], int]:
    """A number of each hour that was told, added up by the hour of the week."""
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for hour in hours:
        if hour.scraped and hour.fresh:
            sums[hour.place] += value(hour)
    return sums


def shares(hours: list[Hour]) -> dict[tuple[str, str], float]:
    within, ended = summed(hours, lambda hour: hour.within), summed(hours, lambda hour: hour.ended)
    return {place: within[place] / n for place, n in ended.items() if n >= LEAST}


def means(hours: list[Hour]) -> dict[tuple[str, str], float]:
    total, answered = summed(hours, lambda hour: hour.mean_s * hour.answered), summed(hours, lambda hour: hour.answered)
    return {place: total[place] / n for place, n in answered.items() if n}


def counts(hours: list[Hour]) -> dict[tuple[str, str], float]:
    return {place: n for place, n in summed(hours, lambda hour: hour.ended).items() if n}


@pytest.mark.parametrize(
    ("expression", "reckoned"),
    [(ratio_by_hour_of_week(SLA), shares), (mean_by_hour_of_week(MEAN), means), (n_by_hour_of_week(SLA), counts)],
    ids=["within SLA", "mean response time", "n"],
)
def test_a_heat_map_says_what_the_weeks_say(expression, reckoned, tmp_path):
    hours = history(seed=4)
    expected = reckoned(hours)
    assert len(expected) > 50
    samples = [{"labels": f'{{hour="{hour}", weekday="{day}"}}', "value": value} for (hour, day), value in expected.items()]
    asked = {"expr": expression, "eval_time": f"{HOURS}h", "exp_samples": samples}
    test = {"interval": "1h", "input_series": series(hours), "promql_expr_test": [asked]}
    path = tmp_path / "hours.test.yml"
    path.write_text(json.dumps({"rule_files": [], "tests": [test]}))  # JSON is YAML
    assert "SUCCESS" in tool("promtool", "test", "rules", path)
