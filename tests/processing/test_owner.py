"""The owner of partitions where others get in its way."""

import asyncio
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry
from services import until

from models.codes import Codes
from models.rules import Rules
from streams.processing import owner as module
from streams.processing.checkpoint import claim_partition
from streams.processing.owner import Owner, Terms
from streams.processing.revaluation import revalue
from streams.tables import Keys, read_applied
from streams.telemetry import ProcessorMetrics
from streams.transport import TP, LogEnds
from streams.valuation import valuation_of

pytestmark = pytest.mark.redis

FIRST = TP("events", 3)


@dataclass
class Controls:
    """The consumer's, noting what is asked of it."""

    asked: list = field(default_factory=list)

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


async def test_nobody_is_blamed_for_standing_still_while_redis_does_not_answer(owner):
    assert await owner.load(FIRST, NEW_LOG) == owner.applied(FIRST) == 0
    owner.redis_answers = False
    assert owner.applied(FIRST) is None
