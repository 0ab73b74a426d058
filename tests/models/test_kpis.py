"""Measures, figures and the catalogue: declared once, named well, shown where they can be."""

import pytest
from services import CHECKOUT

from models.catalogue import FIGURES, KPIS, MEASURES, VERSION
from models.catalogue.activity import calls, calls_connected, meeting_no_shows, meetings_held
from models.catalogue.deals import pipeline_value, revenue
from models.catalogue.funnel import leads_known
from models.catalogue.replies import leads_replied, meetings_booked, replies
from models.catalogue.speed import follow_up_attempts, lead_response_time, leads_awaiting_response, leads_created
from models.kpis import (
    MINIMUM_N,
    QUANTILES,
    Formula,
    board,
    count,
    growth,
    labelled,
    latency,
    level_now,
    mean,
    oldest,
    parts,
    ratio,
    total,
)
from models.measures import Kind, Quotient, Sum, Term, previous
from models.slices import DIMS
from models.state.facts import STAGES
from models.windows import DAILY

DEFINED = (CHECKOUT / "tests" / "models" / "definitions.txt").read_text().split()
"""The ids of all KPIs that are promised, but for other names of the same."""

NOT_YET: set[str] = set()

DURATIONS = (
    "lead_response_time",
    "lead_response_time_business",
    "lead_contact_time",
    "routing_delay",
    "rep_delay",
    "time_to_first_meeting",
    "reply_time",
    "sales_cycle_time",
    "customer_lifecycle_time",
)

OF_SUBJECTS = {
    "mrr",
    "customers",
    "subscriptions_live",
    "reps_employed",
    "competitor_quotes",
    "competitor_prices",
    "rep_tenure_total",
}
FROM_SUBJECTS = {"arr", "revenue_per_account_mean", "client_outcomes_subscriptions_mean", "rep_tenure_mean", "ote_quota_ratio"}
"""Levels of accounts, reps and campaigns, and what is made of these alone."""

BY_KEY = {figure.key: figure for figure in FIGURES}


def test_measures_and_figures_have_names_of_their_own():
    assert len({measure.id for measure in MEASURES}) == len(MEASURES)
    assert len(BY_KEY) == len(FIGURES)
    assert VERSION >= 1


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.key)
def test_a_figure_says_what_it_is_and_stands_on_measures_of_the_catalogue(figure):
    assert figure.text
    assert set(figure.measures) <= set(MEASURES)
    assert figure.id.isidentifier()


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.id)
def test_a_measure_is_named_and_defined_where_it_is_written(measure):
    assert measure.id.isidentifier()
    assert measure.text.endswith(".")
    assert repr(measure) == f"<{measure.kind} {measure.id}>"
    assert set(measure.dims) <= set(DIMS)


def test_every_measure_is_in_some_figure():
    assert {measure for figure in FIGURES for measure in figure.measures} == set(MEASURES)


def test_the_figures_are_those_of_the_definitions():
    """Every id of the catalogue's tables has its row, under its own name or with what is told of it behind that."""
    ids = {figure.id for figure in FIGURES}
    missing = {each for each in DEFINED if not any(name == each or name.startswith(f"{each}_") for name in ids)}
    assert missing == NOT_YET
    statistics = ("samples", "mean", "p50", "p90", "p95", "max")
    assert {f"{name}_{statistic}" for name in DURATIONS for statistic in statistics} <= set(BY_KEY)
    assert {"sla_warnings{sla_percent=50}", "sla_warnings{sla_percent=80}", "sla_breaches"} <= set(BY_KEY)
    by_stage = ("stage_entries", "leads_in_stage", "leads_in_stage_ratio", *(f"time_in_stage_{each}" for each in statistics))
    assert {f"{name}{{lead_stage={stage}}}" for name in by_stage for stage in STAGES} <= set(BY_KEY)
    assert {f"funnel_leakage_ratio{{lead_stage={stage}}}" for stage in STAGES[:6]} <= set(BY_KEY)


def test_numerators_and_denominators_without_a_figure_of_their_own_get_one():
    single = [figure for figure in FIGURES if figure.tells]
    shown = {figure.numerator[0].id: figure for figure in single}
    assert len(shown) == len(single)
    for figure in KPIS:
        if figure.composed:
            assert {measure.id for measure in figure.measures} <= set(shown), figure.id
    assert shown["clocks_ended"].shown == board.REPS | board.SOURCES
    assert shown["leads_judged"].shown == board.NONE


def test_a_part_is_shown_wherever_one_of_its_ratios_is():
    one = ratio("one", calls_connected / calls, board.REPS)
    two = ratio("two", calls_connected / replies, board.SOURCES)
    found = {figure.id: figure.shown for figure in parts((one, two, count(replies)))}
    assert found == {"calls_connected": board.REPS | board.SOURCES, "calls": board.REPS}


