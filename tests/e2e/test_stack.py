"""What docker-compose.yml starts, started by the same commands and files: it comes up, is scraped, shown, and ends in order."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from signal import SIGTERM

import pytest
from redis import Redis
from services import CHECKOUT, Missing, Prometheus, until_sync
from stack import LOOK_S, Stack

from models.catalogue import FIGURES
from models.kpis import MINIMUM_N
from streams.serving.dashboards.promql import n
from streams.serving.profile import metrics_of, shown_by

pytestmark = pytest.mark.timeout(400)

DASHBOARD = json.loads((CHECKOUT / "grafana" / "dashboards" / "speed_to_lead.json").read_text())
RULES = CHECKOUT / "grafana" / "prometheus" / "rules"
PATIENCE_S = 90

TARGETS = {("exporter", "9108"), ("gateway", "8080"), ("worker", "9109"), ("worker", "9110")}

CHOSEN = {"window": "24h", "team": ".*", "rep": ".*"}
"""What the dashboard's variables stand for."""

QUERIES = [(panel, target) for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]

SHOWN = {
    metric: (figure, dim) for figure in FIGURES for dim in ("", *shown_by()[figure.key]) for metric in metrics_of(figure, dim)
}
"""Each metric of the default profile, with its figure and dimension."""

EVERY_KPI = json.loads((CHECKOUT / "grafana" / "dashboards" / "every_kpi.json").read_text())
TABLES = [panel for panel in EVERY_KPI["panels"] if panel["type"] == "table"]

NEEDS_WEEKS = {"Within SLA", "Mean response time", "n: clocks ended"}
"""The heat maps: they have nothing to show before an hour is full."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of it but Grafana, which is no package here, fed by the simulator."""
    folder = tmp_path_factory.mktemp("stack")
    subprocess.run(["make", "--silent", "--file", CHECKOUT / "Makefile", "secrets"], cwd=folder, check=True)
    stack = Stack(folder)
    try:
        for name in ("alertmanager", "prometheus", "simulator"):
            stack.start(name)
        yield stack
    except Missing as missing:
        pytest.skip(str(missing))
    finally:
        stack.end()


@pytest.fixture(scope="module")
def prometheus(stack: Stack) -> Prometheus:
    """The stack's, once it has scraped what became of the simulated history."""
    prometheus = Prometheus(stack.processes["prometheus"], stack.url("prometheus", "9090"))
    until_sync(lambda: "history_delivered" in stack.processes["simulator"].text(), PATIENCE_S, "the history is delivered")
    ready = (
        'leadbeat_leads_created{window="24h"} > 100 and on () leadbeat_round_stale == 0 and on () sum(leadbeat_lag_events) == 0'
    )
    until_sync(lambda: prometheus.query(ready), PATIENCE_S, "Prometheus has the numbers", LOOK_S)
    return prometheus


def test_prometheus_reaches_all_that_it_is_to_scrape(stack, prometheus):
    targets = prometheus.get("targets")["activeTargets"]
    assert {target["labels"]["instance"]: target["health"] for target in targets} == {
        f"127.0.0.1:{stack.port(*target)}": "up" for target in TARGETS
    }


def test_prometheus_has_the_rules_and_an_alertmanager_to_tell(stack, prometheus):
    groups = prometheus.get("rules")["groups"]
    assert {Path(group["file"]).name for group in groups} == {path.name for path in RULES.glob("*.yml")}
    assert {rule["health"] for group in groups for rule in group["rules"]} <= {"ok", "unknown"}
    (alertmanager,) = prometheus.get("alertmanagers")["activeAlertmanagers"]
    assert alertmanager["url"].startswith(stack.url("alertmanager", "9093"))


@pytest.mark.parametrize(
    ("panel", "target"), QUERIES, ids=[f"{panel['title']}: {target['refId']}" for panel, target in QUERIES]
)
def test_every_query_of_the_dashboard_is_answered(prometheus, panel, target):
    expression = target["expr"]
    answer = asked(prometheus, expression, over_time=target["range"])
    assert answer or panel["title"] in NEEDS_WEEKS or stands_on_too_few(prometheus, expression), expression


