"""The owner of partitions where others get in its way."""

import asyncio
import itertools
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace

import pytest
from build import NOON, call, lead
from prometheus_client import CollectorRegistry
from services import until
from stored import committed, restore, snapshot
from stores import record

from models.codes import Codes
from models.rules import Rules
from streams.errors import Fatal
from streams.processing import owner as module
from streams.processing.checkpoint import claim_partition
from streams.processing.checks import Rewound
from streams.processing.cut import Writes, cut_checkpoint
from streams.processing.owner import LARGEST_CUT, Owner, Terms
from streams.processing.revaluation import revalue
from streams.tables import Keys, Progress, loading, read_applied
from streams.telemetry import ProcessorMetrics
from streams.transport import TP, LogEnds
from streams.valuation import valuation_of

pytestmark = pytest.mark.redis

FIRST = TP("events", 3)


@dataclass
class Controls:
    """The consumer's, noting what is asked of it; the log ends where it is said to."""

    asked: list = field(default_factory=list)
    end: int | None = None

    def end_of(self, _):
        return self.end

    def __getattr__(self, name):
        return lambda *arguments: self.asked.append((name, *arguments))


async def nothing(*_):
    return None


@pytest.fixture
def owner(redis):
    rules = Rules()
    terms = Terms("lb", 4, Codes(rules), valuation_of(rules), 0.5, "alerts", "dead")
    owner = Owner(redis, None, terms, ProcessorMetrics(CollectorRegistry()), nothing)
    owner.attach(Controls())
    return owner


NEW_LOG = LogEnds(0, 5, nothing, nothing)


async def test_a_partition_that_another_claims_while_it_is_revalued_is_left_to_him(redis, owner, monkeypatch):
    keys = Keys("lb", FIRST.partition)

    async def overtaken(*arguments):
        await claim_partition(redis, keys, 4, "theirs")
        return await revalue(*arguments)

    monkeypatch.setattr(module, "revalue", overtaken)
    loading = asyncio.create_task(owner.load(FIRST, NEW_LOG))
    await until(lambda: owner.fenced == {FIRST}, 20, "it has noticed")
    (applied,) = await read_applied(redis, [keys])
    assert (applied.token, applied.claim) == ("theirs", 2)
    assert not loading.done()
    assert owner.owned == {}

    loading.cancel()
    owner.drop({FIRST})
    assert owner.fenced == set()


async def test_what_its_owner_applied_until_it_was_claimed_is_no_other_log(redis, owner):
    """The end of the log was asked for before the partition was claimed; he went on until then."""
    keys = Keys("lb", FIRST.partition)
    held = await claim_partition(redis, keys, 4, "theirs")
    progress = Progress(6, "", generation=1, valuation=owner.terms.valuation.encode())
    await committed(redis, cut_checkpoint(keys, held, Writes(), progress))

    async def grown():
        return 0, 7

    assert await owner.load(FIRST, replace(NEW_LOG, look=grown)) == 6


async def test_what_an_emptied_redis_says_of_a_lead_is_not_believed_though_it_comes_back_as_it_was(redis, owner):
    await owner.load(FIRST, NEW_LOG)
    await owner.apply(FIRST, [record(0, lead(created_at=NOON, owner="ana"))])
    await owner.flush({FIRST})
    owner.owned[FIRST].partition._leads.clear()
    await owner.apply(FIRST, [record(1, call("t1", NOON))])  # it is still there
    await owner.flush({FIRST})
    owner.owned[FIRST].partition._leads.clear()
    there = await snapshot(redis)
    await redis.flushall()

    with pytest.raises(Rewound, match="claim 0 is read"):
        await owner.apply(FIRST, [record(2, call("t2", NOON))])
    assert owner.owned == {}

    await restore(redis, there)
    await owner.load(FIRST, NEW_LOG)
    await owner.apply(FIRST, [record(2, call("t2", NOON))])
    await claim_partition(redis, Keys("lb", FIRST.partition), 4, "theirs")
    owner.owned[FIRST].partition._leads.clear()
    await owner.apply(FIRST, [record(3, call("t3", NOON))])  # he is told by his next checkpoint


