"""Settings of money and of the pipeline."""

import pytest
from mistaken import mistakes

from models.money import Rate
from models.rules import DealStage, KpiTarget, Leaderboard, Plan, Quota
from models.units import Millis
from streams.config import load
from streams.config.values import decimal_places, instant


def test_money_is_in_euros_and_a_pipeline_has_no_stages_unless_they_are_told(write):
    rules = load(write("")).rules()
    assert (rules.money.currency, rules.money.digits, rules.money.rates) == ("EUR", 2, ())
    assert rules.deal_stages == ()


def test_rates_hold_from_a_day_on_in_the_organisations_zone(write):
    rules = load(
        write(
            '[organisation]\nzone = "Europe/Berlin"\n[money]\ncurrency = "CHF"\n'
            'rates = [{currency = "JPY", rate = "0.0059"}, {currency = "JPY", rate = 1, from = 2026-07-01}]\n'
        )
    ).rules()
    since = instant(None, "UTC"), instant(load(write("roster = [{rep='a', from=2026-07-01}]")).roster[0].since, "Europe/Berlin")
    assert rules.money.rates == (Rate("JPY", 0, "0.0059", since[0]), Rate("JPY", 0, "1", since[1]))
    assert rules.money.currency == "CHF"


def test_the_pipelines_stages_are_in_order(write):
    rules = load(write('[[deal_stages]]\nname = "qualified"\nprobability = 20\n[[deal_stages]]\nname = "proposal"\n')).rules()
    assert rules.deal_stages == (DealStage("qualified", 20), DealStage("proposal", 0))


def test_all_that_is_wrong_with_money_is_told(write):
    path = write(
        'deal_stages = [{name = "a"}, {name = "a"}, {name = "other"}]\n[money]\nrates = [{currency = "XAU", rate = "1"}, '
        '{currency = "eur", rate = "0"}, {currency = "USD", rate = 0.9}, {currency = "USD", rate = "1e3"}]\n'
    )
    assert mistakes(path) == [
        "money.rates[0].currency: is not a currency: use a code of ISO 4217, such as EUR",
        "money.rates[1].currency: is not a currency: use a code of ISO 4217, such as EUR",
        'money.rates[1].rate: is not a rate: write what one unit is worth as text, such as "0.9214"',
        'money.rates[2].rate: is not a rate: write what one unit is worth as text, such as "0.9214"',
        'money.rates[3].rate: is not a rate: write what one unit is worth as text, such as "0.9214"',
        "deal_stages[2].name: 'other' is a name that Leadbeat gives itself: choose another",
    ]


def test_what_is_given_twice_is_told(write):
    path = write(
        '[[deal_stages]]\nname = "a"\n[[deal_stages]]\nname = "a"\n[money]\nrates = [{currency = "USD", rate = "1"}, '
        '{currency = "USD", rate = "2"}, {currency = "EUR", rate = "1"}]\n'
    )
    assert mistakes(path) == [
        "money.rates[1].from: is the same as in money.rates[0]",
        "money.rates[2].currency: is the organisation's own, which needs no rate",
        "deal_stages[1].name: is the same as in deal_stages[0]",
    ]


def test_targets_of_the_revenue_hold_from_a_day_on(write):
    entries = (
        'kpi = "revenue"\nvalue = "1000000"\nwindow = "year"\n',
        'kpi = "revenue"\nvalue = 90\nwindow = "month"\nfrom = 2026-07-01\n',
    )
    rules = load(write("".join(f"[[targets]]\n{entry}" for entry in entries) + "[money]\ngross_margin_percent = 80\n")).rules()
    since = instant(None, "UTC"), Millis(1_782_864_000_000)
    assert rules.targets == (KpiTarget("revenue", "1000000", "year", since[0]), KpiTarget("revenue", "90", "month", since[1]))
    assert rules.gross_margin_percent == 80


def test_all_that_is_wrong_with_targets_is_told(write):
    path = write('[money]\ngross_margin_percent = 101\n[[targets]]\nkpi = "revenue"\nvalue = "-1"\nwindow = "year"\n')
    assert mistakes(path) == [
        "money.gross_margin_percent: input should be less than or equal to 100",
        'targets[0].value: is not a number above 0: write it as text, such as "1000000"',
    ]
    twice = '[[targets]]\nkpi = "revenue"\nvalue = "1"\nwindow = "year"\n'
    assert mistakes(write(2 * twice)) == ["targets[1].from: is the same as in targets[0]"]
    assert len(load(write(twice + twice.replace("year", "7d"))).rules().targets) == 2
    (told,) = mistakes(write(twice.replace("year", "8d")))
    assert told.startswith("targets[0].window: ")
    assert told.endswith("'quarter', 'year' or 'now'")
    of = ("calls", "now"), ("leads_known", "7d"), ("oldest_lead_waiting", "now"), ("reply_ratio", "7d"), ("cals", "7d")
    assert mistakes(
        write("".join(f'[[targets]]\nkpi = "{kpi}"\nvalue = "1"\nwindow = "{window}"\n' for kpi, window in of))
    ) == [
        "targets[0].window: calls is told in 5m, 15m, 1h, 4h, 24h, 7d, 30d, 60d, 90d, today, week, month, quarter, year only",
        "targets[1].window: leads_known is told in now only",
        "targets[2].kpi: 'oldest_lead_waiting' is no KPI without labels, or only a part of one: see `leadbeat kpis`",
        "targets[4].kpi: 'cals' is no KPI without labels, or only a part of one: see `leadbeat kpis`",
    ]


