"""The exporter as a process."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from services import Redis, Server, answers, free_port


def started_exporter(redis: Redis, folder: Path) -> tuple[Server, str]:
    """`leadbeat exporter`, ready: its server and its address."""
    port = free_port()
    config = folder / "leadbeat.toml"
    config.write_text(f'[redis]\nurl = "{redis.url}"\n[exporter]\nport = {port}\n')
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streams.cli", "exporter", "--config", str(config)]
    server = Server("exporter", command, folder, lambda: answers(f"{url}/livez"))
    server.start()
    return server, url


@pytest.fixture
def exporter(redis_server: Redis, tmp_path: Path) -> Iterator[tuple[Server, str]]:
    """An exporter of one's own, that may be ended, on the session's Redis."""
    server, url = started_exporter(redis_server, tmp_path)
    yield server, url
    server.kill()


@pytest.fixture(scope="module")
def shared_exporter(shared_redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an exporter that the module's tests share; ask for `redis_server` beside it, so that it shows nothing."""
    server, url = started_exporter(shared_redis, tmp_path_factory.mktemp("exporter"))
    yield url
    server.kill()
