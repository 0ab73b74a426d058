"""An organisation's own KPIs: what is taken in, and every mistake in them, all at once."""

import pytest

from models.catalogue import KPIS, MEASURES, OWN
from models.catalogue.activity import calls
from models.catalogue.speed import lead_response_time, leads_awaiting_response
from models.errors import InvalidKpisError
from models.extension import Module, Own, enlist, own, read
from models.givens import elapsed_days
from models.kpis import count, derived, labelled, latency, level_now, oldest, ratio, total
from models.measures import distinct, duration, flow, level


def touched(story):
    """Calls, again."""
    return calls.select(story)


def module(**defines):
    return Module("acme_kpis", defines, b"code")


def measure(name="knocks", declare=None, text="Knocks at the door.", select=touched):
    """A measure that counts calls under another name."""

    def found(story):
        return select(story)

    found.__name__, found.__doc__ = name, text
    return (declare or flow())(found)


def mistakes(**defines):
    """What is said of a module, a line each."""
    with pytest.raises(InvalidKpisError) as refused:
        read(module(**defines), MEASURES, KPIS)
    assert refused.value.where == "acme_kpis"
    count, *lines = refused.value.what.splitlines()
    assert count == ("a mistake" if len(lines) == 1 else f"{len(lines)} mistakes")
    return [line.strip() for line in lines]


def of_measure(made):
    return mistakes(MEASURES=(made,))


def of_figure(figure, *measures):
    return mistakes(MEASURES=measures, KPIS=(figure,))


def test_measures_and_kpis_are_taken_in_with_their_version_and_code():
    knocks, wait, closed = measure(), measure("wait", duration()), measure("doors", distinct())
    figures = (
        *(count(knocks), *latency(wait), count(closed), ratio("knocks_ratio", knocks / calls)),
        derived("knocks_daily", "Knocks a day.", [count(knocks)], [elapsed_days]),
        derived("wait_daily", "Waits a day.", [latency(wait)[0]], [elapsed_days]),
        *labelled([count(measure_here := measure("knocks_back"))], "knocks_all", door="back"),
        total("open_doors", leads_awaiting_response + leads_awaiting_response),
    )
    taken = read(module(MEASURES=[knocks, wait, closed, measure_here], KPIS=figures, VERSION=3), MEASURES, KPIS)
    assert taken == Own("acme_kpis", 3, b"code", (knocks, wait, closed, measure_here), figures)


def test_leadbeats_own_measures_are_enough():
    figure = ratio("calls_awaiting_ratio", leads_awaiting_response / calls)
    assert read(module(KPIS=(figure,)), MEASURES, KPIS) == Own("acme_kpis", 0, b"code", (), (figure,))


def test_what_is_enlisted_is_asked_for_when_the_catalogue_is_made():
    assert own(MEASURES, KPIS) == Own() == OWN
    knocks = measure()
    enlist(lambda: module(MEASURES=(knocks,)))
    assert own(MEASURES, KPIS).measures == (knocks,)
    enlist(None)
    assert own(MEASURES, KPIS) == Own()


def test_all_mistakes_are_told_at_once():
    found = mistakes(MEASURES=(measure("Knocks", text=""), len, 4), KPIS=(latency(lead_response_time), calls), VERSION="1")
    assert found == [
        "VERSION: is not a whole number",
        "MEASURES[1]: is not a measure: len, which has no decorator such as @flow()",
        "MEASURES[2]: is not a measure: 4",
        "KPIS[0]: is several KPIs: put a * before it, as in *latency(...)",
        "KPIS[1]: is not a KPI: <flow calls>; write count(...), ratio(...), ...",
        "Knocks: is no id: use small letters, digits and _, and begin with a letter",
        "Knocks: has no text: its docstring is the definition that people read",
    ]


def test_a_module_without_kpis_or_with_a_single_one_that_is_no_tuple():
    assert mistakes() == ["it defines neither MEASURES nor KPIS, tuples of both"]
    told = "is not a tuple; of a single one, too, a comma stands behind it: (one,)"
    assert mistakes(MEASURES=measure(), KPIS=count(calls)) == [f"MEASURES: {told}", f"KPIS: {told}"]


