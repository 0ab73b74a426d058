"""Rows on their way to the KPI topic: none is lost, of each the newest is sent, and what is gone is known to be told."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from streams.processing import telling as module
from streams.processing.round import Round
from streams.processing.telling import Telling
from streams.producer import Message


class Topic:
    """Keeps what it is sent; fails as often as it is told to."""

    def __init__(self, fails: int = 0) -> None:
        self.fails = fails
        self.sent: list[tuple[bytes | None, bytes | None]] = []
        self.told = asyncio.Event()

    async def send_all(self, records: Iterable[Message]) -> None:
        await asyncio.sleep(0)
        if self.fails:
            self.fails -= 1
            raise KafkaTimeoutError
        self.sent += [(record.key, record.value) for record in records]
        self.told.set()


def said(gone: tuple[str, ...] = (), **rows: bytes) -> Round:
    """A round that says rows, all in the window of an hour, and the end of others."""
    return Round({"1h": rows} if rows else {}, {("1h", key): b"gone" for key in gone}, {})


async def test_of_a_row_that_changes_faster_than_it_is_told_the_newest_is_sent() -> None:
    topic = Topic()
    telling = Telling(topic, "kpis")
    telling.put(said(calls=b"1", emails=b"1"))
    telling.put(said(calls=b"2"))
    await telling.tell()
    assert topic.sent == [(b"calls@1h", b"2"), (b"emails@1h", b"1")]


async def test_what_the_topic_did_not_take_waits_but_for_what_has_been_replaced() -> None:
    topic = Topic(fails=1)
    telling = Telling(topic, "kpis")
    telling.put(said(calls=b"1", emails=b"1"))
    sending = asyncio.create_task(telling.tell())
    await asyncio.sleep(0)
    telling.put(said(calls=b"2"))  # while the first is on its way
    with pytest.raises(KafkaTimeoutError):
        await sending
    await telling.tell()
    assert sorted(topic.sent) == [(b"calls@1h", b"2"), (b"emails@1h", b"1")]


async def test_of_the_rounds_that_are_announced_the_newest_is_sent_under_a_key_of_its_own() -> None:
    topic = Topic(fails=1)
    telling = Telling(topic, "kpis")
    telling.put_round(b"1")
    with pytest.raises(KafkaTimeoutError):
        await telling.tell()
    telling.put(said(calls=b"1"))
    telling.put_round(b"2")
    await telling.tell()
    assert sorted(topic.sent) == [(b"calls@1h", b"1"), (b"round", b"2")]
    assert telling.ended() == set()


async def test_an_end_is_known_once_it_is_acknowledged() -> None:
    topic = Topic(fails=1)
    telling = Telling(topic, "kpis")
    telling.put(said(gone=("calls",), emails=b"1"))
    with pytest.raises(KafkaTimeoutError):
        await telling.tell()
    assert telling.ended() == set()
    await telling.tell()
    assert telling.ended() == {("1h", "calls")}
    assert telling.ended() == set()


async def test_an_end_that_is_to_be_told_again_is_not_known() -> None:
    telling = Telling(Topic(), "kpis")
    telling.put(said(gone=("calls",)))
    await telling.tell()
    telling.put(said(calls=b"1"))
    telling.put(said(gone=("calls",)))
    assert telling.ended() == set()
    await telling.tell()
    assert telling.ended() == {("1h", "calls")}


class Slow:
    """A topic that a test has acknowledge, or fail after some messages."""

    def __init__(self) -> None:
        self.stands: dict[bytes | None, bytes | None] = {}
        self.answer: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    async def send_all(self, records: Iterable[Message]) -> None:
        sent = list(records)
        self.answer = asyncio.get_running_loop().create_future()
        taken = await self.answer
        self.stands.update((record.key, record.value) for record in sent[:taken])
        if taken is not None:
            raise KafkaTimeoutError


NAMES = ("calls", "emails")
PUT = st.dictionaries(st.sampled_from(NAMES), st.booleans(), min_size=1)
"""By row, whether a round says it (else its end)."""

STEPS = st.lists(st.one_of(PUT, PUT, st.just("tell"), st.just("done"), st.integers(0, 2)))
"""Rounds; a telling begins; it is done, or fails after so many rows."""


@given(STEPS)
def test_whatever_happens_meanwhile_the_topic_gets_the_last_word_and_no_end_is_known_before(steps: list[Any]) -> None:
    asyncio.run(_whatever_happens(steps))


async def _whatever_happens(steps: list[Any]) -> None:
    topic, latest = Slow(), {}
    telling = Telling(topic, "kpis")
    begun: asyncio.Task[None] | None = None
    for number, step in enumerate([*steps, "done", "tell", "done"]):
        if isinstance(step, dict):
            content = {name: b"%d" % number if said else None for name, said in step.items()}
            latest |= content
            rows = {name: row for name, row in content.items() if row is not None}
            telling.put(said(tuple(name for name in content if content[name] is None), **rows))
        elif step == "tell" and begun is None:
            begun = asyncio.create_task(telling.tell())
            await asyncio.sleep(0)
        elif step != "tell" and begun is not None:
            topic.answer.set_result(None if step == "done" else step)
            await asyncio.wait([begun])
            assert (begun.exception() is None) == (step == "done")
            begun = None
        for _, name in telling.ended():
            if latest[name] is None:
                assert topic.stands[f"{name}@1h".encode()] is None
    assert topic.stands == {f"{name}@1h".encode(): row for name, row in latest.items()}


async def test_telling_goes_on_after_the_topic_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0)
    topic = Topic(fails=3)
    telling = Telling(topic, "kpis")
    keeping = asyncio.create_task(telling.keep_telling())
    telling.put(said(calls=b"1"))
    await asyncio.wait_for(topic.told.wait(), 10)
    topic.told.clear()
    telling.put(said(calls=b"2"))
    await asyncio.wait_for(topic.told.wait(), 10)
    keeping.cancel()
    assert topic.sent == [(b"calls@1h", b"1"), (b"calls@1h", b"2")]


def test_the_longer_a_sending_took_the_longer_the_next_one_waits() -> None:
    took = (0, 0.5, 60)
    assert [module.pause_after(took_s) for took_s in took] == [module.PAUSE_S, 2.0, module.LONGEST_PAUSE_S]
