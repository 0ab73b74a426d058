import asyncio
import json
import socket

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import AuthenticationFailedError
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given
from hypothesis import strategies as st
from services import free_port
from structlog.testing import capture_logs

from models.belief import LATEST
from models.units import DAY, HOUR, SECOND
from streams import topics
from streams.config import RetentionSettings
from streams.errors import Fatal, Retry
from streams.local.embedded import EmbeddedKafka
from streams.topics import Topics, decode_tick, decode_ticks, encode_tick, encode_ticks, ensure, partition_of, specs

LATEST_S = LATEST // SECOND
ALL = ["crm.deliveries.v1", "crm.events.v1", "leadbeat.alerts.v1", "leadbeat.dead.v1", "leadbeat.kpis.v1"]


async def partitions(admin, prefix):
    described = await admin.describe_topics([f"{prefix}{name}" for name in ALL])
    return {topic["topic"].removeprefix(prefix): len(topic["partitions"]) for topic in described}


async def test_what_is_missing_is_made_and_what_is_there_stays(kafka, admin, topic_prefix):
    await admin.create_topics([NewTopic(f"{topic_prefix}leadbeat.dead.v1", 2, 1)])
    await ensure(kafka.bootstrap, 3, 1, topic_prefix)
    await ensure(kafka.bootstrap, 3, 1, topic_prefix)
    assert await partitions(admin, topic_prefix) == dict(zip(ALL, [3, 3, 1, 2, 1], strict=True))


async def test_processes_may_make_them_at_the_same_time(kafka, admin, topic_prefix):
    await asyncio.gather(*(ensure(kafka.bootstrap, 4, 1, topic_prefix) for _ in range(4)))
    assert await partitions(admin, topic_prefix) == dict(zip(ALL, [4, 4, 1, 1, 1], strict=True))


async def test_they_are_set_as_their_use_asks_for(kafka, admin, topic_prefix):
    await ensure(kafka.bootstrap, 2, 1, topic_prefix)
    names = Topics(topic_prefix)
    kept = {name: await settings(admin, name) for name in (names.deliveries, names.events, names.kpis)}
    assert kept[names.kpis]["cleanup.policy"] == "compact"
    assert kept[names.events]["cleanup.policy"] == "delete"
    assert int(kept[names.deliveries]["retention.ms"]) == 7 * 86_400_000
    assert int(kept[names.events]["max.message.bytes"]) == topics.MAX_RECORD_BYTES


async def test_they_are_kept_for_as_long_as_the_settings_say(kafka, admin, topic_prefix):
    days = {"deliveries": "2d", "events": "12h", "dead_letters": "4d", "alerts": "5d"}
    await ensure(kafka.bootstrap, 1, 1, topic_prefix, retention=RetentionSettings.model_validate(days))
    names = Topics(topic_prefix)
    kept = {name: await settings(admin, name) for name in (names.deliveries, names.events, names.dead, names.alerts)}
    assert {name: int(found["retention.ms"]) for name, found in kept.items()} == {
        names.deliveries: 2 * DAY,
        names.events: 12 * HOUR,
        names.dead: 4 * DAY,
        names.alerts: 5 * DAY,
    }
    assert [int(kept[name]["segment.ms"]) for name in (names.deliveries, names.events)] == [DAY, 12 * HOUR]
    assert set(kept[names.dead]["cleanup.policy"].split(",")) == {"compact", "delete"}


