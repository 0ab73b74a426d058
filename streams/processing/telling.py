"""Telling the KPI topic: rows wait until it has acknowledged them, while rounds go on."""

import asyncio
from collections.abc import Iterable
from typing import Final, Protocol

import structlog
from aiokafka.errors import KafkaError

from streams.processing.round import Round, Row
from streams.producer import Message

PAUSE_S: Final = 1.0
"""Between two sendings: what rounds say meanwhile goes together, each row once."""

log = structlog.get_logger(__name__)


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
                Message(self.topic, None, f"{key}@{window}".encode(), row)
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
            try:
                await self.tell()
            except KafkaError as fault:
                log.warning("kpi_topic_waits", fault=repr(fault))
                self._some.set()
            await asyncio.sleep(PAUSE_S)
