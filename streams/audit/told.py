"""What the records of an events log tell: events and ticks, in their order. What the processor buries is passed over."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from models.errors import InvalidEventError
from models.events import Logged
from models.units import SECOND, Millis
from streams.processing.processor import parsed
from streams.transport import Record

Ticks: TypeAlias = dict[int, Millis]
"""Deliveries partition → its instant."""


def told(records: Sequence[Record]) -> Iterator[Logged | Ticks]:
    """What some records tell."""
    for record in records:
        try:
            item = parsed(record)
        except InvalidEventError:
            continue
        yield {source: Millis(seconds * SECOND) for source, seconds in item.items()} if isinstance(item, dict) else item
