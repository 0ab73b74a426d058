"""Fixtures of the whole suite: the real servers, started once a session when a test first asks for them."""

import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import nodes
import pytest
import secured
import services
from aiokafka.admin import AIOKafkaAdminClient
from hypothesis import Phase, settings
from services import Alertmanager, Chromium, Kafka, Missing, Prometheus, Redis, Server

from streams import cli

# The same examples every time unless asked for more: `HYPOTHESIS_PROFILE=long`, or `--hypothesis-profile long`. `make coverage`
# does with few, and so does `make mutants`, where no failure need be simple. What of an example matters is not worked out: that
# traces each line, for minutes.
PHASES = [phase for phase in Phase if phase is not Phase.explain]
settings.register_profile("brief", max_examples=10, deadline=None, derandomize=True, phases=PHASES)
settings.register_profile("quick", max_examples=100, deadline=None, derandomize=True, phases=PHASES)
settings.register_profile("long", max_examples=10_000, deadline=None, phases=PHASES)
settings.register_profile("mutants", max_examples=15, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

SERVERS = {
    "kafka": {"kafka", "secured_kafka"},
    "redis": {"redis_server", "redis_factory", "secured_redis"},
    "prometheus": {"prometheus"},
    "alertmanager": {"alertmanager"},
    "chromium": {"chromium"},
}
"""Marker → the fixtures whose use means it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker, fixtures in SERVERS.items():
            if fixtures & set(getattr(item, "fixturenames", ())):
                item.add_marker(marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    return _without_skips((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    return _without_skips((yield))


def _without_skips(report: Any) -> Any:
    """Where skips are not allowed, a skip is a failure."""
    if report.skipped and not hasattr(report, "wasxfail") and not services.skips_allowed():
        report.outcome = "failed"
        report.longrepr = f"skipped, which is not allowed here: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Start a server of `services` in a folder of its own; all are ended with the session. Skips if it is missing."""
    servers: list[Server] = []

    def start(service: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        folder: Path = tmp_path_factory.mktemp(service.__name__)
        try:
            running = service(folder, *arguments, **options)
        except Missing as missing:
            pytest.skip(str(missing))
        servers.append(running.server)
        return running

    yield start
    for server in reversed(servers):
        server.stop()


@pytest.fixture(scope="session")
def kafka(started: Callable[..., Any]) -> Kafka:
    """Apache Kafka, shared by the session: tell tests apart with `topic_prefix`."""
    return started(services.kafka)


@pytest.fixture
async def admin(kafka: Kafka) -> AsyncIterator[AIOKafkaAdminClient]:
    """Who may ask Kafka about topics, and make them."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    yield admin
    await admin.close()


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics and groups that no other test has."""
    return f"t{uuid4().hex[:8]}."


@pytest.fixture(scope="session")
def redis_factory(started: Callable[..., Any]) -> Callable[..., Redis]:
    """Start a Redis of one's own: `redis_factory(append_only=True)`."""
    return lambda **options: started(services.redis, **options)


@pytest.fixture(scope="session")
def shared_redis(redis_factory: Callable[..., Redis], started: Callable[..., Any]) -> Redis | nodes.Cluster:
    """The session's Redis (TESTS_REDIS=cluster: a cluster). Ask for `redis_server` instead: it is empty."""
    return started(nodes.cluster) if os.environ.get("TESTS_REDIS") == "cluster" else redis_factory()


@pytest.fixture
def redis_server(shared_redis: Redis) -> Redis:
    """The session's Redis (evicts and saves nothing), emptied for this test."""
    shared_redis.flush()
    return shared_redis


@pytest.fixture(scope="session")
def secured_kafka(started: Callable[..., Any]) -> secured.SecuredKafka:
    """Apache Kafka that lets in only who proves who he is, shared by the session."""
    return started(secured.secured_kafka)


@pytest.fixture(scope="session")
def secured_redis(started: Callable[..., Any]) -> secured.SecuredRedis:
    """Redis that lets in only who proves who he is, shared by the session: flush it before use."""
    return started(secured.secured_redis)


@pytest.fixture(scope="session")
def prometheus(started: Callable[..., Any]) -> Callable[[dict[str, Any] | Path], Prometheus]:
    """Start a Prometheus with a configuration: `prometheus({"scrape_configs": [...]})`, or with the file of one."""
    return lambda config: started(services.prometheus, config)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Callable[..., tuple[int, str, str]]:
    """Run `leadbeat` as the shell would: its exit code, output and error output."""

    def running(*arguments):
        monkeypatch.setattr(sys, "argv", ["leadbeat", *map(str, arguments)])
        try:
            cli.main()
        except SystemExit as exit:  # noqa: A001
            code = exit.code or 0
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    return running


@pytest.fixture(scope="session")
def alertmanager(started: Callable[..., Any]) -> Callable[[str], Alertmanager]:
    """Start an Alertmanager with a configuration: the text of its file."""
    return lambda config: started(services.alertmanager, config)


@pytest.fixture(scope="session")
def chromium(started: Callable[..., Any]) -> Chromium:
    """A headless Chromium, shared by the session: each test opens a context of its own in it."""
    return started(services.chromium)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a file of settings of a text."""

    def write(text: str) -> Path:
        path = tmp_path / "leadbeat.toml"
        path.write_text(text)
        return path

    return write
