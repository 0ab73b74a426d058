"""A Redis with an append-only file, and copies of its data that can be put back."""

import asyncio
import shutil
import subprocess
from pathlib import Path

from redis.asyncio import Redis as Client
from services import Redis, until

DATA = ("appendonlydir", "appendonly.aof", "dump.rdb")
"""What Redis keeps in its folder, of Redis 7 and later or of 6."""

LIMIT_S = 60


class Copies:
    """What can be done to the data of a Redis. While its file is copied it does not write that anew."""

    def __init__(self, redis: Redis, client: Client) -> None:
        self._redis = redis
        self._client = client
        self._count = 0

    @property
    def folder(self) -> Path:
        """Where Redis keeps its data."""
        return self._redis.server.folder

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The server's process."""
        assert self._redis.server.process
        return self._redis.server.process

    async def take(self) -> Path:
        """A copy of all that is stored, while the server runs."""
        await self._client.config_set("auto-aof-rewrite-percentage", 0)
        await until(self._is_not_rewriting, LIMIT_S, "Redis has written its file anew")
        copy = self._place()
        await asyncio.to_thread(_copy, self.folder, copy)
        await self._client.config_set("auto-aof-rewrite-percentage", 100)
        return copy

    async def crash(self) -> None:
        """Kill the server and start it again with what it has."""
        self._redis.server.kill()
        await self._start()

    async def put_back(self, copy: Path) -> None:
        """Kill the server and start it again with a copy, which is gone then."""
        self._redis.server.kill()
        _clear(self.folder)
        _move(copy, self.folder)
        shutil.rmtree(copy)
        await self._start()

    async def empty(self) -> Path:
        """Kill the server and start it again with nothing; what it had."""
        self._redis.server.kill()
        copy = self._place()
        copy.mkdir()
        _move(self.folder, copy)
        await self._start()
        return copy

    async def _start(self) -> None:
        await asyncio.to_thread(self._redis.server.start)
        await self._client.connection_pool.disconnect()

    async def _is_not_rewriting(self) -> bool:
        return not (await self._client.info("persistence"))["aof_rewrite_in_progress"]

    def _place(self) -> Path:
        self._count += 1
        return self.folder.with_name(f"{self.folder.name}-copy-{self._count}")


def _clear(folder: Path) -> None:
    for name in DATA:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _copy(folder: Path, target: Path) -> None:
    target.mkdir()
    for name in DATA:
        path = folder / name
        if path.is_dir():
            shutil.copytree(path, target / name)
        elif path.exists():
            shutil.copy2(path, target / name)


def _move(source: Path, target: Path) -> None:
    for name in DATA:
        if (source / name).exists():
            shutil.move(source / name, target / name)
