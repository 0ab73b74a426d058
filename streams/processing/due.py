"""The due set: for each lead, the one instant at which it next needs a look though no event came."""

from collections.abc import Mapping

from sortedcontainers import SortedList

from models.units import Millis


class DueSet:
    """Subjects by due instant, ordered by (instant, subject); remembers what changed since the last `cut`."""

    def __init__(self, stored: Mapping[str, Millis] | None = None) -> None:
        self._due: dict[str, Millis] = dict(stored or {})
        self._order: SortedList[tuple[Millis, str]] = SortedList((at, subject) for subject, at in self._due.items())
        self._changed: set[str] = set()

    def __len__(self) -> int:
        """How many subjects are due at some time."""
        return len(self._due)

    def put(self, subject: str, at: Millis | None) -> None:
        """A subject is due at an instant, or no more."""
        old = self._due.get(subject)
        if old == at:
            return
        if old is not None:
            self._order.remove((old, subject))
        if at is None:
            del self._due[subject]
        else:
            self._due[subject] = at
            self._order.add((at, subject))
        self._changed.add(subject)

    def until(self, at: Millis) -> list[str]:
        """The subjects due at or before an instant, in order."""
        return [subject for _, subject in self._order.irange(maximum=(at, "\U0010ffff"))]

    def cut(self) -> dict[str, Millis | None]:
        """What changed since the last cut; None where a subject is due no more."""
        changes = {subject: self._due.get(subject) for subject in self._changed}
        self._changed.clear()
        return changes
