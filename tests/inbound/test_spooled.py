import asyncio
import contextlib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services import until
from spooling import HEADERS, Topic, disordered, gateway, lost

from streams.errors import Fatal, Retry
from streams.inbound import spooled as module
from streams.inbound.spool_file import SpoolFile, SpoolFull


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(module, "PAUSE_S", 0.005)
    monkeypatch.setattr(module, "KAFKAS_SHARE", 0.05)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "spool.db"


@pytest.fixture
async def topic() -> Topic:
    return Topic()


async def emptied(deliveries) -> None:
    await until(lambda: not deliveries._spool.filled.is_set(), 10, "the spool is empty")


def records(topic: Topic) -> list[bytes]:
    return sorted(value for partition in topic.partitions.values() for value in partition)


async def test_while_all_is_well_deliveries_go_straight(topic, path):
    async with gateway(topic, path) as deliveries:
        await asyncio.gather(*(deliveries.append(b"a %d" % number, HEADERS) for number in range(20)))
        assert len(topic.straight) == 20
        assert topic.forwarded == []
        assert deliveries.state().deliveries == 0


async def test_what_is_not_acknowledged_in_time_waits_in_the_spool_and_what_follows_waits_behind_it(topic, path):
    topic.mute = True
    async with gateway(topic, path) as deliveries:
        await deliveries.append(b"a 1", HEADERS)
        assert deliveries.state().deliveries == 1
        await deliveries.append(b"a 2", HEADERS)
        assert topic.straight == [b"a 1"]
        topic.recover()
        await emptied(deliveries)
        assert [value for batch in topic.forwarded for value in batch][-2:] == [b"a 1", b"a 2"]
        await deliveries.append(b"a 3", HEADERS)
        assert topic.straight == [b"a 1", b"a 3"]


async def test_while_kafka_is_known_to_be_away_it_is_not_even_tried(topic, path):
    async with gateway(topic, path) as deliveries:
        topic.away = True
        await deliveries.append(b"a 1", HEADERS)
        assert deliveries.state().deliveries == 1
        assert deliveries.unready() is None
        topic.recover()
        await emptied(deliveries)
        assert (records(topic), topic.straight) == ([b"a 1"], [])


async def test_what_a_gateway_leaves_behind_comes_before_what_its_successor_takes(topic, path):
    topic.away = True
    async with gateway(topic, path) as deliveries:
        for number in range(50):
            await deliveries.append(b"a %d" % number, HEADERS)
    async with gateway(topic, path) as deliveries:
        await deliveries.append(b"a 50", HEADERS)
        topic.recover()
        await deliveries.append(b"a 51", HEADERS)
        await emptied(deliveries)
    assert lost([b"a %d" % number for number in range(52)], topic.partitions.values()) == set()
    assert disordered(topic.partitions.values()) == []


async def test_there_is_an_end_of_forwarding_while_others_go_on_sending(topic, path):
    """Each time that the spool is sent on, somebody has sent another delivery meanwhile; unless they are held up."""
    asked = 0
    enough = False
    topic.away = True
    async with gateway(topic, path) as deliveries:
        append_all = topic.append_all

        async def not_alone(kept):
            before = asked
            await until(lambda: asked > before + 4 or not deliveries._open.is_set(), 10, "another one is sent")
            await append_all(kept)

        topic.append_all = not_alone

        async def send_on():
            nonlocal asked
            while not enough:
                asked += 1
                await deliveries.append(b"a %d" % asked, HEADERS)
                await asyncio.sleep(0)

        await deliveries.append(b"a 0", HEADERS)
        senders = [asyncio.create_task(send_on()) for _ in range(4)]
        await until(lambda: deliveries.state().deliveries > 20, 10, "some are in the spool")
        topic.recover()
        await until(lambda: topic.straight, 10, "deliveries go straight again")
        enough = True
        await asyncio.gather(*senders)
        await emptied(deliveries)
    assert lost([b"a %d" % number for number in range(asked + 1)], topic.partitions.values()) == set()


async def test_who_is_held_up_while_the_last_ones_are_sent_is_not_held_up_for_long(topic, path, monkeypatch):
    monkeypatch.setattr(module, "HOLD_S", 0.02)
    topic.away = True
    async with gateway(topic, path) as deliveries:
        await deliveries.append(b"a 1", HEADERS)
        topic.away, topic.mute = False, True
        await until(lambda: topic.forwarded, 10, "it is being sent")
        await deliveries.append(b"a 2", HEADERS)
        assert deliveries.state().deliveries == 2
        topic.recover()
        await emptied(deliveries)
    assert disordered(topic.partitions.values()) == []


