"""From a CRM's webhooks to what Prometheus answers: every number is the one that the facts give."""

import json
import time
import tomllib

import pytest
from services import until
from system import SECRET, clock_of
from verdicts import told_by, wrong

from models.units import MINUTE, SECOND, Millis
from streams.local.deliveries import Batch, Courier, sign
from streams.local.floor import demo_rules_toml
from streams.local.simulator import Floor
from streams.local.truth import truth

ZONE = "Europe/Berlin"
SEED = 11


@pytest.fixture
def now() -> Millis:
    return Millis(time.time_ns() // 1_000_000 // SECOND * SECOND)


async def test_prometheus_says_what_the_facts_give(system, prometheus, now):
    rules = demo_rules_toml(now, ZONE)
    config = system.configure(rules)
    for name in ("gateway", "worker", "exporter"):
        system.start(name, config)
    target = f"127.0.0.1:{system.exporter_port}"
    job = {"job_name": "leadbeat", "scrape_interval": "1s", "static_configs": [{"targets": [target]}]}
    observer = prometheus({"scrape_configs": [job]})
    events = Floor(SEED, ZONE).history(now)
    await system.accepting()
    courier = Courier(SEED)
    for batch in [*courier.pack(events, now), *(late for _, late in courier.rest())]:
        await system.post(batch.events, batch.id)

    broken = events[0] | {"id": "broken", "timestamp": "yesterday"}
    await system.post([broken, *events[:2]], "msg_with_a_bad_event")
    batch = Batch("msg_forged", (events[0],))
    content = batch.body.encode()
    for headers in ({}, sign(SECRET, batch, now) | {"webhook-id": "msg_other"}, sign("whsec_" + "A" * 32, batch, now)):
        assert (await system.client.post(system.hook, content=content, headers=headers)).status_code == 401

    await system.tick(now + MINUTE)
    await system.published(now + MINUTE)
    clock = await system.settled(now + MINUTE + SECOND)
    page = await system.round(clock)
    expected = truth(events, tomllib.loads(rules), clock)
    assert wrong(page, expected) == []
    await until(lambda: clock_of(told_by(observer)) == clock, 30, "Prometheus has scraped the round")
    assert wrong(told_by(observer), expected) == []
    assert len(expected) > 2000
    (letter,) = await system.told(system.topics.dead)
    assert (letter["where"], letter["index"], json.loads(letter["body"])) == ("$.timestamp", 0, broken)
    assert letter["reason"]
