"""The KPI table as everything reads it that serves numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from streams.tables.keys import KpiKeys
from streams.tables.server import Redis, ask, reaching

RowChanges: TypeAlias = Mapping[str, Mapping[str, bytes | None]]
"""By window and key the rows that a round wrote, as JSON; None for those that it deleted."""

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(dict[str, dict[str, bytes | None]]).decode


def encode_changes(changes: RowChanges) -> bytes:
    """What a round changed, as it lies among the table's changes: MessagePack."""
    return _pack(changes)


def decode_changes(packed: bytes) -> RowChanges:
    """The inverse of `encode_changes`. Raises msgspec.DecodeError."""
    return _unpack(packed)


@dataclass(frozen=True, slots=True)
class KpiTable:
    """One round of KPIs: its record (`round clock known_until spread_ms exact …`, as text) and per window its rows, as JSON."""

    record: dict[str, str]
    rows: dict[str, dict[str, bytes]]


async def read_record(redis: Redis, keys: KpiKeys) -> dict[str, str]:
    """The table's record alone: what it says changes with every write to the table. Raises Retry."""
    with reaching(keys.applied):
        return _text(await ask(redis, "HGETALL", keys.applied))


async def read_kpis(redis: Redis, keys: KpiKeys, windows: Sequence[str]) -> KpiTable:
    """The table, record and windows of the same round. The record is empty before the first. Raises Retry."""
    with reaching(keys.applied):
        # A transaction: rounds are written whole, and so they are read.
        async with redis.pipeline(transaction=True) as pipeline:
            for key in (keys.applied, *(keys.window(name) for name in windows)):
                pipeline.hgetall(key)
            record, *tables = await pipeline.execute()
    return KpiTable(
        _text(record),
        {window: {key.decode(): row for key, row in rows.items()} for window, rows in zip(windows, tables, strict=True)},
    )


def _text(record: Mapping[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in record.items()}
