"""The cells of one pane: an amount per series, kept packed by chunk until they are changed."""

from typing import Final

import numpy as np

from models.codes import Ints
from models.sums import Chunks, pack, unpack
from models.windows import Pane

CHUNK: Final = {Pane.TEN_SECONDS: 2**20, Pane.FIVE_MINUTES: 1024, Pane.HOUR: 256, Pane.DAY: 256}
"""Series to a chunk. Short panes are written a few times only and hold little, so their chunks are wide."""


class Cells:
    """A sparse column of integers by series id. What is added waits until somebody looks; most panes are old and lie packed."""

    def __init__(self, size: Pane, packed: Chunks | None = None) -> None:
        self._chunk = CHUNK[size]
        self._packed: dict[int, bytes] = dict(packed or {})
        self._open: tuple[Ints, Ints] | None = None
        self._waiting: list[tuple[Ints, Ints]] = []
        self._changed: list[Ints] = []

    def add(self, ids: Ints, amounts: Ints) -> None:
        """Add an amount to each of some series."""
        self._waiting.append((ids, amounts))
        self._changed.append(ids)

    def compact(self) -> None:
        """Sum up what waits, which else keeps all that it was cut out of; it goes on waiting."""
        if len(self._waiting) > 1:
            self._waiting = [summed(*(np.concatenate(column) for column in zip(*self._waiting, strict=True)))]
            self._changed = [np.unique(np.concatenate(self._changed))]

    def columns(self) -> tuple[Ints, Ints]:
        """All ids, ascending, and amounts; an id occurs once."""
        if self._open is None:
            self._open = self._unpacked()
        if self._waiting:
            parts = [self._open, *self._waiting] if len(self._open[0]) else self._waiting
            ids, amounts = summed(*(np.concatenate(column) for column in zip(*parts, strict=True)))
            left = amounts != 0
            self._open = (ids, amounts) if left.all() else (ids[left], amounts[left])
            self._waiting = []
        return self._open

    def _unpacked(self) -> tuple[Ints, Ints]:
        parts = [(number, *unpack(self._packed[number])) for number in sorted(self._packed)]
        if not parts:
            return _NONE, _NONE
        ids = np.concatenate([offsets + number * self._chunk for number, offsets, _ in parts])
        return ids, np.concatenate([amounts for _, _, amounts in parts])

    def cut(self) -> Chunks:
        """The chunks changed since the last cut, packed. Cells that have not changed are left packed only."""
        if not self._changed:
            self._open = None
            return {}
        ids, amounts = self.columns()
        numbers = _unique(np.concatenate(self._changed) // self._chunk)
        bounds = np.searchsorted(ids, np.concatenate((numbers, numbers + 1)) * self._chunk).tolist()
        chunks = {}
        for number, low, high in zip(numbers.tolist(), bounds, bounds[len(numbers) :], strict=False):
            chunks[number] = packed = pack(ids[low:high] - number * self._chunk, amounts[low:high])
            if packed:
                self._packed[number] = packed
            else:
                self._packed.pop(number, None)
        self._changed = []
        return chunks


def _unique(numbers: Ints) -> Ints:
    """The different numbers, ascending; there is at least one."""
    if numbers.max() == 0:
        return _FIRST
    numbers = np.sort(numbers)
    return numbers[runs(numbers)]


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
_NONE = np.empty(0, np.int64)
