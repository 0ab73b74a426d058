"""What the records of an events log tell: events and ticks, in their order. What the processor buries is passed over."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from models.belief import check_instants
from models.errors import InvalidEventError
from models.events import Absorbed, Logged, decode_logged
from models.state.absorption import check_part
from models.units import SECOND, Millis
from streams.topics import TICK_KEY, decode_ticks
from streams.transport import Record

Ticks: TypeAlias = dict[int, Millis]
"""Deliveries partition → its instant."""


def told(records: Sequence[Record]) -> Iterator[Logged | Ticks]:
    """What some records tell."""
    for record in records:
        if record.key == TICK_KEY:
            ticks = decode_ticks(record.value)
            if ticks is not None:
                yield {source: Millis(seconds * SECOND) for source, seconds in ticks.items()}
            continue
        try:
            event = decode_logged(record.value or b"")
            if isinstance(event, Absorbed):
                check_part(event)
            else:
                check_instants(event)
        except InvalidEventError:
            continue
        yield event
