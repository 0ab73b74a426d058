"""From a batch of the events log to a partition's memory: decode, fetch states, fold; ticks in their place in the log."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple, TypeAlias

from models.belief import check_instants
from models.errors import InvalidEventError
from models.events import Absorbed, Logged, decode_logged
from models.state.absorption import check_part
from models.units import Millis
from streams.processing.due import STRETCH
from streams.processing.partition import Partition
from streams.tables import Outgoing, Parts, Wanted
from streams.topics import TICK_KEY, decode_ticks
from streams.transport import Record

Ticks: TypeAlias = dict[int, int]
"""Deliveries partition → seconds since the epoch."""


class Stored(NamedTuple):
    """How a partition reads what Redis holds of it."""

    states: Callable[[Sequence[str]], Awaitable[Mapping[str, bytes]]]
    """Packed states by subject, of huge leads without their pages; what has none is left out."""

    parts: Callable[[Mapping[str, Wanted]], Awaitable[Mapping[str, Parts]]]
    """What is wanted of huge leads."""

    due: Callable[[Millis, Millis], Awaitable[Mapping[str, Millis]]]
    """Who is due after the first and until the second instant."""


Bury: TypeAlias = Callable[[Record, InvalidEventError], Outgoing]
"""Makes the dead letter of a record of the events log that cannot be read."""


async def process(partition: Partition, records: Sequence[Record], stored: Stored, bury: Bury) -> None:
    """Apply consecutive records of the partition's log to its memory.

    Between two ticks a subject's events are folded together and its difference is taken once. If reading raises, only a part
    of the records is applied: drop the partition's memory and load it again.
    """
    parsed = [(record.offset, _parse(partition, record, bury)) for record in records]
    known = [(offset, item) for offset, item in parsed if item is not None]
    await _remember_all(partition, [item for _, item in known if not isinstance(item, dict)], stored)
    for are_ticks, group in groupby(known, lambda each: isinstance(each[1], dict)):
        if are_ticks:
            for _, ticks in group:
                if isinstance(ticks, dict):
                    await _tick(partition, ticks, stored)
        else:
            found = [(offset, item) for offset, item in group if not isinstance(item, dict)]
            await _remember_all(partition, [event for _, event in found], stored)
            partition.apply(found)


async def _tick(partition: Partition, ticks: Ticks, stored: Stored) -> None:
    at = {source: Millis(seconds * 1000) for source, seconds in ticks.items()}
    clock = partition.next_clock(at)
    partition.take_ticks(at)
    if clock is None:
        return
    known_until, ahead = partition.due_clock(clock), partition.due.ahead
    if ahead < known_until:
        further, unstored = Millis(known_until + STRETCH), partition.due.unstored()
        partition.due.extend(further, {**await stored.due(ahead, further), **unstored})
    while subjects := partition.to_look_at(clock):
        await _remember(partition, subjects, stored)
        partition.look(subjects, clock)
        partition.forget()
    partition.advance(clock)


async def _remember_all(partition: Partition, events: Sequence[Logged], stored: Stored) -> None:
    """Have in memory all that some events are of."""
    await _remember(partition, [event.subject.id for event in events], stored, events)


async def _remember(partition: Partition, subjects: Sequence[str], stored: Stored, events: Sequence[Logged] = ()) -> None:
    # A checkpoint may end while we wait and let go of old leads and pages, so ask again until all are there.
    while True:
        if missing := partition.missing(subjects):
            fetched = await stored.states(missing)
            partition.remember({subject: fetched.get(subject) for subject in missing})
        elif wanted := partition.wanted(subjects, events):
            partition.remember_parts(await stored.parts(wanted))
        else:
            return


def _parse(partition: Partition, record: Record, bury: Bury) -> Logged | Ticks | None:
    try:
        return parsed(record)
    except InvalidEventError as error:
        partition.reject(bury(record, error))
        return None


def parsed(record: Record) -> Logged | Ticks:
    """What a record of the events log tells. Raises InvalidEventError if it can never be processed."""
    if record.key == TICK_KEY:
        ticks = decode_ticks(record.value)
        if ticks is None:
            raise InvalidEventError("$", "is keyed as a tick and is none", "find out who writes to the events topic")
        return ticks
    event = decode_logged(record.value or b"")
    if isinstance(event, Absorbed):
        check_part(event)
    else:
        check_instants(event)
    return event