async def settings(admin, name):
    (answer,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    ((_, _, _, _, entries),) = answer.resources
    return {entry[0]: entry[1] for entry in entries}


def test_three_replicas_ask_for_two_to_be_in_sync():
    assert {spec.config["min.insync.replicas"] for spec in specs(Topics(), 4, 3)} == {"2"}
    assert {spec.config["min.insync.replicas"] for spec in specs(Topics(), 4, 2)} == {"1"}


@pytest.mark.parametrize("name", ["crm.deliveries.v1", "crm.events.v1"])
async def test_another_number_of_partitions_is_refused(kafka, admin, topic_prefix, name):
    await admin.create_topics([NewTopic(f"{topic_prefix}{name}", 5, 1)])
    with pytest.raises(Fatal, match=rf"topic {topic_prefix}{name}: 5 partitions where kafka.partitions is 4") as caught:
        await ensure(kafka.bootstrap, 4, 1, topic_prefix)
    assert "never changes" in caught.value.todo


async def test_what_kafka_refuses_to_make_is_told(kafka, topic_prefix):
    with pytest.raises(Fatal, match="cannot be made: InvalidReplicationFactorError"):
        await ensure(kafka.bootstrap, 4, 3, topic_prefix)


async def test_a_broker_that_is_not_there_is_told_at_once_and_at_the_end(monkeypatch):
    monkeypatch.setattr(topics, "PATIENCE_S", 1.0)
    bootstrap = f"127.0.0.1:{free_port()}"
    with capture_logs() as lines, pytest.raises(Retry) as caught:
        await ensure(bootstrap, 4)
    todo = "check kafka.bootstrap, and that a broker runs there that this machine can reach"
    assert str(caught.value) == f"Kafka at {bootstrap}: cannot be reached, tried for 1 s ({todo}; then start this again)"
    (line,) = lines
    assert (line["event"], line["bootstrap"], line["todo"]) == ("kafka_unreachable", bootstrap, todo)


async def test_a_server_that_never_answers_is_told(monkeypatch):
    monkeypatch.setattr(topics, "PATIENCE_S", 0.5)
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, pytest.raises(Retry, match=r"does not answer, tried for .* \(check kafka\.bootstrap, "):
        await ensure(f"127.0.0.1:{silent.getsockname()[1]}", 4)


async def test_what_kafka_answers_instead_is_told(monkeypatch):
    async def refused(_):
        raise AuthenticationFailedError("no such user")

    monkeypatch.setattr(topics, "PATIENCE_S", 0.5)
    monkeypatch.setattr(AIOKafkaAdminClient, "start", refused)
    with pytest.raises(Retry, match="answers with AuthenticationFailedError: no such user, tried for"):
        await ensure("127.0.0.1:1", 4)


async def test_topics_that_nobody_makes_are_told(kafka, topic_prefix, monkeypatch):
    monkeypatch.setattr(topics, "PATIENCE_S", 0.5)
    with pytest.raises(Retry, match=r"set kafka\.create_topics = true"):
        await ensure(kafka.bootstrap, 4, 1, topic_prefix, create=False)


@pytest.mark.parametrize("create", [True, False])
async def test_the_embedded_broker_makes_topics_when_asked_for_them(create):
    async with EmbeddedKafka() as bootstrap:
        await ensure(bootstrap, 4, 1, "x.", create=create)
        with pytest.raises(Fatal, match=r"4 partitions where kafka\.partitions is 3"):
            await ensure(bootstrap, 3, 1, "x.", create=create)


def test_the_prefix_stands_before_every_name():
    names = Topics("acme.")
    assert sorted([names.deliveries, names.events, names.dead, names.alerts, names.kpis]) == [f"acme.{name}" for name in ALL]


@given(st.binary(), st.integers(1, 64))
def test_a_key_belongs_where_kafka_s_own_clients_put_it(key, count):
    assert partition_of(key, count) == DefaultPartitioner()(key, list(range(count)), [])


@pytest.mark.parametrize(
    ("key", "murmur2"),
    # As Kafka's own test of its hash has them (UtilsTest.testMurmur2).
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536), (b"abc", 479470107)],
)
def test_the_hash_is_kafka_s(key, murmur2):
    assert partition_of(key, 1_000_003) == (murmur2 & 0x7FFFFFFF) % 1_000_003


@given(st.integers(0, LATEST_S - 1))
def test_a_tick_of_deliveries_is_read_as_written(at):
    assert decode_tick(encode_tick(at)) == at
    assert json.loads(encode_tick(at)) == {"at": at}


@given(st.dictionaries(st.integers(0, 1023), st.integers(0, LATEST_S - 1)))
def test_a_tick_of_events_is_read_as_written(at):
    assert decode_ticks(encode_ticks(at)) == at
    assert json.loads(encode_ticks(at)) == {"at": {str(partition): seconds for partition, seconds in at.items()}}


DEEP = b'{"x": ' + b"[" * 5_000 + b"]" * 5_000 + b', "at": 1}'
JUNK = [None, b"", DEEP, b"null", b"{}", b'{"at": "x"}', b'{"at": 1.5}', b'{"at": -1}', b'{"at": 1767225600000}', b"\xff"]


@pytest.mark.parametrize("value", [*JUNK, b'{"at": {"0": 1}}'])
def test_what_is_no_tick_of_deliveries_is_none(value):
    assert decode_tick(value) is None


@pytest.mark.parametrize("value", [*JUNK, b'{"at": {"x": 1}}', b'{"at": {"-1": 1}}', b'{"at": {"0": 1767225600000}}'])
def test_what_is_no_tick_of_events_is_none(value):
    assert decode_ticks(value) is None
