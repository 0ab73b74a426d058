"""Telling the KPI topic: rows wait until it has acknowledged them, while rounds go on."""

import asyncio
import time
from collections.abc import Iterable
from typing import Final, Protocol

import structlog
from aiokafka.errors import KafkaError

from streams.processing.round import Round, Row
from streams.producer import Message

PAUSE_S: Final = 1.0
"""Between two sendings, at least: what rounds say meanwhile goes together, each row once."""

LEISURE: Final = 4
"""How many times as long as the last sending took the next one waits: of many rows, boards have their turn first."""

LONGEST_PAUSE_S: Final = 3.0
"""How long it waits at most, such as after a sending that failed for lack of an answer."""

log = structlog.get_logger(__name__)


def pause_after(took_s: float) -> float:
    """How long to wait after a sending that took so long, in s."""
    return min(max(PAUSE_S, LEISURE * took_s), LONGEST_PAUSE_S)


ROUND: Final = "round"
"""The key of the record that says which round the rows are of, and whether they are stale; all others have an @."""

_ALONE: Final = ""
"""The window of what has none."""


class Topic(Protocol):
    """Where changed rows are sent: a producer."""

    async def send_all(self, records: Iterable[Message]) -> None:
        """Send messages (with the value None for rows that are gone) and wait until all are acknowledged. Raises KafkaError."""


class Telling:
    """Rows on their way to a topic. If it is slower than rounds are, only the newest content of each row is sent."""

    def __init__(self, producer: Topic, topic: str) -> None:
        self.topic = topic
        self._producer = producer
        self._waiting: dict[str, dict[str, bytes | None]] = {}
        self._ended: set[Row] = set()
        self._some = asyncio.Event()

    def put(self, found: Round) -> None:
        """Have told what a round says: rows, and the end of those that go."""
        for window, rows in found.written.items():
            self._waiting.setdefault(window, {}).update(rows)
        for window, key in found.farewells:
            self._waiting.setdefault(window, {})[key] = None
        self._ended.difference_update(found.farewells)  # their new end is still to be told
        if self._waiting:
            self._some.set()

    def put_round(self, record: bytes) -> None:
        """Have told which round stands."""
        self._waiting.setdefault(_ALONE, {})[ROUND] = record
        self._some.set()

    def ended(self) -> set[Row]:
        """The rows whose end the topic has acknowledged since this was last asked."""
        ended, self._ended = self._ended, set()
        return ended

    async def tell(self) -> None:
        """Send what waits; what is not acknowledged waits on. Raises KafkaError."""
        self._some.clear()
        sending, self._waiting = self._waiting, {}
        try:
            await self._producer.send_all(
                Message(self.topic, None, (f"{key}@{window}" if window else key).encode(), row)
                for window, rows in sending.items()
                for key, row in rows.items()
            )
        except BaseException:
            later, self._waiting = self._waiting, sending
            for window, rows in later.items():
                self._waiting.setdefault(window, {}).update(rows)
            raise
        self._ended |= {(window, key) for window, rows in sending.items() for key, row in rows.items() if row is None}

    async def keep_telling(self) -> None:
        """Tell whatever comes, until cancelled."""
        while True:
            await self._some.wait()
            began = time.monotonic()
            try:
                await self.tell()
            except KafkaError as fault:
                log.warning("kpi_topic_waits", fault=repr(fault))
                self._some.set()
            await asyncio.sleep(pause_after(time.monotonic() - began))
