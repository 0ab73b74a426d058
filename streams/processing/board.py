"""What the publisher knows of all partitions: their totals, put together by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from models.catalogue import FIGURES
from models.givens import givens
from models.grids import Columns, Oldest
from models.kpis import Formula
from models.rules import Rules
from models.snapshot import NO_GRIDS, Grids, Slices, grids, slices
from models.sums import LEVEL_ROW, Sums
from models.units import Millis
from models.windows import DUE_LAG, HORIZON_PANE, WINDOW_INDEX
from streams.tables import Applied, Changed, Seen, Waiting


@dataclass(slots=True)
class Part:
    """One partition as last read."""

    seen: Seen = field(default_factory=Seen)
    clock: Millis | None = None
    valuation: str = ""
    sums: Sums = field(default_factory=Sums)
    oldest: dict[str, Waiting] = field(default_factory=dict)

    def take(self, changed: Changed) -> None:
        """Take in what has changed."""
        if changed.whole:
            self.sums, self.oldest = Sums(), {}
        for name in changed.series:
            self.sums.id_of(name)
        for window, chunks in changed.windows.items():
            for number, packed in chunks.items():
                self.sums.set_chunk(WINDOW_INDEX[window], number, packed or b"")
        for number, packed in changed.levels.items():
            self.sums.set_chunk(LEVEL_ROW, number, packed or b"")
        for name, waiting in changed.oldest.items():
            if waiting is None:
                self.oldest.pop(name, None)
            else:
                self.oldest[name] = waiting
        self.seen, self.clock = changed.seen, clock_of(changed.applied)
        self.valuation = changed.applied.progress.valuation


def clock_of(applied: Applied) -> Millis | None:
    """Where a partition's clock stands; None before all deliveries partitions have ticked."""
    clock = applied.progress.clock
    return None if clock is None else Millis(clock)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where all partitions' clocks stand: the least of them, and how far the others are ahead."""

    clock: Millis
    spread_ms: int

    @property
    def known_until(self) -> Millis:
        """The due clock of the round."""
        return Millis(self.clock - DUE_LAG)

    @property
    def apart(self) -> bool:
        """Whether they stand in different ten-second panes: their windows then do not cover the same time."""
        return self.clock // HORIZON_PANE != (self.clock + self.spread_ms) // HORIZON_PANE

    @property
    def exact(self) -> bool:
        """Whether all partitions stand at the same instant."""
        return self.spread_ms == 0


def standing(clocks: Sequence[Millis | None]) -> Standing | None:
    """Where the clocks stand; None while a partition has none."""
    known = [clock for clock in clocks if clock is not None]
    if not known or len(known) < len(clocks):
        return None
    return Standing(min(known), max(known) - min(known))


class Board:
    """All partitions put together, by name."""

    def __init__(self, partitions: int) -> None:
        self.parts = [Part() for _ in range(partitions)]
        self._sums = Sums()
        self._columns = Columns(self._sums)
        self._places = [_NOWHERE] * partitions
        self._asked: tuple[Rules, Slices, Mapping[Formula, int]] | None = None
        self._found: Grids = NO_GRIDS

    def take(self, number: int, changed: Changed) -> None:
        """Take in what has changed of a partition."""
        self.parts[number].take(changed)
        if changed.whole:  # names that it has no more would stay for ever
            self._sums = Sums()
            self._columns = Columns(self._sums)
            self._places = [_NOWHERE] * len(self.parts)
            self._found = NO_GRIDS

    def grids(self, rules: Rules, clock: Millis, minimum_n: Mapping[Formula, int]) -> Grids:
        """Every figure in every slice, over all partitions; what stands as it was is the grid that was found before."""
        asked = rules, slices(rules, clock), minimum_n
        before, self._found = self._found if asked == self._asked else NO_GRIDS, NO_GRIDS
        self._asked = asked
        self._add_up()
        columns = self._columns.at_present(rules.money.minor_units, givens(rules, clock))
        self._found = grids(FIGURES, columns, self._oldest(), asked[1], minimum_n, before)
        return self._found

    def _add_up(self) -> None:
        for number, part in enumerate(self.parts):
            known = self._places[number]
            new = [self._sums.id_of(name) for name in part.sums.names[len(known) :]]
            self._places[number] = np.concatenate((known, np.array(new, np.int64)))
        self._sums.values[:] = 0
        for places, part in zip(self._places, self.parts, strict=True):
            self._sums.values[:, places] += part.sums.values[:, : len(places)]

    def _oldest(self) -> Oldest:
        oldest: dict[str, tuple[Millis, Millis | None]] = {}
        for part in self.parts:
            for name, waiting in part.oldest.items():
                found = Millis(waiting.since), None if waiting.due is None else Millis(waiting.due)
                oldest[name] = min(oldest.get(name, found), found, key=_soonest)
        return oldest


def _soonest(waiting: tuple[Millis, Millis | None]) -> tuple[Millis, bool, Millis]:
    since, due = waiting
    return since, due is None, due or since


_NOWHERE: Final = np.empty(0, np.int64)
