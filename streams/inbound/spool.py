"""The spool, for many requests at once: what is asked while its thread syncs is synced together by the next sync."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from models.units import SECOND
from streams.errors import Fatal, Retry
from streams.inbound.deliveries import Kept
from streams.inbound.normalise import RecordHeaders
from streams.inbound.spool_file import SpoolFile, SpoolFull
from streams.telemetry import SpoolState

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A delivery that somebody waits to see kept."""

    headers: RecordHeaders
    value: bytes
    answer: "asyncio.Future[None]"


class Spool:
    """What is kept, counted; what was sent counts no more, though it may not be deleted yet."""

    def __init__(self, file: SpoolFile, path: Path, limit: int, thread: ThreadPoolExecutor) -> None:
        self._file, self._path, self._limit, self._thread = file, path, limit, thread
        self._asked: list[_Asked] = []
        self._coming = 0
        self._work = asyncio.Event()
        self._sent = self._removed = 0
        self._kept = self._used = 0
        self._first_receipt: int | None = None
        self.filled = asyncio.Event()
        """Set while there is something to send or to delete."""

    @property
    def unsent(self) -> int:
        """How many deliveries are kept, or about to be, and not sent."""
        return self._kept + self._coming

    def state(self) -> SpoolState:
        """What there is in it, and how much room."""
        oldest = self._first_receipt / SECOND if self._kept and self._first_receipt is not None else None
        return SpoolState(self._kept, self._used, self._limit, self.room(), oldest)

    def room(self) -> int:
        """How many bytes there is room for, by the limit and by the disk."""
        return max(0, min(self._limit - self._used, shutil.disk_usage(self._path.parent).free))

    async def add(self, headers: RecordHeaders, value: bytes) -> None:
        """Return when a delivery is synced. Raises SpoolFull if there is no room for it, Retry if the spool has failed."""
        asked = _Asked(headers, value, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        self._coming += 1
        self._work.set()
        await asked.answer

    async def oldest(self) -> Sequence[Kept]:
        """The deliveries to be sent next."""
        return await self._done(lambda: self._file.oldest(self._sent))

    def sent(self, kept: Sequence[Kept]) -> None:
        """Deliveries are sent: they need not be kept any longer."""
        self._sent = kept[-1].number
        self._kept -= len(kept)

    async def clear(self) -> None:
        """Delete what is sent. Raises SpoolFull if a full disk does not let us."""
        upto = self._sent
        if upto > self._removed:
            await self._done(lambda: self._file.remove(upto))
            self._removed = upto
        self._look()

    async def load(self) -> None:
        """Count what there is."""
        self._kept = await self._done(self._file.count)
        self._look()

    async def keep(self) -> None:
        """Keep what is asked for, for ever. Raises Fatal if the file fails; nobody who waits is told that it was kept."""
        asked: list[_Asked] = []
        try:
            while True:
                await self._work.wait()
                self._work.clear()
                asked, self._asked = self._asked, []
                await self._keep(asked)
        except Fatal as fault:
            for each in (*asked, *self._asked):
                _answer(each, Retry(fault.where, fault.what))
            raise

    async def _keep(self, asked: Sequence[_Asked]) -> None:
        """Keep all that fits: all together, or else one by one."""
        try:
            await self._done(lambda: self._file.add((each.headers, each.value) for each in asked))
        except SpoolFull as full:
            if len(asked) == 1:
                self._coming -= 1
                _answer(asked[0], full)
                return
            for each in asked:
                await self._keep([each])
            return
        self._kept += len(asked)
        self._coming -= len(asked)
        self._look()
        for each in asked:
            _answer(each, None)

    def _look(self) -> None:
        if self._kept or self._sent > self._removed:
            self.filled.set()
        else:
            self.filled.clear()

    async def _done(self, work: Callable[[], T]) -> T:
        """What some work with the file gives, done in its thread."""

        def both() -> tuple[T, int, int | None]:
            made = work()
            return made, self._file.used(), self._file.first_receipt(self._sent)

        made, self._used, self._first_receipt = await asyncio.get_running_loop().run_in_executor(self._thread, both)
        return made


def _answer(asked: _Asked, fault: Exception | None) -> None:
    if asked.answer.done():
        return
    if fault is None:
        asked.answer.set_result(None)
    else:
        asked.answer.set_exception(fault)


@asynccontextmanager
async def opened(path: Path, limit: int) -> AsyncIterator[Spool]:
    """The spool in a file, at work. Raises Fatal, in a group once it works, if the file cannot be used."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, "spool") as thread:
        file = await loop.run_in_executor(thread, SpoolFile, path, limit)
        try:
            spool = Spool(file, path, limit, thread)
            await spool.load()
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(spool.keep())
                yield spool
                keeping.cancel()
        finally:
            await loop.run_in_executor(thread, file.close)
