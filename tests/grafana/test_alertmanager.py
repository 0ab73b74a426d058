"""Who is told of what, by the routes and inhibitions that are shipped."""

import re
from datetime import UTC, datetime, timedelta
from textwrap import indent

import httpx
import pytest
from alerting import ALERTMANAGER, alertmanager_for, receiving, tool
from services import CHECKOUT, until_sync

DOCS = (CHECKOUT / "docs" / "alerts.md").read_text()
PATIENCE_S = 20


def test_the_configuration_is_valid():
    assert "SUCCESS" in tool("amtool", "check-config", ALERTMANAGER)


@pytest.mark.parametrize("example", re.findall(r"^```yaml\n(- name: .+?)^```", DOCS, re.MULTILINE | re.DOTALL))
def test_each_receiver_of_the_documentation_can_be_put_in_its_place(example, tmp_path):
    (name,) = re.findall("^- name: (.+)", example)
    shipped = ALERTMANAGER.read_text()
    changed = re.sub(rf"  - name: {name}\n(    .*\n)+", lambda _: indent(example, "  "), shipped)
    assert changed != shipped
    path = tmp_path / "alertmanager.yml"
    path.write_text(changed)
    assert "SUCCESS" in tool("amtool", "check-config", path)


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ("about=leads severity=warning team=north", "sales"),
        ("about=leads severity=critical team=north", "sales-urgent"),
        ("about=leads severity=warning team=unassigned", "sales-urgent"),
        ("about=leads severity=warning team=other", "sales-urgent"),
        ("about=pipeline severity=warning", "operators"),
        ("about=pipeline severity=critical", "operators-urgent"),
        ("about=watchdog severity=none", "watchdog"),
        ("severity=critical", "operators"),
    ],
)
def test_an_alert_goes_to_whom_it_concerns(labels, receiver):
    routes = ("config", "routes", "test", f"--config.file={ALERTMANAGER}")
    assert tool("amtool", *routes, *labels.split()).strip() == receiver


@pytest.fixture
def receiver():
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def running(alertmanager, receiver):
    running = alertmanager(alertmanager_for(receiver.address))
    yield running
    running.server.stop()


def send(running, *alerts, ended=False):
    """Tell Alertmanager of alerts, as Prometheus does: that they fire from now on, or that they have just ended.

    An alert that has fired for longer than its group waits is told at once, even if what holds it back came with it.
    """
    now = datetime.now(UTC)
    begin, ends = (now - timedelta(minutes=1), now - timedelta(seconds=1)) if ended else (now, now + timedelta(minutes=5))
    content = [{"labels": labels, "startsAt": begin.isoformat(), "endsAt": ends.isoformat()} for labels in alerts]
    httpx.post(f"{running.url}/alerts", json=content).raise_for_status()


def alert(name, about, severity, **labels):
    return {"alertname": name, "about": about, "severity": severity, **labels}


OVERDUE = alert("LeadOverdue", "leads", "warning", team="north")
REDIS_DOWN = alert("LeadbeatRedisDown", "pipeline", "critical")


def test_while_the_pipeline_is_broken_nothing_is_said_about_leads(running, receiver):
    send(running, OVERDUE, REDIS_DOWN)
    until_sync(lambda: receiver.of("firing", "LeadbeatRedisDown"), PATIENCE_S, "it is told that Redis is down")
    assert running.suppressed() == {"LeadOverdue"}
    assert receiver.of("firing", "LeadOverdue") == []
    send(running, REDIS_DOWN, ended=True)
    (told,) = until_sync(lambda: receiver.of("firing", "LeadOverdue"), PATIENCE_S, "it is told that a lead waits")
    assert (told.receiver, told.labels) == ("sales", OVERDUE)
    (told,) = until_sync(lambda: receiver.of("resolved", "LeadbeatRedisDown"), PATIENCE_S, "it is told that Redis is back")
    assert told.receiver == "operators-urgent"


def test_to_be_behind_is_not_told_of_what_stands_still(running, receiver):
    send(running, alert("LeadbeatFallsBehind", "pipeline", "warning"), alert("LeadbeatStandsStill", "pipeline", "critical"))
    until_sync(lambda: receiver.of("firing", "LeadbeatStandsStill"), PATIENCE_S, "it is told")
    assert running.suppressed() == {"LeadbeatFallsBehind"}


def test_a_warning_of_the_pipeline_holds_nothing_back(running, receiver):
    send(running, OVERDUE, alert("LeadbeatDeadLetters", "pipeline", "warning", connection="acme"))
    for name, told_to in (("LeadOverdue", "sales"), ("LeadbeatDeadLetters", "operators")):
        until_sync(lambda name=name: receiver.of("firing", name), PATIENCE_S, f"{name} is told")
        assert [told.receiver for told in receiver.of("firing", name)] == [told_to]


def test_a_team_gets_one_message_for_all_that_is_wrong_there(running, receiver):
    ratio = alert("SlaRatioLow", "leads", "warning", team="north")
    elsewhere = OVERDUE | {"team": "south"}
    send(running, OVERDUE, ratio, elsewhere)
    until_sync(lambda: len(receiver.told) >= 3, PATIENCE_S, "all are told")
    texts = {(told.labels["alertname"], told.labels["team"]): told.text for told in receiver.told}
    assert texts["LeadOverdue", "north"] == texts["SlaRatioLow", "north"] != texts["LeadOverdue", "south"]