def test_formulas_are_arithmetic_over_measures():
    both = Sum((Term(meetings_held), Term(meeting_no_shows)))
    assert calls_connected / calls == Quotient(Sum((Term(calls_connected),)), Sum((Term(calls),)))
    assert meetings_held / (meetings_held + meeting_no_shows) == Quotient(Sum((Term(meetings_held),)), both)
    assert (meetings_held + meeting_no_shows) / calls == Quotient(both, Sum((Term(calls),)))
    assert calls - calls_connected == Sum((Term(calls), Term(calls_connected, -1)))
    assert 2 * (calls - calls_connected) - replies == Sum((Term(calls, 2), Term(calls_connected, -2), Term(replies, -1)))
    assert calls + (calls_connected + calls) == Sum((Term(calls), Term(calls_connected), Term(calls)))


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (total("open", leads_known - calls + replies), "leads_known - calls + replies"),
        (total("yearly", 12 * leads_known), "12 × leads_known"),
        (total("less", 2 * calls - 3 * replies), "2 × calls - 3 × replies"),
        (ratio("churn", calls / (leads_known - calls)), "calls ÷ (leads_known - calls)"),
        (ratio("nps", 100 * (calls - replies) / calls_connected), "100 × (calls - replies) ÷ calls_connected"),
        (ratio("lost", -1 * calls / replies), "- calls ÷ replies"),
    ],
    ids=lambda each: getattr(each, "id", ""),
)
def test_a_formula_is_told_as_it_is_written(figure, text):
    assert figure.text == text
    assert figure.composed
    assert figure.tells is None


def test_what_has_a_flow_is_in_windows_and_what_has_none_is_now():
    assert total("then", leads_known - calls).windows == count(calls).windows
    assert total("then", leads_known - calls).formula is Formula.COUNT
    assert total("yearly", 12 * leads_known).windows == ("now",)
    assert total("yearly", 12 * leads_known).formula is Formula.LEVEL
    assert ratio("churn", calls / (leads_known - calls)).windows == count(calls).windows
    assert ratio("churn", leads_known / calls).windows == count(calls).windows


def test_a_ratio_of_a_hundred_is_in_points_and_money_over_money_is_no_money():
    assert ratio("nps", 100 * (calls - replies) / calls_connected).unit == "points"
    assert ratio("share", (calls - replies) / calls_connected).unit == "ratio"
    assert mean("share", pipeline_value / revenue).unit == ""
    assert mean("each", pipeline_value / calls).unit == "money"
    assert total("arr", 12 * pipeline_value).unit == "money"


def test_growth_is_told_from_a_day_on_and_of_what_is_kept_of_the_windows_before_only():
    figure = growth("more", leads_created)
    assert figure.text == "(leads_created - previous(leads_created)) ÷ previous(leads_created)"
    assert figure.windows == tuple(window.name for window in DAILY)
    assert figure.unit == "ratio"
    for measure in (calls, leads_known):
        with pytest.raises(ValueError, match=f"{measure.id} is not kept of the windows before"):
            previous(measure)


def test_the_parts_of_a_formula_are_published_flows_as_counts_and_levels_as_such():
    found = {figure.id: figure for figure in parts((total("then", leads_known - calls, board.REPS),))}
    assert {name: (figure.formula, figure.shown) for name, figure in found.items()} == {
        "leads_known": (Formula.LEVEL, board.REPS),
        "calls": (Formula.COUNT, board.REPS),
    }
    assert [figure.id for figure in parts((total("yearly", 12 * leads_known), level_now(leads_known)))] == []


def test_a_ratio_tells_its_formula():
    figure = ratio("show", meetings_held / (meetings_held + meeting_no_shows))
    assert figure.text == "meetings_held ÷ (meetings_held + meeting_no_shows)"
    assert figure.formula is Formula.RATIO
    assert mean("attempts", follow_up_attempts / calls).formula is Formula.MEAN


def test_a_ratio_names_its_parts_as_they_are_published():
    assert BY_KEY["lead_to_mql_ratio"].text == "lead_to_mql ÷ stage_entries{lead_stage=lead}"
    assert BY_KEY["leads_in_stage_ratio{lead_stage=sql}"].text == "leads_in_stage{lead_stage=sql} ÷ leads_known"
    assert BY_KEY["meeting_show_ratio"].text == "meetings_held ÷ (meetings_held + meeting_no_shows)"


def test_what_is_daily_has_windows_of_a_day_and_longer():
    daily = ("24h", "7d", "30d", "60d", "90d", "today", "week", "month", "quarter", "year")
    assert BY_KEY["stage_entries{lead_stage=mql}"].windows == BY_KEY["client_acquisition_ratio"].windows == daily
    assert BY_KEY["leads_first_contacted"].windows == ("5m", "15m", "1h", "4h", *daily)
    assert BY_KEY["leads_in_stage_ratio{lead_stage=sql}"].windows == ("now",)


