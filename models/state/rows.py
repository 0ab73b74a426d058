"""The rows of a huge lead's touches: changed one by one, stored in chunks of time of which only the changed ones are written.

They are derived from the lead under some rules, and spare reading all of its pages to know what its touches amount to.
"""

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
        self._rows = b"".join((self._rows[:start], times * pack_touch(touch), self._rows[end:]))

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
        rows = self.all()
        chunks = in_chunks(rows, sorted(self._stored), self._size)
        changed: dict[int, bytes | None] = {start: chunk for start, chunk in chunks.items() if self._stored.get(start) != chunk}
        changed.update(dict.fromkeys(self._stored.keys() - chunks.keys()))
        self._stored = chunks
        return changed


def in_chunks(rows: bytes, starts: list[int], size: int = CHUNK) -> Chunks:
    """Rows in chunks that start where they did, but for those that are too large by now; none is empty."""
    at = np.ascontiguousarray(np.frombuffer(rows, TOUCH)["at"])
    bounds = {0: 0} | dict(zip(starts, np.searchsorted(at, starts).tolist(), strict=True))
    chunks: Chunks = {}
    for (start, low), high in zip(bounds.items(), [*list(bounds.values())[1:], len(at)], strict=True):
        cuts = at[range(low + size, high, size)] if high - low >= 2 * size else at[:0]
        parts = {start: low} | {instant: int(np.searchsorted(at, instant)) for instant in cuts.tolist()}
        for (first, begin), end in zip(parts.items(), [*list(parts.values())[1:], high], strict=True):
            if begin < end:
                chunks[first] = rows[begin * TOUCH.itemsize : end * TOUCH.itemsize]
    return chunks
