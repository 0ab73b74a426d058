import asyncio
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.client import ConnectionGroup
from aiokafka.errors import KafkaError, KafkaTimeoutError
from owners import Remembering, Saved, append, numbers, producing, serving
from services import until

from streams.errors import Fatal, Retry
from streams.local.embedded import EmbeddedKafka
from streams.topics import Topics, ensure
from streams.transport import TP, app, consumer, thread, watchdog
from streams.transport.batch import Batch

LIMIT_S = 20


@pytest.fixture
async def topic(kafka, topic_prefix):
    await ensure(kafka.bootstrap, 4, 1, topic_prefix)
    return Topics(topic_prefix).events


@pytest.fixture
async def producer(kafka, topic):
    async with producing(kafka.bootstrap) as producer:
        yield producer


async def all_here(owner, count):
    await until(lambda: owner.count() >= count, LIMIT_S, f"{count} records are applied")


async def test_a_batch_reaches_the_owner_whole_and_in_order(kafka, topic, producer):
    first, second = TP(topic, 0), TP(topic, 3)
    await append(producer, first, numbers(0, 700))
    await append(producer, second, numbers(700, 800))
    owner = Remembering()
    async with serving(kafka.bootstrap, topic, topic, owner):
        await all_here(owner, 800)
        assert set(owner.batches) == {(first, 0, 700), (second, 0, 100)}
        assert owner.values(first) == numbers(0, 700)
        assert owner.control.unready() is None
        assert owner.control.owned() == {TP(topic, partition) for partition in range(4)}


async def test_reading_starts_where_the_owner_says(kafka, topic, producer):
    tp = TP(topic, 1)
    await append(producer, tp, numbers(0, 10))
    owner = Remembering(Saved(offsets={tp: 7}))
    async with serving(kafka.bootstrap, topic, topic, owner):
        await all_here(owner, 3)
        assert owner.values(tp) == numbers(7, 10)


async def test_the_owner_is_told_of_the_log_and_of_what_the_group_has_committed(kafka, topic, producer):
    tp = TP(topic, 2)
    await append(producer, tp, numbers(0, 10))
    owner, told = Remembering(), []

    async def look(loaded, log):
        if loaded == tp:
            prints = [await log.fingerprint_before(offset) for offset in (0, 5, 10, 11)]
            told.append((log.earliest, log.end, await log.committed(), prints, (await log.read(4)).value, await log.read(10)))

    owner.before_load = look
    async with serving(kafka.bootstrap, topic, topic, owner):
        await all_here(owner, 10)
        assert await owner.control.commit_offsets({tp: 6})
        assert not await owner.control.commit_offsets({TP(topic, 9): 6})
        owner.control.reload(tp)
        await until(lambda: len(told) == 2, LIMIT_S, "it is loaded again")
    (before, after) = told
    earliest, end, committed, prints, fifth, beyond = before
    assert (earliest, end, committed, fifth, beyond) == (0, 10, None, b"4", None)
    assert prints[0] is prints[3] is None
    assert prints[1] != prints[2]
    assert after[2:4] == (6, prints)


async def test_what_the_log_does_not_have_is_none_or_a_fault_in_time(kafka, topic, producer, monkeypatch):
    monkeypatch.setattr(thread, "READ_LIMIT_S", 1)
    tp, owner, read = TP(topic, 0), Remembering(), []

    async def look(loaded, log):
        if loaded == tp and log.end == 10:
            with pytest.raises(KafkaTimeoutError, match="record 10 did not come"):
                await log.reader(10)
            read[:] = [await log.reader(offset) for offset in (99, 9, 0)]

    owner.before_load = look
    async with serving(kafka.bootstrap, topic, topic, owner):
        await until(lambda: len(owner.memory) == 4, LIMIT_S, "it is at work")
        await append(producer, tp, numbers(0, 10))
        owner.control.reload(tp)
        await until(lambda: read, LIMIT_S, "it has looked")
        assert [record and record.value for record in read] == [None, b"9", b"0"]
        await all_here(owner, 10)
    with pytest.raises(KafkaError, match="has ended"):
        await owner.control._thread.inside(owner.control._thread.ends, tp)
    assert not await owner.control.commit_offsets({tp: 10})


