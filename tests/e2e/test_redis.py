"""What Redis loses: its last writes are made again, an answer is found out about, and of nothing no numbers are made."""

from collections import Counter

import httpx
import pytest
from children import loads
from crowd import RULES, crowd
from histories import lead
from services import free_port
from system import PARTITIONS, START_S, installed
from verdicts import judged, wrong
from wire import moving, never

from models.units import MINUTE, SECOND
from streams.local.truth_page import is_kpi

LEADS = 400


@pytest.fixture
async def mortal(kafka, redis_factory, topic_prefix, tmp_path):
    """An installation on a Redis that may die: what it comes back with is its last `SAVE`."""
    async with installed(kafka, redis_factory(), tmp_path, topic_prefix, RULES) as system:
        yield system


async def test_a_redis_that_comes_back_with_older_data_is_brought_up_to_date(mortal, now):
    system, events = mortal, crowd(LEADS, now)
    early, late = events[:LEADS], events[LEADS:]
    late += [lead(f"open-{number}", created_at=now, owner="cleo", lead_source="inbound") for number in range(9)]
    events = early + late
    config = system.configure()
    processor, _ = (system.start(name, config) for name in ("processor", "exporter"))
    await system.append(early)
    await system.tick_events(now)
    await system.round(now)
    await system.redis.save()

    await system.append(late)
    for minutes in range(1, 12):
        await system.tick_events(now + minutes * MINUTE)
    clock = now + 11 * MINUTE
    expected = await judged(events, RULES, clock)
    assert wrong(await system.round(clock), expected) == []
    told = Counter(alert["id"] for alert in await system.alerts())
    offsets = await system.offsets()
    await system.crash_redis()
    assert await system.offsets() < offsets

    await system.tick_events(clock + SECOND)
    page = await system.round(clock + SECOND)
    assert wrong(page, await judged(events, RULES, clock + SECOND)) == []
    refused = processor.says("checkpoint_refused", outcome="ROLLED_BACK")
    assert {line["partition"] for line in refused} == set(range(PARTITIONS))
    again = Counter(alert["id"] for alert in await system.alerts())
    assert again.keys() == told.keys()
    assert again > told, "no alert was sent again: Redis came back with too much"


async def test_a_redis_that_was_emptied_is_not_counted_from_0(mortal, now):
    system, events = mortal, crowd(LEADS, now)
    config = system.configure()
    processor, _ = (system.start(name, config) for name in ("processor", "exporter"))
    await system.append(events)
    await system.tick_events(now)
    await system.round(now)
    await system.until(lambda: system.committed("processor"), START_S, "the group has committed what is stored")
    await system.crash_redis()
    assert await system.redis.dbsize() == 0

    await system.tick_events(now + SECOND)
    for each in (processor, None):
        again = each or system.start("processor", config)
        again.expected_to_live = False
        await system.until(lambda again=again: again.process.poll() is not None, START_S, "it refuses to count")
        assert again.process.returncode == 2
        assert "Redis was emptied" in again.text()
        assert "restore Redis from its last save" in again.text()
    page = await system.scrape()
    assert page["leadbeat_redis_up", frozenset()] == 1
    assert not any(is_kpi(metric) for metric, _ in page)


async def test_a_worker_that_is_started_without_redis_works_once_that_is_there(mortal, now):
    system, events = mortal, crowd(LEADS, now)
    await system.append(events)
    await system.tick_events(now)
    system.redis_server.server.kill()
    config = system.configure()
    worker, _ = (system.start(name, config) for name in ("worker", "exporter"))
    await system.until(lambda: worker.says("part_ended", part="processor", code=75), START_S, "its processor cannot start")
    assert "Redis does not answer" in worker.text()
    page = await system.until(system.scrape, START_S, "the exporter answers")
    assert page["leadbeat_redis_up", frozenset()] == 0
    assert not any(is_kpi(metric) for metric, _ in page)
    await system.crash_redis()
    assert wrong(await system.round(now), await judged(events, RULES, now)) == []


async def test_a_worker_is_unready_while_redis_is_away_and_lives_on(mortal, now):
    system, events = mortal, crowd(LEADS, now)
    port = free_port()
    processor = system.start("processor", system.configure(processor_port=port))
    await system.loaded(processor)
    ready = f"http://127.0.0.1:{port}/readyz"
    async with httpx.AsyncClient() as client:

        async def says(status, text):
            answer = await client.get(ready)
            return answer.status_code == status and text in answer.text

        await system.until(lambda: says(200, "ok"), START_S, "it is ready")
        system.redis_server.server.kill()
        await system.append(events)
        await system.until(lambda: says(503, "Redis does not answer"), START_S, "it says why it is not ready")
        await system.crash_redis()
        await system.until(lambda: says(200, "ok"), START_S, "it is ready again")
    system.start("exporter", system.configure())
    await system.tick_events(now)
    assert wrong(await system.round(now), await judged(events, RULES, now)) == []


@pytest.mark.parametrize("lost", ["request", "answer"])
async def test_a_checkpoint_that_is_not_answered_counts_once(system, wire, now, lost):
    events = crowd(LEADS, now)
    config = system.configure(redis_url=wire.url)
    processor, _ = (system.start(name, config) for name in ("processor", "exporter"))
    await system.loaded(processor)
    before = await sequences(system)
    checkpoint = moving(b"seq")
    wire.loses_from, wire.mutes_from = (checkpoint, never) if lost == "request" else (never, checkpoint)
    await system.append(events)
    await system.until(lambda: wire.lost or wire.mute, START_S, "a checkpoint is sent")
    if lost == "answer":
        await system.until(lambda: moved(system, before), START_S, "it is stored")
    else:
        assert not await moved(system, before)
    wire.mend()
    await system.tick_events(now)
    assert wrong(await system.round(now), await judged(events, RULES, now)) == []
    assert processor.says("checkpoint_retried")
    assert not processor.says("checkpoint_refused")
    assert len(loads(processor)) == PARTITIONS


async def sequences(system):
    return [int(row["seq"]) for row in (await system.stored()).values()]


async def moved(system, before):
    return await sequences(system) != before
