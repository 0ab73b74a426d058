"""The alerts of a partition that crashes now and then, against those that its log asks for."""

import asyncio
import json
import tomllib
from random import Random

import msgspec
import pytest
from faults.run import rules_of as rules_told
from oracle.alerts import alert_of, alerts_of
from stores import Store, record

from models.events import decode
from models.units import MINUTE, SECOND, Millis
from streams.config import Settings
from streams.local.simulator import Floor
from streams.local.truth_facts import rules_of
from streams.processing.processor import Stored, process
from streams.processing.writes import writes_of
from streams.tables import Progress

NOON = Millis(1_772_452_800_000)
LASTS = 8 * MINUTE
STEP = 2 * SECOND
LATE = 60 * SECOND
SOURCES = 2


def log_of(seed):
    """What is told of a floor's leads while they live, some of it late, and the ticks behind it."""
    rng, waiting = Random(seed), []
    for at, event in Floor(seed, "Europe/Berlin").live(NOON):
        if at > NOON + LASTS:
            break
        if event["subject"]["kind"] == "lead":
            waiting.append((at + rng.choice((0, 0, 0, rng.randrange(LATE))), event))
    waiting.sort(key=lambda each: each[0])
    log, place = [], 0
    for clock in range(NOON, NOON + LASTS + 2 * LATE, STEP):
        while place < len(waiting) and waiting[place][0] <= clock:
            log.append(decode(msgspec.json.encode(waiting[place][1])))
            place += 1
        log.append(dict.fromkeys(range(SOURCES), clock // SECOND))
    return [record(offset, item) for offset, item in enumerate(log)]


async def sent(log, rules, rng):
    """What a partition sends that is saved now and then, and dies now and then."""
    store = Store(sources=SOURCES)
    while store.progress.offset < len(log):
        partition, offset = store.load(rules, 1_000), store.progress.offset
        stored = Stored(store.states_of, store.parts_of, store.due_between)
        while offset < len(log) and rng.random() > 0.01:
            batch = log[offset : offset + rng.randrange(1, 60)]
            await process(partition, batch, stored, None)
            offset += len(batch)
            if rng.random() < 0.5 or offset == len(log):
                store.write(writes_of(partition.cut()), Progress(offset, "", partition.clock, dict(partition.ticks)))
                partition.saved()
    return [json.loads(each.value) for each in store.sent if each.topic == "leadbeat.alerts.v1"]


@pytest.mark.parametrize("seed", range(3))
def test_a_partition_sends_what_its_log_asks_for_however_it_is_cut(seed):
    log, told = log_of(seed), tomllib.loads(rules_told(NOON))
    expected, tied = alerts_of(log, SOURCES, rules_of(told))
    messages = asyncio.run(sent(log, Settings.model_validate(told).rules(), Random(seed)))
    found = {alert_of(each) for each in messages if each["lead"] not in tied}
    assert found == expected
    assert {each.type for each in expected} == {"warning", "breach", "resolved", "retracted"}
