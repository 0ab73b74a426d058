"""Deleting all that is stored under a prefix but for what the organisation has decided, and whom it has erased."""

from collections.abc import Sequence
from typing import Final

from streams.tables.keys import Keys, present_key, rules_key
from streams.tables.server import Redis, reaching

AT_ONCE: Final = 1_000
"""Keys that one step deletes."""


async def empty(redis: Redis, prefix: str, partitions: Sequence[Keys]) -> int:
    """Delete the partitions' tables and the KPI table; tell how many keys that were. Raises Retry and Fatal.

    Rules, who is here, and the hashes of erased leads stay. How far partitions have come goes first: broken off, it leaves a
    Redis that workers refuse.
    """
    kept = {present_key(prefix), rules_key(prefix), *(keys.erased for keys in partitions)}
    with reaching("redis"):
        await redis.scan(match=f"{prefix}:{{*}}:*")  # whoever may not is told so before anything is gone
        gone = int(await redis.unlink(*(keys.applied for keys in partitions)))
        found: list[bytes] = []
        async for key in redis.scan_iter(match=f"{prefix}:{{*}}:*", count=AT_ONCE):
            if key.decode() not in kept:
                found.append(key)
            if len(found) == AT_ONCE:
                gone += int(await redis.unlink(*found))
                found.clear()
        return gone + (int(await redis.unlink(*found)) if found else 0)
