"""`leadbeat audit` on real servers: what the log says is what is stored, whatever happened; and what is not, is found."""

import json
from itertools import count

import httpx
import numpy as np
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from children import ran
from crowd import crowd, mergers
from histories import erased
from services import free_port
from system import PARTITIONS

from models.state.absorption import stands_alone
from models.state.lead import pack, unpack
from models.sums import CHUNK, pack_runs
from models.sums import unpack as unpacked_chunk
from models.units import HOUR, MINUTE, SECOND
from streams.local.truth_page import parse
from streams.tables import BUCKETS, Keys
from streams.tables.loading import read_series

LIMIT_S = 240
LEADS = 1_000


async def audited(config, *options):
    """What an audit ends with, and its report."""
    code, out, err = await ran("audit", "--format", "json", *options, "--config", config)
    return code, json.loads(out) if out else err


def others(now):
    """What tells something new each time, of the same leads."""
    seeds = count(2)
    return lambda: crowd(200, now, seed=next(seeds))


async def with_a_history(system, now):
    """A system that has seen duplicates, corrections, merges, erasure, and a worker killed in the middle; its settings."""
    facts, merges = crowd(LEADS, now), mergers(LEADS // 2, now)
    gone = [erased(now, f"lead-{number}") for number in range(0, LEADS, 50)]
    events = [*facts[::2], *merges, *gone, *facts[1::2], *facts[:200]]
    config = system.configure(checkpoint_ms=20, subject_key="ab" * 32)
    for start in range(0, len(events), 500):
        await system.append(events[start : start + 500])
        await system.tick_events(now - MINUTE + start // 500 * SECOND)
    processor = system.start("processor", config)

    async def has_begun():
        return await system.offsets() > len(events) // 3

    await system.until(has_begun, LIMIT_S, "it works")
    processor.kill()
    system.start("processor", config)
    clock = await system.settled(now)
    await system.published(clock)
    return config


async def current(system, partition):
    """The keys of a partition's generation."""
    return Keys("lb", partition).of(int((await system.stored())[partition]["generation"]))


async def add_to_window(system, partition, window, series, amount):
    """Alter a total as a stray write would."""
    keys = await current(system, partition)
    number, offset = divmod((await read_series(system.redis, keys)).index(series), CHUNK)
    offsets, amounts = unpacked_chunk(await system.redis.hget(keys.window(window), str(number)))
    amounts[np.flatnonzero(offsets == offset)] += amount
    (packed,) = pack_runs(offsets, amounts, np.array([len(offsets)]))
    await system.redis.hset(keys.window(window), str(number), packed)


async def forge_a_call(system, partition, at):
    """Alter what is known of a lead that has nothing to do with others; gives whose."""
    keys = await current(system, partition)
    for bucket in range(BUCKETS):
        for subject, packed in (await system.redis.hgetall(keys.state(bucket))).items():
            lead, told = unpack(packed)
            if lead.objects and stands_alone(lead):
                lead.objects["touch:forged"] = [(at, 0, {"at": at, "channel": "call"})]
                await system.redis.hset(keys.state(bucket), subject, pack(lead, told))
                return subject.decode()
    raise AssertionError("there is nobody")


@pytest.mark.timeout(600)
async def test_nothing_differs_after_all_that_can_happen_and_what_is_planted_is_named(system, now):
    config = await with_a_history(system, now)
    code, report = await audited(config)
    assert (code, report["differences"], report["failed"], report["notes"]) == (0, 0, [], []), report
    assert {each["source"] for each in report["audited"]} == {"from the log"}
    assert [each["partition"] for each in report["audited"]] == list(range(PARTITIONS))
    assert sum(each["leads"] for each in report["audited"]) > LEADS // 2
    assert report["kpi_rows"] > 1000
    assert report["series"] > report["kpi_rows"] + 1000

    await add_to_window(system, 2, "90d", "calls", 3)
    subject = await forge_a_call(system, 1, now - HOUR)
    code, report = await audited(config)
    assert code == 1
    total, forged = sorted(report["shown"], key=lambda each: each["series"])
    assert (total["partition"], total["series"], total["window"]) == (2, "calls", "90d")
    assert int(total["stored"]) == int(total["derived"]) + 3
    assert (forged["partition"], forged["series"], forged["window"]) == (1, f"lead {subject}", "touch:forged")
    assert (report["differing"], report["differences"]) == (2, 2)

    code, report = await audited(config, "--partition", 0)
    assert (code, report["differences"], report["kpi_rows"]) == (0, 0, 0)


@pytest.mark.timeout(600)
async def test_a_log_that_has_forgotten_its_beginning_is_audited_from_the_states(system, now):
    config = await with_a_history(system, now)
    halves = {number: int(row["offset"]) // 2 for number, row in (await system.stored()).items()}
    sources = {TopicPartition(system.topics.events, number): RecordsToDelete(half) for number, half in halves.items()}
    await system.admin.delete_records(sources)
    async with system.under_load(crowd(200, now), others(now)):
        code, report = await audited(config)
    assert (code, report["differences"], report["failed"]) == (0, 0, []), report
    assert [each["source"] for each in report["audited"]] == [
        f"from the states, as the log begins at offset {halves[number]}" for number in range(PARTITIONS)
    ]
    await forge_a_call(system, 1, now - HOUR)
    code, report = await audited(config)
    assert code == 1
    assert (1, "calls") in {(each["partition"], each["series"]) for each in report["shown"]}


@pytest.mark.timeout(600)
async def test_a_system_whose_clock_runs_is_compared_as_a_whole(system, now):
    config = system.configure(ticks="wall", checkpoint_ms=300)
    for name in ("normaliser", "processor"):
        system.start(name, config)
    await system.append(crowd(LEADS, now))

    async def is_exact():
        return await system.waiting() <= 0 and (await system.redis.hget("lb:{kpi}:applied", "exact")) == b"1"

    await system.until(is_exact, LIMIT_S, "all is counted, and shown")
    code, report = await audited(config)
    assert (code, report["differences"], report["notes"]) == (0, 0, []), report
    assert report["kpi_rows"] > 1000


@pytest.mark.timeout(600)
async def test_a_schedule_tells_prometheus_while_everything_runs(system, now):
    config = await with_a_history(system, now)
    port = free_port()
    system.start(f"audit --every 1s --listen 127.0.0.1:{port}", config)

    async def told():
        return (await page_of(system, port)).get(("leadbeat_audit_mismatch_series", frozenset()))

    async def nothing():
        return await told() == 0

    async def one():
        return await told() == 1

    async with system.under_load(crowd(200, now), others(now)):
        await system.until(nothing, LIMIT_S, "an audit is completed")
    page = await page_of(system, port)
    assert page["leadbeat_audit_series", frozenset()] > 1000
    assert page["leadbeat_audit_seconds", frozenset()] > 0
    assert page["leadbeat_audit_completed_timestamp_seconds", frozenset()] >= now / SECOND
    # Else the worker writes over what is planted, or the round tells it on.
    await system.published(await system.settled(now + MINUTE))
    await add_to_window(system, 2, "90d", "calls", 3)
    await system.until(one, LIMIT_S, "the next one has found it")
    assert system.services[-1].stop() == 0


async def page_of(system, port):
    """What the audit's /metrics has; nothing while it does not answer."""
    try:
        return parse((await system.client.get(f"http://127.0.0.1:{port}/metrics")).text)
    except httpx.TransportError:
        return {}
