import asyncio
from collections.abc import Mapping

import pytest
from services import until

from streams.errors import Retry
from streams.inbound import ticks
from streams.inbound.ticks import Relay, Ticker

LIMIT_S = 5


class Log:
    """Where ticks go: keeps them, or fails as often as it is told to."""

    def __init__(self):
        self.sent = []
        self.failures = 0

    async def send(self, at: Mapping[int, int]) -> None:
        if self.failures:
            self.failures -= 1
            raise Retry("Kafka", "away")
        self.sent.append(dict(at))


@pytest.fixture
def log():
    return Log()


@pytest.fixture
async def running():
    tasks = []

    def run(work):
        tasks.append(asyncio.create_task(work))

    yield run
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_ticker_appends_whole_seconds_to_all_that_it_owns(log):
    now, owned = [100.9], {0, 2}
    ticker = Ticker(lambda: owned, log.send, lambda: now[0])
    await ticker.tick()
    now[0] = 101.2
    owned.remove(0)
    await ticker.tick()
    assert log.sent == [{0: 100, 2: 100}, {2: 101}]


async def test_a_ticker_never_goes_back(log):
    now = [100.0]
    ticker = Ticker(lambda: {0, 1}, log.send, lambda: now[0])
    ticker.heard(1, 101)
    for now[0] in (100.0, 100.5, 99.0, 101.0, 102.0):
        await ticker.tick()
    assert log.sent == [{0: 100}, {0: 101}, {0: 102, 1: 102}]


async def test_a_ticker_ticks_each_second_and_outlives_a_kafka_that_is_away(log, running):
    now = iter(second + 0.999 for second in range(100, 10_000))
    log.failures = 1
    running(Ticker(lambda: {0}, log.send, lambda: next(now)).run())
    await until(lambda: len(log.sent) >= 3, LIMIT_S, "it has ticked")
    assert [at for tick in log.sent for at in tick.values()] == sorted({at for tick in log.sent for at in tick.values()})


async def test_ticks_of_all_partitions_are_passed_on_together(log, running):
    relay = Relay(lambda: {0, 1, 2}, log.send)
    running(relay.run())
    for at in (100, 101):
        for partition in (0, 1, 2):
            relay.heard(partition, at)
            await asyncio.sleep(0)
        await until(lambda at=at: {0: at, 1: at, 2: at} in log.sent, LIMIT_S, "it is passed on")
    assert log.sent == [dict.fromkeys((0, 1, 2), 100), dict.fromkeys((0, 1, 2), 101)]


async def test_a_partition_that_lags_does_not_keep_the_others(log, running):
    relay = Relay(lambda: {0, 1}, log.send)
    running(relay.run())
    relay.heard(0, 100)
    await until(lambda: log.sent == [{0: 100}], LIMIT_S, "it is passed on alone")
    relay.heard(1, 99)
    await until(lambda: log.sent == [{0: 100}, {1: 99}], LIMIT_S, "the other one follows")


async def test_a_tick_is_passed_on_once_and_never_backwards(log):
    relay = Relay(lambda: {0}, log.send)
    for at in (100, 99, 100, 101):
        relay.heard(0, at)
        await relay.pass_on()
    assert log.sent == [{0: 100}, {0: 101}]


async def test_a_tick_that_kafka_does_not_take_waits(log, running, monkeypatch):
    monkeypatch.setattr(ticks, "RETRY_S", 0.01)
    log.failures = 2
    relay = Relay(lambda: {0}, log.send)
    running(relay.run())
    relay.heard(0, 100)
    await until(lambda: log.sent == [{0: 100}], LIMIT_S, "it is passed on in the end")
