"""`leadbeat rebuild` on real servers: numbers that were lost are counted anew from the log, and only if somebody wants it."""

from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from children import ran
from crowd import RULES, crowd
from histories import erased
from system import PARTITIONS, START_S
from verdicts import judged, wrong

from models.units import SECOND

LEADS = 400
GONE = [f"lead-{number}" for number in range(0, LEADS, 40)]


async def with_numbers(system, now):
    """A system that has counted a crowd, some of which were erased, and was stopped; its settings and the events."""
    events = [*crowd(LEADS, now), *(erased(now, lead) for lead in GONE)]
    config = system.configure(subject_key="ab" * 32)
    processor = system.start("processor", config)
    await system.append(events)
    await system.tick_events(now)
    await system.published(now)
    await system.until(lambda: system.committed("processor"), START_S, "the group has committed what is stored")
    processor.stop()
    return config, events


async def rebuilt(config, *options):
    """What it ends with, and what it says."""
    code, out, err = await ran("rebuild", *options, "--config", config)
    return code, out + err


async def counts_as_it_should(system, config, events, now):
    """Whether a worker that is started now comes to the numbers of events, and to no others."""
    for name in ("processor", "exporter"):
        system.start(name, config)
    await system.tick_events(now + SECOND)
    return wrong(await system.round(now + SECOND), await judged(events, RULES, now + SECOND)) == []


async def test_what_redis_has_lost_is_counted_anew_from_the_log(system, now):
    config, events = await with_numbers(system, now)
    await system.redis.flushall()
    code, said = await rebuilt(config)
    assert code == 1
    assert said.count("the whole log") == PARTITIONS
    assert "Nothing was changed" in said
    assert await system.redis.dbsize() == 0

    code, said = await rebuilt(config, "--yes")
    assert code == 0, said
    assert await counts_as_it_should(system, config, events, now)
    code, out, err = await ran("audit", "--config", config)
    assert code == 0, out + err


async def test_numbers_that_are_there_are_deleted_only_if_that_is_said(system, now):
    config, events = await with_numbers(system, now)
    before = await system.redis.dbsize()
    code, said = await rebuilt(config, "--yes")
    assert code != 0
    assert f"holds the numbers of {PARTITIONS} of {PARTITIONS} partitions" in said
    assert await system.redis.dbsize() == before

    code, said = await rebuilt(config, "--yes", "--discard")
    assert code == 0, said
    forgotten = [key async for key in system.redis.scan_iter() if not key.endswith((b":applied", b":erased", b":present"))]
    assert forgotten == []
    assert await counts_as_it_should(system, config, events, now)


async def test_whoever_was_erased_stays_so_though_the_log_has_forgotten_it(system, now):
    config, events = await with_numbers(system, now)
    topic = system.topics.events
    ends = {TopicPartition(topic, number): RecordsToDelete(-1) for number in range(PARTITIONS)}
    await system.admin.delete_records(ends)
    code, said = await rebuilt(config, "--yes", "--discard")
    assert code == 0, said
    assert said.count("what came before is lost") == PARTITIONS
    await system.append([event for event in events if event["type"] != "erased"])
    remaining = [event for event in events if event["subject"]["id"] not in GONE]
    assert await counts_as_it_should(system, config, remaining, now)


async def test_it_is_not_done_while_a_worker_runs(system, now):
    config, _ = await with_numbers(system, now)
    processor = system.start("processor", config)
    await system.loaded(processor)
    before = await system.redis.dbsize()
    code, said = await rebuilt(config, "--yes", "--discard")
    assert code != 0
    assert "workers run: 1" in said
    assert await system.redis.dbsize() >= before
