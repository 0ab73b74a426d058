import asyncio
import signal
from collections.abc import Callable
from typing import TypeAlias

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError
from services import until

from streams import producer
from streams.config import Settings
from streams.errors import Retry
from streams.inbound import deliveries as module
from streams.inbound.deliveries import KafkaDeliveries, Kept
from streams.topics import Topics, ensure

HEADERS = [("connection", b"acme")]

Record: TypeAlias = tuple[bytes | None, bytes, list[tuple[str, bytes]]]


@pytest.fixture(autouse=True)
def _probes_often(monkeypatch):
    monkeypatch.setattr(module, "PROBE_S", 0.05)
    monkeypatch.setattr(module, "PATIENCE_S", 1.0)


def settings_of(bootstrap: str, prefix: str = "") -> Settings:
    return Settings.model_validate({"kafka": {"bootstrap": bootstrap, "topic_prefix": prefix, "partitions": 2}})


async def records(bootstrap: str, topic: str, complete: Callable[[list[Record]], bool]) -> list[Record]:
    """The records of a topic, read until they are complete: key, value, headers."""
    found: list[Record] = []
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        async with asyncio.timeout(30):
            while not complete(found):
                record = await anext(consumer)
                found.append((record.key, record.value, list(record.headers)))
    return found


async def test_what_is_appended_lies_in_the_topic_in_any_partition(kafka, topic_prefix):
    await ensure(kafka.bootstrap, 2, prefix=topic_prefix)
    bodies = [b"small", b"x" * (2 * 2**20), b""]
    async with KafkaDeliveries(settings_of(kafka.bootstrap, topic_prefix)).running() as deliveries:
        await until(deliveries.ready, 20, "ready")
        await asyncio.gather(*(deliveries.append(body, HEADERS) for body in bodies))
    found = await records(kafka.bootstrap, Topics(topic_prefix).deliveries, lambda found: len(found) == len(bodies))
    assert sorted(found, key=lambda record: record[1]) == [(None, body, HEADERS) for body in sorted(bodies)]


async def test_what_is_appended_together_stands_in_order_and_again_in_the_same_partitions_if_it_is_sent_again(
    kafka, topic_prefix
):
    await ensure(kafka.bootstrap, 2, prefix=topic_prefix)
    kept = [Kept(number, [*HEADERS, ("h-x", b"%d" % number)], b"%d" % number * 50_000) for number in range(5, 15)]
    async with KafkaDeliveries(settings_of(kafka.bootstrap, topic_prefix)).running() as deliveries:
        with pytest.raises(Retry, match="cannot be written to yet"):
            await deliveries.append_all(kept)
        await until(deliveries.ready, 20, "ready")
        await deliveries.append_all(kept)
        await deliveries.append_all(kept)
    stand: dict[int, list[bytes]] = {0: [], 1: []}
    topic = Topics(topic_prefix).deliveries
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest") as consumer:
        async with asyncio.timeout(30):
            for _ in range(2 * len(kept)):
                record = await anext(consumer)
                assert record.headers[-1] == ("h-x", record.value[: len(record.value) // 50_000])
                stand[record.partition].append(record.value)
    assert stand == {number: 2 * [each.value for each in kept if each.number % 2 == number] for number in range(2)}


async def test_a_topic_that_is_not_there_is_waited_for_and_not_made(kafka, topic_prefix):
    async with KafkaDeliveries(settings_of(kafka.bootstrap, topic_prefix)).running() as deliveries:
        await until(lambda: deliveries._producer, 20, "connected")
        with pytest.raises(Retry, match="cannot be written to yet"):
            await deliveries.append(b"early", HEADERS)
        assert not deliveries.ready()
        await ensure(kafka.bootstrap, 2, prefix=topic_prefix)
        await until(deliveries.ready, 20, "ready")
        await deliveries.append(b"now", HEADERS)


async def test_without_a_broker_nothing_is_taken_and_it_keeps_trying(monkeypatch):
    given_up = []

    class Trying(AIOKafkaProducer):
        async def stop(self):
            await super().stop()
            given_up.append(self)

    monkeypatch.setattr(producer, "AIOKafkaProducer", Trying)
    async with KafkaDeliveries(settings_of("127.0.0.1:1")).running() as deliveries:
        await until(lambda: len(given_up) > 1, 10, "tried again")
        with pytest.raises(Retry):
            await deliveries.append(b"x", HEADERS)
        assert not deliveries.ready()


async def test_while_kafka_does_not_answer_nothing_is_acknowledged_and_it_recovers_by_itself(kafka, topic_prefix):
    await ensure(kafka.bootstrap, 2, prefix=topic_prefix)
    async with KafkaDeliveries(settings_of(kafka.bootstrap, topic_prefix)).running() as deliveries:
        await until(deliveries.ready, 20, "ready")
        kafka.server.process.send_signal(signal.SIGSTOP)
        try:
            await until(lambda: not deliveries.ready(), 20, "not ready")
            with pytest.raises((Retry, TimeoutError)):
                async with asyncio.timeout(1):
                    await deliveries.append(b"lost?", HEADERS)
        finally:
            kafka.server.process.send_signal(signal.SIGCONT)
        await until(deliveries.ready, 20, "ready again")
        async with asyncio.timeout(20):
            await deliveries.append(b"again", HEADERS)
    # The first may have come through or not: nobody was told that it had.
    await records(kafka.bootstrap, Topics(topic_prefix).deliveries, lambda found: (None, b"again", HEADERS) in found)


class Producer:
    """Stands for aiokafka's, to fail in ways that a broker does not on demand."""

    def __init__(self, fault: Exception | None = None, *, hangs: bool = False) -> None:
        self.fault = fault
        self.hangs = hangs
        self.stopped = False
        self.client = self

    async def start(self):
        pass

    async def send_and_wait(self, topic, value, headers):
        if self.fault:
            raise self.fault

    async def fetch_all_metadata(self):
        return self

    def partitions_for_topic(self, topic):
        return {0}

    async def partitions_for(self, topic):
        return {0}

    async def stop(self):
        self.stopped = True
        if self.hangs:
            await asyncio.Event().wait()


@pytest.fixture
def producers(monkeypatch) -> list[Producer]:
    """The producers that there will be, one after the other."""
    coming: list[Producer] = []

    monkeypatch.setattr(producer, "AIOKafkaProducer", lambda **_: coming.pop(0))
    monkeypatch.setattr(producer, "STOP_LIMIT_S", 1.0)
    return coming


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_producer_that_has_failed_for_good_is_replaced(producers, hangs):
    failed, healthy = Producer(KafkaError("out of order"), hangs=hangs), Producer()
    producers += [failed, healthy]
    async with KafkaDeliveries(settings_of("unused:1")).running() as deliveries:
        await until(deliveries.ready, 5, "ready")
        with pytest.raises(Retry, match="cannot be written to"):
            await deliveries.append(b"x", HEADERS)
        await until(lambda: deliveries._producer is healthy, 5, "replaced")
        await deliveries.append(b"x", HEADERS)
    assert failed.stopped
    assert healthy.stopped


async def test_a_full_buffer_passes_and_the_producer_stays(producers):
    producers += [full := Producer(KafkaTimeoutError())]
    async with KafkaDeliveries(settings_of("unused:1")).running() as deliveries:
        await until(deliveries.ready, 5, "ready")
        with pytest.raises(Retry, match="not written to in time"):
            await deliveries.append(b"x", HEADERS)
        full.fault = None
        await deliveries.append(b"x", HEADERS)
