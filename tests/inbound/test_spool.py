import asyncio
import shutil
import threading
from pathlib import Path

import pytest
from services import until

from streams.errors import Fatal, Retry
from streams.inbound.spool import Spool, opened
from streams.inbound.spool_file import SpoolFile, SpoolFull

LIMIT = 2**20
RECEIPT = 1777885200123


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "spool.db"


def headers(receipt: int = RECEIPT) -> list[tuple[str, bytes]]:
    return [("connection", b"acme"), ("received_at", b"%d" % receipt)]


async def values(spool: Spool) -> list[bytes]:
    return [each.value for each in await spool.oldest()]


class Gate:
    """Holds the thread up at each transaction until it is opened; what each transaction adds."""

    def __init__(self, monkeypatch) -> None:
        self.opened = threading.Event()
        self.added: list[list[bytes]] = []
        add = SpoolFile.add

        def waiting(file, deliveries):
            rows = list(deliveries)
            self.added.append([value for _, value in rows])
            assert self.opened.wait(10)
            add(file, rows)

        monkeypatch.setattr(SpoolFile, "add", waiting)


@pytest.fixture
def gate(monkeypatch) -> Gate:
    return Gate(monkeypatch)


async def test_what_is_asked_for_while_one_is_synced_is_synced_together(path, gate):
    numbers = [b"%d" % number for number in range(200)]
    async with opened(path, LIMIT) as spool:
        first = asyncio.create_task(spool.add(headers(), b"first"))
        await until(lambda: gate.added, 5, "the thread is at work")
        others = [asyncio.create_task(spool.add(headers(), value)) for value in numbers]
        await until(lambda: spool.unsent == 201, 5, "all have asked")
        assert not any(task.done() for task in (first, *others))
        gate.opened.set()
        await asyncio.gather(first, *others)
        assert gate.added == [[b"first"], numbers]
        assert await values(spool) == [b"first", *numbers]


async def test_what_is_sent_counts_no_more_and_is_then_deleted(path):
    async with opened(path, LIMIT) as spool:
        for number in range(3):
            await spool.add(headers(RECEIPT + number), b"x" * 2000)
        state = spool.state()
        assert (state.deliveries, state.limit, state.oldest_receipt) == (3, LIMIT, RECEIPT / 1000)
        assert state.used + state.room == LIMIT
        spool.sent((await spool.oldest())[:2])
        await spool.clear()
        assert (spool.unsent, spool.state().oldest_receipt) == (1, (RECEIPT + 2) / 1000)
        spool.sent(await spool.oldest())
        assert spool.filled.is_set()
        assert (spool.state().deliveries, spool.state().oldest_receipt) == (0, None)
        await spool.clear()
        assert not spool.filled.is_set()
        assert await values(spool) == []
        assert spool.state().used < state.used


async def test_what_a_process_leaves_behind_the_next_one_has(path):
    async with opened(path, LIMIT) as spool:
        await spool.add(headers(), b"one")
        await spool.add(headers(RECEIPT + 1), b"two")
        spool.sent((await spool.oldest())[:1])
        await spool.clear()
    async with opened(path, LIMIT) as spool:
        assert (spool.unsent, spool.filled.is_set(), spool.state().oldest_receipt) == (1, True, (RECEIPT + 1) / 1000)
        assert await values(spool) == [b"two"]


async def test_of_what_is_asked_together_as_much_is_kept_as_fits(path, gate):
    async with opened(path, LIMIT) as spool:
        first = asyncio.create_task(spool.add(headers(), b"first"))
        await until(lambda: gate.added, 5, "the thread is at work")
        asked = [b"small", b"x" * LIMIT, b"small, too"]
        others = [asyncio.create_task(spool.add(headers(), value)) for value in asked]
        await until(lambda: spool.unsent == 4, 5, "all have asked")
        gate.opened.set()
        answers = await asyncio.gather(first, *others, return_exceptions=True)
        assert [type(answer) for answer in answers] == [type(None), type(None), SpoolFull, type(None)]
        assert await values(spool) == [b"first", b"small", b"small, too"]
        assert spool.unsent == 3


async def test_what_somebody_has_left_behind_who_went_away_counts_like_anything_else(path, gate):
    async with opened(path, LIMIT) as spool:
        first = asyncio.create_task(spool.add(headers(), b"first"))
        await until(lambda: gate.added, 5, "the thread is at work")
        second = asyncio.create_task(spool.add(headers(), b"second"))
        await until(lambda: spool.unsent == 2, 5, "both have asked")
        first.cancel()
        second.cancel()
        await asyncio.wait([first, second])
        gate.opened.set()
        await spool.add(headers(), b"third")
        assert await values(spool) == [b"first", b"second", b"third"]
        assert spool.unsent == 3


async def test_if_the_file_fails_nobody_is_told_that_it_was_kept_and_the_process_ends(path, monkeypatch):
    def fails(file, deliveries):
        raise Fatal("spool", "is damaged")

    async def live() -> None:
        async with opened(path, LIMIT) as spool:
            monkeypatch.setattr(SpoolFile, "add", fails)
            with pytest.raises(Retry):
                await spool.add(headers(), b"x")
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as failed:
        await live()
    assert failed.group_contains(Fatal, match="is damaged", depth=1)


async def test_there_is_no_more_room_than_the_disk_has(path, monkeypatch):
    async with opened(path, LIMIT) as spool:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 1000))
        assert spool.state().room == 1000
