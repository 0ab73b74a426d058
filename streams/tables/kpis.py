"""The KPI table as everything reads it that serves numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from streams.tables.keys import KpiKeys
from streams.tables.server import Redis, reaching


@dataclass(frozen=True, slots=True)
class KpiTable:
    """One round of KPIs: its record (`round clock known_until spread_ms exact …`, as text) and per window its rows, as JSON."""

    record: dict[str, str]
    rows: dict[str, dict[str, bytes]]


async def read_kpis(redis: Redis, keys: KpiKeys, windows: Sequence[str]) -> KpiTable:
    """The table, record and windows of the same round. The record is empty before the first. Raises Retry."""
    with reaching(keys.applied):
        # A transaction: rounds are written whole, and so they are read.
        async with redis.pipeline(transaction=True) as pipeline:
            for key in (keys.applied, *(keys.window(name) for name in windows)):
                pipeline.hgetall(key)
            record, *tables = await pipeline.execute()
    return KpiTable(
        {name.decode(): value.decode() for name, value in record.items()},
        {window: {key.decode(): row for key, row in rows.items()} for window, rows in zip(windows, tables, strict=True)},
    )
