"""Of two live workers that differ and call themselves equal, the later one refuses; nobody else is in anybody's way."""

import asyncio
from dataclasses import dataclass

import pytest

from streams.errors import Fatal
from streams.processing import presence
from streams.processing.presence import Presence
from streams.valuation import Valuation

pytestmark = pytest.mark.redis

MINE = Valuation(1, 7, "a" * 64)
OTHER = Valuation(1, 7, "b" * 64)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(presence, "EVERY_S", 0.05)
    monkeypatch.setattr(presence, "LOOK_S", 0.02)


@dataclass
class Floor:
    """Workers that share a Redis."""

    redis: object
    counts_s: float = 2.0

    async def come(self, valuation):
        worker = Presence(self.redis, "lb", valuation, counts_s=self.counts_s)
        await worker.enter()
        return worker


@pytest.fixture
def floor(redis):
    return Floor(redis)


async def test_the_same_rules_and_newer_ones_are_welcome(floor):
    for valuation in (MINE, MINE, Valuation(1, 8, "c" * 64), Valuation(2, 7, "d" * 64)):
        await floor.come(valuation)


async def test_the_later_of_two_that_differ_refuses_naming_both(floor):
    floor.counts_s = 3.0
    first = await floor.come(MINE)
    living = asyncio.create_task(first.keep())
    with pytest.raises(Fatal, match=r"rules_version 7: .*\(aaaaaaaaaaaa\) runs, .*\(bbbbbbbbbbbb\) was to start"):
        await floor.come(OTHER)
    assert not living.done()
    living.cancel()


async def test_one_that_is_gone_is_in_nobodys_way(floor):
    floor.counts_s = 3600
    first = await floor.come(MINE)
    await first.leave()
    await asyncio.wait_for(floor.come(OTHER), 20)


async def test_one_that_died_is_waited_for(floor):
    floor.counts_s = 0.3
    await floor.come(MINE)
    await asyncio.wait_for(floor.come(OTHER), 20)


async def test_one_that_slept_too_long_comes_after_those_who_came_meanwhile(floor):
    floor.counts_s = 3.0
    sleeper = await floor.come(MINE)
    second = await floor.come(OTHER)
    living = asyncio.create_task(second.keep())
    with pytest.raises(Fatal, match=r"\(bbbbbbbbbbbb\) runs"):
        await asyncio.wait_for(sleeper.keep(), 20)
    assert not living.done()
    living.cancel()
