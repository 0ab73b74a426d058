"""`leadbeat doctor`: is all there, set as it should be, and moving; and what to do where it is not. It changes nothing."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from models.errors import LeadbeatError
from models.units import Millis
from streams.config import Settings
from streams.errors import Fatal, Retry
from streams.inspection.findings import Finding, Level, of_fault
from streams.inspection.log import look_at_log
from streams.inspection.of_both import of_both
from streams.inspection.of_log import of_log
from streams.inspection.of_settings import of_mistakes, of_services, of_settings
from streams.inspection.of_tables import of_tables
from streams.inspection.seen import LogSeen, TablesSeen
from streams.inspection.services import look_at_services
from streams.inspection.stored import look_at_tables
from streams.serving.health import wall
from streams.tables.rules import in_force


async def examine(load: Callable[[], Settings], now: Callable[[], Millis] = wall) -> list[Finding]:
    """Everything that can be found, whatever of it is down. Raises nothing that Leadbeat raises on purpose."""
    try:
        settings = load()
    except Fatal as fault:
        return list(of_mistakes(fault))
    # Redis first: what it has applied cannot lie behind the end of a log that is looked at later.
    tables = await _tables(settings, now)
    log, services = await asyncio.gather(_log(settings, now), look_at_services(settings))
    applied = tables.rules if isinstance(tables, TablesSeen) else None
    findings = [*of_settings(settings, in_force(settings.rules(), applied))]
    findings += of_log(settings, log) if isinstance(log, LogSeen) else [_unseen(log, "topics, ticks, dead letters")]
    findings += of_tables(settings, tables) if isinstance(tables, TablesSeen) else [_unseen(tables, "its tables")]
    if isinstance(log, LogSeen) and isinstance(tables, TablesSeen):
        findings += await of_both(settings, tables, log)
    return [*findings, *of_services(services)]


async def _tables(settings: Settings, now: Callable[[], Millis]) -> TablesSeen | LeadbeatError:
    try:
        return await look_at_tables(settings, now)
    except (Retry, Fatal) as fault:
        return fault


async def _log(settings: Settings, now: Callable[[], Millis]) -> LogSeen | LeadbeatError:
    try:
        return await look_at_log(settings, now)
    except (Retry, Fatal) as fault:
        return fault


def _unseen(fault: LeadbeatError, what: str) -> Finding:
    return of_fault(type(fault)(fault.where, f"{fault.what}; {what} were not looked at", fault.todo))


def healthy(findings: Sequence[Finding]) -> bool:
    """Whether nothing is broken; what should be looked at does not count."""
    return all(finding.level is not Level.FAIL for finding in findings)


def lines(findings: Sequence[Finding]) -> list[str]:
    """For people: one line each, and how many of each there are."""
    counts = Counter(finding.level for finding in findings)
    return [*map(str, findings), ", ".join(f"{level}: {counts[level]}" for level in Level)]


def in_json(findings: Sequence[Finding]) -> str:
    """For programs."""
    content = {"healthy": healthy(findings), "findings": findings}
    return msgspec.json.format(msgspec.json.encode(content)).decode()
