"""Dead letters as their topic has them now: the newest of each id, without those taken out and those of who was erased."""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from sys import intern
from typing import NamedTuple

from models.units import Millis
from streams.config import Settings
from streams.dead_letters import DeadLetter, Kind, kind_of, letter_of
from streams.dead_letters.letters import Record
from streams.dead_letters.log import DeadLettersLog, reading
from streams.dead_letters.marks import is_letter
from streams.inbound.erased import Erased
from streams.security import kafka_security
from streams.telemetry import silenced
from streams.topics import Topics


class Entry(NamedTuple):
    """A dead letter without its body: when it was received, when it was read after all, and the record that keeps it."""

    id: str
    kind: Kind
    received_at: Millis
    resent_at: Millis | None
    record: tuple[int, int]


class Choice(NamedTuple):
    """Which dead letters are meant: of a connection, with a text in reason or place, received since; those that wait alone."""

    connection: str | None = None
    reason: str | None = None
    since: Millis = Millis(0)
    waiting: bool = False

    def takes(self, entry: Entry) -> bool:
        """Whether one is meant."""
        text = f"{entry.kind.where}: {entry.kind.reason}".casefold()
        return (
            (self.connection is None or self.connection == (entry.kind.connection or ""))
            and (self.reason is None or self.reason.casefold() in text)
            and entry.received_at >= self.since
            and not (self.waiting and entry.resent_at is not None)
        )


class DeadLetters:
    """The topic as it was when it was opened."""

    def __init__(self, log: DeadLettersLog, entries: Mapping[str, Entry]) -> None:
        self._log, self.entries = log, entries

    async def letters(self, chosen: Collection[Entry]) -> AsyncIterator[DeadLetter]:
        """Some of them whole, unless something has come of them since."""
        wanted = {entry.record for entry in chosen}
        await self._log.rewind()
        async for records in self._log.news():
            for record in records:
                if (record.partition, record.offset) in wanted:
                    yield letter_of(record)


@asynccontextmanager
async def dead_letters(settings: Settings) -> AsyncIterator[DeadLetters]:
    """All dead letters that there are now. Raises Retry."""
    erased, kafka = Erased(settings), settings.kafka
    with silenced():
        async with reading(kafka.bootstrap, Topics(kafka.topic_prefix).dead, kafka_security(kafka)) as log:
            entries = await _entries(log, erased)
            if erased:
                # Who was erased is known only now.
                await log.rewind()
                entries = await _entries(log, erased)
            yield DeadLetters(log, entries)


async def _entries(log: DeadLettersLog, erased: Erased) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    async for records in log.news():
        for record in records:
            erased.take(record)
            if not is_letter(record):
                continue
            if record.value is None:
                found.pop((record.key or b"").decode(errors="replace"), None)
                continue
            letter = letter_of(record)
            if erased.concern(letter):
                found.pop(letter.id, None)
            else:
                found[letter.id] = _entry(letter, record)
    return found


def _entry(letter: DeadLetter, record: Record) -> Entry:
    kind = kind_of(letter)
    kind = Kind(kind.connection and intern(kind.connection), intern(kind.where), intern(kind.reason))
    received_at = Millis(record.timestamp if letter.received_at is None else letter.received_at)
    resent_at = Millis(letter.resent_at) if isinstance(letter.resent_at, int) else None
    return Entry(letter.id, kind, received_at, resent_at, (record.partition, record.offset))
