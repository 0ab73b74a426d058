"""A producer that lasts: one that has failed is replaced, by whatever way its failure is told."""

import asyncio
import os

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from streams.producer import LastingProducer, Message
from streams.topics import Topics, ensure


@pytest.fixture
async def topics(kafka, topic_prefix):
    await ensure(kafka.bootstrap, 4, 1, topic_prefix)
    return Topics(topic_prefix)


async def test_it_sends_behind_a_record_that_was_refused(kafka, topics):
    async with LastingProducer(kafka.bootstrap, "test").running() as producer:
        await producer.send_and_wait(topics.kpis, b"first", b"k")
        before = await producer.current()
        with pytest.raises(MessageSizeTooLargeError):
            await producer.send_and_wait(topics.kpis, os.urandom(2 * 2**20), b"k")
        assert await producer.current() is not before
        await producer.send_and_wait(topics.kpis, b"second", b"k")


async def test_a_failure_that_nobody_waited_for_counts_too(kafka, topics):
    async with LastingProducer(kafka.bootstrap, "test").running() as producer:
        before = await producer.current()
        answer = await producer.send(topics.kpis, os.urandom(2 * 2**20), b"k")
        await asyncio.wait([answer])
        assert await producer.current() is not before


async def test_the_failure_of_one_that_was_replaced_does_not_touch_the_next(kafka, topics):
    async with LastingProducer(kafka.bootstrap, "test").running() as producer:
        first = await producer.current()
        producer.give_up(first)
        second = await producer.current()
        producer.give_up(first)
        assert await producer.current() is second


async def test_a_kafka_that_is_away_is_told_each_time():
    async with LastingProducer("127.0.0.1:9", "test").running() as producer:
        for _ in range(2):
            with pytest.raises(KafkaError):
                await producer.send_and_wait("topic", b"x", None)


async def test_many_at_once_go_where_their_keys_belong_and_may_say_that_something_is_gone(kafka, topics):
    keys = [b"%d" % number for number in range(20)]
    async with LastingProducer(kafka.bootstrap, "test").running() as producer:
        for key in keys:
            await producer.send_and_wait(topics.events, b"one by one", key)
        await producer.send_all(Message(topics.events, None, key, None) for key in keys)
        await producer.send_all([])
    async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topics.events, number) for number in range(4)])
        found = [await asyncio.wait_for(consumer.getone(), 20) for _ in range(2 * len(keys))]
    where = {record.key: record.partition for record in found if record.value}
    assert {record.key: record.partition for record in found if record.value is None} == where
    assert where.keys() == set(keys)
