"""A lead waits, and somebody is told: through real Prometheus and Alertmanager, by the rules and routes that are shipped.

Leadbeat's clock is the test's; Prometheus goes by its own, which is at `now` or a little later.
"""

from dataclasses import dataclass

import pytest
from alerting import Receiver, Told, alertmanager_for, prometheus_at, receiving
from histories import call, lead
from services import Alertmanager, Prometheus, free_port
from system import START_S, System

from models.units import MINUTE, SECOND

RULES = """
organisation = { zone = "Europe/Berlin", working_hours = ["Mon-Sun 00:00-24:00"] }
roster = [{ rep = "ana", team = "north" }]
sla = [{ target = "1m" }]
"""

TOLD_S = 120
"""How long an alert may be on its way: scrapes and `for` take most of a minute, on a machine that has much else to do."""


@dataclass
class Watch:
    """Leadbeat, and those who watch over it."""

    system: System
    prometheus: Prometheus
    alertmanager: Alertmanager
    receiver: Receiver

    async def sees(self, query: str) -> None:
        """Wait until a query has an answer."""
        await self.system.until(lambda: self.prometheus.query(query), START_S, query)

    async def told(self, status: str, alert: str) -> Told:
        """What the receiver is told of an alert first."""
        return (await self.system.until(lambda: self.receiver.of(status, alert), TOLD_S, f"{alert} is told as {status}"))[0]


@pytest.fixture
async def watch(system, prometheus, alertmanager, tmp_path):
    """All services, from the configuration that is shipped, at other addresses."""
    ports = {name: free_port() for name in ("normaliser_port", "processor_port")}
    config = system.configure(RULES, **ports)
    for name in ("gateway", "worker", "exporter"):
        system.start(name, config)
    await system.accepting()
    with receiving() as receiver:
        manager = alertmanager(alertmanager_for(receiver.address))
        targets = {"gateway": [system.gateway_port], "exporter": [system.exporter_port], "worker": ports.values()}
        addresses = {name: [f"127.0.0.1:{port}" for port in found] for name, found in targets.items()}
        observer = prometheus(prometheus_at(tmp_path, alertmanager=[manager.address], **addresses))
        watch = Watch(system, observer, manager, receiver)
        await watch.sees('count(up{job=~"leadbeat-.+"} == 1) == 4')
        yield watch
        observer.server.stop()
        manager.server.stop()


@pytest.mark.timeout(400)
async def test_a_lead_that_waits_too_long_is_told_until_it_is_answered(watch, now):
    system, receiver = watch.system, watch.receiver
    await system.post([lead("ada-lovelace", created_at=now, owner="ana")])
    await system.tick(now + 30 * SECOND)
    await watch.sees('leadbeat_leads_awaiting_response_by_team{team="north"} == 1')
    assert watch.prometheus.query('ALERTS{about="leads"}') == []

    await system.tick(now + 4 * MINUTE)
    told = await watch.told("firing", "LeadOverdue")
    assert (told.receiver, told.labels["team"], told.labels["severity"]) == ("sales", "north", "warning")
    assert "lovelace" not in told.text

    await system.post([call("c1", now + 4 * MINUTE, "ada-lovelace", rep="ana")])
    await system.tick(now + 4 * MINUTE + 10 * SECOND)
    await watch.told("resolved", "LeadOverdue")
    assert [(told.status, told.alert) for told in receiver.told] == [("firing", "LeadOverdue"), ("resolved", "LeadOverdue")]


@pytest.mark.timeout(400)
async def test_while_the_pipeline_stands_still_that_is_told_and_leads_are_not(watch, now):
    system, receiver = watch.system, watch.receiver
    await system.post([lead("ada-lovelace", created_at=now - 20 * MINUTE, owner="ana")])
    await system.tick(now - 10 * MINUTE)
    told = await watch.told("firing", "LeadbeatStandsStill")
    assert told.receiver == "operators-urgent"
    await system.until(lambda: "LeadOverdue" in watch.alertmanager.suppressed(), TOLD_S, "the alert of the lead is held back")
    assert {told.alert for told in receiver.told} == {"LeadbeatStandsStill"}

    await system.tick(now + 4 * MINUTE)
    await watch.told("resolved", "LeadbeatStandsStill")
    assert (await watch.told("firing", "LeadOverdue")).receiver == "sales"
