"""Crashes in the middle of the work: whatever dies when, each event counts once, and the work goes on."""

import asyncio
import random

import pytest
from crowd import RULES, crowd
from system import PARTITIONS, judged, loads, wrong
from wire import with_word

from models.units import MINUTE

LIMIT_S = 120
LEADS = 4_000


@pytest.mark.timeout(400)
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
            before, wire.mutes_from = await system.offsets(), with_word(b"seq")
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
async def test_a_normaliser_that_is_killed_in_the_middle_loses_nothing(system, now):
    events = crowd(4_000, now)
    rng, rest, deliveries = random.Random(2), events, []
    while rest:
        size = rng.randint(1, 100)
        deliveries.append(rest[:size])
        rest = rest[size:]
    half = len(deliveries) // 2
    await system.deliver(deliveries[:half], now)
    await system.tick(now - MINUTE)
    await system.deliver(deliveries[half:], now)
    await system.tick(now)
    config = system.configure()
    for name in ("processor", "exporter"):
        system.start(name, config)

    async def more_than(count):
        return await system.ends(system.topics.events) > count

    for share in (0.1, 0.5):
        normaliser = system.start("normaliser", config)
        await system.until(lambda share=share: more_than(share * len(events)), LIMIT_S, f"{share:.0%} are normalised")
        normaliser.kill()
        assert not await more_than(0.95 * len(events))
    system.start("normaliser", config)
    page = await system.round(now)
    assert wrong(page, await judged(events, RULES, now)) == []
    ticks = 10 * PARTITIONS
    assert await more_than(len(events) + ticks), "nothing was normalised twice: the kills came at the wrong time"
