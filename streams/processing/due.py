"""The due set: for each lead, the one instant at which it next needs a look though no event came."""

from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from typing import Final

from models.units import Duration, Millis

STRETCH: Final = Duration(15 * 60_000)
"""How much of what lies ahead is held in memory; the rest lies in Redis."""

_ENOUGH: Final = 10_000
"""Entries below which it does not matter how many of them hold no more."""


class DueSet:
    """Subjects by due instant, as far as `ahead`; what is due later is only written, and read again when it draws near.

    A heap holds an entry for every instant that a subject was ever put at; those that hold no more are passed over when they
    come up, and cleared away when they are most of it.
    """

    def __init__(self) -> None:
        self.ahead = Millis(-1)
        self._due: dict[str, Millis] = {}
        self._heap: list[tuple[Millis, str]] = []
        self._changed: dict[str, Millis | None] = {}
        self._under_way: dict[str, Millis | None] = {}

    def put(self, subject: str, at: Millis | None) -> None:
        """A subject is due at an instant, or no more."""
        self._changed[subject] = at
        self._place(subject, at)

    def _place(self, subject: str, at: Millis | None) -> None:
        if at is None or at > self.ahead:
            self._due.pop(subject, None)
        elif self._due.get(subject) != at:
            self._due[subject] = at
            heappush(self._heap, (at, subject))
            if len(self._heap) > 2 * len(self._due) + _ENOUGH:
                self._heap = [(since, name) for name, since in self._due.items()]
                heapify(self._heap)

    def unstored(self) -> dict[str, Millis | None]:
        """What was put since the last checkpoint that is known to be stored."""
        return {**self._under_way, **self._changed}

    def extend(self, ahead: Millis, found: Mapping[str, Millis | None]) -> None:
        """Hold more of what lies ahead: `found` is who is due between the present end and the new one.

        That is what Redis has there, overruled by what was `unstored` before it was read: a checkpoint may be stored meanwhile.
        """
        self.ahead = ahead
        for subject, at in found.items():
            self._place(subject, at)

    def at(self, subject: str) -> Millis:
        """When somebody is due who is so soon enough to be held."""
        return self._due[subject]

    def until(self, at: Millis, limit: int) -> list[str]:
        """The first subjects due at or before an instant, in the order of their instants, then of their names."""
        found: list[tuple[Millis, str]] = []
        while self._heap and self._heap[0][0] <= at and len(found) < limit:
            entry = heappop(self._heap)
            if self._due.get(entry[1]) == entry[0] and (not found or found[-1] != entry):
                found.append(entry)
        for entry in found:
            heappush(self._heap, entry)
        return [subject for _, subject in found]

    def cut(self) -> dict[str, Millis | None]:
        """What changed since the last cut; None where a subject is due no more."""
        changes = self._under_way = self._changed
        self._changed = {}
        return changes

    def saved(self) -> None:
        """The last cut is stored."""
        self._under_way = {}
