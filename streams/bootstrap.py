"""The composition root: each service put together from its settings, and the worker's two processes kept alive."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import structlog

from streams import own_kpis, telemetry
from streams.config import SecretFiles, Settings, load
from streams.errors import Fatal
from streams.inbound import gateway, normaliser
from streams.processing import worker
from streams.serving import app as exporter
from streams.serving.sources import sources
from streams.tables import connect_to
from streams.topics import ensure_of

Part = Literal["normaliser", "processor"]
"""The two processes of a worker; each is a Faust app with a consumer group of its own."""

PARTS: Final[tuple[Part, ...]] = ("normaliser", "processor")

EXIT_FATAL: Final = 2
"""What a process ends with that must not be started again until somebody has done something."""

SCRAPE_PATIENCE_S: Final = 1.0
"""How long the exporter waits for Redis: Prometheus itself does not wait much longer for a page."""

CONNECT: Final = """\
add one for each CRM to the settings file (--config or LEADBEAT_CONFIG), such as
  [[connections]]
  name = "crm"
  token = "an-unguessable-token-of-your-own"  # it posts to /hooks/<token>
  secret_files = ["crm-webhook.secret"]       # whsec_ and the base64 of at least 24 random bytes
and see docs/providers.md"""
"""What a gateway needs that nobody can send to."""

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
STOP_LIMIT_S: Final = 20.0

log = structlog.get_logger(__name__)


def settings_of(config: Path | None) -> Settings:
    """The settings, and logs set up as they say. Raises Fatal if their own KPIs do not take part in this process."""
    settings = load(config)
    own_kpis.check(settings.kpis.module)
    telemetry.configure(settings.log_level, settings.log_format)
    return settings


def make_topics(config: Path | None) -> None:
    """Make the topics that are missing and check them all. Raises Retry while Kafka is away."""
    asyncio.run(ensure_of(settings_of(config)))


def run_gateway(config: Path | None) -> None:
    """Be the gateway until SIGTERM. Raises Fatal if no delivery could ever come in."""
    secrets = SecretFiles(config)
    settings = settings_of(config)
    if not settings.connections:
        raise Fatal("connections", "there is none, so every delivery would be answered with 404", CONNECT)
    gateway.main(settings, secrets)


def run_exporter(config: Path | None) -> None:
    """Be the exporter until SIGTERM. Raises Fatal if it would let everybody ask though security is required."""
    secrets = SecretFiles(config)
    settings = settings_of(config)
    if settings.require_security and not settings.api_tokens:
        raise Fatal("api_tokens", "there is none, while require_security is set", "make one: `leadbeat token new`")
    asyncio.run(_export(settings, secrets))


def run_worker(config: Path | None, part: Part | None) -> None:
    """Be a worker until SIGTERM: one part of it, or both, each in a process of its own that is started again if it dies."""
    settings = settings_of(config)
    if part is None:
        asyncio.run(ensure_of(settings))
        asyncio.run(_supervise(config))
    else:
        asyncio.run(_normalise(settings) if part == "normaliser" else _process(settings))


async def _export(settings: Settings, secrets: SecretFiles) -> None:
    redis = connect_to(settings.redis, timeout_s=SCRAPE_PATIENCE_S)
    try:
        await exporter.run(settings, sources(redis, settings), secrets)
    finally:
        await redis.aclose()


async def _normalise(settings: Settings) -> None:
    await normaliser.run(settings)


async def _process(settings: Settings) -> None:
    await ensure_of(settings)
    redis = connect_to(settings.redis)
    try:
        await worker.run(settings, redis)
    finally:
        await redis.aclose()


async def _supervise(config: Path | None) -> None:
    """Keep both parts alive until we are told to stop. Raises Fatal if one says that it must not be started again."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        async with asyncio.TaskGroup() as group:
            for part in PARTS:
                group.create_task(_keep_alive(part, config, stopping))
    except* Fatal as faults:
        fault: BaseException = faults.exceptions[0]
        raise fault from None


async def _keep_alive(part: Part, config: Path | None, stopping: asyncio.Event) -> None:
    pause = FIRST_PAUSE_S
    while not stopping.is_set():
        began = asyncio.get_running_loop().time()
        code = await _run(part, config, stopping)
        if stopping.is_set():
            return
        if code == EXIT_FATAL:
            raise Fatal(part, "cannot go on", "its own message stands above")
        log.error("part_ended", part=part, code=code, pause_s=pause)
        pause = FIRST_PAUSE_S if asyncio.get_running_loop().time() - began > LONGEST_PAUSE_S else pause
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)


async def _run(part: Part, config: Path | None, stopping: asyncio.Event) -> int | None:
    """Run a part until it ends, or until we are told to stop (or cancelled), when it is stopped; tell what it ended with."""
    process = await asyncio.create_subprocess_exec(*_command(part, config), stdin=subprocess.PIPE, start_new_session=True)
    ended, told = asyncio.create_task(process.wait()), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((ended, told), return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        if not ended.done():
            await _stop(process, ended)
    return process.returncode


async def _stop(process: asyncio.subprocess.Process, ended: "asyncio.Task[int]") -> None:
    process.terminate()
    try:
        await asyncio.wait_for(ended, STOP_LIMIT_S)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _command(part: Part, config: Path | None) -> Sequence[str]:
    named = [] if config is None else ["--config", str(config)]
    return [sys.executable, "-m", "streams.cli", "worker", "--part", part, "--supervised", *named]


def stop_with_parent() -> None:
    """From now on, stop when standard input closes: whoever started us holds its other end, and may be killed."""

    def watch() -> None:
        with suppress(OSError):
            os.read(sys.stdin.fileno(), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
