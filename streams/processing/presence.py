"""Live workers of one system have the same rules and definitions: of two that differ, the later one refuses.

They would else take partitions from each other and re-value them in turns. Which of two is *older* is settled where a partition
is loaded; here it is about those that call themselves equal and are not.
"""

import asyncio
import os
import socket
import time
from contextlib import suppress
from typing import Final

import msgspec
import structlog
from msgspec import Struct

from streams.errors import Fatal, Retry
from streams.processing.checkpoint import new_token
from streams.tables import Redis
from streams.tables.presence import say_gone, say_present
from streams.valuation import Valuation

EVERY_S: Final = 2.0
COUNTS_S: Final = 10.0
"""How long a worker counts as living that has not said so again."""

LOOK_S: Final = 0.5

log = structlog.get_logger(__name__)


class Worker(Struct, frozen=True):
    """What a worker tells of itself."""

    name: str
    valuation: Valuation


class Presence:
    """One worker's presence under a prefix."""

    def __init__(self, redis: Redis, prefix: str, valuation: Valuation, *, counts_s: float = COUNTS_S) -> None:
        self._redis = redis
        self._prefix = prefix
        self._token = new_token()
        self._me = Worker(f"{socket.gethostname()} process {os.getpid()}", valuation)
        self._counts_s = counts_s

    def go_by(self, valuation: Valuation) -> None:
        """Tell of other rules and definitions from now on."""
        self._me = Worker(self._me.name, valuation)

    async def enter(self) -> None:
        """Take our place. Raises Fatal if an earlier worker with other rules lives on; one that has died is waited for."""
        patience = time.monotonic() + self._counts_s + 2 * EVERY_S
        told = False
        while rival := await self._rival():
            if time.monotonic() > patience:
                raise self._refusal(rival)
            if not told:
                log.info("waiting_for_the_end_of_another_worker", worker=rival.name)
                told = True
            await asyncio.sleep(LOOK_S)

    async def keep(self) -> None:
        """Say again and again that we are here. Raises Fatal if an earlier worker with other rules turns up after all."""
        while True:
            await asyncio.sleep(EVERY_S)
            with suppress(Retry):
                if rival := await self._rival():
                    raise self._refusal(rival)

    async def leave(self) -> None:
        """Say that we are gone, so that nobody has to wait for it."""
        with suppress(Retry):
            await say_gone(self._redis, self._prefix, self._token)

    async def _rival(self) -> Worker | None:
        about = msgspec.json.encode(self._me).decode()
        ours, others = await say_present(self._redis, self._prefix, self._token, about, int(self._counts_s * 1000))
        for other in sorted(others):
            found = msgspec.json.decode(other.about, type=Worker)
            if other < ours and self._differs(found.valuation):
                return found
        return None

    def _differs(self, theirs: Valuation) -> bool:
        mine = self._me.valuation
        return theirs.versions == mine.versions and theirs.digest != mine.digest

    def _refusal(self, rival: Worker) -> Fatal:
        theirs, mine = (f"{worker.name} ({worker.valuation.digest[:12]})" for worker in (rival, self._me))
        return Fatal(
            "rules",
            f"two workers with different rules under the same rules_version {self._me.valuation.rules}: {theirs} runs,"
            f" {mine} was to start",
            "give both the same configuration and release, or raise rules_version in the newer one (of own KPIs, VERSION)"
            " and end the other",
        )
