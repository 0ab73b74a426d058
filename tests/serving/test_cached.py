"""What was read a moment ago is taken for the present, and no longer than that."""

import asyncio

import pytest

from streams.errors import Retry
from streams.serving.cached import CACHED_S, MOST_OF_THE_TIME, Cached


class Source:
    """Something to read, that takes a while; and the time."""

    def __init__(self, takes_s=0.0):
        self.now = 100.0
        self.takes_s = takes_s
        self.reads = 0

    async def read(self):
        self.reads += 1
        await asyncio.sleep(0)
        self.now += self.takes_s
        if self.takes_s < 0:
            raise Retry("source", "is away")
        return self.reads


def cached(source):
    return Cached(source.read, lambda: source.now)


async def test_it_is_read_again_when_its_time_is_over():
    source = Source()
    content = cached(source)
    assert [await content.get(), await content.get()] == [1, 1]
    source.now += CACHED_S - 0.001
    assert await content.get() == 1
    source.now += 0.001
    assert await content.get() == 2


async def test_those_who_ask_together_share_one_read():
    content = cached(Source())
    assert await asyncio.gather(*(content.get() for _ in range(5))) == [1] * 5


async def test_reading_takes_at_most_its_share_of_the_time():
    source = Source(takes_s=2.0)
    content = cached(source)
    assert await content.get() == 1
    source.now += 2.0 / MOST_OF_THE_TIME - 0.001
    assert await content.get() == 1
    source.now += 0.001
    assert await content.get() == 2


async def test_a_fault_is_held_as_long_as_an_answer():
    source = Source(takes_s=-0.0001)
    content = cached(source)
    faults = []
    for _ in range(2):
        with pytest.raises(Retry) as caught:
            await content.get()
        faults.append(caught.value)
    assert faults[0] is faults[1]
    source.now += 2 * CACHED_S
    source.takes_s = 0.0
    assert await content.get() == 2