async def test_a_consumer_that_is_given_nothing_any_more_is_seen_to_stand_still(kafka, topic, producer, monkeypatch):
    monkeypatch.setattr(thread, "ENDS_EVERY_S", 0)
    tp, owner = TP(topic, 0), Remembering()
    async with serving(kafka.bootstrap, topic, topic, owner):
        await append(producer, tp, numbers(0, 5))
        await all_here(owner, 5)
        control, alive = owner.control, owner.control._thread
        behind = watchdog.Behind(60, control.positions)
        assert behind(0) is None

        async def fall_silent():
            alive._consumer.pause(TopicPartition(*tp))

        await alive.inside(fall_silent)
        await append(producer, tp, numbers(5, 10))
        await until(lambda: (tp, 5, 10) in control.positions(), LIMIT_S, "the broker says that there is more")
        assert [behind(awake) for awake in (1, 61)] == [None, None]
        assert behind(62) == f"{tp} stands at 5 for over 60 s with more to do"
        assert await alive.inside(alive.pulse) is None


async def test_a_broker_that_does_not_answer_is_asked_over_other_connections(kafka, topic, producer, monkeypatch):
    monkeypatch.setattr(thread, "ENDS_EVERY_S", 0)
    monkeypatch.setattr(thread, "ENDS_LIMIT_S", 0.2)
    tp, owner = TP(topic, 0), Remembering()
    async with serving(kafka.bootstrap, topic, topic, owner):
        await append(producer, tp, numbers(0, 5))
        await all_here(owner, 5)
        alive = owner.control._thread
        before = dict(alive._consumer._client._conns)
        assert {group for _, group in before} == set(ConnectionGroup)
        assert await alive.inside(alive.pulse) is None
        assert all(connection.connected() for connection in before.values())  # as it has answered

        async def silent(_):
            await asyncio.Event().wait()

        with monkeypatch.context() as patched:
            patched.setattr(alive._consumer, "end_offsets", silent)
            assert await alive.inside(alive.pulse) is None
        assert [connection.connected() for connection in before.values()] == [False] * len(before)
        await append(producer, tp, numbers(5, 10))
        await all_here(owner, 10)
        await until(alive.is_member, LIMIT_S, "it is a member")


async def test_a_held_partition_keeps_still_and_loses_nothing(kafka, topic, producer):
    tp, other = TP(topic, 0), TP(topic, 1)
    owner = Remembering()
    async with serving(kafka.bootstrap, topic, topic, owner):
        await append(producer, tp, numbers(0, 5))
        await all_here(owner, 5)
        owner.control.hold(tp)
        await append(producer, tp, numbers(5, 10))
        await append(producer, other, numbers(0, 5))
        await all_here(owner, 10)
        assert owner.values(tp) == numbers(0, 5)
        owner.control.release(tp)
        await all_here(owner, 15)
        assert owner.values(tp) == numbers(0, 10)


async def test_what_was_fetched_before_a_partition_is_held_comes_after_it(kafka, topic, producer):
    tp, owner = TP(topic, 0), Remembering()

    async def fetch_more_and_hold(_, records):
        if records[0].value == b"0":
            await append(producer, tp, numbers(5, 10))
            await until(lambda: position(owner.control, tp) == 10, LIMIT_S, "the next batch waits behind this one")
            owner.control.hold(tp)

    owner.before_apply = fetch_more_and_hold
    async with serving(kafka.bootstrap, topic, topic, owner):
        await append(producer, tp, numbers(0, 5))
        await all_here(owner, 5)
        await append(producer, TP(topic, 1), [b"x"])
        await all_here(owner, 6)
        assert owner.values(tp) == numbers(0, 5)
        owner.control.release(tp)
        await all_here(owner, 11)
        assert owner.values(tp) == numbers(0, 10)


def position(control, tp):
    return control._thread._consumer._subscription.subscription.assignment.state_value(tp).position


async def test_a_reload_drops_the_memory_and_reads_from_the_owners_offset(kafka, topic, producer, monkeypatch):
    monkeypatch.setattr(app, "BATCH_RECORDS", 3)
    tp, owner = TP(topic, 0), Remembering()
    async with serving(kafka.bootstrap, topic, topic, owner):
        await append(producer, tp, numbers(0, 10))
        await all_here(owner, 10)
        owner.saved.offsets[tp], owner.saved.values[tp] = 4, numbers(0, 4)
        owner.saved.told.clear()
        owner.control.reload(tp)
        owner.control.reload(tp)
        await until(lambda: owner.happened() == ["drop", "load"], LIMIT_S, "it is loaded again, once")
        await all_here(owner, 10)
        assert owner.values(tp) == numbers(0, 10)
        assert owner.batches == [(tp, 0, 3), (tp, 3, 3), (tp, 6, 3), (tp, 9, 1), (tp, 4, 3), (tp, 7, 3)]


