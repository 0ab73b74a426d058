"""The dashboard is fresh, well formed, and explains what it shows: what Grafana's own linter asks for, and more."""

import json
import re
from itertools import combinations

import pytest
from published import at_noon, samples, serving
from services import CHECKOUT

from models.catalogue import FIGURES, activity, replies, speed
from models.kpis import Figure, Formula
from streams.serving.dashboards import render
from streams.serving.profile import metrics_of, shown_by
from streams.telemetry import NormaliserMetrics, ProcessorMetrics, registry

FILE = CHECKOUT / "grafana" / "dashboards" / "speed_to_lead.json"
DASHBOARD = json.loads(render())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
FIGURE_OF = {
    metric: figure for figure in FIGURES for dim in ("", *shown_by()[figure.key]) for metric in metrics_of(figure, dim)
}
"""Each metric of the default profile, with the figure that it tells."""

each_panel = pytest.mark.parametrize("panel", PANELS, ids=[f"{panel['id']} {panel['title']}" for panel in PANELS])


def metrics(panel) -> set[str]:
    """The names of the metrics that a panel asks for."""
    return set(re.findall(r"\bleadbeat_\w+", " ".join(target["expr"] for target in panel["targets"])))


def figures(panel) -> list[Figure]:
    """The catalogue's figures that a panel shows."""
    return [FIGURE_OF[metric] for metric in sorted(metrics(panel)) if metric in FIGURE_OF]


def test_the_dashboard_is_fresh():
    assert FILE.read_text() == render(), "make docs"


def test_it_has_an_identity_of_its_own_and_cannot_be_changed_in_the_browser():
    assert DASHBOARD["uid"] == "leadbeat-speed-to-lead"
    assert DASHBOARD["editable"] is False
    assert "id" not in DASHBOARD


@each_panel
def test_a_panel_has_a_title_a_description_a_unit_and_the_chosen_data_source(panel):
    assert panel["title"]
    assert panel["description"]
    assert panel["fieldConfig"]["defaults"]["unit"] in {"short", "percentunit", "s", "dtdurations", "none"}
    sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
    assert {source["uid"] for source in sources} == {"${datasource}"}
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0


@each_panel
def test_a_panel_explains_every_number_that_it_shows(panel):
    texts = {measure.text for figure in figures(panel) for measure in figure.measures}
    assert [text for text in texts if text not in panel["description"]] == []


@each_panel
def test_n_stands_beside_every_ratio(panel):
    shown = metrics(panel)
    for figure in figures(panel):
        if figure.formula is Formula.RATIO:
            parts = [
                metric for metric in shown if FIGURE_OF.get(metric) and FIGURE_OF[metric].numerator[0] in figure.denominator
            ]
            assert len(parts) >= len(figure.denominator), f"{figure.id} without its denominator"


@each_panel
def test_a_panel_uses_variables_that_there_are(panel):
    used = set(re.findall(r"\$\{?(?!__)(\w+)", json.dumps(panel)))
    assert used - VARIABLES.keys() == set()


async def test_a_panel_asks_for_metrics_that_there_are():
    async with serving(at_noon()) as client:
        page = samples((await client.get("/metrics")).text)
    ours = registry()
    ProcessorMetrics(ours)
    NormaliserMetrics(ours)
    told = {metric for metric, _ in page} | {f"{family.name}" for family in ours.collect()}
    known = FIGURE_OF.keys() | told | {f"{name}_total" for name in told}
    assert set().union(*map(metrics, PANELS)) - known == set()


def test_every_ratio_of_its_themes_is_shown():
    (rates,) = (panel for panel in PANELS if panel["title"].startswith("Rates"))
    figures = (figure for theme in (activity, replies, speed) for figure in theme.KPIS)
    ratios = {metric for figure in figures if figure.formula is Formula.RATIO for metric in metrics_of(figure)}
    assert ratios <= metrics(rates)
    names = re.findall(r'"rate", "(.*?)"', rates["targets"][0]["expr"])
    assert len(set(names)) == len(ratios)


def test_panels_lie_side_by_side_within_the_width():
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert [pair for pair in combinations(places, 2) if overlap(*pair)] == []
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


def overlap(one, other) -> bool:
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size] for start, size in ("xw", "yh")
    )


def test_variables_are_loaded_anew_and_several_installations_can_be_told_apart():
    assert [name for name, variable in VARIABLES.items() if variable["type"] == "query" and variable["refresh"] != 2] == []
    assert VARIABLES["filters"]["type"] == "adhoc"
    assert VARIABLES["datasource"]["query"] == "prometheus"
