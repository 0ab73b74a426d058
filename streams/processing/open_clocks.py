"""Open clocks: the leads that wait, and the oldest of them in every slice."""

import math
from collections import defaultdict
from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple, TypeAlias

from models.meaning import Waiting
from models.units import Millis

_Place: TypeAlias = tuple[Millis, float, str]

_ENOUGH: Final = 10_000
"""Entries below which it does not matter how many of them hold no more."""


class Oldest(NamedTuple):
    """Since when the oldest open clock of a slice has waited, and until when it should be answered."""

    since: Millis
    due: Millis | None


class OpenClocks:
    """Waiting leads by slice, the oldest on top of a heap; remembers what changed since the last `cut`.

    `dims` is what is sliced by: the whole, dimensions, pairs. Entries of leads that wait no more are passed over when they come
    up, and cleared away when they are most of it.
    """

    def __init__(self, dims: tuple[str, ...], stored: Mapping[str, Waiting] | None = None) -> None:
        self._dims = dims
        self._waiting: dict[str, Waiting] = dict(stored or {})
        self._before: dict[str, Waiting | None] = {}
        self._touched: set[str] = set()
        self._clear()

    def _clear(self) -> None:
        self._heaps: defaultdict[str, list[_Place]] = defaultdict(list)
        for subject, waiting in self._waiting.items():
            for name in waiting.slices(self._dims):
                self._heaps[name].append(_place(subject, waiting))
        for heap in self._heaps.values():
            heapify(heap)
        self._put = 0

    def __len__(self) -> int:
        """How many leads wait."""
        return len(self._waiting)

    def put(self, subject: str, waiting: Waiting | None) -> None:
        """A lead waits, or does no more."""
        old = self._waiting.get(subject)
        if old == waiting:
            return
        self._before.setdefault(subject, old)
        if old is not None:
            del self._waiting[subject]
            self._touched.update(old.slices(self._dims))
        if waiting is None:
            return
        self._waiting[subject] = waiting
        place, names = _place(subject, waiting), waiting.slices(self._dims)
        self._touched.update(names)
        for name in names:
            heappush(self._heaps[name], place)
        self._put += 1
        if self._put > 2 * len(self._waiting) + _ENOUGH:
            self._clear()

    def oldest(self, name: str) -> Oldest | None:
        """The oldest open clock in a slice; None if nobody waits there."""
        heap = self._heaps.get(name)
        while heap:
            since, due, subject = heap[0]
            waiting = self._waiting.get(subject)
            if waiting is not None and _place(subject, waiting) == heap[0] and name in waiting.slices(self._dims):
                return Oldest(since, None if math.isinf(due) else Millis(int(due)))
            heappop(heap)
        return None

    def oldest_by_slice(self) -> "dict[str, Oldest | None]":
        """The oldest open clock in every slice in which somebody waits."""
        found = {name: self.oldest(name) for name in self._heaps}
        return {name: oldest for name, oldest in found.items() if oldest is not None}

    def cut(self) -> "OpenClocksCut":
        """What changed since the last cut."""
        changed = {subject: old for subject, old in self._before.items() if old != self._waiting.get(subject)}
        cut = OpenClocksCut(
            removed={subject: old for subject, old in changed.items() if old is not None},
            added={subject: self._waiting[subject] for subject in changed if subject in self._waiting},
            oldest={name: self.oldest(name) for name in self._touched},
        )
        self._before.clear()
        self._touched.clear()
        return cut


class OpenClocksCut(NamedTuple):
    """Open clocks as they were and as they are, and the oldest of the slices they touch; None where nobody waits any more."""

    removed: Mapping[str, Waiting]
    added: Mapping[str, Waiting]
    oldest: Mapping[str, Oldest | None]


def _place(subject: str, waiting: Waiting) -> _Place:
    return waiting.since, math.inf if waiting.due is None else float(waiting.due), subject
