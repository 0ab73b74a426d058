"""The due set: for each lead, the one instant at which it next needs a look though no event came."""

from collections.abc import Mapping
from heapq import heapify, heappop, heappush
from typing import Final

from models.units import Millis

_ENOUGH: Final = 10_000
"""Entries below which it does not matter how many of them hold no more."""


class DueSet:
    """Subjects by due instant; remembers what changed since the last `cut`.

    A heap holds an entry for every instant that a subject was ever put at; those that hold no more are passed over when they
    come up, and cleared away when they are most of it.
    """

    def __init__(self, stored: Mapping[str, Millis] | None = None) -> None:
        self._due: dict[str, Millis] = dict(stored or {})
        self._changed: set[str] = set()
        self._clear()

    def _clear(self) -> None:
        self._heap = [(at, subject) for subject, at in self._due.items()]
        heapify(self._heap)

    def __len__(self) -> int:
        """How many subjects are due at some time."""
        return len(self._due)

    def put(self, subject: str, at: Millis | None) -> None:
        """A subject is due at an instant, or no more."""
        if self._due.get(subject) == at:
            return
        self._changed.add(subject)
        if at is None:
            del self._due[subject]
            return
        self._due[subject] = at
        heappush(self._heap, (at, subject))
        if len(self._heap) > 2 * len(self._due) + _ENOUGH:
            self._clear()

    def until(self, at: Millis) -> list[str]:
        """The subjects due at or before an instant, in the order of their instants, then of their names."""
        found: list[tuple[Millis, str]] = []
        while self._heap and self._heap[0][0] <= at:
            entry = heappop(self._heap)
            if self._due.get(entry[1]) == entry[0] and (not found or found[-1] != entry):
                found.append(entry)
        for entry in found:
            heappush(self._heap, entry)
        return [subject for _, subject in found]

    def cut(self) -> dict[str, Millis | None]:
        """What changed since the last cut; None where a subject is due no more."""
        changes = {subject: self._due.get(subject) for subject in self._changed}
        self._changed.clear()
        return changes
