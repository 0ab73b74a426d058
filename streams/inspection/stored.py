"""Looking at Redis: what kind of server it is, its clock, and what Leadbeat keeps there. Nothing is written."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from models.units import Millis
from streams.config import Settings
from streams.errors import Fatal, Retry
from streams.inspection.seen import TablesSeen
from streams.serving.table import Round, decode
from streams.tables import Applied, Keys, KpiKeys, Redis, check_layout, connect_to, read_applied, read_kpis
from streams.tables.presence import read_present
from streams.tables.rules import read_rules
from streams.tables.server import ask, reaching, read_infos

_Seen = TypeVar("_Seen")


async def look_at_tables(settings: Settings, clock: Callable[[], Millis]) -> TablesSeen:
    """Redis as it is now. Raises Retry if it cannot be reached, Fatal if it refuses us; with less, the rest is still told."""
    async with connect_to(settings.redis) as redis:
        return await _look(redis, settings.redis.prefix, settings.kafka.partitions, clock)


async def _look(redis: Redis, prefix: str, partitions: int, clock: Callable[[], Millis]) -> TablesSeen:
    faults: list[Retry | Fatal] = []

    async def tried(answer: Awaitable[_Seen], without: _Seen) -> _Seen:
        try:
            return await answer
        except (Retry, Fatal) as fault:
            faults.append(fault)
            return without

    infos = await read_infos(redis)
    ahead_ms, asked_in_ms = await tried(_clock(redis), (0, 0))
    await tried(check_layout(redis, prefix, partitions), None)
    keys = [Keys(prefix, number) for number in range(partitions)]
    nothing: list[Applied | None] = [None] * partitions
    return TablesSeen(
        clock(),
        infos,
        ahead_ms,
        asked_in_ms,
        await tried(read_applied(redis, keys), nothing),
        [await tried(_length(redis, each.outbox), 0) for each in keys],
        await tried(_round(redis, prefix), None),
        await tried(read_present(redis, prefix), []),
        await tried(read_rules(redis, prefix), None),
        faults,
    )


async def _clock(redis: Redis) -> tuple[int, int]:
    """How far the server's clock is ahead of ours in ms, taken in the middle of asking, and how long that took."""
    with reaching("redis"):
        began = time.time_ns()
        seconds, micros = await ask(redis, "TIME")
        ended = time.time_ns()
    theirs = int(seconds) * 1_000_000_000 + int(micros) * 1000
    return (theirs - (began + ended) // 2) // 1_000_000, (ended - began) // 1_000_000


async def _length(redis: Redis, stream: str) -> int:
    with reaching(stream):
        return int(await ask(redis, "XLEN", stream))


async def _round(redis: Redis, prefix: str) -> Round | None:
    keys = KpiKeys(prefix)
    return decode(await read_kpis(redis, keys, []), keys.applied).round
