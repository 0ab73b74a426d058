import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from owners import SESSION_S, producing
from services import until
from structlog.testing import capture_logs

from models.events import decode
from models.units import isoformat
from streams.config import Connection, KafkaSettings, Settings
from streams.errors import Retry
from streams.inbound.normalise import Delivery
from streams.inbound.normaliser import TURN, Normaliser, run
from streams.local.embedded import EmbeddedKafka
from streams.telemetry import NormaliserMetrics, registry
from streams.topics import TICK_KEY, Topics, decode_ticks, encode_tick, ensure, partition_of
from streams.transport import TP, LogEnds

LIMIT_S = 20
NOW = 1_772_452_800
HERE = TP("crm.deliveries.v1", 1)
ACME = Connection.model_validate({"name": "acme", "token": "t" * 16, "secrets": ["whsec_" + "A" * 32]})


def event(lead):
    return {
        "id": "ev-1",
        "type": "lead.upserted",
        "timestamp": isoformat(NOW * 1000),
        "subject": {"kind": "lead", "id": str(lead)},
        "data": {"owner": "ada"},
    }


def delivery(*leads, connection="acme"):
    body = json.dumps([event(lead) for lead in leads]).encode()
    return body, Delivery(connection, NOW * 1000, {}, body).record_headers()


# --- with a log and a Kafka of our own


class Kafka:
    """Takes records, or fails; `acknowledged` is called when they are safe."""

    def __init__(self):
        self.sent = []
        self.fault = None
        self.acknowledged = asyncio.Event()
        self.acknowledged.set()

    async def send(self, records):
        if self.fault:
            raise self.fault
        self.sent += records
        await self.acknowledged.wait()


class Control:
    """The consumer, as the normaliser sees it."""

    def __init__(self):
        self.committed = {}
        self.works = True

    def owned(self):
        return {HERE}

    async def commit_offsets(self, offsets):
        self.committed |= offsets if self.works else {}
        return self.works


@pytest.fixture
def kafka_of_ours():
    return Kafka()


@pytest.fixture
def metrics():
    return registry()


@pytest.fixture
def normaliser(kafka_of_ours, metrics):
    settings = Settings(connections=(ACME,))
    normaliser = Normaliser(settings, kafka_of_ours, NormaliserMetrics(metrics), lambda: NOW)
    normaliser.attach(Control())
    return normaliser


def record(offset, body, headers=(), key=None):
    return SimpleNamespace(offset=offset, timestamp=NOW * 1000, key=key, value=body, headers=headers)


def tick(offset, at):
    return record(offset, encode_tick(at), key=TICK_KEY)


def ends(earliest, end, committed):
    async def tell():
        return committed

    return LogEnds(earliest, end, reader=None, committed=tell)


@pytest.mark.parametrize(
    ("earliest", "end", "committed", "start"),
    [(0, 9, None, 0), (3, 9, None, 3), (0, 9, 5, 5), (0, 9, 9, 9), (6, 9, 5, 6), (2, 4, 5, 2)],
    ids=["nothing", "nothing, trimmed", "within", "at the end", "trimmed away", "beyond the end"],
)
async def test_it_starts_where_its_group_had_come_to_and_else_at_the_beginning(normaliser, earliest, end, committed, start):
    assert await normaliser.load(HERE, ends(earliest, end, committed)) == start
    assert normaliser.applied(HERE) == start


async def test_a_log_that_has_grown_since_it_was_looked_at_is_looked_at_again(normaliser):
    async def grown():
        return 0, 12

    assert await normaliser.load(HERE, replace(ends(0, 9, 11), look=grown)) == 11


async def test_what_comes_of_deliveries_goes_to_the_partition_of_its_lead_in_order(normaliser, kafka_of_ours):
    await normaliser.load(HERE, ends(0, 9, None))
    await normaliser.apply(HERE, [record(0, *delivery(1, 2)), record(1, *delivery(1))])
    assert [(sent.topic, sent.partition, sent.key) for sent in kafka_of_ours.sent] == [
        ("crm.events.v1", partition_of(key, 4), key) for key in (b"lead:acme:1", b"lead:acme:2", b"lead:acme:1")
    ]
    assert normaliser.applied(HERE) == 2


async def test_it_is_done_with_a_batch_when_kafka_is_and_not_before(normaliser, kafka_of_ours):
    await normaliser.load(HERE, ends(0, 9, None))
    kafka_of_ours.acknowledged.clear()
    applying = asyncio.create_task(normaliser.apply(HERE, [record(0, *delivery(1)), tick(1, NOW)]))
    await until(lambda: kafka_of_ours.sent, LIMIT_S, "it is sent")
    await normaliser.flush({HERE})
    assert normaliser._control.committed == {HERE: 0}
    assert not normaliser.relay._waiting
    kafka_of_ours.acknowledged.set()
    await applying
    await normaliser.flush({HERE})
    assert normaliser._control.committed == {HERE: 2}
    assert normaliser.relay._waiting == {1: NOW}


