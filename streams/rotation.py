"""Secrets that are exchanged while a process runs: their files are read again when they have changed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from streams.config import SecretFiles, Settings
from streams.errors import Fatal
from streams.telemetry import RotationMetrics

log = structlog.get_logger(__name__)

LOOK_S: Final = 1.0
"""How often the files are looked at. What has changed is taken when it has stood still from one look to the next."""


@asynccontextmanager
async def rotating(
    files: SecretFiles | None, take: Callable[[Settings], None], registry: CollectorRegistry
) -> AsyncIterator[None]:
    """Meanwhile give `take` the connections and API tokens whenever their files have changed and can be used."""
    metrics = RotationMetrics(registry)
    watching = asyncio.create_task(_watch(files, take, metrics)) if files and files.paths else None
    try:
        yield
    finally:
        if watching is not None:
            watching.cancel()
            await asyncio.wait([watching])


async def _watch(files: SecretFiles, take: Callable[[Settings], None], metrics: RotationMetrics) -> None:
    judged = seen = files.before
    while True:
        await asyncio.sleep(LOOK_S)
        before, seen = seen, await asyncio.to_thread(files.digests)
        if seen == before and seen != judged:
            judged = seen
            _judge(files, take, metrics)


def _judge(files: SecretFiles, take: Callable[[Settings], None], metrics: RotationMetrics) -> None:
    """Take what the files say now; what cannot be used leaves everything as it was."""
    try:
        take(files.read())
    except Exception as fault:  # noqa: BLE001 - whatever it is, the next change is looked at, too
        metrics.refused.set(1)
        what = fault.what if isinstance(fault, Fatal) else repr(fault)
        log.error("secrets_refused", what=what, todo="mend the file; until then the old secrets hold")  # noqa: TRY400
        return
    metrics.refused.set(0)
    metrics.taken.inc()
    log.info("secrets_taken", files=len(files.paths))
