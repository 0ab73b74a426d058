"""What neither Kafka nor Redis tells alone: whether the tables belong to this log, and how far they are behind it."""

from collections.abc import Iterator

from streams.config import Settings
from streams.errors import Fatal
from streams.inspection.findings import Finding, of_fault
from streams.inspection.of_log import lag
from streams.inspection.seen import LogSeen, TablesSeen
from streams.processing.start import start_of
from streams.tables import Keys, Progress
from streams.topics import Topics
from streams.transport import LogEnds, Record


async def of_both(settings: Settings, tables: TablesSeen, log: LogSeen) -> list[Finding]:
    """What a worker would say that took the partitions now. `tables` were looked at before `log`."""
    findings: list[Finding] = []
    records = 0
    committed = log.groups[f"{settings.kafka.group}-processor"].committed if log.groups else {}
    for number, begin, end in _bounds(settings, log):
        applied = tables.applied[number] if number < len(tables.applied) else None
        progress = Progress() if applied is None else applied.progress
        records += end - (begin if progress.offset is None else min(progress.offset, end))
        try:
            await _start_of(Keys(settings.redis.prefix, number).applied, progress, (begin, end), committed.get(number))
        except Fatal as fault:
            findings.append(of_fault(fault))
    return [*findings, lag("processor", records)] if log.bounds.ends else findings


def _bounds(settings: Settings, log: LogSeen) -> Iterator[tuple[int, int, int]]:
    events = Topics(settings.kafka.topic_prefix).events
    for number, end in sorted(log.bounds.ends.get(events, {}).items()):
        yield number, log.bounds.begins[events][number], end


async def _start_of(where: str, progress: Progress, bounds: tuple[int, int], committed: int | None) -> None:
    async def offset() -> int | None:
        return committed

    async def nothing(_: int) -> Record | None:
        return None

    await start_of(where, progress, LogEnds(*bounds, reader=nothing, committed=offset))
