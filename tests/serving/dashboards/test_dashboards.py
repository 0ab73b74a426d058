"""Dashboards are fresh, well formed, and explain what they show: what Grafana's own linter asks for, and more."""

import json
import re
from collections import defaultdict
from itertools import combinations

import pytest
from published import at_noon, samples, serving
from services import CHECKOUT

from models.catalogue import FIGURES, KPIS
from models.kpis import Figure, Formula
from streams.serving.dashboards import Name, render
from streams.serving.dashboards.service import variables
from streams.serving.profile import metrics_of, shown_by
from streams.telemetry import NormaliserMetrics, ProcessorMetrics, registry

DASHBOARDS = {name: json.loads(render(name)) for name in Name}
PANELS = {
    f"{name} {panel['id']} {panel['title']}": panel
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
}
VARIABLES = {variable["name"]: variable for variable in variables()}
FIGURES_OF: dict[str, list[Figure]] = defaultdict(list)
"""Each metric of the default profile, with the figures that it tells: of one metric they differ in their labels."""
for figure in FIGURES:
    for metric in (metric for dim in ("", *shown_by()[figure.key]) for metric in metrics_of(figure, dim)):
        FIGURES_OF[metric].append(figure)

each_panel = pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
each_dashboard = pytest.mark.parametrize("name", Name)


def asked(panel) -> str:
    """All that a panel asks for, money in euros."""
    return " ".join(target["expr"] for target in panel["targets"]).replace("[a-z]{3}", "eur")


def metrics(panel) -> set[str]:
    """The names of the metrics that a panel asks for."""
    return set(re.findall(r"\bleadbeat_\w+", asked(panel)))


def figures(panel) -> list[Figure]:
    """The catalogue's figures that a panel shows: by their metrics, and by the labels of those."""
    selectors = re.findall(r'(?:\{__name__=~")?\b(leadbeat_\w+)([^)}]*)', asked(panel))
    return [
        figure
        for metric, matchers in dict.fromkeys(selectors)
        for figure in FIGURES_OF.get(metric, ())
        if all(f'{name}="{text}"' in matchers for name, text in figure.labels)
    ]


@each_dashboard
def test_a_dashboard_is_fresh(name):
    assert (CHECKOUT / "grafana" / "dashboards" / f"{name}.json").read_text() == render(name), "make docs"


@each_dashboard
def test_it_has_an_identity_of_its_own_and_cannot_be_changed_in_the_browser(name):
    dashboard = DASHBOARDS[name]
    assert dashboard["uid"] == f"leadbeat-{name.replace('_', '-')}"
    assert dashboard["editable"] is False
    assert "id" not in dashboard


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
    shown = figures(panel)
    told = {figure.tells for figure in shown}
    for figure in shown:
        if figure.formula is Formula.RATIO and not any(term.part for term in figure.under.terms):
            assert set(figure.denominator) <= told, f"{figure.key} without its denominator"


@each_panel
def test_a_panel_uses_variables_that_there_are(panel):
    used = set(re.findall(r"\$\{?(?!__)(\w+)", json.dumps(panel)))
    assert used - VARIABLES.keys() == set()


@each_dashboard
def test_a_dashboard_has_the_variables_that_it_uses_and_no_others(name):
    dashboard = DASHBOARDS[name]
    used = set(re.findall(r"\$\{?(?!__)(\w+)", json.dumps([dashboard["panels"], dashboard["links"]])))
    assert {variable["name"] for variable in dashboard["templating"]["list"]} - {"filters"} == used


async def test_a_panel_asks_for_metrics_that_there_are():
    async with serving(at_noon()) as client:
        page = samples((await client.get("/metrics")).text)
    ours = registry()
    ProcessorMetrics(ours)
    NormaliserMetrics(ours)
    told = {metric for metric, _ in page} | {f"{family.name}" for family in ours.collect()}
    known = FIGURES_OF.keys() | told | {f"{name}_total" for name in told}
    assert set().union(*map(metrics, PANELS.values())) - known == set()


def test_every_kpi_of_the_catalogue_is_shown():
    shown = {figure.key for name, panel in PANELS.items() if name.startswith(Name.EVERY_KPI) for figure in figures(panel)}
    left_out = {Formula.OLDEST, Formula.P95, Formula.MAX, Formula.ATTAINMENT, Formula.PLACE}
    asked = [figure for figure in KPIS if figure.formula not in left_out]
    assert {figure.key for figure in asked} - shown == set()


def test_a_table_names_each_of_its_rows_and_columns_once():
    for name, panel in PANELS.items():
        columns = [override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]]
        assert len(set(columns)) == len(columns), name
        for target in panel["targets"]:
            names = re.findall(r'"kpi", "(.*?)"', target["expr"])
            assert len(set(names)) == len(names), name


@each_dashboard
def test_panels_lie_side_by_side_within_the_width(name):
    places = [panel["gridPos"] for panel in DASHBOARDS[name]["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert [pair for pair in combinations(places, 2) if overlap(*pair)] == []
    assert len({panel["id"] for panel in DASHBOARDS[name]["panels"]}) == len(places)


def overlap(one, other) -> bool:
    return all(
        one[start] < other[start] + other[size] and other[start] < one[start] + one[size] for start, size in ("xw", "yh")
    )


def test_variables_are_loaded_anew_and_several_installations_can_be_told_apart():
    assert [name for name, variable in VARIABLES.items() if variable["type"] == "query" and variable["refresh"] != 2] == []
    assert VARIABLES["filters"]["type"] == "adhoc"
    assert VARIABLES["datasource"]["query"] == "prometheus"