def test_ids_that_are_taken():
    assert of_measure(measure("calls")) == ["calls: Leadbeat has a measure of this id already"]
    assert mistakes(MEASURES=(measure(), measure())) == ["knocks: there are two measures of this id"]
    assert mistakes(KPIS=(count(calls),)) == ["calls: Leadbeat has a KPI of this id already"]
    knocks = measure()
    assert mistakes(MEASURES=(knocks,), KPIS=(count(knocks),) * 2) == ["knocks: there are two KPIs of this id"]
    another = "a measure has this name, whose number is another one: name the KPI differently"
    assert of_figure(ratio("knocks", knocks / calls), knocks) == [f"knocks: {another}"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("<lambda>", "is no id"),
        ("knocks-on", "is no id"),
        ("2knocks", "is no id"),
        ("lag_of_doors", "begins with lag_, which is reserved"),
        ("kpi_of_mine", "begins with kpi_, which is reserved"),
        ("knocks_by_rep", "names a dimension behind _by_"),
        ("knocks_by_team_and_channel", "names a dimension behind _by_"),
    ],
)
def test_ids_that_cannot_be(name, told):
    (line,) = of_measure(measure(name))
    assert line.startswith(f"{name}: {told}")
    assert any(line.startswith(f"{name}: {told}") for line in of_figure(ratio(name, calls / calls)))


def test_an_id_may_have_the_words_of_a_dimension_elsewhere():
    assert read(module(MEASURES=(measure("team_knocks_by_reply"),)), MEASURES, KPIS).measures


@pytest.mark.parametrize(
    ("declare", "told"),
    [
        (flow(("rep", "rep")), "has a dimension twice"),
        (duration(drill=True), "drill is for flows that count 1 each time, and this is a duration"),
        (flow(drill=True, money=True), "drill is for flows that count 1 each time, and this is an amount of money"),
        (flow(drill=True, seconds=True), "drill is for flows that count 1 each time, and this is a time"),
        (flow(timed=True), "timed is for measures that say what they read"),
    ],
)
def test_options_of_measures_that_cannot_be(declare, told):
    assert of_measure(measure(declare=declare)) == [f"knocks: {told}"]


def test_dimensions_and_tables_that_there_are_not():
    (line,) = of_measure(measure(declare=flow(("rep", "weather"))))
    assert line.startswith("knocks: 'weather' is not a dimension: use rep, team, lead_source, ")
    (line,) = of_measure(measure(declare=flow(reads=("touches", "invoices"))))
    assert line.startswith("knocks: reads 'invoices', which there is not: use stages, inquiries, touches, ")


def test_code_that_fails_or_gives_something_else():
    (line,) = of_measure(measure(select=lambda story: story.boked))
    assert line == "knocks: fails on a lead without facts: AttributeError: 'Story' object has no attribute 'boked'"
    (line,) = of_measure(measure(select=lambda story: 3))
    assert line == "knocks: gives int instead of occurrences, as story.acted(...) does"


def test_kpis_of_what_is_not_listed_or_does_not_fit():
    knocks, wait, waiting = measure(), measure("wait", duration()), measure("waiting", level())
    assert of_figure(ratio("knocks_ratio", knocks / calls)) == ["knocks_ratio: uses knocks, which is not listed in MEASURES"]
    assert of_figure(count(wait), wait) == ["wait: wait is a duration, of which there is no count"]
    assert of_figure(level_now(knocks), knocks) == ["knocks: knocks is a flow, of which there is no level"]
    assert of_figure(oldest("oldest_knock", waiting), waiting)[0].startswith("oldest_knock: oldest(...) is of leads that await")
    assert set(mistakes(MEASURES=(knocks,), KPIS=latency(knocks))) >= {
        "knocks_p50: knocks is a flow, of which there is no p50",
        "knocks_samples: knocks is a flow, of which there is no samples",
    }


def test_kpis_that_are_told_nowhere():
    by_rep, by_team = measure("by_reps", flow(("rep",))), measure("by_teams", flow(("team",)))
    assert of_figure(ratio("odd_ratio", by_rep / by_team), by_rep, by_team) == [
        "odd_ratio: its measures have no dimension in common, so it can be sliced by nothing"
    ]
    text = derived("knocks_daily", " ", [count(calls)], [elapsed_days], only=["fortnight"])
    assert of_figure(text) == ["knocks_daily: has no text", "knocks_daily: is told in no window"]


def test_labels_that_cannot_be():
    for name in ("rep", "window", "Door"):
        figure = ratio("calls_odd_ratio", calls / calls, **{name: "x"})
        assert of_figure(figure) == [f"calls_odd_ratio{{{name}=x}}: {name!r} cannot be a label's name"]


@pytest.mark.parametrize("name", ["rank", "target_attainment_ratio"])
def test_what_compares_kpis_is_there_already(name):
    knocks = measure()
    assert f"{name}: Leadbeat has a KPI of this id already" in of_figure(ratio(name, knocks / calls), knocks)
    assert mistakes(MEASURES=(knocks,), KPIS=(ratio("knocks_ratio", knocks / calls, of="doors"),)) == [
        "knocks_ratio{of=doors}: 'of' cannot be a label's name"
    ]
