"""What an owner reads of its partition: states as they are needed, totals when it takes over.

All is read in pieces of a bounded size, so that a server of many partitions is not held up while one is loaded. The pieces fit
together because only the owner writes: whoever reads them without the claim may see them torn.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, Final, NamedTuple, TypeVar

from models.state.lead import is_huge, joined
from models.units import Millis
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
from streams.tables.server import Redis, reaching

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


Command = tuple[str | bytes | int, ...]

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


async def _read(redis: Redis, keys: Keys, check: Check, *commands: Command, at_once: bool = False) -> list[Any]:
    """The answers to some commands, in one round trip, if `check` lets pass what they are of; `at_once`: of one instant."""
    async with redis.pipeline(transaction=at_once) as pipeline:
        for command in commands:
            pipeline.execute_command(*command)
        pipeline.hmget(keys.applied, _STANDS)
        *found, stands = await pipeline.execute()
    check(_stands(stands))
    return found


async def read_states(redis: Redis, keys: Keys, subjects: Iterable[str], check: Check = _unchecked) -> dict[str, bytes]:
    """The packed states of those of `subjects` that have one, in one round trip; of huge leads without their pages."""
    buckets: dict[int, list[str]] = defaultdict(list)
    for subject in subjects:
        buckets[bucket_of(subject)].append(subject)
    if not buckets:
        return {}
    with reaching(keys.applied):
        asked = (("HMGET", keys.state(bucket), *names) for bucket, names in buckets.items())
        found = await _read(redis, keys, check, *asked)
        return {
            subject: packed
            for names, values in zip(buckets.values(), found, strict=True)
            for subject, packed in zip(names, values, strict=True)
            if packed is not None
        }


async def read_parts(redis: Redis, keys: Keys, wanted: Mapping[str, Wanted], check: Check = _unchecked) -> dict[str, Parts]:
    """What is wanted of huge leads, in one round trip."""
    asked: list[Command] = []
    for subject, (rows, pages) in wanted.items():
        asked += [("HGETALL", keys.rows(subject))] if rows else []
        asked += [("HMGET", keys.pages(subject), *pages)] if pages else []
    with reaching(keys.applied):
        answers = iter(await _read(redis, keys, check, *asked))
        return {
            subject: Parts(
                _numbered(next(answers)) if rows else None, dict(zip(pages, next(answers), strict=True)) if pages else {}
            )
            for subject, (rows, pages) in wanted.items()
        }


async def read_whole(redis: Redis, keys: Keys, subject: str, check: Check = _unchecked) -> bytes | None:
    """The packed state of a subject with all that lies in its pages, as of one instant; None if it has none."""
    with reaching(keys.applied):
        asked = ("HGET", keys.state(bucket_of(subject)), subject), ("HVALS", keys.pages(subject))
        packed, pages = await _read(redis, keys, check, *asked, at_once=True)
    return joined(packed, pages) if packed is not None and is_huge(packed) else packed


async def read_whole_states(redis: Redis, keys: Keys, subjects: Iterable[str]) -> dict[str, bytes]:
    """The packed states of those of `subjects` that have one, with all that lies in the pages of huge leads."""
    states = await read_states(redis, keys, subjects)
    for subject in [subject for subject, packed in states.items() if is_huge(packed)]:
        states[subject] = await read_whole(redis, keys, subject) or states[subject]
    return states


async def walk_states(
    redis: Redis, keys: Keys, buckets: Sequence[int] = range(BUCKETS), check: Check = _unchecked
) -> AsyncIterator[dict[str, bytes]]:
    """All packed states of the partition (or of some of its buckets), whole buckets with some thousand states at a time.

    While one lot is looked at, the next is on its way: there are never more than two in memory. Huge leads come by themselves,
    with all that lies in their pages.
    """
    lots = _lots(await _sizes(redis, keys, buckets, check))
    ahead = _read_next(redis, keys, lots, check)
    try:
        while ahead is not None:
            states = await ahead
            ahead = _read_next(redis, keys, lots, check)
            for subject in [subject for subject, packed in states.items() if is_huge(packed)]:
                del states[subject]
                if whole := await read_whole(redis, keys, subject, check):
                    yield {subject: whole}
            yield states
    finally:
        if ahead is not None:
            ahead.cancel()


async def count_states(redis: Redis, keys: Keys, buckets: Sequence[int] = range(BUCKETS)) -> int:
    """How many states there are."""
    return sum((await _sizes(redis, keys, buckets, _unchecked)).values())


async def _sizes(redis: Redis, keys: Keys, buckets: Sequence[int], check: Check) -> dict[int, int]:
    with reaching(keys.applied):
        found = await _read(redis, keys, check, *(("HLEN", keys.state(bucket)) for bucket in buckets))
        return dict(zip(buckets, found, strict=True))


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


def _read_next(redis: Redis, keys: Keys, lots: Iterator[list[int]], check: Check) -> asyncio.Task[dict[str, bytes]] | None:
    lot = next(lots, None)
    return None if lot is None else asyncio.create_task(_read_buckets(redis, keys, lot, check))


async def _read_buckets(redis: Redis, keys: Keys, buckets: Sequence[int], check: Check) -> dict[str, bytes]:
    with reaching(keys.applied):
        found = await _read(redis, keys, check, *(("HGETALL", keys.state(bucket)) for bucket in buckets))
        return {subject.decode(): packed for states in found for subject, packed in states.items()}


async def read_totals(redis: Redis, keys: Keys, check: Check = _unchecked) -> Totals:
    """The totals of the generation that `keys` name. Raises Retry, and Fatal for what cannot be ours."""
    with reaching(keys.applied):
        (members,) = await _read(redis, keys, check, ("SMEMBERS", keys.parts))
        parts = sorted(part.decode() for part in members)
        windows = [part.removeprefix("window:") for part in parts if part.startswith("window:")]
        asked = (("HGETALL", key) for key in (keys.level, keys.oldest, *(keys.window(name) for name in windows)))
        levels, oldest, *totals = await _read(redis, keys, check, *asked)
        return Totals(
            series=await read_series(redis, keys, check),
            windows={name: _numbered(chunks) for name, chunks in zip(windows, totals, strict=True)},
            levels=_numbered(levels),
            oldest={slice_.decode(): decode_waiting(packed) for slice_, packed in oldest.items()},
            open={decode_clock(member): at async for member, at in read_scores(redis, keys, keys.open, check)},
            panes=[_pane(part) for part in parts if part.startswith("pane:")],
        )


async def read_panes(
    redis: Redis, keys: Keys, panes: Iterable[Pane], check: Check = _unchecked
) -> AsyncIterator[tuple[Pane, Chunks]]:
    """The contents of panes in the order asked for; a pane that has become empty has no chunks."""
    for group in _batched(panes, _PANES_AT_ONCE):
        with reaching(keys.applied):
            found = await _read(redis, keys, check, *(("HGETALL", keys.pane(pane)) for pane in group))
            contents = [_numbered(chunks) for chunks in found]
        for pane, chunks in zip(group, contents, strict=True):
            yield pane, chunks


async def read_outbox(redis: Redis, keys: Keys, check: Check = _unchecked) -> list[tuple[int, Outgoing]]:
    """What is left in the outbox, in order, each with the sequence of the checkpoint that put it there."""
    left: list[tuple[int, Outgoing]] = []
    start = "-"
    while True:
        with reaching(keys.outbox):
            (entries,) = await _read(redis, keys, check, ("XRANGE", keys.outbox, start, "+", "COUNT", _PAGE))
            for entry_id, fields in entries:
                left.append((int(entry_id.split(b"-")[0]), decode_outgoing(fields)))
                start = f"({entry_id.decode()}"
        if len(entries) < _PAGE:
            return left


async def read_erased(redis: Redis, keys: Keys, check: Check = _unchecked) -> set[bytes]:
    """The keyed hashes of the leads that were erased."""
    found: set[bytes] = set()
    cursor = b"0"
    while True:
        with reaching(keys.erased):
            ((cursor, page),) = await _read(redis, keys, check, ("SSCAN", keys.erased, cursor, "COUNT", _PAGE))
        found.update(page)
        if int(cursor) == 0:
            return found


async def read_series(redis: Redis, keys: Keys, check: Check = _unchecked) -> list[str]:
    """The names of the generation's series, by id."""
    with reaching(keys.series):
        names: list[bytes] = []
        (length,) = await _read(redis, keys, check, ("HLEN", keys.series))
        for ids in _batched(range(length), _PAGE):
            (some,) = await _read(redis, keys, check, ("HMGET", keys.series, *ids))
            names += some
        if None in names:
            raise Retry(keys.series, "has lost names while they were read", "it is asked again")
        return [name.decode() for name in names]


