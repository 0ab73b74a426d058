"""The open clocks of a partition as somebody reads them who does not own it: the leads that wait."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from models.errors import UNREADABLE
from streams.errors import Fatal, Retry
from streams.tables.keys import Keys
from streams.tables.rows import OpenClock, decode_applied, decode_clock
from streams.tables.server import QUIETER, Redis, ask, reaching

_PAGE: Final = 5_000
_ATTEMPTS: Final = 3


class OpenClocks(NamedTuple):
    """Open clocks with their starts, and where the partition's clock stands (ms UTC; None: it has none yet)."""

    clock: int | None
    clocks: list[tuple[OpenClock, int]]


async def read_open(redis: Redis, keys: Keys) -> OpenClocks | None:
    """The open clocks of the generation that stands; None where nobody has claimed the partition. Raises Retry and Fatal.

    They are of one instant up to 5,000 clocks. More come in pages, so that the server is not held up: a clock that opens or
    closes meanwhile may be missing, and none is there twice.
    """
    for _ in range(_ATTEMPTS):
        fields, page = await _first_page(redis, keys)
        if not fields:
            return None
        applied = decode_applied(fields, keys.applied)
        if applied.progress.generation == keys.generation:
            found = _decoded(keys.open, page)
            if len(page) == _PAGE:
                found |= await _further_pages(redis, keys)
            return OpenClocks(applied.progress.clock, list(found.items()))
        keys = keys.of(applied.progress.generation)
    raise Retry(keys.applied, "its generation changes faster than it is read", QUIETER)


async def _first_page(redis: Redis, keys: Keys) -> Any:
    """The partition's record and its oldest open clocks, of the same instant."""
    with reaching(keys.open):
        async with redis.pipeline(transaction=True) as pipeline:
            pipeline.hgetall(keys.applied)
            pipeline.zrange(keys.open, 0, _PAGE - 1, withscores=True)
            return await pipeline.execute()


async def _further_pages(redis: Redis, keys: Keys) -> dict[OpenClock, int]:
    found: dict[OpenClock, int] = {}
    start = _PAGE
    while True:
        with reaching(keys.open):
            page: Any = await ask(redis, "ZRANGE", keys.open, start, start + _PAGE - 1, "WITHSCORES")
        found |= _decoded(keys.open, zip(page[::2], page[1::2], strict=True))
        if len(page) < 2 * _PAGE:
            return found
        start += _PAGE


def _decoded(where: str, page: Iterable[tuple[bytes, Any]]) -> dict[OpenClock, int]:
    try:
        return {decode_clock(member): int(since) for member, since in page}
    except UNREADABLE as error:
        raise Fatal(
            where, f"are no open clocks of this version: {error}", "find out who else writes under this prefix"
        ) from None
