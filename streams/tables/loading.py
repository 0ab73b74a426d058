"""What an owner reads of its partition: states as they are needed, totals when it takes over.

All is read in pieces of a bounded size, so that a server of many partitions is not held up while one is loaded. The pieces fit
together because only the owner writes: whoever reads them without the claim may see them torn.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from models.state.lead import is_huge, joined
from streams.errors import Retry
from streams.tables.keys import BUCKETS, Keys, Pane, bucket_of
from streams.tables.rows import (
    Applied,
    OpenClock,
    Outgoing,
    Waiting,
    decode_applied,
    decode_clock,
    decode_outgoing,
    decode_waiting,
)
from streams.tables.server import Redis, ask, reaching

Chunks = dict[int, bytes]
"""Packed amounts by chunk number."""


class Wanted(NamedTuple):
    """What is to be read of a huge lead: the rows of its touches, some of its pages."""

    rows: bool
    pages: Collection[int]


class Parts(NamedTuple):
    """What was read of it: rows by the instant from which on they are (None: not asked for), pages by number (None: empty)."""

    rows: Mapping[int, bytes] | None
    pages: Mapping[int, bytes | None]


class Stands(NamedTuple):
    """Who holds a partition and how many checkpoints there were, of the very data that something was read from.

    A partition that is not there has the claim 0.
    """

    claim: int
    token: str
    seq: int


Check = Callable[[Stands], None]
"""Looks at where the partition stands of which something was read; raises if that cannot be used."""

_STANDS: Final = ("claim", "token", "seq")

_PAGE: Final = 5_000
_PANES_AT_ONCE: Final = 64
_STATES_AT_ONCE: Final = 2_000

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Totals:
    """All totals of a generation but the contents of its panes and of its due set, which `read_panes` and `read_due` bring.

    `series` lists names by id. `open` carries instants in ms UTC.
    """

    series: list[str]
    windows: dict[str, Chunks]
    levels: Chunks
    oldest: dict[str, Waiting]
    open: dict[OpenClock, int]
    panes: list[Pane]


async def read_applied(redis: Redis, partitions: Sequence[Keys]) -> list[Applied | None]:
    """What is stored of each partition, in one round trip; None where nobody has claimed it."""
    with reaching("redis"):
        async with redis.pipeline(transaction=False) as pipeline:
            for keys in partitions:
                pipeline.hgetall(keys.applied)
            stored = await pipeline.execute()
    return [decode_applied(fields, keys.applied) if fields else None for keys, fields in zip(partitions, stored, strict=True)]


def _unchecked(_: Stands) -> None:
    """Whatever it is, it can be used."""


def _stands(fields: Sequence[bytes | None]) -> Stands:
    claim, token, seq = fields
    return Stands(int(claim or 0), (token or b"").decode(), int(seq or 0))


async def read_states(redis: Redis, keys: Keys, subjects: Iterable[str], check: Check = _unchecked) -> dict[str, bytes]:
    """The packed states of those of `subjects` that have one, in one round trip; of huge leads without their pages."""
    buckets: dict[int, list[str]] = defaultdict(list)
    for subject in subjects:
        buckets[bucket_of(subject)].append(subject)
    if not buckets:
        return {}
    with reaching(keys.applied):
        async with redis.pipeline(transaction=False) as pipeline:
            for bucket, names in buckets.items():
                pipeline.hmget(keys.state(bucket), names)
            pipeline.hmget(keys.applied, _STANDS)
            *found, stands = await pipeline.execute()
        check(_stands(stands))
        return {
            subject: packed
            for names, values in zip(buckets.values(), found, strict=True)
            for subject, packed in zip(names, values, strict=True)
            if packed is not None
        }


async def read_parts(redis: Redis, keys: Keys, wanted: Mapping[str, Wanted], check: Check = _unchecked) -> dict[str, Parts]:
    """What is wanted of huge leads, in one round trip."""
    with reaching(keys.applied):
        async with redis.pipeline(transaction=False) as pipeline:
            for subject, (rows, pages) in wanted.items():
                if rows:
                    pipeline.hgetall(keys.rows(subject))
                if pages:
                    pipeline.hmget(keys.pages(subject), [str(number) for number in pages])
            pipeline.hmget(keys.applied, _STANDS)
            *found, stands = await pipeline.execute()
        check(_stands(stands))
        answers = iter(found)
        return {
            subject: Parts(
                _numbered(next(answers)) if rows else None, dict(zip(pages, next(answers), strict=True)) if pages else {}
            )
            for subject, (rows, pages) in wanted.items()
        }


async def read_whole(redis: Redis, keys: Keys, subject: str) -> bytes | None:
    """The packed state of a subject with all that lies in its pages, as of one instant; None if it has none."""
    with reaching(keys.applied):
        async with redis.pipeline(transaction=True) as pipeline:
            pipeline.hget(keys.state(bucket_of(subject)), subject)
            pipeline.hvals(keys.pages(subject))
            packed, pages = await pipeline.execute()
    return joined(packed, pages) if packed is not None and is_huge(packed) else packed


async def read_whole_states(redis: Redis, keys: Keys, subjects: Iterable[str]) -> dict[str, bytes]:
    """The packed states of those of `subjects` that have one, with all that lies in the pages of huge leads."""
    states = await read_states(redis, keys, subjects)
    for subject in [subject for subject, packed in states.items() if is_huge(packed)]:
        states[subject] = await read_whole(redis, keys, subject) or states[subject]
    return states


async def walk_states(redis: Redis, keys: Keys, buckets: Sequence[int] = range(BUCKETS)) -> AsyncIterator[dict[str, bytes]]:
    """All packed states of the partition (or of some of its buckets), whole buckets with some thousand states at a time.

    While one lot is looked at, the next is on its way: there are never more than two in memory. Huge leads come by themselves,
    with all that lies in their pages.
    """
    sizes = await _sizes(redis, keys, buckets)
    lots = _lots(sizes)
    ahead = _read_next(redis, keys, lots)
    try:
        while ahead is not None:
            states = await ahead
            ahead = _read_next(redis, keys, lots)
            for subject in [subject for subject, packed in states.items() if is_huge(packed)]:
                del states[subject]
                if whole := await read_whole(redis, keys, subject):
                    yield {subject: whole}
            yield states
    finally:
        if ahead is not None:
            ahead.cancel()


async def count_states(redis: Redis, keys: Keys, buckets: Sequence[int] = range(BUCKETS)) -> int:
    """How many states there are."""
    return sum((await _sizes(redis, keys, buckets)).values())


async def _sizes(redis: Redis, keys: Keys, buckets: Sequence[int]) -> dict[int, int]:
    with reaching(keys.applied):
        async with redis.pipeline(transaction=False) as pipeline:
            for bucket in buckets:
                pipeline.hlen(keys.state(bucket))
            return dict(zip(buckets, await pipeline.execute(), strict=True))


def _lots(sizes: dict[int, int]) -> Iterator[list[int]]:
    """Buckets in groups with about as many states as are read at once; empty ones are left out."""
    lot: list[int] = []
    states = 0
    for bucket, size in sizes.items():
        if size and lot and states + size > _STATES_AT_ONCE:
            yield lot
            lot, states = [], 0
        if size:
            lot.append(bucket)
            states += size
    if lot:
        yield lot


def _read_next(redis: Redis, keys: Keys, lots: Iterator[list[int]]) -> asyncio.Task[dict[str, bytes]] | None:
    lot = next(lots, None)
    return None if lot is None else asyncio.create_task(_read_buckets(redis, keys, lot))


async def _read_buckets(redis: Redis, keys: Keys, buckets: Sequence[int]) -> dict[str, bytes]:
    with reaching(keys.applied):
        async with redis.pipeline(transaction=False) as pipeline:
            for bucket in buckets:
                pipeline.hgetall(keys.state(bucket))
            found = await pipeline.execute()
        return {subject.decode(): packed for states in found for subject, packed in states.items()}


async def read_totals(redis: Redis, keys: Keys) -> Totals:
    """The totals of the generation that `keys` name. Raises Retry, and Fatal for what cannot be ours."""
    with reaching(keys.applied):
        parts = sorted(part.decode() for part in await ask(redis, "SMEMBERS", keys.parts))
        windows = [part.removeprefix("window:") for part in parts if part.startswith("window:")]
        async with redis.pipeline(transaction=False) as pipeline:
            for key in (keys.level, keys.oldest, *(keys.window(name) for name in windows)):
                pipeline.hgetall(key)
            levels, oldest, *totals = await pipeline.execute()
        return Totals(
            series=await read_series(redis, keys),
            windows={name: _numbered(chunks) for name, chunks in zip(windows, totals, strict=True)},
            levels=_numbered(levels),
            oldest={slice_.decode(): decode_waiting(packed) for slice_, packed in oldest.items()},
            open={decode_clock(member): at async for member, at in read_scores(redis, keys.open)},
            panes=[_pane(part) for part in parts if part.startswith("pane:")],
        )


async def read_panes(redis: Redis, keys: Keys, panes: Iterable[Pane]) -> AsyncIterator[tuple[Pane, Chunks]]:
    """The contents of panes in the order asked for; a pane that has become empty has no chunks."""
    for group in _batched(panes, _PANES_AT_ONCE):
        with reaching(keys.applied):
            async with redis.pipeline(transaction=False) as pipeline:
                for pane in group:
                    pipeline.hgetall(keys.pane(pane))
                contents = [_numbered(chunks) for chunks in await pipeline.execute()]
        for pane, chunks in zip(group, contents, strict=True):
            yield pane, chunks


async def read_outbox(redis: Redis, keys: Keys) -> list[tuple[int, Outgoing]]:
    """What is left in the outbox, in order, each with the sequence of the checkpoint that put it there."""
    left: list[tuple[int, Outgoing]] = []
    start = "-"
    while True:
        with reaching(keys.outbox):
            entries = await ask(redis, "XRANGE", keys.outbox, start, "+", "COUNT", _PAGE)
            for entry_id, fields in entries:
                left.append((int(entry_id.split(b"-")[0]), decode_outgoing(fields)))
                start = f"({entry_id.decode()}"
        if len(entries) < _PAGE:
            return left


async def read_erased(redis: Redis, keys: Keys) -> set[bytes]:
    """The keyed hashes of the leads that were erased."""
    found: set[bytes] = set()
    cursor = b"0"
    while True:
        with reaching(keys.erased):
            cursor, page = await ask(redis, "SSCAN", keys.erased, cursor, "COUNT", _PAGE)
        found.update(page)
        if int(cursor) == 0:
            return found


async def read_series(redis: Redis, keys: Keys) -> list[str]:
    """The names of the generation's series, by id."""
    with reaching(keys.series):
        names: list[bytes] = []
        for ids in _batched(range(await ask(redis, "HLEN", keys.series)), _PAGE):
            names += await ask(redis, "HMGET", keys.series, *ids)
        if None in names:
            raise Retry(keys.series, "has lost names while they were read", "it is asked again")
        return [name.decode() for name in names]


