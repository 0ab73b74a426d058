"""The exporter as a process, and its page in a browser over a floor whose rounds and queue the test tells."""

import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from browsing import browsing
from playwright.async_api import Browser
from queued import Floor, Partitions
from services import Chromium, Redis, Server, answers, free_port

from streams.config import Settings
from streams.serving.app import create
from streams.serving.sources import sources
from streams.tables import Redis as Client
from streams.tables import connect


def started_exporter(redis: Redis, folder: Path, settings: str = "") -> tuple[Server, str]:
    """`leadbeat exporter`, ready: its server and its address. `settings` are more of them, as tables."""
    port = free_port()
    config = folder / "leadbeat.toml"
    config.write_text(f'[redis]\nurl = "{redis.url}"\n[exporter]\nport = {port}\n{settings}')
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streams.cli", "exporter", "--config", str(config)]
    server = Server("exporter", command, folder, lambda: answers(f"{url}/livez"))
    server.start()
    return server, url


@pytest_asyncio.fixture
async def redis(redis_server: Redis) -> AsyncIterator[Client]:
    """A connection to a Redis that is empty."""
    async with connect(redis_server.url) as connected:
        yield connected


@pytest_asyncio.fixture
async def client(redis: Client) -> AsyncIterator[httpx.AsyncClient]:
    """The exporter's application over that Redis."""
    transport = httpx.ASGITransport(app=create(Settings(), sources(redis, Settings())))
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as asking:
        yield asking


@pytest.fixture
def exporter(redis_server: Redis, tmp_path: Path) -> Iterator[tuple[Server, str]]:
    """An exporter of one's own, that may be ended, on the session's Redis."""
    server, url = started_exporter(redis_server, tmp_path)
    yield server, url
    server.kill()


@pytest.fixture
def exporter_with(redis_server: Redis, tmp_path: Path) -> Iterator[Callable[[str], tuple[Server, str]]]:
    """Start an exporter of one's own with more settings."""
    servers: list[Server] = []

    def start(settings: str) -> tuple[Server, str]:
        server, url = started_exporter(redis_server, tmp_path, settings)
        servers.append(server)
        return server, url

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(scope="module")
def shared_exporter(shared_redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an exporter that the module's tests share; ask for `redis_server` beside it, so that it shows nothing."""
    server, url = started_exporter(shared_redis, tmp_path_factory.mktemp("exporter"))
    yield url
    server.kill()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: Chromium) -> AsyncIterator[Browser]:
    """A browser, for the module's tests."""
    async with browsing(chromium) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def floor(redis_server: Redis) -> AsyncIterator[Floor]:
    """A floor on the session's Redis, on which nothing has happened."""
    async with connect(redis_server.url) as redis:
        yield Floor(redis, await Partitions.claimed(redis))


@pytest.fixture
def url(shared_exporter: str, redis_server: Redis) -> str:
    """The page over an empty Redis."""
    return f"{shared_exporter}/"