async def test_when_the_spool_is_full_deliveries_are_refused_and_the_gateway_is_not_ready(topic, path):
    topic.away = True
    async with gateway(topic, path, spool_limit=2**25) as deliveries:
        accepted = [b"a %d %s" % (number, b"x" * 2**20) for number in range(31)]
        for value in accepted:
            await deliveries.append(value, HEADERS)
        with pytest.raises(SpoolFull):
            await deliveries.append(accepted[0], HEADERS)
        assert deliveries.unready() == "the spool is full, or its disk is"
        topic.recover()
        await emptied(deliveries)
        assert deliveries.unready() is None
        await deliveries.append(b"a 32", HEADERS)
        assert lost([*accepted, b"a 32"], topic.partitions.values()) == set()


async def test_a_full_disk_that_lets_nothing_be_deleted_holds_nothing_up_and_sends_nothing_twice(topic, path, monkeypatch):
    remove, full = SpoolFile.remove, True

    def on_a_full_disk(file, upto):
        if full:
            raise SpoolFull("spool", "is full")
        remove(file, upto)

    monkeypatch.setattr(SpoolFile, "remove", on_a_full_disk)
    topic.away = True
    async with gateway(topic, path) as deliveries:
        for number in range(3):
            await deliveries.append(b"a %d" % number, HEADERS)
        topic.recover()
        await until(lambda: not deliveries.state().deliveries, 10, "all is sent")
        await deliveries.append(b"a 3", HEADERS)
        assert topic.straight == [b"a 3"]
        full = False
        await emptied(deliveries)
        assert records(topic) == [b"a 0", b"a 1", b"a 2", b"a 3"]
    topic.partitions.clear()
    async with gateway(topic, path) as deliveries:
        assert deliveries.state().deliveries == 0


async def test_a_file_that_fails_ends_the_gateway(topic, path, monkeypatch):
    def fails(file, after):
        raise Fatal("spool", "is damaged")

    monkeypatch.setattr(SpoolFile, "oldest", fails)
    topic.away = True

    async def live() -> None:
        async with gateway(topic, path) as deliveries:
            await deliveries.append(b"a 1", HEADERS)
            topic.recover()
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as ended:
        await live()
    assert ended.group_contains(Fatal, match="is damaged")


STEPS = st.sampled_from(["away", "mute", "breaks 0", "breaks 1", "breaks 2", "well", "well", "post", "post", "post", "restart"])


async def lived(steps: list[str], path: Path) -> tuple[Topic, list[bytes]]:
    """What lies in the topic, and what was accepted, after a life in steps: two senders post, each a delivery after another."""
    topic = Topic()
    accepted: list[bytes] = []
    numbers = iter(range(10_000))
    lives = contextlib.AsyncExitStack()
    async with lives:
        deliveries = await lives.enter_async_context(gateway(topic, path))

        async def send(sender: bytes, count: int) -> None:
            for _ in range(count):
                value = b"%s %d" % (sender, next(numbers))
                with contextlib.suppress(Retry, TimeoutError):
                    await deliveries.append(value, HEADERS)
                    accepted.append(value)

        for step in steps:
            match step.split():
                case ["post"]:
                    await asyncio.gather(send(b"a", 2), send(b"b", 3))
                case ["restart"]:
                    await lives.aclose()
                    deliveries = await lives.enter_async_context(gateway(topic, path))
                case ["well"]:
                    topic.recover()
                case ["breaks", count]:
                    topic.breaks = int(count)
                case [fault]:
                    setattr(topic, fault, True)
        topic.recover()
        await emptied(deliveries)
    return topic, accepted


@given(st.lists(STEPS, max_size=25))
def test_whatever_happens_to_kafka_nothing_accepted_is_lost_or_overtaken(steps):
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAUSE_S", 0.001)
        patch.setattr(module, "HOLD_S", 0.003)
        patch.setattr(module, "KAFKAS_SHARE", 0.003)
        topic, accepted = asyncio.run(lived(steps, Path(folder, "spool.db")))
    assert lost(accepted, topic.partitions.values()) == set()
    assert disordered(topic.partitions.values()) == []