async def read_due(redis: Redis, keys: Keys, after: int, until: int, check: Check = _unchecked) -> dict[str, Millis]:
    """Who is due after an instant and until another, with the instants; all in ms UTC."""
    found: dict[str, Millis] = {}
    while True:
        with reaching(keys.due):
            asked = ("ZRANGEBYSCORE", keys.due, f"({after}", until, "WITHSCORES", "LIMIT", len(found), _PAGE)
            (page,) = await _read(redis, keys, check, asked)
            found.update((subject.decode(), Millis(int(at))) for subject, at in zip(page[::2], page[1::2], strict=True))
        if len(page) < 2 * _PAGE:
            return found


async def read_scores(redis: Redis, keys: Keys, key: str, check: Check = _unchecked) -> AsyncIterator[tuple[bytes, int]]:
    """The members of a sorted set of the partition with their scores, ascending."""
    for start in count(0, _PAGE):
        (page,) = await _read(redis, keys, check, ("ZRANGE", key, start, start + _PAGE - 1, "WITHSCORES"))
        for member, score in zip(page[::2], page[1::2], strict=True):
            yield member, int(score)
        if len(page) < 2 * _PAGE:
            return


def _numbered(chunks: dict[bytes, bytes]) -> Chunks:
    return {int(number): packed for number, packed in chunks.items()}


def _pane(part: str) -> Pane:
    _, size, start = part.split(":")
    return Pane(size, int(start))


def _batched(items: Iterable[_Item], size: int) -> Iterable[list[_Item]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