def test_leaderboards_are_of_kpis_that_reps_have(write):
    entries = 'kpi = "calls"\n', 'kpi = "lead_response_time_p90"\nbest = "lowest"\n', 'kpi = "net_new_mrr"\n', 'kpi = "rank"\n'
    text = [f"[[leaderboards]]\n{entry}" for entry in entries]
    assert load(write("".join(text[:2]))).rules().leaderboards == (
        Leaderboard("calls"),
        Leaderboard("lead_response_time_p90", "lowest"),
    )
    assert mistakes(write("".join([text[0], *text]))) == [
        "leaderboards[3].kpi: 'net_new_mrr' is no KPI without labels that is told by rep: see `leadbeat kpis`",
        "leaderboards[4].kpi: 'rank' is no KPI without labels that is told by rep: see `leadbeat kpis`",
        "leaderboards[1].kpi: is the same as in leaderboards[0]",
    ]


ROSTER = '[[roster]]\nrep = "ada"\nteam = "north"\n'


def test_quotas_are_those_of_reps_and_teams(write):
    entries = (
        'rep = "ada"\namount = 30000\nper = "month"\nramp = [0, 50]\n',
        'team = "north"\namount = "1.5"\nper = "year"\n',
    )
    rules = load(write(ROSTER + "".join(f"[[quotas]]\n{entry}" for entry in entries))).rules()
    assert rules.quotas == (Quota("30000", "month", rep="ada", ramp=(0, 50)), Quota("1.5", "year", team="north"))


def test_all_that_is_odd_with_quotas_is_told(write):
    entries = (
        'rep = "bo"',
        'team = "south"\nramp = [50]',
        'rep = "ada"\nteam = "north"',
        'rep = "ada"',
        'rep = "ada"',
    )
    path = write(ROSTER + "".join(f'[[quotas]]\n{entry}\namount = 1\nper = "year"\n' for entry in entries))
    assert mistakes(path) == [
        "quotas[0].rep: 'bo' is not a rep of the roster",
        "quotas[1].team: 'south' is not a team of the roster",
        "quotas[1].ramp: is a rep's: a team has no first months",
        "quotas[2].rep: a quota is a rep's or a team's: give one of the two",
        "quotas[4].from: is the same as in quotas[3]",
    ]


def test_plans_are_those_of_reps_from_a_day_on(write):
    entries = (
        'rep = "ada"\ncommission_percent = 7.5\note = 60000\n',
        'rep = "ada"\ncommission_percent = "12.3456"\nfrom = 2026-07-01\n',
    )
    rules = load(write(ROSTER + "".join(f"[[plans]]\n{entry}" for entry in entries))).rules()
    assert rules.plans == (Plan("ada", "7.5", "60000"), Plan("ada", "12.3456", None, Millis(1_782_864_000_000)))


def test_all_that_is_wrong_with_plans_is_told(write):
    shares = ("101", "100.5", "-1", "1.23456", "a lot", "true", "1e3")
    texts = [share if share == "true" else f'"{share}"' for share in shares]
    path = write(ROSTER + "".join(f'[[plans]]\nrep = "ada"\ncommission_percent = {text}\n' for text in texts))
    fault = 'is not a percentage from 0 to 100 with at most 4 decimal places, such as "7.5"'
    assert mistakes(path) == [f"plans[{number}].commission_percent: {fault}" for number in range(len(shares))]
    odd = "".join(f'[[plans]]\nrep = "{rep}"\ncommission_percent = 100\n' for rep in ("bo", "ada", "ada"))
    assert mistakes(write(ROSTER + odd)) == [
        "plans[0].rep: 'bo' is not a rep of the roster",
        "plans[2].from: is the same as in plans[1]",
    ]


@pytest.mark.parametrize(
    ("code", "places"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("XAU", -1), ("EURO", -1), ("", -1)]
)
def test_decimal_places_are_those_of_iso_4217(code, places):
    assert decimal_places(code) == places
