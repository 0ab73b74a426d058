"""Takes out of the topic of dead letters those of people who were erased, and what is older than is to be kept.

The owner of the first deliveries partition does it. It reads the topic whole, then what comes; whole again when somebody more
was erased, and once a day. A record is taken out by one without a value under its key: to readers it is gone then, and
compaction deletes it. Kafka's own retention would not: compaction joins old segments with newer ones, which are kept.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from models.units import DAY, MINUTE, Duration, Millis
from streams.config import Settings
from streams.dead_letters import letter_of
from streams.dead_letters.letters import Record
from streams.dead_letters.log import DeadLettersLog, reading
from streams.dead_letters.marks import CLOSING_KEY, is_erasure
from streams.errors import Retry
from streams.inbound.erased import Erased
from streams.producer import Message
from streams.security import kafka_security
from streams.topics import DEAD_SEGMENT, Topics

log = structlog.get_logger(__name__)

LOOK_S: Final = 1.0
PAUSE_S: Final = 10.0
"""How long it waits when Kafka is away."""

WHOLE_EVERY: Final = Duration(DAY)

_SLACK: Final = Duration(MINUTE)


class Sink(Protocol):
    """Where records go: an `Outlet`."""

    async def send(self, records: Sequence[Message]) -> None:
        """Return when all are acknowledged. Raises Retry."""


class Sweeper:
    """Keeps the topic clean while `owns` says that this process is to do it."""

    def __init__(
        self, settings: Settings, sink: Sink, owns: Callable[[], bool], clock: Callable[[], float] = time.time
    ) -> None:
        self._settings, self._sink, self._owns, self._clock = settings, sink, owns, clock
        self._topic = Topics(settings.kafka.topic_prefix).dead

    async def run(self) -> None:
        """Keep it clean, for ever."""
        while True:
            if self._owns():
                try:
                    await self._keep_clean()
                except Retry as error:
                    log.warning("dead_letters_not_swept", error=str(error))
                    await asyncio.sleep(PAUSE_S)
            await asyncio.sleep(LOOK_S)

    async def _keep_clean(self) -> None:
        erased = Erased(self._settings)
        kafka = self._settings.kafka
        async with reading(kafka.bootstrap, self._topic, kafka_security(kafka)) as dead_letters:
            while self._owns():
                await dead_letters.rewind()
                await self._keep_clean_of(erased, dead_letters)

    async def _keep_clean_of(self, erased: Erased, dead_letters: DeadLettersLog) -> None:
        """Look at all that is there, then at what comes, until somebody more is erased or a day has passed."""
        known, began = len(erased), self._now()
        sweep = Sweep(erased, Millis(began - self._settings.retention.dead_letters))
        while self._owns() and self._now() < began + WHOLE_EVERY:
            async for records in dead_letters.news():
                await asyncio.to_thread(sweep.take, records)
            if len(erased) > known:
                return
            await self._sink.send([Message(self._topic, *place, None) for place in sweep.cut()])
            if sweep.is_to_be_closed(self._now()):
                await self._sink.send([Message(self._topic, sweep.partition, CLOSING_KEY, b"{}")])
            await asyncio.sleep(LOOK_S)

    def _now(self) -> Millis:
        return Millis(int(self._clock() * 1000))


class Sweep:
    """What is to be taken out of the topic, as far as it was read: older than `oldest`, or about somebody who was erased."""

    def __init__(self, erased: Erased, oldest: Millis) -> None:
        self._erased, self._oldest = erased, oldest
        self._doomed: dict[tuple[int, bytes], None] = {}
        self._newest = self._taken_out_at = 0
        self.partition = 0

    def take(self, records: Sequence[Record]) -> None:
        """Look at the records that come next."""
        for record in records:
            self._erased.take(record)
            self._newest = max(self._newest, record.timestamp)
            if record.value is None:
                self._doomed.pop((record.partition, record.key or b""), None)
                self._taken_out_at, self.partition = max(self._taken_out_at, record.timestamp), record.partition
            elif record.key != CLOSING_KEY:
                self._judge(record)

    def _judge(self, record: Record) -> None:
        if is_erasure(record):
            key, is_of_erased = record.key or b"", False
        else:
            letter = letter_of(record)
            key, is_of_erased = record.key or letter.id.encode(), self._erased.concern(letter)
        if record.timestamp < self._oldest or is_of_erased:
            self._doomed[record.partition, key] = None
        else:
            self._doomed.pop((record.partition, key), None)

    def cut(self) -> list[tuple[int, bytes]]:
        """What is to be taken out since the last cut, by partition and key."""
        doomed, self._doomed = list(self._doomed), {}
        return doomed

    def is_to_be_closed(self, now: Millis) -> bool:
        """Whether nothing has come for so long behind what was taken out that Kafka waits to begin another segment."""
        since = self._taken_out_at
        return 0 < since < now - DEAD_SEGMENT - _SLACK and self._newest - since <= DEAD_SEGMENT
