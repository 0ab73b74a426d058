import asyncio
import os

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import MessageSizeTooLargeError

from streams.errors import Retry
from streams.inbound.outlet import Outlet
from streams.producer import BATCH_BYTES, Message
from streams.topics import Topics, ensure

LIMIT_S = 20


@pytest.fixture
async def topics(kafka, topic_prefix):
    await ensure(kafka.bootstrap, 4, 1, topic_prefix)
    return Topics(topic_prefix)


async def values(bootstrap, topic, partition, count):
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, partition)])
        return [(await asyncio.wait_for(consumer.getone(), LIMIT_S)).value for _ in range(count)]
    finally:
        await consumer.stop()


async def test_records_stand_in_order_however_many_batches_they_take(kafka, topics):
    large = [bytes([number]) * (BATCH_BYTES // 3) for number in range(8)]
    larger = b"x" * (3 * BATCH_BYTES)
    async with Outlet(kafka.bootstrap).running() as outlet:
        await outlet.send(Message(topics.events, number % 2, b"k", value) for number, value in enumerate(large))
        await outlet.send([Message(topics.events, 0, b"k", larger), Message(topics.events, 0, None, b"last")])
        await outlet.send([])
    assert await values(kafka.bootstrap, topics.events, 0, 6) == [*large[::2], larger, b"last"]
    assert await values(kafka.bootstrap, topics.events, 1, 4) == large[1::2]


async def test_what_is_not_taken_is_told_and_the_next_is_sent_all_the_same(kafka, topics):
    async with Outlet(kafka.bootstrap).running() as outlet:
        too_large = os.urandom(2 * 2**20)  # for this topic, which takes no more than Kafka's default
        with pytest.raises(Retry) as caught:
            await outlet.send([Message(topics.kpis, 0, b"k", too_large), Message(topics.events, 0, b"k", b"with it")])
        assert isinstance(caught.value.__cause__, MessageSizeTooLargeError)
        await outlet.send([Message(topics.events, 0, b"k", b"behind it")])
    assert (await values(kafka.bootstrap, topics.events, 0, 2))[-1] == b"behind it"


async def test_a_kafka_that_is_away_is_told():
    async with Outlet("127.0.0.1:9").running() as outlet:
        with pytest.raises(Retry):
            await outlet.send([Message("t", 0, None, b"x")])