@pytest.mark.parametrize("panel", TABLES, ids=[panel["title"] for panel in TABLES])
def test_every_kpi_has_a_row_or_a_reason_for_none(prometheus, panel):
    reasons = {
        (sample["metric"]["kpi"], sample["metric"]["window"]) for sample in prometheus.query("leadbeat_kpi_without_value")
    }
    for target in panel["targets"]:
        answer = asked(prometheus, target["expr"])
        told = {sample["metric"].get("kpi") for sample in answer}
        for expression, row in re.findall(r'label_replace\((.*?), "kpi", "(.*?)", "", ""\)', target["expr"]):
            kpis = {SHOWN[metric][0].id for metric in re.findall(r"leadbeat_\w+", expression.replace("[a-z]{3}", "eur"))}
            window = re.search(r'window="(.*?)"', expression.replace("$window", CHOSEN["window"]))
            without = {(kpi, window[1] if window else "now") for kpi in kpis}
            assert row in told or without & reasons, (row, expression)
        if ": by rep" in panel["title"]:
            assert all(sample["metric"]["rep"] for sample in answer)


def asked(prometheus, expression, *, over_time=False):
    """What Prometheus answers to a query as Grafana would ask it; a refusal is an error."""
    expression = re.sub(r"\$(\w+)", lambda found: CHOSEN[found[1]], expression)
    if not over_time:
        return prometheus.query(expression)
    now = time.time()
    return prometheus.get("query_range", query=expression, start=str(now - 60), end=str(now), step="5")["result"]


def stands_on_too_few(prometheus, expression):
    """Whether no slice has enough for the figures in a query, so that they are rightly withheld."""
    figures = [SHOWN[metric] for metric in re.findall(r"leadbeat_\w+", expression) if metric in SHOWN]
    counts = [(asked(prometheus, n(figure.key, dim)), MINIMUM_N.get(figure.formula, 0)) for figure, dim in figures]
    few = [samples and all(float(sample["value"][1]) < least for sample in samples) for samples, least in counts]
    return few and all(few)


@pytest.mark.parametrize(
    ("name", "value"), [("window", "24h"), ("team", "Inbound"), ("rep", "Chloé Martin")], ids=["window", "team", "rep"]
)
def test_each_variable_has_something_to_choose(prometheus, name, value):
    (variable,) = (variable for variable in DASHBOARD["templating"]["list"] if variable["name"] == name)
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]).groups()
    assert value in prometheus.get(f"label/{label}/values", **{"match[]": metric})


def test_the_topics_job_has_made_the_topics_and_ended(stack):
    job = stack.processes["topics"]
    made = [json.loads(line)["topic"] for line in job.text().splitlines() if '"topic_made"' in line]
    assert (job.popen.returncode, len(made)) == (0, 5)


def test_redis_keeps_what_it_is_told_and_never_evicts(stack):
    with Redis(port=stack.port("redis", "6379")) as client:
        kept = {name: client.config_get(name)[name] for name in ("appendonly", "appendfsync", "maxmemory-policy")}
    assert kept == {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
    assert list(stack.root("redis").glob("data/appendonlydir/*.aof"))


def test_the_first_webhook_is_sent_as_the_readme_says(stack):
    sending = re.compile(r"^```bash\n(url=.*?)^```$", re.DOTALL | re.MULTILINE)
    (readme,) = sending.findall((CHECKOUT / "README.md").read_text())
    (page,) = sending.findall((CHECKOUT / "docs" / "providers.md").read_text())
    first = [line.partition("=")[0] for line in page.splitlines()[:3]]
    assert first == [line.partition("=")[0] for line in readme.splitlines()]
    script = readme.replace("8080", str(stack.port("gateway", "8080"))) + "".join(page.splitlines(keepends=True)[3:])
    done = subprocess.run(["bash", "-ec", script], cwd=stack.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_is_healthy(stack):
    checked = [name for name in stack.processes if "healthcheck" in stack.content["services"][name]]
    assert len(checked) == 7
    for name in checked:
        until_sync(lambda name=name: stack.is_healthy(name), PATIENCE_S, f"{name} is healthy", LOOK_S)


def test_the_doctor_reaches_all_of_it_and_finds_nothing_broken(stack, prometheus):
    def finds_nothing() -> bool:
        stack.processes.pop("leadbeat", None)
        return stack.start("leadbeat").popen.wait(PATIENCE_S) == 0

    with suppress(AssertionError):
        until_sync(finds_nothing, PATIENCE_S, "the doctor finds nothing", LOOK_S)
    found = stack.processes.pop("leadbeat").text()
    assert re.findall(r"^fail.*", found, re.MULTILINE) == []
    ready = re.findall(r"^ok +(\w+): is ready at http", found, re.MULTILINE)
    assert set(ready) == {"gateway", "exporter", "normaliser", "processor"}


def test_everything_ends_in_order_within_its_time(stack, prometheus):
    ended = stack.end()
    assert ended.pop("simulator") == -SIGTERM  # it has nothing to put in order
    assert ended.pop("kafka") in {0, 128 + SIGTERM}  # how Java tells that it was asked to
    assert set(ended.values()) == {0}
