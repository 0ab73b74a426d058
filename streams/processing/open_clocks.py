"""Open clocks: the leads that wait, and the oldest of them in every slice."""

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from sortedcontainers import SortedList

from models.meaning import Waiting
from models.units import Millis


class Oldest(NamedTuple):
    """Since when the oldest open clock of a slice has waited, and until when it should be answered."""

    since: Millis
    due: Millis | None


class OpenClocks:
    """Waiting leads by slice, ordered by inquiry; remembers what changed since the last `cut`.

    `dims` is what is sliced by: the whole, dimensions, pairs.
    """

    def __init__(self, dims: tuple[str, ...], stored: Mapping[str, Waiting] | None = None) -> None:
        self._dims = dims
        self._waiting: dict[str, Waiting] = {}
        self._order: defaultdict[str, SortedList[tuple[Millis, float, str]]] = defaultdict(SortedList)
        self._before: dict[str, Waiting | None] = {}
        self._touched: set[str] = set()
        for subject, waiting in (stored or {}).items():
            self.put(subject, waiting)
        self._before.clear()
        self._touched.clear()

    def __len__(self) -> int:
        """How many leads wait."""
        return len(self._waiting)

    def put(self, subject: str, waiting: Waiting | None) -> None:
        """A lead waits, or does no more."""
        old = self._waiting.pop(subject, None)
        if waiting is not None:
            self._waiting[subject] = waiting
        if old == waiting:
            return
        for each in (old, waiting):
            if each is not None:
                names, place = each.slices(self._dims), _place(subject, each)
                move = SortedList.add if each is waiting else SortedList.remove
                for name in names:
                    move(self._order[name], place)
                self._touched.update(names)
        self._before.setdefault(subject, old)

    def oldest(self, name: str) -> Oldest | None:
        """The oldest open clock in a slice; None if nobody waits there."""
        order = self._order.get(name)
        if not order:
            return None
        since, due, _ = order[0]
        return Oldest(since, None if math.isinf(due) else Millis(int(due)))

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


def _place(subject: str, waiting: Waiting) -> tuple[Millis, float, str]:
    return waiting.since, math.inf if waiting.due is None else float(waiting.due), subject
