"""What was read a moment ago is taken for the present, and no longer than that."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import Retry
from streams.serving.cached import CACHED_S, MOST_OF_THE_TIME, MOST_SAVED_S, Cached


class Source:
    """Something to read, that takes a while; and the time."""

    def __init__(self, takes_s=0.0):
        self.now = 100.0
        self.takes_s = takes_s
        self.reads = 0
        self.taken_s = 0.0
        self.begins = []

    async def read(self):
        self.begins.append((self.now, self.taken_s))
        self.reads += 1
        self.taken_s += self.takes_s
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


async def test_what_goes_on_taking_long_is_held_longer():
    source = Source(takes_s=2.0)
    content = cached(source)
    assert await content.get() == 1
    source.now += (2.0 - MOST_SAVED_S) / MOST_OF_THE_TIME
    assert await content.get() == 2
    source.now += (1 - MOST_OF_THE_TIME) * 2.0 / MOST_OF_THE_TIME - 0.001
    assert await content.get() == 2
    source.now += 0.002
    assert await content.get() == 3


async def test_one_long_read_costs_those_behind_it_no_freshness():
    source = Source(takes_s=0.9 * MOST_SAVED_S)
    content = cached(source)
    assert await content.get() == 1
    source.takes_s = 0.001
    for number in range(2, 12):
        source.now += CACHED_S
        assert await content.get() == number


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), min_size=1))
async def test_reading_takes_its_share_of_the_time_and_what_was_saved_and_no_more(asked):
    source = Source()
    content = cached(source)
    began = source.now
    for pause_s, source.takes_s in asked:
        source.now += pause_s
        await content.get()
    for at, taken_s in source.begins:
        assert taken_s <= MOST_SAVED_S + MOST_OF_THE_TIME * (at - began) + 1e-6


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
