"""The KPI table followed round by round: what is read by difference is what is read whole."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import Fatal
from streams.serving.table import RedisTable, Row, Snapshot
from streams.tables import KpiKeys, Redis, connect
from streams.tables.kpis import MOST_BEHIND, RowChanges, encode_changes

PREFIX = "lb"
KEYS = KpiKeys(PREFIX)
KEPT = 4
"""Rounds whose changes the writer keeps where nothing else is said; more are asked for."""

WINDOWS = ("1h", "today", "now")
NAMES = ("calls", "calls|rep=ana", 'calls|rep="b"\n', "emails")

Wanted = Mapping[str, Mapping[str, int | None]]
"""By window and key what is to be counted; None deletes."""


class Write(NamedTuple):
    """A round; a large one does not keep what it changed."""

    rows: Wanted
    large: bool = False


class Claim(NamedTuple):
    """Somebody else publishes from now on."""


class Save(NamedTuple):
    """Redis persists what it has."""


class Lose(NamedTuple):
    """Redis loses what it has not persisted, which its publisher finds out at its next write."""


class Reader:
    """A reader of the table for whom a second passes from look to look."""

    def __init__(self, redis: Redis) -> None:
        self._now = 0.0
        self._table = RedisTable(redis, PREFIX, lambda: self._now)

    async def read(self) -> Snapshot:
        self._now += 1
        return await self._table.read()


@dataclass
class Writer:
    """Writes the table as a publisher does: rows, their changes and the record at once."""

    redis: Redis
    keeps: int = KEPT
    claims: int = 0
    number: int = 0
    kept: list[int] = field(default_factory=list)
    saved: tuple[dict[bytes, bytes], int, list[int]] | None = None
    lost: bool = False

    async def do(self, step: object) -> None:
        match step:
            case Write(rows, large):
                if self.lost:
                    await self.do(Claim())
                await self._write(rows, large=large)
            case Claim():
                self.claims, self.lost = self.claims + 1, False
                await self.redis.hset(KEYS.applied, mapping={"claim": self.claims, "token": f"t{self.claims}"})
            case Save():
                self.saved = ({key: await self.redis.dump(key) for key in await self.redis.keys()}, self.number, [*self.kept])
            case Lose() if self.saved is not None:
                stored, self.number, kept = self.saved
                self.kept, self.lost = [*kept], True
                await self.redis.flushall()
                for key, dumped in stored.items():
                    await self.redis.restore(key, 0, dumped)

    async def _write(self, wanted: Wanted, *, large: bool) -> None:
        self.number += 1
        changes = _changes(wanted, self.number)
        async with self.redis.pipeline(transaction=True) as pipeline:
            for window, rows in changes.items():
                for key, row in rows.items():
                    pipeline.hdel(KEYS.window(window), key) if row is None else pipeline.hset(KEYS.window(window), key, row)
            if not large:
                pipeline.hset(KEYS.changes, str(self.number), encode_changes(changes))
                self.kept.append(self.number)
            if len(self.kept) > self.keeps:
                pipeline.hdel(KEYS.changes, str(self.kept.pop(0)))
            pipeline.hset(KEYS.applied, mapping=_record(self.number))
            await pipeline.execute()


def _changes(wanted: Wanted, version: int) -> RowChanges:
    return {
        window: {
            key: None if count is None else msgspec.json.encode(Row(float(count), count, None, "ok", version))
            for key, count in rows.items()
        }
        for window, rows in wanted.items()
    }


def _record(number: int) -> dict[str, str]:
    clock = number * 1000
    told = {"clock": clock, "known_until": clock - 2000, "published_at": clock + 150, "spread_ms": 0, "exact": 1}
    return {"round": str(number), "slices": '{"rep":["ana"]}'} | {name: str(value) for name, value in told.items()}


@asynccontextmanager
async def begun(url: str, keeps: int = KEPT) -> Iterator[Writer]:
    async with connect(url) as redis:
        await redis.flushall()
        writer = Writer(redis, keeps)
        await writer.do(Claim())
        yield writer


ROWS = st.dictionaries(
    st.sampled_from((*WINDOWS, "a window of a later release")),
    st.dictionaries(st.sampled_from(NAMES), st.none() | st.integers(0, 9), min_size=1),
)
SMALL, LARGE = (st.builds(Write, ROWS, st.just(large)) for large in (False, True))
STEPS = st.lists(SMALL, min_size=1, max_size=MOST_BEHIND + 2) | st.lists(
    SMALL | LARGE | st.sampled_from((Claim(), Save(), Lose())), max_size=4
)
"""What happens between two looks of a reader."""


@given(steps=st.lists(STEPS, max_size=8), keeps=st.sampled_from((KEPT, MOST_BEHIND + 2)))
async def test_whenever_it_looks_a_reader_has_what_there_is(shared_redis, steps, keeps):
    async with begun(shared_redis.url, keeps) as writer:
        reader = Reader(writer.redis)
        seen = []
        for some in steps:
            for step in some:
                await writer.do(step)
            snapshot = await reader.read()
            assert snapshot == await RedisTable(writer.redis, PREFIX).read()
            seen.append((snapshot, copy.deepcopy(snapshot.rows)))
        assert all(snapshot.rows == rows for snapshot, rows in seen)


@pytest.fixture
async def followed(redis_server):
    """A writer of one round, and a reader that knows it."""
    async with begun(redis_server.url) as writer:
        reader = Reader(writer.redis)
        await writer.do(Write({"1h": {"calls": 1, "emails": 1}, "today": {"calls": 1}}, large=True))
        await reader.read()
        yield writer, reader


async def counts(reader, window="1h"):
    return {key: row.numerator for key, row in (await reader.read()).rows[window].items()}


async def hidden(writer):
    """Change a row behind the record's back: only who reads all sees it."""
    await writer.redis.hset(KEYS.window("1h"), "emails", _changes({"1h": {"emails": 9}}, 1)["1h"]["emails"])


