"""From a CRM's webhooks to what Prometheus answers: every number is the one that the facts give."""

import json
import re
import time
import tomllib
from collections import Counter, defaultdict
from itertools import groupby

import behind
import pytest
from services import CHECKOUT, until
from system import CONNECTION, SECRET, clock_of
from verdicts import told_by, wrong

from models.slices import split_values
from models.units import DAY, MINUTE, SECOND, Millis, isoformat
from models.windows import NOW, WINDOW_INDEX
from streams.local.deliveries import Batch, Courier, sign
from streams.local.floor import demo_rules_toml
from streams.local.simulator import Floor
from streams.local.truth import truth
from streams.local.truth_facts import rules_of
from streams.local.truth_gauges import WHOLE
from streams.tables import KpiKeys

ZONE = "Europe/Berlin"
SEED = 11


@pytest.fixture
def now() -> Millis:
    return Millis(time.time_ns() // 1_000_000 // SECOND * SECOND)


@pytest.mark.timeout(600)
async def test_prometheus_says_what_the_facts_give(system, prometheus, now):
    rules = f"{demo_rules_toml(now, ZONE)}\n[minimum_n]\nratio = 1\np90 = 1\np95 = 1\n"
    config = system.configure(rules)
    for name in ("gateway", "worker", "exporter"):
        system.start(name, config)
    target = f"127.0.0.1:{system.exporter_port}"
    job = {"job_name": "leadbeat", "scrape_interval": "1s", "static_configs": [{"targets": [target]}]}
    observer = prometheus({"scrape_configs": [job]})
    events = [*Floor(SEED, ZONE).history(now), *customer_of_old(now)]
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
    assert await lacking(system, expected) == {}
    assert await opened(system, events, rules, clock) > 5000
    (letter,) = await system.letters()
    assert (letter["where"], letter["index"], json.loads(letter["body"])) == ("$.timestamp", 0, broken)
    assert letter["reason"]


def customer_of_old(now):
    """Somebody who bought something so long ago that he is no customer any more since a few days, as nobody on the floor is."""
    subject = {"kind": "account", "id": "account-of-old"}
    at = isoformat(Millis(now - 185 * DAY))
    told = {"type": "purchase.upserted", "id": "old", "timestamp": at, "subject": subject}
    return [told | {"object": {"kind": "purchase", "id": "p1"}, "data": {"at": at, "amount": 100_00, "currency": "EUR"}}]


async def lacking(system, expected):
    """Which ids of the catalogue have no value in the oracle (and so on Prometheus), table, API or topic, or no row of docs."""
    rows = (await system.client.get(f"http://127.0.0.1:{system.exporter_port}/api/v1/kpis")).json()["kpis"]
    windows = (*WINDOW_INDEX, NOW)
    keys = [key.decode() for window in windows for key in await system.redis.hkeys(KpiKeys("lb").window(window))]
    (records,) = await system.records(system.topics.kpis, 1)
    named = {
        "oracle": {metric.removeprefix("leadbeat_") for metric, _ in expected},
        "table": {re.split(r"[|{]", key)[0] for key in keys},
        "api": {row["id"] for row in rows if row["value"] is not None},
        "topic": {re.split(r"[|{@]", record.key.decode())[0] for record in records},
        "docs": set(re.findall(r"^\| `(\w+)`", (CHECKOUT / "docs" / "kpis.md").read_text(), re.MULTILINE)),
    }
    ids = (CHECKOUT / "tests" / "models" / "definitions.txt").read_text().split()
    missing = {
        place: [each for each in ids if not any(name == each or name.startswith(f"{each}_") for name in names)]
        for place, names in named.items()
    }
    return {place: found for place, found in missing.items() if found}


async def opened(system, events, rules, clock):
    """Open all numbers that can be: behind each are as many leads as its row says, and those whom the oracle names."""
    told = behind.told(of_connection(events), rules_of(tomllib.loads(rules)), clock)
    api = f"http://127.0.0.1:{system.exporter_port}/api/v1"
    known = {kpi_of(kpi): kpi for kpi in (await system.client.get(f"{api}/catalogue")).json()["kpis"]}
    rows = [row for row in (await system.client.get(f"{api}/kpis")).json()["kpis"] if known[kpi_of(row)]["leads"]]
    count = 0
    for _, group in groupby(rows, lambda row: (kpi_of(row), row["window"])):
        whole, *slices = sorted(group, key=lambda row: len(row["by"]))
        for of in known[kpi_of(whole)]["leads"]:
            leads = await behind_row(system, api, whole, of, clock)
            by_slice = sliced(leads, {slice_of(row)[0] for row in (whole, *slices)})
            for row in (whole, *slices):
                found = by_slice.get(slice_of(row), [])
                assert len(found) == row[of], row
                named = (told.get((measure, row["window"], slice_of(row)), Counter()) for measure in known[kpi_of(row)][of])
                assert Counter(f"{lead['connection']}:{lead['lead']}" for lead in found) == sum(named, Counter()), row
                if row["window"] == "15m" and found:
                    assert await behind_row(system, api, row, of, clock) == found
                count += 1
    return count


def sliced(leads, by):
    """Leads by all slices that they stand in."""
    found = defaultdict(list)
    for lead in leads:
        for dims in by:
            found[dims, tuple(lead[dim] for dim in dims)].append(lead)
    return found


def kpi_of(row):
    """Which KPI a row, or an entry of the catalogue, is of."""
    return row["id"], *row["labels"].values()


def slice_of(row):
    """The dimensions of a row's slice, and its values."""
    return (tuple(row["by"].split(",")), split_values(row["by"], row["slice"])) if row["by"] else WHOLE


async def behind_row(system, api, row, of, clock):
    """The leads behind a row's number, over all pages."""
    address = f"{api}/kpis/{row['id']}/leads"
    asked = {name: row[name] for name in ("window", "by", "slice")} | row["labels"] | {"of": of, "limit": 1000}
    leads, cursor = [], ""
    while cursor is not None:
        page = (await system.client.get(address, params=asked | {"cursor": cursor})).json()
        assert (page["exact"], page["clock"]) == (True, clock)
        leads += page["leads"]
        cursor = page["next"]
    return leads


def of_connection(events):
    """Events with their subjects, and those that they are merged into, as the normaliser names them."""
    for event in events:
        named = {
            part: event[part] | {"id": f"{CONNECTION}:{event[part]['id']}"} for part in ("subject", "into") if event.get(part)
        }
        yield event | named
