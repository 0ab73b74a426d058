"""A partition's clock moved by hand, its leads all in memory."""

from collections.abc import Mapping
from types import MappingProxyType

from models.units import Millis
from streams.processing.partition import Partition


def tick(partition: Partition, ticks: Mapping[int, Millis], stored: Mapping[str, Millis] = MappingProxyType({})) -> None:
    """Take in ticks and move the clock, as a batch of the log does; `stored` is the due set as it was saved."""
    clock = partition.next_clock(ticks)
    partition.take_ticks(ticks)
    assert clock is not None
    partition.due.extend(clock, {**stored, **partition.due.unstored()})
    while subjects := partition.to_look_at(clock):
        partition.look(subjects, clock)
    partition.advance(clock)