async def test_what_kafka_does_not_take_is_not_done(normaliser, kafka_of_ours):
    await normaliser.load(HERE, ends(0, 9, None))
    kafka_of_ours.fault = Retry("Kafka", "away")
    with pytest.raises(Retry):
        await normaliser.apply(HERE, [record(0, *delivery(1)), tick(1, NOW)])
    assert normaliser.applied(HERE) == 0
    assert not normaliser.relay._waiting


async def test_counts_begin_at_zero_so_that_a_first_increase_can_be_seen(normaliser, metrics):
    for name, connection in product(("events_normalised", "events_unknown", "dead_letters"), ("acme", "")):
        assert metrics.get_sample_value(f"leadbeat_{name}_total", {"connection": connection}) == 0


async def test_what_nobody_can_read_is_a_dead_letter(normaliser, kafka_of_ours, metrics):
    await normaliser.load(HERE, ends(0, 9, None))
    strangers = [
        record(0, b"[1]", delivery()[1]),
        record(1, b"hello"),
        record(2, None),
        record(3, b"never", key=TICK_KEY),
        record(4, *delivery(1, connection="gone")),
    ]
    with capture_logs() as lines:
        await normaliser.apply(HERE, strangers)
    assert {(sent.topic, sent.partition, sent.key) for sent in kafka_of_ours.sent} == {("leadbeat.dead.v1", 0, None)}
    letters = [json.loads(sent.value) for sent in kafka_of_ours.sent]
    assert [letter["offset"] for letter in letters] == [0, 1, 2, 3, 4]
    assert "no connection 'gone'" in letters[4]["reason"]
    assert normaliser.applied(HERE) == 5
    assert metrics.get_sample_value("leadbeat_dead_letters_total", {"connection": "acme"}) == 1
    assert metrics.get_sample_value("leadbeat_dead_letters_total", {"connection": ""}) == 4
    told = [(line["connection"], line["where"], line["topic"]) for line in lines]
    assert told == [("acme", "$", "leadbeat.dead.v1"), ("", "crm.deliveries.v1[1]@1", "leadbeat.dead.v1")]


async def test_what_leadbeat_does_not_know_is_counted_and_stays_in_the_deliveries(normaliser, kafka_of_ours, metrics):
    await normaliser.load(HERE, ends(0, 9, None))
    body = json.dumps([event(1) | {"type": "invoice.paid"}, event(2), {"type": "zzz"}]).encode()
    await normaliser.apply(HERE, [record(0, body, delivery()[1])])
    assert [(sent.topic, sent.key) for sent in kafka_of_ours.sent] == [("crm.events.v1", b"lead:acme:2")]
    assert metrics.get_sample_value("leadbeat_events_unknown_total", {"connection": "acme"}) == 2
    assert metrics.get_sample_value("leadbeat_dead_letters_total", {"connection": "acme"}) == 0
    assert normaliser.applied(HERE) == 1


async def test_a_tick_from_the_future_is_refused_and_counted(normaliser, metrics):
    await normaliser.load(HERE, ends(0, 9, None))
    await normaliser.apply(HERE, [tick(0, NOW + 301), tick(1, NOW + 300), tick(2, NOW)])
    assert normaliser.relay._waiting == {1: NOW + 300}
    await normaliser.apply(HERE, [tick(3, NOW + 10_000)])
    assert normaliser.relay._waiting == {1: NOW + 300}
    assert metrics.get_sample_value("leadbeat_ticks_refused_total") == 2


async def test_a_commit_that_failed_is_made_up_for(normaliser):
    await normaliser.load(HERE, ends(0, 9, None))
    control = normaliser._control
    control.works = False
    await normaliser.flush({HERE})
    control.works = True
    await normaliser.flush({HERE})
    assert control.committed == {HERE: 0}
    control.committed.clear()
    await normaliser.flush({HERE})
    assert not control.committed


async def test_a_partition_that_is_dropped_is_forgotten(normaliser):
    await normaliser.load(HERE, ends(0, 9, None))
    normaliser.drop({HERE})
    assert normaliser.applied(HERE) is None
    await normaliser.flush({HERE})
    assert not normaliser._control.committed


async def test_others_have_a_turn_while_a_large_batch_is_normalised(normaliser, kafka_of_ours):
    await normaliser.load(HERE, ends(0, 10_000, None))
    turns, going = 0, asyncio.create_task(normaliser.apply(HERE, [record(n, *delivery(n)) for n in range(4 * TURN)]))
    while not going.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 4
    assert len(kafka_of_ours.sent) == 4 * TURN


# --- with Kafka


@asynccontextmanager
async def normalising(bootstrap, prefix, **options):
    """A normaliser at work until the block ends."""
    kafka = KafkaSettings(
        bootstrap=bootstrap, topic_prefix=prefix, group=f"{prefix}leadbeat", session_timeout_s=SESSION_S, create_topics=False
    )
    settings = Settings(kafka=kafka, connections=(ACME,), **options)
    stopping = asyncio.Event()
    task = asyncio.create_task(run(settings, stopping=stopping))
    try:
        yield
    finally:
        stopping.set()
        await task


