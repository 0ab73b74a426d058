"""All partitions as they stood at one round of the KPI table, while everything runs on."""

import asyncio
from collections.abc import Sequence
from typing import Final, NamedTuple

from models.errors import LeadbeatError
from models.members import DRILLED
from models.windows import NOW, WINDOWS
from streams.tables import Keys, KpiKeys, KpiTable, Redis, read_applied, read_kpis
from streams.tables.still import Still, read_still

PATIENCE_S: Final = 20.0
"""How long an exact round is waited for that is of the same checkpoints as the partitions."""

LOOK_S: Final = 0.02

MEASURES: Final = tuple(DRILLED.values())

_WINDOWS: Final = (*(window.name for window in WINDOWS), NOW)


class Stood(NamedTuple):
    """Partitions by number, or why one could not be read; and the KPI table, if it is of the same checkpoints."""

    partitions: dict[int, Still | LeadbeatError]
    table: KpiTable | None


async def stand_still(
    redis: Redis, prefix: str, numbers: Sequence[int], *, whole: bool, patience_s: float = PATIENCE_S
) -> Stood:
    """Read partitions, each as of one instant; if they are the `whole`, with the round that says the same.

    Partitions move all the time, so that round must be met in passing. When it was not in time, there is none.
    """
    loop = asyncio.get_running_loop()
    keys, table = [Keys(prefix, number) for number in numbers], KpiKeys(prefix)
    until = loop.time() + patience_s
    while whole and loop.time() < until:
        record = (await read_kpis(redis, table, [])).record
        told = record.get("seqs") if record.get("exact") == "1" and record.get("stale") == "0" else None
        if told and told == _seqs([applied.seq if applied else None for applied in await read_applied(redis, keys)]):
            found = await _read(redis, keys)
            if told == _seqs([still.applied.seq if isinstance(still, Still) else None for still in found.values()]):
                shown = await read_kpis(redis, table, _WINDOWS)
                if shown.record.get("round") == record["round"]:
                    return Stood(found, shown)
        await asyncio.sleep(LOOK_S)
    return Stood(await _read(redis, keys), None)


def _seqs(seqs: Sequence[int | None]) -> str:
    return " ".join(map(str, seqs))


async def _read(redis: Redis, keys: Sequence[Keys]) -> dict[int, Still | LeadbeatError]:
    found = await asyncio.gather(*(_tried(redis, each) for each in keys))
    return {each.partition: still for each, still in zip(keys, found, strict=True)}


async def _tried(redis: Redis, keys: Keys) -> Still | LeadbeatError:
    try:
        return await read_still(redis, keys, MEASURES)
    except LeadbeatError as fault:
        return fault
