"""Crashes in the middle of the work: whatever dies when, each event counts once, and the work goes on."""

import asyncio
import json
from collections import Counter
from random import Random

import pytest
from children import loads
from crowd import RULES, crowd
from system import PARTITIONS
from verdicts import judged, wrong
from wire import moving

from models.units import MINUTE, SECOND
from streams.topics import TICK_KEY, decode_ticks

LIMIT_S = 240
LEADS = 20_000
TIMES = 10
"""How often each delivery comes: to normalise it takes as long each time, but not to count it."""


@pytest.mark.timeout(900)
async def test_a_processor_that_is_killed_again_and_again_counts_each_event_once(system, wire, now):
    events, clock = crowd(LEADS, now), now + MINUTE
    end = len(events) + PARTITIONS
    truth = asyncio.create_task(judged(events, RULES, clock))
    await system.append(events)
    await system.tick_events(clock)
    direct, wired = (system.configure(checkpoint_ms=20, redis_url=url) for url in ("", wire.url))
    system.start("exporter", direct)

    async def more_than(offset):
        return await system.offsets() > offset

    killed = []
    for share, config in ((0.1, direct), (0.3, wired), (0.6, direct)):
        processor = system.start("processor", config)
        await system.until(lambda share=share: more_than(share * end), LIMIT_S, f"{share:.0%} are applied")
        if config is wired:
            before, wire.mutes_from = await system.offsets(), moving(b"seq")
            await system.until(lambda: wire.mute, LIMIT_S, "a checkpoint is sent")
            await system.until(lambda before=before: more_than(before), LIMIT_S, "it is stored, and not answered")
        processor.kill()
        killed.append(await system.offsets())
    processor = system.start("processor", direct)
    page = await system.round(clock)
    assert wrong(page, await truth) == []
    assert await system.claims() >= 4 * PARTITIONS
    assert sum(load["offset"] for load in loads(processor)) == killed[-1]
    assert sorted({0, *killed, end}) == [0, *killed, end]


@pytest.mark.timeout(300)
async def test_a_normaliser_that_is_killed_in_the_middle_loses_nothing_and_keeps_time_behind_the_facts(system, now):
    events = crowd(2_000, now)
    deliveries = list(in_chunks(events))
    ticks = [now - back * SECOND for back in reversed(range(TIMES))]
    for number, at in enumerate(ticks):
        await system.deliver([numbered(each, f"{number} {n % PARTITIONS} {n}") for n, each in enumerate(deliveries)], now)
        await system.tick(at)
    config = system.configure()

    async def sent_more_than(count):
        return await system.ends(system.topics.events) > count

    async def committed_more_than(offset):
        return await system.committed("normaliser") > offset

    # Killed long behind a commit it does things again, right behind one it could lose what it has not sent yet.
    normaliser = system.start("normaliser", config)
    await system.until(lambda: sent_more_than(3_000), LIMIT_S, "it works")
    normaliser.kill()
    before = await system.committed("normaliser")
    normaliser = system.start("normaliser", config)
    await system.until(lambda: committed_more_than(before), LIMIT_S, "it has committed")
    normaliser.kill()
    assert not await committed_more_than(0.9 * TIMES * len(deliveries)), "it was killed too late"
    for name in ("normaliser", "processor", "exporter"):
        system.start(name, config)
    page = await system.round(now)
    assert wrong(page, await judged(events, RULES, now)) == []

    came = Counter()
    for partition in await system.records(system.topics.events):
        clock = dict.fromkeys(range(PARTITIONS), 0)
        for record in partition:
            if record.key == TICK_KEY:
                clock |= {source: max(at, clock[source]) for source, at in decode_ticks(record.value).items()}
                continue
            identity = json.loads(record.value)["id"]
            came[identity] += 1
            number, source, *_ = map(int, identity.split())
            assert came[identity] > 1 or clock[source] * SECOND < ticks[number], "time has come before what had happened"
    assert len(came) == TIMES * len(events)
    assert came.total() > len(came), "nothing was normalised twice: it was killed at the wrong time"


def in_chunks(events):
    """All events, 1 to 100 at a time."""
    rng, start = Random(2), 0
    while start < len(events):
        end = start + rng.randint(1, 100)
        yield events[start:end]
        start = end


def numbered(events, name):
    """The same events under ids of their own."""
    return [event | {"id": f"{name} {number}"} for number, event in enumerate(events)]
