"""The alert rules, by Prometheus's own tools, and what is written about them."""

import re
from pathlib import Path

import pytest
from alerting import PROMETHEUS, prometheus_at, tool
from build import MINUTE, NOON, RULES, lead
from msgspec.structs import replace
from prometheus_client import CollectorRegistry
from published import at_noon, samples, serving
from services import CHECKOUT, until_sync

from models.rules import Quota
from streams.telemetry import (
    AuditMetrics,
    GatewayMetrics,
    NormaliserMetrics,
    ProcessorMetrics,
    RotationMetrics,
    SpoolCollector,
    SpoolState,
)

CONFIG = PROMETHEUS / "prometheus.yml"
TEXT = "".join(path.read_text() for path in sorted((PROMETHEUS / "rules").glob("*.yml")))
ALERTS = sorted(re.findall(r"^ +- alert: (\w+)$", TEXT, re.MULTILINE))
UNIT_TESTS = sorted(Path(__file__).parent.glob("*.test.yml"))
DOCS = (CHECKOUT / "docs" / "alerts.md").read_text()

FILLED_IN = re.compile(r"{{.*?}}")
"""What stands in an annotation in place of a value."""


@pytest.fixture(scope="module")
def rules(prometheus):
    """The rules, by name, as a Prometheus has them that runs the shipped file, once it has evaluated all of them."""
    running = prometheus(CONFIG)

    def evaluated():
        found = [rule for group in running.get("rules")["groups"] for rule in group["rules"]]
        return all(rule["health"] != "unknown" for rule in found) and {rule["name"]: rule for rule in found}

    return until_sync(evaluated, 30, "every rule was evaluated")


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.name)
def test_the_rules_alert_when_they_should_and_only_then(path):
    assert "SUCCESS" in tool("promtool", "test", "rules", path)


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_seen_to_fire_and_not_to_fire(alert):
    text = "".join(path.read_text() for path in UNIT_TESTS)
    seen = re.findall(rf"alertname: {alert}(?:\n +exp_alerts:\n|, (exp_alerts: \[\]))", text)
    assert set(seen) == ({""} if alert == "Watchdog" else {"", "exp_alerts: []"})


def test_the_configuration_and_all_that_it_names_are_valid(tmp_path):
    assert "SUCCESS" in tool("promtool", "check", "config", "--lint-fatal", prometheus_at(tmp_path))


def test_prometheus_evaluates_each_rule(rules):
    assert sorted(rules) == ALERTS
    assert {rule["health"] for rule in rules.values()} == {"ok"}


async def test_each_series_that_a_rule_asks_for_is_told_by_some_process():
    registry = CollectorRegistry()
    for metrics in (GatewayMetrics, NormaliserMetrics, ProcessorMetrics, RotationMetrics):
        metrics(registry)
    AuditMetrics(registry).tell(0, 0, 0, 0)
    registry.register(SpoolCollector(lambda: SpoolState(1, 1, 1, 1, 1)))
    told = {family.name + suffix for family in registry.collect() for suffix in ("", "_total")}
    quotas = replace(RULES, quotas=(Quota("1", "year", rep="ana"),))
    async with serving(at_noon(lead(created_at=NOON - 9 * MINUTE, owner="ana"), rules=quotas)) as client:
        told |= {metric for metric, _ in samples((await client.get("/metrics")).text)}
    asked = set(re.findall(r"\bleadbeat_\w+", TEXT))
    assert asked
    assert asked - told == set()


def test_each_alert_says_whom_it_concerns_and_what_to_do(rules):
    for name, rule in rules.items():
        assert (rule["labels"]["about"], rule["labels"]["severity"]) in {
            *(("leads", "warning"), ("leads", "critical")),
            *(("pipeline", "warning"), ("pipeline", "critical")),
            ("watchdog", "none"),
        }, name
        assert set(rule["annotations"]) == {"summary", "description"}, name


def test_thresholds_stand_in_the_rules_alone(rules):
    """What is written of them elsewhere would be wrong once they are changed."""
    texts = {name: " ".join(rule["annotations"].values()) for name, rule in rules.items()} | sections()
    said = {name: re.findall(r"(?<![\w.])\d+", FILLED_IN.sub("", text)) for name, text in texts.items()}
    assert {name: numbers for name, numbers in said.items() if numbers} == {}


def test_the_documentation_has_each_alert_with_its_severity_and_what_to_do(rules):
    assert sections().keys() == {f"{name} ({rule['labels']['severity']})" for name, rule in rules.items()}
    assert [heading for heading, text in sections().items() if "*Do*: " not in text] == ["Watchdog (none)"]


def sections():
    """The documentation's sections about alerts, by heading."""
    parts = re.split(r"^##+ (.+)$", DOCS, flags=re.MULTILINE)
    return {heading: text for heading, text in zip(parts[1::2], parts[2::2], strict=True) if heading.endswith(")")}