def test_a_figure_has_the_dimensions_that_all_its_measures_have():
    usual = ("rep", "team", "lead_source", "origin", "sales_region", "segment", "campaign")
    assert count(leads_replied).dims == (*usual, "channel")
    assert ratio("r", meetings_booked / replies).dims == usual
    assert ratio("r", replies / meetings_booked).dims == usual
    assert count(replies).dims == (*usual, "channel", "sentiment")


def test_a_figure_has_a_pair_if_it_has_both_dimensions():
    assert count(replies).has("channel,sentiment")
    assert not count(leads_replied).has("channel,sentiment")


def test_quantiles_are_kept_for_some_dimensions_and_no_pairs():
    figures = {figure.id: figure for figure in latency(lead_response_time)}
    for name in ("p50", "p90", "p95", "max"):
        figure = figures[f"lead_response_time_{name}"]
        assert figure.dims == ("rep", "team", "lead_source", "origin", "segment", "channel")
        assert not figure.has("rep,team")
    for name in ("samples", "mean"):
        assert "campaign" in figures[f"lead_response_time_{name}"].dims
        assert figures[f"lead_response_time_{name}"].has("rep,campaign")


@pytest.mark.parametrize(
    ("key", "unit"),
    [
        ("calls", ""),
        ("reply_ratio", "ratio"),
        ("follow_up_attempts_mean", ""),
        ("lead_response_time_samples", ""),
        ("lead_response_time_mean", "seconds"),
        ("lead_response_time_p95", "seconds"),
        ("lead_response_time_max", "seconds"),
        ("oldest_lead_waiting", "timestamp_seconds"),
        ("leads_overdue", ""),
    ],
)
def test_a_figure_has_its_unit(key, unit):
    assert BY_KEY[key].unit == unit


def test_levels_have_no_window():
    levels = (
        "leads_awaiting_response",
        "leads_overdue",
        "oldest_lead_waiting",
        "leads_known",
        "leads_in_stage",
        "leads_in_stage_ratio",
        "open_opportunities",
        "pipeline_value",
        "weighted_pipeline_value",
    )
    own = [figure for figure in FIGURES if figure.of is None]
    assert {figure.id for figure in own if not figure.windowed} == {*levels, *OF_SUBJECTS, *FROM_SUBJECTS}
    assert not level_now(leads_awaiting_response).windowed
    assert not oldest("oldest", leads_awaiting_response).windowed


def test_labels_are_part_of_the_key():
    (figure,) = labelled([count(calls)], "share", percent="50", kind="x")
    assert (figure.id, figure.key) == ("share", "share{percent=50,kind=x}")
    assert [figure.key for figure in labelled(latency(lead_response_time)[:2], "time", of="x")] == [
        "time_samples{of=x}",
        "time_mean{of=x}",
    ]


def test_a_duration_makes_six_figures_of_which_slices_show_four():
    figures = latency(lead_response_time, board.REPS)
    assert [figure.id.rpartition("_")[2] for figure in figures] == ["samples", "mean", "p50", "p90", "p95", "max"]
    assert [bool(figure.shown) for figure in figures] == [True, True, True, True, False, False]
    assert all(figure.text.startswith(lead_response_time.text) for figure in figures)


def test_minimum_n_and_quantiles_are_those_of_the_definitions():
    assert {formula.value: least for formula, least in MINIMUM_N.items()} == {
        "mean": 1,
        "mean_time": 1,
        "ratio": 10,
        "p50": 1,
        "p90": 20,
        "p95": 30,
        "max": 1,
    }
    assert QUANTILES == {Formula.P50: 0.5, Formula.P90: 0.9, Formula.P95: 0.95}


def test_levels_and_durations_are_of_their_kind():
    levels = {"leads_awaiting_response", "leads_overdue", "leads_known", *(f"leads_in_stage_{stage}" for stage in STAGES)}
    levels |= {"open_opportunities", "pipeline_value", "weighted_pipeline_value"}
    assert {measure.id for measure in MEASURES if measure.kind is Kind.LEVEL} == levels | OF_SUBJECTS
    distinct = {"leads_contacted", "leads_in_conversation", "companies_responded", "accounts_expanded", "accounts_contracted"}
    assert {measure.id for measure in MEASURES if measure.kind is Kind.DISTINCT} == distinct


def test_what_differs_in_a_label_only_shares_a_definition():
    entries = [figure for figure in KPIS if figure.id == "stage_entries"]
    (text,) = {figure.common_text for figure in entries}
    assert len(entries) == len(STAGES)
    assert text.startswith("Leads that reached the stage *lead_stage*, at the first time")
    assert BY_KEY["calls"].common_text == BY_KEY["calls"].text


def test_money_is_money_but_for_its_shares():
    units = {figure.id: figure.unit for figure in FIGURES}
    money = {name for name, unit in units.items() if unit == "money"}
    assert {"revenue", "upsell_revenue", "deal_size_mean", "contract_value_mean", "pipeline_value", "revenue_lost"} <= money
    assert not {"win_value_ratio", "discount_ratio", "deals_won", "contracts_won", "open_opportunities"} & money