@pytest.mark.parametrize("stale", [False, True], ids=["restored", "re-valued"])
async def test_what_an_emptied_redis_says_while_a_partition_is_loaded_is_not_believed(redis, owner, monkeypatch, stale):
    await owner.load(FIRST, NEW_LOG)
    await owner.apply(FIRST, [record(0, lead(created_at=NOON, owner="ana")), record(1, call("t1", NOON))])
    await owner.flush({FIRST})
    offset = owner.owned[FIRST].offset
    if stale:
        rules = Rules(zone="Asia/Tokyo")
        owner.terms = replace(owner.terms, codes=Codes(rules), valuation=valuation_of(rules))
    read, emptied = loading._read, itertools.count()

    async def read_of(number, *arguments, **options):
        if next(emptied) != number:
            return await read(*arguments, **options)
        there = await snapshot(redis)
        await redis.flushall()
        try:
            return await read(*arguments, **options)
        finally:
            await restore(redis, there)

    async def load(number):
        nonlocal emptied
        emptied = itertools.count()
        monkeypatch.setattr(loading, "_read", partial(read_of, number))
        owner.drop({FIRST})
        return await owner.load(FIRST, LogEnds(0, offset, nothing, nothing))

    there = await snapshot(redis)
    assert await load(-1) == offset
    pieces = next(emptied)
    assert pieces > 4
    for number in range(pieces):
        await redis.flushall()
        await restore(redis, there)
        with pytest.raises(Rewound, match="claim 0 is read"):
            await load(number)


async def test_of_a_batch_that_could_not_be_applied_nothing_is_saved_and_nothing_behind_it(redis, owner, monkeypatch):
    await owner.load(FIRST, NEW_LOG)
    await owner.apply(FIRST, [record(0, lead(created_at=NOON, owner="ana"))])
    whole = module.process

    async def fail(partition, records, *others):
        await whole(partition, records[:1], *others)
        raise Fatal("tables", "cannot be read", "mend them")

    monkeypatch.setattr(module, "process", fail)
    with pytest.raises(Fatal):
        await owner.apply(FIRST, [record(1, call("t1", NOON)), record(2, call("t2", NOON))])
    monkeypatch.setattr(module, "process", whole)

    await owner.apply(FIRST, [record(3, call("t3", NOON))])
    owner.consider_all()
    await owner.flush({FIRST})
    (applied,) = await read_applied(redis, [Keys("lb", FIRST.partition)])
    assert not applied.progress.offset


@pytest.fixture
def moving(owner, monkeypatch):
    """Moves a clock by hand after something has changed in a partition; gives how many checkpoints were begun."""
    now, begun = [100.0], []
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))

    async def move(seconds, *, unsaved=1, urgent=False, end=None):
        if not owner.owned:
            await owner.load(FIRST, NEW_LOG)
            monkeypatch.setattr(owner, "_begin", lambda tp, _: begun.append(tp))
        owned = owner.owned[FIRST]
        owned.partition._unsaved = {f"lead-{number}" for number in range(unsaved)}
        owned.changed_at, owned.urgent = now[0], urgent
        owner._control.end = end
        now[0] += seconds
        begun.clear()
        owner.consider_all()
        return len(begun)

    return move


async def test_a_partition_that_catches_up_saves_less_often_but_never_more_at_once(moving):
    near, far = module.BACKLOG, module.BACKLOG + 1
    assert [await moving(0.4), await moving(0.5)] == [0, 1]
    assert [await moving(0.4, end=near), await moving(0.5, end=near)] == [0, 1]
    assert [await moving(0.5, end=far), await moving(2.9, end=far), await moving(3.0, end=far)] == [0, 0, 1]
    assert [await moving(0, unsaved=LARGEST_CUT - 1, end=far), await moving(0, unsaved=LARGEST_CUT, end=far)] == [0, 1]
    assert await moving(0.5, end=near) == 1


async def test_nobody_is_blamed_for_standing_still_while_redis_does_not_answer(owner):
    assert await owner.load(FIRST, NEW_LOG) == owner.applied(FIRST) == 0
    owner.redis_answers = False
    assert owner.applied(FIRST) is None
