"""What an audit reads: a partition's totals as of one instant, the log up to an offset; what it ends with if it cannot."""

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from owners import append, producing
from stored import CLOCK, FURTHER, PROGRESS, WRITES, committed

from models.members import DRILLED
from streams.audit.log import EventsLog
from streams.audit.standing_still import stand_still
from streams.errors import Fatal, Retry
from streams.processing.checkpoint import claim_partition
from streams.processing.cut import Writes, cut_checkpoint
from streams.tables import Keys, KpiKeys, Pane, Waiting, connect
from streams.tables.still import read_some_states, read_still
from streams.topics import Topics, ensure
from streams.transport import TP, fingerprint

KEYS = Keys("lb", 0)


@pytest.fixture
async def redis(redis_server):
    async with connect(redis_server.url) as client:
        yield client


@pytest.fixture
async def held(redis):
    """Two checkpoints of a partition."""
    first = await committed(redis, cut_checkpoint(KEYS, await claim_partition(redis, KEYS, 1, "mine"), WRITES, PROGRESS))
    return await committed(redis, cut_checkpoint(KEYS, first, FURTHER, PROGRESS))


async def test_totals_are_read_as_of_a_checkpoint(redis, held):
    still = await read_still(redis, KEYS.of(9), ["calls", "emails", "messages"])
    assert still.applied == held
    assert still.series == {0: "touches", 1: "touches|rep=mia", 2: "replies"}
    assert still.windows == {"1h": {1: b"w1 again"}, "7d": {0: b"v0"}}
    assert still.levels == {1: b"l1"}
    assert still.panes == {Pane("10s", 100_000): {0: b"q0"}, Pane("1d", 0): {0: b"day"}}
    assert (dict(still.open), still.oldest) == ({}, {"rep=mia": Waiting(60_000, None)})
    assert still.members == {"calls": 2, "emails": 0, "messages": 0}


async def test_whoever_waits_is_read_with_the_totals(redis):
    held = await claim_partition(redis, KEYS, 1, "mine")
    await committed(redis, cut_checkpoint(KEYS, held, WRITES, PROGRESS))
    assert (await read_still(redis, KEYS, [])).open == {CLOCK: 60_000}


async def test_a_partition_that_nobody_has_claimed_has_no_totals(redis):
    with pytest.raises(Retry, match="nobody has claimed"):
        await read_still(redis, KEYS, [])


async def test_some_states_are_read_with_the_record_that_they_are_of(redis, held):
    seen = await read_some_states(redis, KEYS, ["crm:1", "crm:2", "crm:3"])
    assert (seen.applied, seen.states) == (held, {"crm:1": b"new"})
    assert sorted(seen.pages["crm:3"]) == [b"instead"]
    assert seen.whole() == {"crm:1": b"new"}


async def test_the_table_counts_only_if_it_is_of_the_same_checkpoints(redis, held):
    async def stood(**record):
        await redis.hset(KpiKeys("lb").applied, mapping={"round": "1", "exact": "1", "stale": "0", **record})
        return await stand_still(redis, "lb", [0], whole=True, patience_s=0.1)

    assert (await stood()).table is None
    assert (await stood(seqs=str(held.seq - 1))).table is None
    of_the_same = await stood(seqs=str(held.seq))
    assert of_the_same.table is not None
    assert of_the_same.partitions[0].applied == held
    assert (await stood(seqs=str(held.seq), exact="0")).table is None
    assert (await stand_still(redis, "lb", [0, 1], whole=False)).table is None


async def test_a_partition_that_cannot_be_read_is_told_with_the_others(redis, held):
    found = (await stand_still(redis, "lb", [0, 1], whole=False)).partitions
    assert found[0].members.keys() == set(DRILLED.values())
    assert isinstance(found[1], Retry)


@pytest.fixture
async def log(kafka, topic_prefix):
    """The log of a partition that holds ten records."""
    topic = Topics(topic_prefix).events
    await ensure(kafka.bootstrap, 1, 1, topic_prefix)
    async with producing(kafka.bootstrap) as producer:
        await append(producer, TP(topic, 0), [b"%d" % number for number in range(10)])
    return EventsLog(kafka.bootstrap, topic, 0)


async def read(log, start, end, last=""):
    return [record async for some in log.read(start, end, last) for record in some]


async def test_a_log_is_read_up_to_an_offset_and_no_further(log):
    await log.look()
    assert (log.earliest, log.end) == (0, 10)
    records = await read(log, 2, 7)
    assert [(record.offset, record.value) for record in records] == [(number, b"%d" % number) for number in range(2, 7)]
    assert len(await read(log, 0, 10, fingerprint((await read(log, 9, 10))[0]))) == 10
    assert await read(log, 7, 7, "another") == []


async def test_another_log_is_refused(log):
    with pytest.raises(Fatal, match="another record"):
        await read(log, 0, 7, "another")
    with pytest.raises(Fatal, match="ends before offset 11"):
        await read(log, 0, 11)


async def test_a_log_that_has_forgotten_its_beginning_says_so(log, kafka):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(*TP(log.where.partition("[")[0], 0)): RecordsToDelete(4)})
    finally:
        await admin.close()
    await log.look()
    assert (log.earliest, log.end) == (4, 10)
    with pytest.raises(Retry, match="forgotten its beginning"):
        await read(log, 0, 10)


async def test_kafka_that_is_away_is_said_to_be():
    with pytest.raises(Retry, match="cannot be reached"):
        await EventsLog("127.0.0.1:9", "t", 0).look()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--partition", 4), "there are 4 partitions"),
        (("--every", "soon"), "--every: 'soon'"),
        (("--every", "1h", "--listen", "9111"), "'9111' is not HOST:PORT"),
        (("--every", "1h", "--listen", "x:²"), "'x:²' is not HOST:PORT"),
        ((), "Redis does not answer"),
    ],
)
def test_what_cannot_be_audited_ends_with_2(run, tmp_path, options, said):
    config = tmp_path / "leadbeat.toml"
    config.write_text('[redis]\nurl = "redis://127.0.0.1:9/0"\n')
    code, out, err = run("audit", *options, "--config", config)
    assert (code, out) == (2, "")
    assert said in err


async def test_what_is_of_other_rules_need_not_be_wrong(run_audit, redis, kafka, topic_prefix):
    await ensure(kafka.bootstrap, 1, 1, topic_prefix)
    held = await claim_partition(redis, KEYS, 1, "mine")
    await committed(redis, cut_checkpoint(KEYS, held, Writes(), PROGRESS))
    report = await run_audit()
    assert report.differences == 0
    assert "of other rules" in report.failed[0]
    assert report.audited == []


@pytest.fixture
def run_audit(redis, redis_server, kafka, topic_prefix):
    """An audit of an installation of one partition."""
    from streams.audit.auditing import audit  # noqa: PLC0415
    from streams.config import KafkaSettings, Settings  # noqa: PLC0415

    settings = Settings(kafka=KafkaSettings(bootstrap=kafka.bootstrap, partitions=1, topic_prefix=topic_prefix))
    return lambda: audit(settings, redis)