async def read_due(redis: Redis, keys: Keys, after: int, until: int, check: Check = _unchecked) -> dict[str, int]:
    """Who is due after an instant and until another, with the instants; all in ms UTC."""
    found: dict[str, int] = {}
    while True:
        with reaching(keys.due):
            async with redis.pipeline(transaction=False) as pipeline:
                pipeline.zrangebyscore(keys.due, f"({after}", until, start=len(found), num=_PAGE, withscores=True)
                pipeline.hmget(keys.applied, _STANDS)
                page, stands = await pipeline.execute()
            check(_stands(stands))
            found.update((subject.decode(), int(at)) for subject, at in page)
        if len(page) < _PAGE:
            return found


async def read_scores(redis: Redis, key: str) -> AsyncIterator[tuple[bytes, int]]:
    """The members of a sorted set with their scores, ascending."""
    start = 0
    while page := await ask(redis, "ZRANGE", key, start, start + _PAGE - 1, "WITHSCORES"):
        for member, score in zip(page[::2], page[1::2], strict=True):
            yield member, int(score)
        start += _PAGE


def _numbered(chunks: dict[bytes, bytes]) -> Chunks:
    return {int(number): packed for number, packed in chunks.items()}


def _pane(part: str) -> Pane:
    _, size, start = part.split(":")
    return Pane(size, int(start))


def _batched(items: Iterable[_Item], size: int) -> Iterable[list[_Item]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
