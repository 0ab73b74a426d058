"""An installation of Leadbeat for each end-to-end test."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from crowd import RULES
from secured import SecuredKafka, SecuredRedis, grant
from secured_system import Secured
from services import Kafka, Redis
from system import System, installed
from wire import Wire, wired

from models.units import SECOND, Millis
from streams.tables.server import ask


@pytest.fixture
async def system(kafka: Kafka, redis_server: Redis, topic_prefix: str, tmp_path: Path) -> AsyncIterator[System]:
    """Topics of its own, an empty Redis, and no service yet."""
    async with installed(kafka, redis_server, tmp_path, topic_prefix, RULES) as system:
        yield system


@pytest.fixture
async def secured(
    secured_kafka: SecuredKafka, secured_redis: SecuredRedis, topic_prefix: str, tmp_path: Path
) -> AsyncIterator[Secured]:
    """With the rights of the documentation, and no service yet."""
    secured_redis.flush()
    grant(secured_kafka, topic_prefix)
    async with installed(secured_kafka, secured_redis, tmp_path, topic_prefix, RULES) as system:
        await ask(system.redis, "ACL", "LOG", "RESET")
        yield Secured(system, secured_kafka, secured_redis)


@pytest.fixture
async def wire(redis_server: Redis) -> AsyncIterator[Wire]:
    """A way to the same Redis on which answers can get lost."""
    async with wired(redis_server.port) as wire:
        yield wire


@pytest.fixture
def now() -> Millis:
    """This second."""
    return Millis(time.time_ns() // 1_000_000 // SECOND * SECOND)
