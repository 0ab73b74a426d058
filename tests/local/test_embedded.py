"""The embedded broker and Redis carry what the demo puts on them, and leave nothing behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from redis.asyncio import Redis
from services import accepts, until_sync

from streams.errors import Fatal
from streams.local import embedded as module
from streams.local.embedded import PARTITIONS, EmbeddedKafka, EmbeddedRedis, redis_binary

TOPIC = "crm.deliveries.v1"


@pytest.fixture
async def bootstrap() -> AsyncIterator[str]:
    async with EmbeddedKafka() as address:
        yield address


@pytest.fixture
async def producer(bootstrap) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, acks="all") as client:
        yield client


def group_member(bootstrap: str) -> AIOKafkaConsumer:
    """A short session: it is nearly how long the mock cluster makes a member wait that comes after another has left."""
    return AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=bootstrap,
        group_id="leadbeat",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=4000,
        heartbeat_interval_ms=1000,
    )


async def read(consumer: AIOKafkaConsumer, count: int) -> dict[bytes, tuple[int, int, tuple[tuple[str, bytes], ...]]]:
    """The next records: value → (partition, offset, headers)."""
    records = [await consumer.getone() for _ in range(count)]
    return {record.value: (record.partition, record.offset, tuple(record.headers)) for record in records}


async def test_topics_come_into_being_with_four_partitions(producer):
    assert await producer.partitions_for(TOPIC) == set(range(PARTITIONS))


async def test_an_idempotent_producer_is_read_by_a_group_with_headers_in_order(bootstrap, producer):
    headers = [("connection", b"crm"), ("received_at", b"1760000000000")]
    for number in range(8):
        sent = await producer.send_and_wait(TOPIC, b"%d" % number, partition=number % PARTITIONS, headers=headers)
        assert (sent.partition, sent.offset) == (number % PARTITIONS, number // PARTITIONS)
    async with group_member(bootstrap) as consumer:
        found = await read(consumer, 8)
    assert found == {b"%d" % n: (n % PARTITIONS, n // PARTITIONS, tuple(headers)) for n in range(8)}


async def test_a_group_goes_on_where_it_has_committed(bootstrap, producer):
    partition = TopicPartition(TOPIC, 1)
    for value in (b"first", b"second"):
        await producer.send_and_wait(TOPIC, value, partition=partition.partition)
    async with group_member(bootstrap) as consumer:
        await consumer.getone()
        await consumer.commit({partition: 1})
        assert await consumer.committed(partition) == 1
        assert await consumer.end_offsets([partition]) == {partition: 2}
    async with group_member(bootstrap) as consumer:
        assert set(await read(consumer, 1)) == {b"second"}


async def test_redis_evicts_and_saves_nothing():
    async with EmbeddedRedis() as url, Redis.from_url(url) as client:
        await client.set("lead", "waits")
        settings = await client.config_get("*")
    wanted = {"maxmemory-policy": "noeviction", "save": "", "appendonly": "no", "bind": "127.0.0.1", "unixsocket": ""}
    assert {name: settings[name] for name in wanted} == wanted


@pytest.mark.parametrize("kind", ["kafka", "redis"])
@pytest.mark.parametrize("ending", ["its input closes", "SIGTERM"])
def test_the_process_ends_with_all_that_it_made(kind, ending, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "streams.local.embedded", kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with process:
        port = int(json.loads(process.stdout.readline())["address"].rpartition(":")[2].partition("/")[0])
        assert accepts(port)
        if ending == "SIGTERM":
            process.send_signal(signal.SIGTERM)
        else:
            process.stdin.close()
        assert process.wait(10) == 0
    until_sync(lambda: not accepts(port), 5, "the port is free again")
    assert list(tmp_path.iterdir()) == []


def test_without_any_redis_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Fatal, match="install redis-server or valkey-server"):
        redis_binary()


async def test_a_redis_that_does_not_start_is_fatal_and_says_why(monkeypatch, tmp_path):
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(module, "redis_binary", lambda: str(broken))
    with pytest.raises(Fatal, match="does not start"), module._redis():
        pass


async def test_a_process_that_cannot_serve_passes_its_reason_on(monkeypatch):
    with pytest.raises(Fatal, match="ended before it was ready"):
        async with module.embedded("no such kind"):
            pass
