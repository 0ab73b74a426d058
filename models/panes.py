"""The panes of one size: an amount per series in each, kept packed by chunk until they are changed.

A cell is a pane's start and a series' id as one number, so that cells of all panes are sorted, summed and packed together.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
import numpy as np

from models.codes import Ints, Mask
from models.sums import Chunks, pack_runs, unpack
from models.tables import runs, summed
from models.units import Millis
from models.windows import Pane

CHUNK: Final = {Pane.TEN_SECONDS: 2**20, Pane.FIVE_MINUTES: 1024, Pane.HOUR: 256, Pane.DAY: 256}
"""Series to a chunk. Short panes are written a few times only and hold little, so their chunks are wide."""

SERIES_BITS: Final = 21
"""Bits of a series' id in a cell: two million series."""

_AT_ONCE: Final = 4096
"""Chunks that are packed together."""


class Panes:
    """Sparse columns of integers by series id, one for each pane.

    What is added waits until somebody looks. Most panes are old and closed: they lie packed, each as one. Those that were
    changed since the last cut but one are open: all that is in them stands in the cells, and in chunks as of the last cut.
    """

    def __init__(self, size: Pane) -> None:
        self._bits = CHUNK[size].bit_length() - 1
        self._closed: dict[Millis, bytes] = {}
        self._open: dict[Millis, dict[int, bytes]] = {}
        self._cells, self._amounts = _NONE, _NONE
        self._waiting: list[tuple[Ints, Ints]] = []
        self._changed: list[Ints] = []

    def __iter__(self) -> Iterator[Millis]:
        """The starts of all panes, in no order."""
        return iter([*self._closed, *self._open])

    def put(self, start: Millis, packed: Chunks) -> None:
        """A pane as it was cut, for one that is not here."""
        self._closed[start] = _join(dict(packed))

    def add(self, starts: Ints, ids: Ints, amounts: Ints) -> None:
        """Add amounts to series in panes; `starts` ascend."""
        for start in starts[runs(starts)].tolist():
            if start not in self._open:
                self._closed.setdefault(start, _EMPTY)
        self._waiting.append(((starts << SERIES_BITS) | ids, amounts))

    def settle(self) -> None:
        """Sum up what waits."""
        if not self._waiting:
            return
        cells, amounts = summed(*(np.concatenate(column) for column in zip(*self._waiting, strict=True)))
        self._waiting = []
        self._changed.append(_unique(cells >> self._bits))
        starts = cells >> SERIES_BITS
        opened = [start for start in starts[runs(starts)].tolist() if start not in self._open]
        self._open.update((start, _chunks_of(self._closed.pop(start))) for start in opened)
        parts = [self._unpacked(start, self._open[start]) for start in opened if self._open[start]]
        if parts:
            self._merge(*(np.concatenate(column) for column in zip(*parts, strict=True)))
        self._merge(cells, amounts)
        left = self._amounts != 0
        if not left.all():
            self._cells, self._amounts = self._cells[left], self._amounts[left]

    def _merge(self, cells: Ints, amounts: Ints) -> None:
        """Add to open panes' cells, which ascend as those do that are there."""
        if not len(self._cells):
            self._cells, self._amounts = cells, amounts
            return
        places = np.searchsorted(self._cells, cells)
        there = self._cells[np.minimum(places, len(self._cells) - 1)] == cells
        self._amounts[places[there]] += amounts[there]
        new = np.flatnonzero(~there)
        if len(new):
            inserted = places[new] + np.arange(len(new))
            old = np.ones(len(self._cells) + len(new), np.bool_)
            old[inserted] = False
            self._cells = _woven(old, self._cells, inserted, cells[new])
            self._amounts = _woven(old, self._amounts, inserted, amounts[new])

    def _unpacked(self, start: Millis, chunks: Chunks) -> tuple[Ints, Ints]:
        parts = [(number, *unpack(packed, 1 << self._bits)) for number, packed in sorted(chunks.items())]
        if not parts:
            return _NONE, _NONE
        cells = np.concatenate([offsets + ((start << SERIES_BITS) | (number << self._bits)) for number, offsets, _ in parts])
        return cells, np.concatenate([amounts for _, _, amounts in parts])

    def columns(self, starts: Iterable[Millis]) -> list[tuple[Ints, Ints]]:
        """All ids, ascending, and amounts of some panes; an id occurs once in each. To be read at once."""
        self.settle()
        found = []
        for start in starts:
            is_open = start in self._open
            cells, amounts = self._of_open(start) if is_open else self._unpacked(start, _chunks_of(self._closed[start]))
            found.append((cells & _ID, amounts))
        return found

    def _of_open(self, start: Millis) -> tuple[Ints, Ints]:
        low, high = np.searchsorted(self._cells, (start << SERIES_BITS, (start + 1) << SERIES_BITS)).tolist()
        return self._cells[low:high], self._amounts[low:high]

    def drop(self, oldest: Millis) -> list[Millis]:
        """Forget panes that start before an instant; tells which."""
        gone = sorted(start for start in self if start < oldest)
        if gone:
            self.settle()
            for start in gone:
                self._closed.pop(start, None)
                self._open.pop(start, None)
            low = int(np.searchsorted(self._cells, oldest << SERIES_BITS))
            self._cells, self._amounts = self._cells[low:], self._amounts[low:]
            first = oldest << SERIES_BITS >> self._bits
            self._changed = [numbers[numbers >= first] for numbers in self._changed]
        return gone

    def cut(self) -> Mapping[Millis, Chunks]:
        """The chunks changed since the last cut, packed, by pane. Panes that have not changed are left packed only."""
        self.settle()
        changed, self._changed = self._changed, []
        numbers = np.unique(np.concatenate(changed)) if changed else _NONE
        cut: dict[Millis, dict[int, bytes]] = {}
        within = SERIES_BITS - self._bits
        for number, packed in zip(numbers.tolist(), self._pack(numbers), strict=True):
            start, chunk = number >> within, number & ((1 << within) - 1)
            cut.setdefault(start, {})[chunk] = packed
            if packed:
                self._open[start][chunk] = packed
            else:
                self._open[start].pop(chunk, None)
        self._close(self._open.keys() - cut.keys())
        return cut

    def _pack(self, numbers: Ints) -> Iterator[bytes]:
        """Some chunks of open panes, in turn."""
        for first in range(0, len(numbers), _AT_ONCE):
            some = numbers[first : first + _AT_ONCE]
            lows, highs = np.searchsorted(self._cells, np.stack((some, some + 1)) << self._bits)
            rows = _ranges(lows, highs)
            yield from pack_runs(self._cells[rows] & ((1 << self._bits) - 1), self._amounts[rows], highs - lows)

    def close(self) -> None:
        """Leave all panes packed only, unless something has changed since the last cut."""
        if not self._waiting and not self._changed:
            self._close(set(self._open))

    def _close(self, starts: set[Millis]) -> None:
        if starts:
            self._closed.update((start, _join(self._open.pop(start))) for start in starts)
            kept = np.array(sorted(self._open), np.int64)
            rows = _ranges(*np.searchsorted(self._cells, np.stack((kept, kept + 1)) << SERIES_BITS))
            self._cells, self._amounts = self._cells[rows], self._amounts[rows]


def _woven(old: Mask, held: Ints, inserted: Ints, given: Ints) -> Ints:
    """A column of those held, where `old` says so, and of those given, at the places where they are inserted."""
    column = np.empty(len(old), np.int64)
    column[old] = held
    column[inserted] = given
    return column


def _ranges(lows: Ints, highs: Ints) -> Ints:
    """The numbers from each low to its high, one range after the other."""
    counts = highs - lows
    ends = counts.cumsum()
    return np.repeat(highs - ends, counts) + np.arange(ends[-1] if len(ends) else 0)


def _unique(numbers: Ints) -> Ints:
    """The different ones of ascending numbers."""
    return numbers[runs(numbers)]


_join = msgspec.msgpack.Encoder().encode
_chunks_of = msgspec.msgpack.Decoder(dict[int, bytes]).decode
_EMPTY: Final = _join({})

_ID: Final = (1 << SERIES_BITS) - 1
_NONE = np.empty(0, np.int64)
