"""The KPI table as everything reads it that serves numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

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


MOST_BEHIND: Final = 8
"""Rounds that are asked for at a look; the publisher keeps what its last few changed, and no more than this."""


@dataclass(frozen=True, slots=True)
class KpiTable:
    """One round of KPIs: its record (`round clock known_until spread_ms exact …`, as text) and per window its rows, as JSON."""

    record: dict[str, str]
    rows: dict[str, dict[str, bytes]]


class Since(NamedTuple):
    """What was written to the table since a record was read: the record now, and what each round changed, packed, in order."""

    record: dict[str, str]
    changes: tuple[bytes, ...]


async def read_since(redis: Redis, keys: KpiKeys, known: Mapping[str, str]) -> Since | None:
    """What was written since the record `known` was read; None if only reading all tells. Raises Retry.

    Rounds of one claim have each their number, and one content. Under another claim's token numbers can begin again: somebody
    else publishes, or Redis has lost its last writes.
    """
    last = _round(known)
    if last is None:
        return None
    with reaching(keys.applied):
        # A transaction: changes are written with the record that counts them, and so they are read.
        async with redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(keys.applied)
            pipeline.hmget(keys.changes, [str(last + ahead) for ahead in range(1, MOST_BEHIND + 1)])
            fields, packed = await pipeline.execute()
    record = _text(fields)
    if record == known:
        return Since(record, ())
    now = _round(record)
    if now is None or not 0 < now - last <= MOST_BEHIND or record.get("token") != known.get("token"):
        return None
    changes = tuple(packed[: now - last])
    return None if None in changes else Since(record, changes)


def _round(record: Mapping[str, str]) -> int | None:
    number = record.get("round", "")
    return int(number) if number.isdecimal() else None


async def read_kept_changes(redis: Redis, keys: KpiKeys) -> dict[int, bytes]:
    """What the last rounds changed, packed, by their numbers, ascending. Raises Retry."""
    with reaching(keys.changes):
        fields = await ask(redis, "HGETALL", keys.changes)
    return {number: fields[b"%d" % number] for number in sorted(map(int, fields))}


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
