"""Measures, figures and the catalogue: declared once, named well, shown where they can be."""

import pytest

from models.catalogue import FIGURES, KPIS, MEASURES, VERSION
from models.catalogue.activity import calls, calls_connected, meeting_no_shows, meetings_held
from models.catalogue.replies import leads_replied, meetings_booked, replies
from models.catalogue.speed import follow_up_attempts, lead_response_time, leads_awaiting_response
from models.kpis import MINIMUM_N, QUANTILES, Formula, board, count, labelled, latency, level_now, mean, oldest, parts, ratio
from models.measures import Kind, Quotient, Sum

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
    assert measure.dims[:3] == ("rep", "team", "lead_source")


def test_every_measure_is_in_some_figure():
    assert {measure for figure in FIGURES for measure in figure.measures} == set(MEASURES)


def test_the_figures_are_those_of_the_definitions():
    durations = ("lead_response_time", "lead_contact_time", "routing_delay", "rep_delay", "time_to_first_meeting", "reply_time")
    ratios = {figure.id for figure in FIGURES if figure.formula is Formula.RATIO}
    assert ratios == {
        "response_within_sla_ratio",
        "leads_followed_up_ratio",
        "never_contacted_ratio",
        "call_connect_ratio",
        "touches_connected_ratio",
        "meeting_show_ratio",
        "reply_ratio",
        "positive_reply_ratio",
        "negative_reply_ratio",
        "meeting_acceptance_ratio",
    }
    statistics = ("samples", "mean", "p50", "p90", "p95", "max")
    assert {f"{name}_{statistic}" for name in durations for statistic in statistics} <= set(BY_KEY)
    assert {"leads_awaiting_response", "leads_overdue", "oldest_lead_waiting", "follow_up_attempts_mean"} <= set(BY_KEY)
    assert {"sla_warnings{sla_percent=50}", "sla_warnings{sla_percent=80}", "sla_breaches"} <= set(BY_KEY)


def test_numerators_and_denominators_without_a_figure_of_their_own_get_one():
    shown = {figure.id: figure for figure in FIGURES if figure.formula is Formula.COUNT and not figure.labels}
    for figure in KPIS:
        if figure.denominator:
            assert {measure.id for measure in figure.measures} <= set(shown), figure.id
    assert shown["clocks_ended"].shown == board.REPS | board.SOURCES
    assert shown["leads_judged"].shown == board.NONE


def test_a_part_is_shown_wherever_one_of_its_ratios_is():
    one = ratio("one", calls_connected / calls, board.REPS)
    two = ratio("two", calls_connected / replies, board.SOURCES)
    found = {figure.id: figure.shown for figure in parts((one, two, count(replies)))}
    assert found == {"calls_connected": board.REPS | board.SOURCES, "calls": board.REPS}


def test_formulas_are_arithmetic_over_measures():
    assert calls_connected / calls == Quotient(Sum((calls_connected,)), Sum((calls,)))
    assert meetings_held / (meetings_held + meeting_no_shows) == Quotient(
        Sum((meetings_held,)), Sum((meetings_held, meeting_no_shows))
    )
    assert (meetings_held + meeting_no_shows) / calls == Quotient(Sum((meetings_held, meeting_no_shows)), Sum((calls,)))


def test_a_ratio_tells_its_formula():
    figure = ratio("show", meetings_held / (meetings_held + meeting_no_shows))
    assert figure.text == "meetings_held ÷ (meetings_held + meeting_no_shows)"
    assert figure.formula is Formula.RATIO
    assert mean("attempts", follow_up_attempts / calls).formula is Formula.MEAN


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
    assert [figure.key for figure in FIGURES if not figure.windowed] == [
        "leads_awaiting_response",
        "leads_overdue",
        "oldest_lead_waiting",
    ]
    assert not level_now(leads_awaiting_response).windowed
    assert not oldest("oldest", leads_awaiting_response).windowed


def test_labels_are_part_of_the_key():
    figure = labelled("share", calls, percent="50", kind="x")
    assert (figure.id, figure.key) == ("share", "share{percent=50,kind=x}")


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
    assert {measure.id for measure in MEASURES if measure.kind is Kind.LEVEL} == {"leads_awaiting_response", "leads_overdue"}
    assert [measure.id for measure in MEASURES if measure.kind is Kind.DISTINCT] == ["leads_contacted"]
