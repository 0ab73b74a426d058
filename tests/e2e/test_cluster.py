"""On a Redis Cluster: partitions in the slots of three masters, one of which dies in the middle of it."""

import nodes
import pytest
from children import ran
from crowd import RULES, crowd, mergers
from system import START_S, installed
from verdicts import judged, wrong

from models.units import MINUTE, SECOND
from streams.tables.server import leave_idle_connections

LEADS = 600


@pytest.fixture
async def clustered(kafka, started, topic_prefix, tmp_path):
    """An installation on a cluster of its own."""
    async with installed(kafka, started(nodes.cluster), tmp_path, topic_prefix, RULES) as system:
        yield system


async def test_every_number_is_right_though_a_master_dies_under_load(clustered, now):
    system, events = clustered, [*crowd(LEADS, now), *mergers(LEADS // 2, now)]
    config = system.configure(checkpoint_ms=50, subject_key="ab" * 32)
    processor, _ = (system.start(name, config) for name in ("processor", "exporter"))
    half = len(events) // 2
    await system.append(events[:half])
    await system.tick_events(now - MINUTE)

    async def has_begun():
        return await system.offsets() > 0

    await system.until(has_begun, START_S, "it works")
    dead = system.redis_server.kill_a_master()
    await system.append(events[half:])
    await system.tick_events(now - SECOND)
    missed = ("redis_unreachable", "checkpoint_retried")
    await system.until(lambda: any(map(processor.says, missed)), START_S, "the worker finds nobody")
    await system.until(system.redis_server.has_taken_over, START_S, "a replica has taken over")
    await leave_idle_connections(system.redis)
    clock = await system.settled(now)
    assert wrong(await system.round(clock), await judged(events, RULES, clock)) == []
    system.redis_server.revive(dead)
    await system.tick_events(clock + SECOND)
    assert wrong(await system.round(clock + SECOND), await judged(events, RULES, clock + SECOND)) == []
    code, out, err = await ran("audit", "--config", config)
    assert code == 0, out + err
