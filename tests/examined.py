"""What the doctor finds, for its tests."""

import time

from models.units import Millis
from streams.config import load
from streams.inspection.doctor import examine, lines
from streams.inspection.findings import Finding, Level


async def findings_of(config, *, later: int = 0) -> list[Finding]:
    """What the doctor finds, some time from now."""
    return await examine(lambda: load(config), lambda: Millis(time.time_ns() // 1_000_000 + later))


def told(findings, level: Level, where: str) -> list[str]:
    """What is found of something at a level; each says what to do, unless it is well."""
    assert all(bool(finding.todo) == (finding.level is not Level.OK) for finding in findings), lines(findings)
    return [finding.what for finding in findings if (finding.level, finding.where) == (level, where)]


def failures(findings) -> set[str]:
    return {finding.where for finding in findings if finding.level is Level.FAIL}


def now() -> int:
    return time.time_ns() // 1_000_000