async def test_an_owner_that_cannot_load_or_apply_now_is_asked_again(kafka, topic, producer):
    tp, owner = TP(topic, 0), Remembering()
    faults = iter([Retry("Redis", "away"), KafkaError("away"), None, Retry("Redis", "away again")])

    async def fail_at_times(touched, _):
        fault = next(faults, None) if touched == tp else None
        if fault:
            raise fault

    owner.before_load = owner.before_apply = fail_at_times
    await append(producer, tp, numbers(0, 10))
    async with serving(kafka.bootstrap, topic, topic, owner):
        await all_here(owner, 10)
        assert owner.values(tp) == numbers(0, 10)
    assert owner.happened().count("load") == 3 + 3 + 1


@pytest.mark.parametrize("step", ["load", "apply"])
async def test_a_fault_that_stays_ends_the_process_in_order(kafka, topic, producer, step):
    tp, owner, fault = TP(topic, 0), Remembering(), Fatal("tables", "were wiped", "rebuild them")

    async def fail(touched, _):
        if touched == tp:
            raise fault

    setattr(owner, f"before_{step}", fail)
    await append(producer, tp, numbers(0, 10))
    async with serving(kafka.bootstrap, topic, topic, owner) as served:
        await asyncio.wait([served], timeout=LIMIT_S)
    assert served.exception() is fault
    assert owner.happened()[-2:] == ["flush", "drop"]


async def test_nothing_behind_a_batch_that_failed_for_good_is_delivered_or_saved(kafka, topic, producer):
    tp, owner = TP(topic, 0), Remembering()
    await append(producer, tp, numbers(0, 2))
    async with serving(kafka.bootstrap, topic, topic, owner) as served:
        await all_here(owner, 2)
        share = owner.control._delivery.shares[tp]
        asked, batches = [], [Batch(tp, share.epoch, [SimpleNamespace(offset=offset, value=b"")]) for offset in (2, 3)]

        async def fail(_, records):
            asked.append(records[0].offset)
            raise Fatal("tables", "cannot be read", "mend them")

        owner.before_apply = fail
        for batch in batches:
            await owner.control.deliver(batch)
        await asyncio.wait([served], timeout=LIMIT_S)
    assert isinstance(served.exception(), Fatal)
    assert asked == [2]
    assert owner.saved.offsets.get(tp) is None


async def test_an_unforeseen_error_ends_the_process_for_another_to_try(kafka, topic, producer):
    owner = Remembering()

    async def fail(*_):
        raise ZeroDivisionError

    owner.before_apply = fail
    await append(producer, TP(topic, 0), [b"x"])
    async with serving(kafka.bootstrap, topic, topic, owner) as served:
        await asyncio.wait([served], timeout=LIMIT_S)
    assert isinstance(served.exception(), Retry)
    assert isinstance(served.exception().__cause__, ZeroDivisionError)


async def test_an_offset_outside_the_log_has_the_owner_load_again(kafka, topic, producer):
    tp = TP(topic, 0)
    await append(producer, tp, numbers(0, 10))
    owner = Remembering(Saved(offsets={tp: 99}))

    async def correct(loaded, _):
        if owner.happened().count("load") > 4:
            owner.saved.offsets[tp] = 8

    owner.before_load = correct
    async with serving(kafka.bootstrap, topic, topic, owner):
        await all_here(owner, 2)
        assert owner.values(tp) == numbers(8, 10)


async def test_partitions_are_flushed_before_another_worker_loads_them(kafka, topic, producer):
    saved = Saved()
    first, second = Remembering(saved, "first"), Remembering(saved, "second")
    tps = [TP(topic, partition) for partition in range(4)]
    async with serving(kafka.bootstrap, topic, topic, first):
        for tp in tps:
            await append(producer, tp, numbers(0, 100))
        await all_here(first, 400)
        saved.told.clear()
        async with serving(kafka.bootstrap, topic, topic, second):
            await until(lambda: len(first.memory) == len(second.memory) == 2, LIMIT_S, "the partitions are shared")
            for tp in tps:
                await append(producer, tp, numbers(100, 200))
            await until(lambda: first.count() + second.count() == 800, LIMIT_S, "all is applied")
            assert sorted(first.batches + second.batches) == [(tp, first, 100) for tp in tps for first in (0, 100)]
        await until(lambda: first.count() == 800, LIMIT_S, "the first has all again")
    flushed = saved.told.index(("flush", "first", set(tps)))
    assert flushed < saved.told.index(("drop", "first", set(tps))) < min(map(saved.told.index, loads_of(saved, "second")))
    assert saved.values == {tp: numbers(0, 200) for tp in tps}


