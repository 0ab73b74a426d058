"""From a batch of the events log to a partition's memory: decode, fetch states, fold; ticks in their place in the log."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import groupby
from typing import TypeAlias

from models.errors import InvalidEventError
from models.events import Absorbed, Logged, check_instants, decode_logged
from models.state.absorption import check_part
from models.units import Millis
from streams.processing.partition import Partition
from streams.tables import Outgoing
from streams.topics import TICK_KEY, decode_ticks
from streams.transport import Record

Ticks: TypeAlias = dict[int, int]
"""Deliveries partition → seconds since the epoch."""

Fetch: TypeAlias = Callable[[Sequence[str]], Awaitable[Mapping[str, bytes]]]
"""Reads packed states by subject; what has none is left out."""

Bury: TypeAlias = Callable[[Record, InvalidEventError], Outgoing]
"""Makes the dead letter of a record of the events log that cannot be read."""


async def process(partition: Partition, records: Sequence[Record], fetch: Fetch, bury: Bury) -> None:
    """Apply consecutive records of the partition's log to its memory.

    Between two ticks a subject's events are folded together and its difference is taken once. If `fetch` raises, only a part
    of the records is applied: drop the partition's memory and load it again.
    """
    parsed = [(record.offset, _parse(partition, record, bury)) for record in records]
    await _remember(
        partition, [item.subject.id for _, item in parsed if item is not None and not isinstance(item, dict)], fetch
    )
    for are_ticks, group in groupby(parsed, lambda each: isinstance(each[1], dict)):
        if are_ticks:
            for _, ticks in group:
                if isinstance(ticks, dict):
                    await _tick(partition, ticks, fetch)
        else:
            found = [(offset, item) for offset, item in group if item is not None and not isinstance(item, dict)]
            events = [event for _, event in found]
            await _remember(partition, [event.subject.id for event in events], fetch)
            partition.apply(events, found[-1][0] if found else 0)


async def _tick(partition: Partition, ticks: Ticks, fetch: Fetch) -> None:
    at = {source: Millis(seconds * 1000) for source, seconds in ticks.items()}
    clock = partition.next_clock(at)
    if clock is not None:
        await _remember(partition, partition.due_by(clock), fetch)
    partition.tick(at)


async def _remember(partition: Partition, subjects: Sequence[str], fetch: Fetch) -> None:
    # A checkpoint may end while we wait and let go of old leads, so ask again until all are there.
    while missing := partition.missing(subjects):
        fetched = await fetch(missing)
        partition.remember({subject: fetched.get(subject) for subject in missing})


def _parse(partition: Partition, record: Record, bury: Bury) -> Logged | Ticks | None:
    try:
        if record.key != TICK_KEY:
            event = decode_logged(record.value or b"")
            if isinstance(event, Absorbed):
                check_part(event)
            else:
                check_instants(event)
            return event
        return _ticks(record.value)
    except InvalidEventError as error:
        partition.reject(bury(record, error))
        return None


def _ticks(value: bytes | None) -> Ticks:
    ticks = decode_ticks(value)
    if ticks is None:
        raise InvalidEventError("$", "is keyed as a tick and is none", "find out who writes to the events topic")
    return ticks