@asynccontextmanager
async def reading(bootstrap, topic):
    """Reads on in all partitions of a topic, whenever asked: gives everything read so far by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    consumer.assign([TopicPartition(topic, partition) for partition in range(4)])
    read = {partition: [] for partition in range(4)}

    async def on():
        for tp, records in (await consumer.getmany(timeout_ms=50)).items():
            read[tp.partition] += records
        return read

    try:
        yield on
    finally:
        await consumer.stop()


async def deliver(producer, topic, partition, *leads):
    body, headers = delivery(*leads)
    await producer.send_and_wait(topic, body, headers=headers, partition=partition)


async def append_tick(producer, topic, partition, at):
    await producer.send_and_wait(topic, encode_tick(at), key=TICK_KEY, partition=partition)


@pytest.fixture
async def topics(kafka, topic_prefix):
    await ensure(kafka.bootstrap, 4, 1, topic_prefix)
    return Topics(topic_prefix)


def leads_of(records):
    return [decode(record.value).subject.id.removeprefix("acme:") for record in records if record.key != TICK_KEY]


def ticks_of(records):
    return [decode_ticks(record.value) for record in records if record.key == TICK_KEY]


async def test_a_tick_comes_behind_the_events_of_its_deliveries_in_every_partition(kafka, topic_prefix, topics):
    now = int(time.time())
    async with (
        producing(kafka.bootstrap) as producer,
        reading(kafka.bootstrap, topics.events) as read,
        normalising(kafka.bootstrap, topic_prefix, ticks="external"),
    ):
        for at in range(now - 40, now + 1, 10):
            for source in range(4):
                await deliver(producer, topics.deliveries, source, *(f"{source}-{at}-{lead}" for lead in range(50)))
                await append_tick(producer, topics.deliveries, source, at)

        async def told():
            return all(
                {source for tick in ticks_of(records) for source in tick if tick[source] == now} == {0, 1, 2, 3}
                for records in (await read()).values()
            )

        await until(told, LIMIT_S, "every events partition knows the newest tick of every deliveries partition")
        found = await read()
    for partition, records in found.items():
        assert {partition_of(record.key, 4) for record in records if record.key != TICK_KEY} == {partition}
        reached = dict.fromkeys(range(4), 0)
        for record in records:
            if record.key == TICK_KEY:
                ticks = decode_ticks(record.value)
                assert all(at > reached[source] for source, at in ticks.items())
                reached |= ticks
            else:
                source, at, _ = leads_of([record])[0].split("-")
                assert reached[int(source)] < int(at)
    assert sum(len(leads_of(records)) for records in found.values()) == 5 * 4 * 50


async def test_one_that_is_started_again_goes_on_where_it_had_come_to(kafka, topic_prefix, topics):
    async with producing(kafka.bootstrap) as producer, reading(kafka.bootstrap, topics.events) as read:
        for first in (0, 10):
            async with normalising(kafka.bootstrap, topic_prefix, ticks="external"):
                for lead in range(first, first + 10):
                    await deliver(producer, topics.deliveries, lead % 4, lead)

                async def all_there(end=first + 10):
                    return sum(map(len, (await read()).values())) >= end

                await until(all_there, LIMIT_S, "all is normalised")
        found = [lead for records in (await read()).values() for lead in leads_of(records)]
        assert sorted(map(int, found)) == list(range(20))


async def test_it_ticks_every_second_by_itself(kafka, topic_prefix, topics):
    async with reading(kafka.bootstrap, topics.events) as read, normalising(kafka.bootstrap, topic_prefix):
        began = int(time.time())

        async def ticked():
            return len(ticks_of((await read())[2])) >= 3

        await until(ticked, LIMIT_S, "an events partition has ticked three times")
        records = await read()
    ticks = ticks_of(records[2])
    assert all(began <= at <= time.time() for tick in ticks for at in tick.values())
    assert {0: ticks_of(records[0]), 1: ticks_of(records[1])} == {0: ticks_of(records[3]), 1: ticks_of(records[3])}


async def test_it_normalises_on_the_embedded_broker_too(topic_prefix):
    topics = Topics(topic_prefix)
    async with EmbeddedKafka() as bootstrap:
        await ensure(bootstrap, 4, 1, topic_prefix, create=False)
        async with producing(bootstrap) as producer, reading(bootstrap, topics.events) as read:
            await deliver(producer, topics.deliveries, 0, *range(20))
            async with normalising(bootstrap, topic_prefix):

                async def all_there():
                    records = (await read()).values()
                    return sum(map(len, map(leads_of, records))) == 20 and all(map(ticks_of, records))

                await until(all_there, LIMIT_S, "events and ticks are there")