def loads_of(saved, name):
    return [told for told in saved.told if told[:2] == ("load", name)]


@pytest.mark.parametrize("step", ["apply", "flush", "load"])
async def test_an_owner_that_hangs_does_not_keep_partitions(kafka, topic, producer, monkeypatch, step):
    monkeypatch.setattr(consumer, "FLUSH_LIMIT_S", 0.2)
    owner, hanging = Remembering(), asyncio.Event()

    async def hang(*_):
        hanging.set()
        await asyncio.Event().wait()

    setattr(owner, f"before_{step}", hang)
    await append(producer, TP(topic, 0), [b"x"])
    async with serving(kafka.bootstrap, topic, topic, owner):
        await until(lambda: hanging.is_set() or owner.count(), LIMIT_S, "it hangs, or has something to flush")
    assert owner.happened()[-1] == "drop"
    assert not owner.memory


async def test_a_flush_that_fails_does_not_keep_partitions(kafka, topic, producer):
    owner = Remembering()

    async def fail():
        raise Retry("Redis", "away")

    owner.before_flush = fail
    await append(producer, TP(topic, 0), [b"x"])
    async with serving(kafka.bootstrap, topic, topic, owner):
        await all_here(owner, 1)
    assert not owner.memory
    assert not owner.saved.offsets


async def test_what_aiokafka_keeps_to_itself_is_found_out(kafka, topic, monkeypatch):
    monkeypatch.setattr(watchdog, "EVERY_S", 3_600)  # else it asks before we do, and ends the process
    owner = Remembering()
    async with serving(kafka.bootstrap, topic, topic, owner):
        await until(lambda: len(owner.memory) == 4 and owner.control.unready() is None, LIMIT_S, "it is at work")
        ours = owner.control._thread
        kafka_consumer = ours._consumer
        kafka_consumer._subscription._last_fetch_ended = 0
        assert await ours.inside(ours.pulse) is None
        assert kafka_consumer._subscription.fetcher_idle_time < LIMIT_S

        kafka_consumer._coordinator._pending_exception = KafkaError("evicted")
        assert await ours.inside(ours.pulse) == "group coordination failed: KafkaError('evicted')"
        assert await ours.inside(ours.pulse) is None

        ours.thread_loop.call_soon_threadsafe(kafka_consumer._fetcher._fetch_task.cancel)
        await until(kafka_consumer._fetcher._fetch_task.done, LIMIT_S, "it fetches no more")
        assert await ours.inside(ours.pulse) == "fetching has ended"

        async def want_to_rejoin():
            kafka_consumer._coordinator.request_rejoin()
            return ours.is_member()

        assert ours.is_member()
        assert not await ours.inside(want_to_rejoin)


async def test_a_fault_of_group_coordination_ends_the_process(kafka, topic):
    owner = Remembering()
    async with serving(kafka.bootstrap, topic, topic, owner) as served:
        await until(lambda: len(owner.memory) == 4 and owner.control.unready() is None, LIMIT_S, "it is at work")
        ours, subscription = owner.control._thread, owner.control._thread._consumer._subscription
        await until(lambda: subscription._fetch_waiters, LIMIT_S, "it waits for records")
        ours.thread_loop.call_soon_threadsafe(subscription.abort_waiters, KafkaError("not authorised any more"))
        await asyncio.wait([served], timeout=LIMIT_S)
    assert isinstance(served.exception(), Retry)


async def test_it_reads_from_the_embedded_broker_too(topic_prefix):
    topic = Topics(topic_prefix).events
    owner = Remembering()
    async with EmbeddedKafka() as bootstrap:
        await ensure(bootstrap, 4, 1, topic_prefix, create=False)
        async with producing(bootstrap) as producer, serving(bootstrap, topic, topic, owner):
            await append(producer, TP(topic, 0), numbers(0, 100))
            await append(producer, TP(topic, 0), numbers(100, 200))
            await all_here(owner, 200)
            assert owner.values(TP(topic, 0)) == numbers(0, 200)
            assert await owner.control.commit_offsets({TP(topic, 0): 200})
