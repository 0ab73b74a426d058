"""Who came to stand behind numbers since the last cut, and who no longer does. Who is there is known to Redis only."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from models.members import DRILLED, Moved
from models.units import Millis
from streams.tables.rows import encode_member


class MembersCut(NamedTuple):
    """By measure, members with their instants (None: gone), and the instant before which all are gone, where that has moved."""

    changed: Mapping[str, Mapping[str, int | None]]
    expired: Mapping[str, int]


class Members:
    """What is to be written of one partition's members. Those before the oldest day that is kept are not."""

    def __init__(self) -> None:
        self._changed: dict[str, dict[str, int | None]] = {}
        self._kept_from = 0

    def move(self, subjects: Sequence[str], moves: Iterable[Moved], kept_from: Millis) -> None:
        """Members of some leads, each by its place among `subjects`, came and went."""
        for found in moves:
            changed = self._changed.setdefault(found.measure, {})
            kept = found.at >= kept_from
            columns = (column[kept].tolist() for column in found[1:])
            for of, at, k, came in zip(*columns, strict=True):
                changed[encode_member(subjects[of], at, k)] = at if came else None

    def cut(self, kept_from: Millis) -> MembersCut:
        """What changed since the last cut; all is gone that lies before `kept_from`."""
        expired = dict.fromkeys(DRILLED.values(), kept_from) if kept_from > self._kept_from else {}
        changed = {measure: members for measure, members in self._changed.items() if members}
        self._changed, self._kept_from = {}, kept_from
        return MembersCut(changed, expired)
