"""A partition that is claimed in the newest Redis at hand and in the oldest that we promise."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis_versions import BOTH, Running, running_redis

from streams.processing.checkpoint import claim_partition
from streams.tables import Applied, Keys, Redis, connect


@pytest.fixture(params=BOTH)
def running(request: pytest.FixtureRequest, started: Callable[..., Any]) -> Running:
    """The server."""
    return running_redis(started, request.param)


@pytest.fixture
async def redis(running: Running) -> AsyncIterator[Redis]:
    """A client of it, and the server empty and as it was started."""
    async with connect(running.url, timeout_s=20) as client:
        await client.config_set("maxmemory", 0)
        await client.flushall()
        yield client
        await client.config_set("maxmemory", 0)


@pytest.fixture
def keys() -> Keys:
    return Keys("lb", 3)


@pytest.fixture
async def held(redis: Redis, keys: Keys) -> Applied:
    """The partition, claimed and new."""
    return await claim_partition(redis, keys, 4, "mine")
