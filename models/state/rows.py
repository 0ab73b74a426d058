"""The rows of a huge lead's touches: changed one by one, stored in chunks of time of which only the changed ones are written.

They are derived from the lead under some rules, and spare reading all of its pages to know what its touches amount to.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from typing import Final

import numpy as np

from models.state.facts import TOUCH, Touch, pack_touch, place_of

CHUNK: Final = 1024
"""Rows in a chunk; one of twice as many is cut up."""

_ONE_BY_ONE: Final = 8
"""Changes up to which rows are copied for each."""

Chunks = dict[int, bytes]
"""Rows by the instant from which on they are: that of the first one is 0."""


class TouchRows:
    """The rows of all touches of a lead that stand, in order, and the chunks that are stored of them."""

    def __init__(self, rows: bytes, stored: Chunks, size: int = CHUNK) -> None:
        self._rows = rows
        self._stored = stored
        self._size = size
        self._changes: Counter[Touch] = Counter()
        self._changed_at: set[int] = set() if stored else {0}

    @classmethod
    def load(cls, stored: Mapping[int, bytes], size: int = CHUNK) -> "TouchRows":
        """Rows as they are stored."""
        return cls(b"".join([stored[start] for start in sorted(stored)]), dict(stored), size)

    def __len__(self) -> int:
        """How many bytes they are."""
        return len(self._rows)

    def change(self, old: Touch | None, new: Touch | None) -> None:
        """A touch that said one thing says another; None where it does not stand."""
        if old != new:
            self._changed_at.update(touch[0] for touch in (old, new) if touch is not None)
            if old is not None:
                self._changes[old] -= 1
            if new is not None:
                self._changes[new] += 1

    def all(self) -> bytes:
        """All rows as they are now."""
        changes = {touch: times for touch, times in self._changes.items() if times}
        self._changes.clear()
        if sum(map(abs, changes.values())) <= _ONE_BY_ONE:
            for touch, times in changes.items():
                self._splice(touch, times)
        else:
            self._splice_many(changes)
        return self._rows

    def _splice(self, touch: Touch, times: int) -> None:
        start = place_of(touch, self._rows) * TOUCH.itemsize
        end = start if times > 0 else start - times * TOUCH.itemsize
        rows = memoryview(self._rows)
        self._rows = b"".join((rows[:start], times * pack_touch(touch), rows[end:]))

    def _splice_many(self, changes: Mapping[Touch, int]) -> None:
        rows = np.frombuffer(self._rows, TOUCH)
        kept = np.ones(len(rows), np.bool_)
        places: list[int] = []
        added: list[bytes] = []
        for touch, times in sorted(changes.items()):
            place = place_of(touch, self._rows)
            if times < 0:
                kept[place : place - times] = False
            else:
                places += [int(np.count_nonzero(kept[:place]))] * times
                added.append(times * pack_touch(touch))
        self._rows = np.insert(rows[kept], places, np.frombuffer(b"".join(added), TOUCH)).tobytes()

    def cut(self) -> dict[int, bytes | None]:
        """The chunks that have changed since the last cut; None for those that are gone."""
        rows, starts = self.all(), sorted({0, *self._stored})
        changed: dict[int, bytes | None] = {}
        for number in {bisect_right(starts, at) - 1 for at in self._changed_at}:
            start, end = starts[number], starts[number + 1] if number + 1 < len(starts) else None
            low = _first_at(rows, start)
            chunks = in_chunks(rows[low:] if end is None else rows[low : _first_at(rows, end)], start, self._size)
            changed.update({start: None} | chunks if chunks.keys() != {start} else chunks)
        changed = {start: chunk for start, chunk in changed.items() if self._stored.get(start) != chunk}
        for start, chunk in changed.items():
            if chunk is None:
                del self._stored[start]
            else:
                self._stored[start] = chunk
        self._changed_at.clear()
        return changed


def _first_at(rows: bytes, at: int) -> int:
    """Where the first row is that is not before an instant, in bytes."""
    return place_of((at, -1, -1, -1), rows) * TOUCH.itemsize


def in_chunks(rows: bytes, start: int, size: int = CHUNK) -> Chunks:
    """The rows from an instant on as a chunk, or as several where they are too many; none is empty."""
    count = len(rows) // TOUCH.itemsize
    if count < 2 * size:
        return {start: rows} if rows else {}
    at = np.frombuffer(rows, TOUCH)["at"]
    firsts = sorted({start, *at[size::size].tolist()})
    bounds = [_first_at(rows, first) for first in firsts]
    pieces = zip(firsts, bounds, [*bounds[1:], len(rows)], strict=True)
    return {first: rows[low:high] for first, low, high in pieces if low < high}
