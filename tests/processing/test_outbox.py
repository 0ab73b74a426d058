"""What a checkpoint has to tell is told at least once, in order, and no sooner than it is stored."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest
from stored import MESSAGE, PROGRESS, committed

from streams.processing.checkpoint import Outcome, claim_partition
from streams.processing.cut import Checkpoint, Writes, cut_checkpoint
from streams.processing.outbox import Outbox
from streams.producer import Message
from streams.tables import Applied, Outgoing, read_outbox

pytestmark = pytest.mark.redis


@dataclass
class Broker:
    """Keeps what is sent; `fails` says which messages it does not take."""

    fails: Callable[[bytes], bool] = lambda _: False
    sent: list[tuple[str, bytes | None, bytes]] = field(default_factory=list)
    partitions: list[int | None] = field(default_factory=list)

    async def send_all(self, records: Iterable[Message]) -> None:
        for record in records:
            await asyncio.sleep(0)
            if self.fails(record.value):
                raise ConnectionError("no broker")
            self.sent.append((record.topic, record.key, record.value))
            self.partitions.append(record.partition)

    @property
    def values(self) -> list[bytes]:
        return [value for _, _, value in self.sent]


def message(number: int, key: bytes | None = b"crm:1") -> Outgoing:
    return MESSAGE._replace(id=f"a{number}", key=key, value=b"%d" % number)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def outbox(broker, redis, keys, held) -> Outbox:
    return Outbox(broker, redis, keys, held)


@pytest.fixture
def stored(redis, keys):
    """Commits a checkpoint with some messages."""

    async def store(held: Applied, *numbers: int) -> Checkpoint[Applied]:
        checkpoint = cut_checkpoint(keys, held, Writes(outgoing=[message(number) for number in numbers]), PROGRESS)
        await committed(redis, checkpoint)
        return checkpoint

    return store


async def test_messages_of_a_stored_checkpoint_are_sent_and_then_trimmed(outbox, broker, redis, keys, held, stored):
    outbox.add(await stored(held, 1, 2))

    assert (await outbox.publish()).outcome == Outcome.OK

    assert broker.sent == [("alerts", b"crm:1", b"1"), ("alerts", b"crm:1", b"2")]
    assert await read_outbox(redis, keys) == []
    assert outbox.waiting == 0


async def test_a_message_goes_to_the_partition_that_it_names(outbox, broker, redis, keys, held):
    messages = [message(1), message(2)._replace(partition=3)]
    checkpoint = cut_checkpoint(keys, held, Writes(outgoing=messages), PROGRESS)
    await committed(redis, checkpoint)
    await outbox.load()
    await outbox.publish()

    assert dict(zip(broker.values, broker.partitions, strict=True)) == {b"1": None, b"2": 3}


async def test_nothing_is_sent_twice_when_all_goes_well(outbox, broker, held, stored):
    first = await stored(held, 1)
    outbox.add(first)
    await outbox.publish()
    outbox.add(await stored(first.then, 2))
    await outbox.publish()
    await outbox.publish()

    assert broker.values == [b"1", b"2"]


async def test_what_is_not_sent_stays_and_what_comes_later_does_not_trim_it(outbox, broker, redis, keys, held, stored):
    first = await stored(held, 1)
    outbox.add(first)
    broker.fails = lambda value: value == b"1"
    with pytest.raises(ConnectionError):
        await outbox.publish()
    outbox.add(await stored(first.then, 2))
    with pytest.raises(ConnectionError):
        await outbox.publish()
    assert [found.id for _, found in await read_outbox(redis, keys)] == ["a1", "a2"]

    broker.fails = lambda _: False
    await outbox.publish()

    assert broker.values == [b"1", b"2"]
    assert await read_outbox(redis, keys) == []


async def test_the_next_owner_sends_what_is_left(outbox, broker, redis, keys, held, stored):
    await stored(held, 1, 2)  # and crashes before it is added
    held = await claim_partition(redis, keys, 4, "theirs")
    theirs = Outbox(broker, redis, keys, held)

    await theirs.load()
    assert theirs.waiting == 2
    await theirs.publish()

    assert broker.values == [b"1", b"2"]
    assert await read_outbox(redis, keys) == []


async def test_what_was_sent_but_not_trimmed_is_sent_again_under_the_same_id(broker, redis, keys, held, stored):
    mine = Outbox(broker, redis, keys, held)
    mine.add(await stored(held, 1))
    theirs = Outbox(broker, redis, keys, await claim_partition(redis, keys, 4, "theirs"))

    assert (await mine.publish()).outcome == Outcome.FENCED
    assert [found.id for _, found in await read_outbox(redis, keys)] == ["a1"]
    await theirs.load()
    await theirs.publish()

    assert broker.values == [b"1", b"1"]


async def test_messages_keep_their_order_over_many_sendings(outbox, broker, redis, keys, held):
    messages = [message(number, key=b"crm:%d" % (number % 3)) for number in range(1200)]
    checkpoint = cut_checkpoint(keys, held, Writes(outgoing=messages), PROGRESS)
    await committed(redis, checkpoint)
    outbox.add(checkpoint)

    await outbox.publish()

    assert len(broker.sent) == 1200
    assert broker.values == [b"%d" % number for number in range(1200)]


async def test_more_than_a_page_is_taken_up_in_order(outbox, redis, keys, held):
    checkpoint = cut_checkpoint(keys, held, Writes(outgoing=[message(number, None) for number in range(5_001)]), PROGRESS)
    await committed(redis, checkpoint)

    assert await read_outbox(redis, keys) == [(1, message(number, None)) for number in range(5_001)]


async def test_with_nothing_to_send_redis_is_not_asked(outbox, redis):
    await redis.config_resetstat()

    assert (await outbox.publish()).written
    assert not {"cmdstat_eval", "cmdstat_evalsha"} & set(await redis.info("commandstats"))
