import asyncio
from contextlib import AsyncExitStack

import pytest
from services import until
from starlette.requests import Request

from streams.inbound import bodies as module
from streams.inbound.answers import Refused
from streams.inbound.bodies import Bodies

LIMIT = 1000


class Coming:
    """A request whose body comes as the test says."""

    def __init__(self, *headers: tuple[bytes, bytes]) -> None:
        self.messages: asyncio.Queue[dict] = asyncio.Queue()
        self.request = Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, self.messages.get)

    def send(self, data: bytes, *, more: bool = True) -> None:
        self.messages.put_nowait({"type": "http.request", "body": data, "more_body": more})


@pytest.fixture(autouse=True)
def _little_memory(monkeypatch):
    monkeypatch.setattr(module, "MOST_HELD", 2500)


@pytest.fixture
async def bodies() -> Bodies:
    return Bodies(LIMIT, timeout_s=10)


async def refusal(bodies: Bodies, coming: Coming) -> Refused | bytes:
    try:
        async with bodies.body(coming.request) as body:
            return body
    except Refused as refused:
        return refused


async def test_where_bodies_take_too_much_the_one_that_has_been_coming_for_longest_is_given_up(bodies):
    slow = [Coming() for _ in range(3)]
    reading = [asyncio.create_task(refusal(bodies, coming)) for coming in slow]
    for coming in slow:
        coming.send(b"x" * 900)
    async with asyncio.timeout(5):
        given_up = await reading[0]
    assert (given_up.reason, given_up.answer.status_code) == ("overloaded", 503)
    assert given_up.answer.headers["connection"] == "close"
    assert bodies._held == 1800
    quick = Coming()
    quick.send(b"y" * 600, more=False)
    assert await refusal(bodies, quick) == b"y" * 600
    for coming in slow[1:]:
        coming.send(b"z", more=False)
    assert [await task for task in reading[1:]] == [b"x" * 900 + b"z"] * 2
    assert (bodies._held, bodies._coming) == (0, {})


async def test_a_body_whose_transfer_is_encoded_is_refused_but_it_may_come_in_chunks(bodies):
    for encoding, reason in ((b"gzip, chunked", "encoded"), (b"Chunked", None)):
        coming = Coming((b"transfer-encoding", encoding))
        coming.send(b"x", more=False)
        assert getattr(await refusal(bodies, coming), "reason", None) == reason


async def test_what_is_held_until_its_request_is_answered_counts(bodies):
    async with AsyncExitStack() as answering:
        for _ in range(2):
            coming = Coming()
            coming.send(b"x" * 1000, more=False)
            await answering.enter_async_context(bodies.body(coming.request))
        coming = Coming()
        coming.send(b"x" * 1000)
        assert (await refusal(bodies, coming)).reason == "overloaded"
        assert bodies._held == 2000
    assert bodies._held == 0


async def test_a_body_that_was_given_up_is_not_taken_for_a_shorter_one(bodies):
    """Its last piece may come before its task notices."""
    first, second, third = (Coming() for _ in range(3))
    reading = asyncio.create_task(refusal(bodies, first))
    others = [asyncio.create_task(refusal(bodies, coming)) for coming in (second, third)]
    for coming in (first, second):
        coming.send(b"x" * 900)
    await until(lambda: bodies._held == 1800, 5, "two are held")
    third.send(b"x" * 900)
    first.send(b"last", more=False)
    assert (await reading).reason == "overloaded"
    for coming in (second, third):
        coming.send(b"", more=False)
    assert [len(body) for body in await asyncio.gather(*others)] == [900, 900]
    assert bodies._held == 0


async def test_one_that_goes_away_leaves_nothing_behind(bodies):
    coming = Coming()
    coming.send(b"x" * 900)
    coming.messages.put_nowait({"type": "http.disconnect"})
    assert (await refusal(bodies, coming)).reason == "disconnected"
    task = asyncio.create_task(refusal(bodies, Coming()))
    await until(lambda: bodies._coming, 5, "it is being read")
    task.cancel()
    await asyncio.wait([task])
    assert (bodies._held, bodies._coming) == (0, {})
