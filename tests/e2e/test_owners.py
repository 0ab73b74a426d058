"""Partitions change hands under load: whoever has them, each event counts once."""

import pytest
from children import loads
from crowd import RULES, crowd
from system import PARTITIONS, START_S
from verdicts import judged, wrong
from wire import moving

from models.units import MINUTE
from streams.processing.checkpoint import claim_partition
from streams.tables import Keys
from streams.transport.watchdog import EXIT_CODE

LIMIT_S = 120
LEADS = 4_000


@pytest.mark.timeout(240)
async def test_workers_join_and_leave_while_they_work(system, now):
    events, clock = crowd(LEADS, now), now + MINUTE
    config = system.configure()
    first, _ = (system.start(name, config) for name in ("processor", "exporter"))
    async with system.under_load(events):
        await system.until(system.offsets, LIMIT_S, "the first one works")
        second = system.start("processor", config)
        await system.until(lambda: loads(second), LIMIT_S, "the second one has joined")
        assert await system.waiting()
        assert first.stop() == 0
        assert await system.waiting()
        await system.loaded(second, PARTITIONS + 1)
        third = system.start("processor", config)
        await system.until(lambda: loads(third), LIMIT_S, "the third one has joined")
        assert await system.waiting()
    await system.tick_events(clock)
    page = await system.round(clock)
    assert wrong(page, await judged(events, RULES, clock)) == []
    assert {load["partition"] for load in loads(second)} == set(range(PARTITIONS))


@pytest.mark.timeout(240)
async def test_one_that_slept_while_others_took_over_changes_nothing_when_it_wakes(system, wire, now):
    events, clock = crowd(LEADS, now), now + MINUTE
    direct, wired = (system.configure(redis_url=url) for url in ("", wire.url))
    sleeper, _ = system.start("processor", wired), system.start("exporter", direct)
    async with system.under_load(events):
        await system.until(system.offsets, LIMIT_S, "it works")
        # A checkpoint that is not answered is sent again when it wakes: it writes for certain.
        wire.mutes_from = moving(b"seq")
        await system.until(lambda: wire.mute, LIMIT_S, "a checkpoint is under way")
        sleeper.freeze()
        wire.mend()
        assert await system.waiting()
    other = system.start("processor", direct)
    await system.loaded(other)
    await system.tick_events(clock)
    page = await system.round(clock)
    expected = await judged(events, RULES, clock)
    assert wrong(page, expected) == []
    claims = await system.claims()
    sleeper.thaw()
    await system.until(lambda: sleeper.says("checkpoint_refused", outcome="FENCED"), START_S, "it is refused")
    assert not sleeper.says("checkpoint_refused", outcome="REFUSED")
    await system.until(lambda: loads(sleeper)[PARTITIONS:], LIMIT_S, "it has a share of the work again")
    await system.tick_events(clock + MINUTE)
    assert wrong(await system.round(clock + MINUTE), await judged(events, RULES, clock + MINUTE)) == []
    assert await system.claims() == claims + PARTITIONS


async def test_a_partition_that_somebody_claims_and_leaves_is_taken_back(system, now):
    events, clock = crowd(100, now), now + MINUTE
    config = system.configure()
    processor, _ = (system.start(name, config) for name in ("processor", "exporter"))
    await system.loaded(processor)
    await claim_partition(system.redis, Keys("lb", 2), PARTITIONS, "one who dies then")
    await system.append(events)
    await system.tick_events(clock)
    processor.expected_to_live = False
    await system.until(lambda: processor.process.poll() is not None, START_S, "it gives up what it cannot have")
    assert processor.process.returncode == EXIT_CODE
    assert processor.says("checkpoint_refused", outcome="FENCED", partition=2)
    system.start("processor", config)
    assert wrong(await system.round(clock), await judged(events, RULES, clock)) == []