async def test_what_has_not_changed_is_not_read_again(followed):
    writer, reader = followed
    before = await reader.read()
    await hidden(writer)
    assert await reader.read() is before
    for number in range(KEPT):
        await writer.do(Write({"1h": {f"calls|rep={number % 2}": number}}))
    assert await counts(reader) == {"calls": 1, "emails": 1, "calls|rep=0": KEPT - 2, "calls|rep=1": KEPT - 1}
    assert (await reader.read()).rows["today"] is before.rows["today"]


@pytest.mark.parametrize(
    "steps",
    [
        [Write({"1h": {"calls": 2}}, large=True)],
        [Write({"1h": {"calls": 2}}) for _ in range(KEPT + 1)],
        [Write({"1h": {"calls": 2}}) for _ in range(MOST_BEHIND + 1)],
        [Write({"1h": {"calls": 2}}, large=True), Write({"today": {"calls": 2}})],
        [Claim(), Write({"1h": {"calls": 2}})],
    ],
)
async def test_where_differences_do_not_join_on_all_is_read(followed, steps):
    writer, reader = followed
    await hidden(writer)
    for step in steps:
        await writer.do(step)
    assert await counts(reader) == {"calls": 2, "emails": 9}


async def test_numbers_that_begin_again_after_a_loss_are_other_rounds(followed):
    writer, reader = followed
    await writer.do(Save())
    await writer.do(Write({"1h": {"calls": 2}}))
    await reader.read()
    await writer.do(Lose())
    await writer.do(Write({"1h": {"emails": 5}}))
    await writer.do(Write({"1h": {"calls|rep=ana": 1}}))
    assert await counts(reader) == {"calls": 1, "emails": 5, "calls|rep=ana": 1}


@pytest.mark.parametrize("packed", [b"not MessagePack", b"\x81\xa21h\x81\xa5calls\xc4\x02{}", b"\x81\xa21h\x81\xa1\xff\xc0"])
async def test_changes_of_another_kind_are_refused(followed, packed):
    writer, reader = followed
    await writer.do(Write({"1h": {"calls": 2}}))
    await writer.redis.hset(KEYS.changes, "2", packed)
    with pytest.raises(Fatal, match="is not a KPI table of this version"):
        await reader.read()
