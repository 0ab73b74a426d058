"""What the publisher knows of all partitions: their totals, put together by name."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from models.catalogue import FIGURES
from models.codes import Ints
from models.errors import InvalidStateError
from models.givens import givens
from models.grids import Columns, Oldest
from models.kpis import Formula
from models.rules import Rules
from models.snapshot import NO_GRIDS, Grids, Slices, grids, slices
from models.sums import CHUNK, LEVEL_ROW, Sums, unpack_runs
from models.units import Millis
from models.windows import DUE_LAG, HORIZON_PANE, WINDOW_INDEX
from streams.tables import Applied, Changed, Seen, Waiting


@dataclass(slots=True)
class Part:
    """One partition as last read: its packed chunks of totals, by row and number, and the column of each of its series."""

    seen: Seen = field(default_factory=Seen)
    clock: Millis | None = None
    valuation: str = ""
    chunks: dict[tuple[int, int], bytes] = field(default_factory=dict)
    columns: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    oldest: dict[str, Waiting] = field(default_factory=dict)

    def take(self, changed: Changed) -> None:
        """Take in what has changed beside totals."""
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
    """All partitions put together, by name: the sum of their totals, kept up to date by what each has changed."""

    def __init__(self, partitions: int) -> None:
        self.parts = [Part() for _ in range(partitions)]
        self._begin()

    def _begin(self) -> None:
        self._sums = Sums()
        self._columns = Columns(self._sums)
        self._asked: tuple[Rules, Slices, Mapping[Formula, int]] | None = None
        self._found: Grids = NO_GRIDS
        self._outdated = False

    def take(self, number: int, changed: Changed) -> None:
        """Take in what has changed of a partition."""
        if changed.whole and self.parts[number].seen != Seen():
            self.parts[number] = Part()
            self._outdated = True
        part = self.parts[number]
        part.columns = np.concatenate((part.columns[: part.seen.series], self._columns_of(changed.series)))
        rows = {LEVEL_ROW: changed.levels, **{WINDOW_INDEX[window]: chunks for window, chunks in changed.windows.items()}}
        now = {(row, chunk): packed for row, chunks in rows.items() for chunk, packed in chunks.items()}
        self._add(part, {place: part.chunks.pop(place) for place in now.keys() & part.chunks.keys()}, -1)
        there = {place: packed for place, packed in now.items() if packed}
        self._add(part, there, 1)
        part.chunks |= there
        part.take(changed)

    def put(self, number: int, sums: Sums, oldest: Mapping[str, Waiting]) -> None:
        """Put a partition's totals in that are not read from Redis."""
        columns = self._columns_of(sums.names)
        self._sums.values[:, columns] += sums.values[:, : len(sums)]
        self.parts[number].oldest = dict(oldest)

    def _begin_anew(self) -> None:
        """Forget the names that only a partition had as it was before it was read whole again."""
        names = self._sums.names
        self._begin()
        for part in self.parts:
            part.columns = self._columns_of([names[column] for column in part.columns.tolist()])
            self._add(part, part.chunks, 1)

    def _columns_of(self, names: Iterable[str]) -> Ints:
        return np.array([self._sums.id_of(name) for name in names], np.int64)

    def _add(self, part: Part, chunks: Mapping[tuple[int, int], bytes], times: int) -> None:
        """Add chunks of a partition to the sum, so many times."""
        if not chunks:
            return
        offsets, amounts, counts = unpack_runs(list(chunks.values()))
        row, chunk = np.repeat(np.array(list(chunks), np.int64), counts, axis=0).T
        places = chunk * CHUNK + offsets
        if places.max(initial=-1) >= len(part.columns):
            raise InvalidStateError("chunk", ValueError("it has a series without a name"))
        self._sums.values[row, part.columns[places]] += times * amounts

    def grids(self, rules: Rules, clock: Millis, minimum_n: Mapping[Formula, int]) -> Grids:
        """Every figure in every slice, over all partitions; what stands as it was is the grid that was found before."""
        if self._outdated:
            self._begin_anew()
        asked = rules, slices(rules, clock), minimum_n
        before, self._found = self._found if asked == self._asked else NO_GRIDS, NO_GRIDS
        self._asked = asked
        columns = self._columns.at_present(rules.money.minor_units, givens(rules, clock))
        self._found = grids(FIGURES, columns, self._oldest(), asked[1], minimum_n, before)
        return self._found

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
