"""The processor's process where others have taken its partitions and Kafka has not told it."""

import asyncio

import pytest
from build import NOON
from kept import Floor
from prometheus_client import CollectorRegistry
from services import until

from models.units import SECOND
from streams.config import Settings
from streams.processing.checkpoint import claim_table
from streams.processing.worker import Worker
from streams.tables import KpiKeys
from streams.telemetry import ProcessorMetrics
from streams.transport import TP, LogEnds

pytestmark = pytest.mark.redis

LIMIT_S = 20
TABLE = "lb:{kpi}:applied"


class Controls:
    """The consumer's, of which nothing is asked for an answer."""

    def __getattr__(self, name):
        return lambda *_: None


class Topic:
    """Takes what is told."""

    async def send_all(self, records):
        list(records)


async def nothing(*_):
    return None


@pytest.fixture
def worker(redis):
    worker = Worker(Settings(checkpoint_ms=50), redis, Topic(), ProcessorMetrics(CollectorRegistry()))
    worker.owner.attach(Controls())
    return worker


async def test_who_publishes_does_not_take_the_table_back_from_whoever_has_its_partition_now(redis, worker):
    first = TP("crm.events.v1", 0)
    await worker.owner.load(first, LogEnds(0, 0, nothing, nothing))
    publishing = asyncio.create_task(worker.keep_publishing())

    async def claimed() -> bool:
        return await redis.hget(TABLE, "claim") == b"1"

    await until(claimed, LIMIT_S, "it publishes")
    theirs = await Floor.claimed(redis, worker.ruling.rules)
    held = await claim_table(redis, KpiKeys("lb"), "theirs")
    await theirs.tell([], NOON)
    await until(lambda: worker.owner.fenced == {first}, LIMIT_S, "it has noticed that the partition is another's")
    await theirs.tell([], NOON + 20 * SECOND)
    await until(lambda: worker._publisher is None, LIMIT_S, "it publishes no more")
    stored = await redis.hgetall(TABLE)
    assert (stored[b"claim"], stored[b"token"]) == (b"%d" % held.claim, b"theirs")
    publishing.cancel()
