"""Audits, once or again and again, and the metrics that tell of them."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

import structlog
from prometheus_client import CollectorRegistry

from models.errors import LeadbeatError
from streams.audit.auditing import audit
from streams.audit.findings import Report
from streams.config import Settings
from streams.tables import connect_to
from streams.telemetry import AuditMetrics, registry
from streams.vitals import tell

PATIENCE_S: Final = 60.0
"""How long Redis may take for an answer: a partition's totals are one."""

log = structlog.get_logger(__name__)


class Schedule(NamedTuple):
    """How often to audit, and where to tell of it."""

    every_s: float
    host: str
    port: int


async def once(settings: Settings, only: int | None) -> Report:
    """Audit now. Raises Retry and Fatal where nothing can be audited at all."""
    async with connect_to(settings.redis, timeout_s=PATIENCE_S) as redis:
        return await audit(settings, redis, only)


async def again_and_again(settings: Settings, only: int | None, schedule: Schedule, show: Callable[[Report], None]) -> None:
    """Audit on a schedule until SIGTERM or SIGINT. What cannot be audited now is tried again the next time."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    metrics = registry()
    tasks = {
        asyncio.create_task(tell(schedule.host, schedule.port, metrics, lambda: None)),
        asyncio.create_task(_keep_auditing(settings, only, schedule.every_s, metrics, show)),
        asyncio.create_task(stopping.wait()),
    }
    done, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    await asyncio.wait(left)
    for task in done:
        task.result()


async def _keep_auditing(
    settings: Settings, only: int | None, every_s: float, metrics: CollectorRegistry, show: Callable[[Report], None]
) -> None:
    told = AuditMetrics(metrics)
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        with suppress(LeadbeatError):
            tell_of(await _tried(settings, only), told, show)
        await asyncio.sleep(max(0.0, began + every_s - loop.time()))


async def _tried(settings: Settings, only: int | None) -> Report:
    try:
        return await once(settings, only)
    except LeadbeatError as fault:
        log.warning("audit_impossible", fault=str(fault))
        raise


def tell_of(report: Report, metrics: AuditMetrics, show: Callable[[Report], None]) -> None:
    """Show a report, and have the metrics say the same; of an incomplete one they say only what differs, if anything does."""
    show(report)
    if report.failed:
        log.warning("audit_incomplete", failed=report.failed)
    if report.differing or not report.failed:
        metrics.tell(report.differing, report.series, report.at / 1000, report.seconds)
