"""Merged and erased leads on real servers: over partitions, again and again, and whoever dies meanwhile."""

import asyncio

import pytest
from crowd import RULES, crowd, mergers
from histories import call, erased, lead, merged
from system import PARTITIONS, START_S
from verdicts import judged, wrong

from models.units import HOUR, MINUTE
from streams.topics import partition_of

LIMIT_S = 240
LEADS = 2_000


@pytest.mark.timeout(600)
async def test_chains_and_circles_over_partitions_count_once_though_the_processor_is_killed(system, now):
    facts, merges = crowd(LEADS, now), mergers(LEADS, now)
    events = [*facts[::2], *merges, *facts[1::2]]
    config = system.configure(checkpoint_ms=20)
    system.start("exporter", config)
    await system.append(events)

    async def told(share):
        return await system.ends(system.topics.events) > len(events) + share * len(merges)

    for share in (0.02, 0.3, 0.6):
        processor = system.start("processor", config)
        await system.until(lambda share=share: told(share), LIMIT_S, f"{share:.0%} of the parts are handed on")
        processor.kill()
    system.start("processor", config)
    clock = await system.settled(now + MINUTE)
    truth = asyncio.create_task(judged(events, RULES, clock))
    page = await system.round(clock)
    assert wrong(page, await truth) == []
    assert page["leadbeat_leads_created", frozenset({("window", "90d")})] < LEADS


@pytest.mark.timeout(240)
async def test_nothing_in_redis_names_an_erased_lead_and_what_is_delivered_again_is_swallowed(system, now):
    config = system.configure(checkpoint_ms=20, subject_key="ab" * 32)
    asked = now - 2 * HOUR
    told = [
        lead("unforgotten", version=asked, created_at=asked),
        lead("to-be-forgotten", version=asked, created_at=now - MINUTE),
        call("t1", now - HOUR, "to-be-forgotten"),
        merged(now - HOUR, "to-be-forgotten", "unforgotten"),
        merged(now - HOUR, "unforgotten", "last"),
        lead("also-to-be-forgotten", version=asked, created_at=now - MINUTE),
    ]
    gone = [erased(now, "to-be-forgotten"), erased(now, "also-to-be-forgotten")]
    for name in ("exporter", "processor"):
        system.start(name, config)
    await system.append(told)
    clock = await system.settled(now)
    assert wrong(await system.round(clock), await judged(told, RULES, clock)) == []
    assert {b"crm:to-be-forgotten", b"crm:also-to-be-forgotten"} <= await named(system)
    assert await named(system, b"lb:{*}:*:members:leads_created") == {b"crm:also-to-be-forgotten"}

    await system.append(gone)
    clock = await system.settled(clock + MINUTE)
    assert wrong(await system.round(clock), await judged([*told, *gone], RULES, clock)) == []
    assert await named(system) == set()

    # Redis knows them again though the worker that forgot them is gone.
    system.services[-1].kill()
    system.start("processor", config)
    await system.append([*told, *gone])
    clock = await system.settled(clock + 5 * MINUTE)
    assert wrong(await system.round(clock), await judged([*told, *gone], RULES, clock)) == []
    assert await named(system) == set()
    home = partition_of(b"lead:crm:to-be-forgotten", PARTITIONS)
    assert await system.redis.scard(f"lb:{{{home}}}:erased")


async def test_a_worker_with_another_subject_key_refuses_what_was_hashed_with_the_first(system, now):
    processor = system.start("processor", system.configure(subject_key="ab" * 32))
    await system.append([erased(now, "ada")])
    await system.settled(now)
    processor.kill()
    other = system.start("processor", system.configure(subject_key="cd" * 32))
    other.expected_to_live = False
    await system.until(lambda: other.process.poll() is not None, START_S, "it refuses")
    assert other.process.returncode == 2
    assert "subject_key" in other.log.read_text()


async def named(system, keys=b"*") -> set[bytes]:
    """Which of the leads that are to be forgotten Redis names anywhere, or in some keys: in keys, fields, members or values."""
    found = set()
    async for key in system.redis.scan_iter(keys):
        for text in (key, await contents(system.redis, key)):
            found |= {name for name in (b"crm:to-be-forgotten", b"crm:also-to-be-forgotten") if name in text}
    return found


async def contents(redis, key) -> bytes:
    """All that a key holds."""
    match await redis.type(key):
        case b"hash":
            held = await redis.hgetall(key)
        case b"set":
            held = await redis.smembers(key)
        case b"zset":
            held = await redis.zrange(key, 0, -1)
        case b"stream":
            held = await redis.xrange(key)
        case _:
            held = await redis.get(key)
    return repr(held).encode()
