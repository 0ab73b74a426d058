"""The cells of one pane: an amount per series, kept packed by chunk until they are changed."""

from typing import Final

import numpy as np

from models.codes import Ints
from models.sums import Chunks, pack, unpack
from models.windows import Pane

CHUNK: Final = {Pane.TEN_SECONDS: 2**20, Pane.FIVE_MINUTES: 1024, Pane.HOUR: 256, Pane.DAY: 256}
"""Series to a chunk. Short panes are written a few times only and hold little, so their chunks are wide."""


class Cells:
    """A sparse column of integers by series id. What is added waits until somebody looks, so that old panes stay small."""

    def __init__(self, size: Pane, packed: Chunks | None = None) -> None:
        self._chunk = CHUNK[size]
        self._packed: dict[int, bytes] = dict(packed or {})
        self._waiting: list[tuple[Ints, Ints]] = []
        self._changed: set[int] = set()

    def add(self, ids: Ints, amounts: Ints) -> None:
        """Add an amount to each of some series."""
        self._waiting.append((ids, amounts))

    def compact(self) -> None:
        """Sum up what waits, which else keeps all that it was cut out of; it goes on waiting."""
        if len(self._waiting) > 1:
            self._waiting = [summed(*(np.concatenate(column) for column in zip(*self._waiting, strict=True)))]

    def columns(self) -> tuple[Ints, Ints]:
        """All ids, ascending, and amounts; an id occurs once."""
        self._settle()
        parts = [(number, *unpack(self._packed[number])) for number in sorted(self._packed)]
        if not parts:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        ids = np.concatenate([offsets + number * self._chunk for number, offsets, _ in parts])
        return ids, np.concatenate([amounts for _, _, amounts in parts])

    def cut(self) -> Chunks:
        """The chunks changed since the last cut, packed."""
        self._settle()
        chunks = {number: self._packed.get(number, b"") for number in self._changed}
        self._changed.clear()
        return chunks

    def _settle(self) -> None:
        """Put what waits into the packed chunks."""
        if not self._waiting:
            return
        ids, amounts = summed(*(np.concatenate(column) for column in zip(*self._waiting, strict=True)))
        self._waiting.clear()
        numbers = ids // self._chunk
        bounds = runs(numbers).tolist()
        for low, high in zip(bounds, [*bounds[1:], len(ids)], strict=True):
            number = int(numbers[low])
            self._put(number, ids[low:high] - number * self._chunk, amounts[low:high])

    def _put(self, number: int, offsets: Ints, amounts: Ints) -> None:
        before = self._packed.pop(number, b"")
        if before:
            held_offsets, held = unpack(before)
            offsets, amounts = summed(np.concatenate((held_offsets, offsets)), np.concatenate((held, amounts)))
        packed = pack(offsets, amounts)
        if packed:
            self._packed[number] = packed
        self._changed.add(number)


def summed(keys: Ints, amounts: Ints) -> tuple[Ints, Ints]:
    """The keys, ascending, and the sum of the amounts of each."""
    order = np.argsort(keys)
    keys = keys[order]
    first = runs(keys)
    return keys[first], np.add.reduceat(amounts[order], first)


def runs(values: Ints) -> Ints:
    """Where each run of equal values starts; there is at least one value."""
    return np.concatenate((_FIRST, (values[1:] != values[:-1]).nonzero()[0] + 1))


_FIRST = np.zeros(1, np.int64)
