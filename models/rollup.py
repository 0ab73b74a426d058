"""How we sum: differences go into panes of four sizes, and panes into and out of windows as the clock moves.

All is integer arithmetic, so the totals after any sequence of differences are those of the final contributions, exactly.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.catalogue import MEASURES
from models.contributions import Contributions
from models.measures import Kind
from models.panes import Cells
from models.sketches import bucket
from models.sums import CHUNK, LEVEL_ROW, Chunks, Sums, series_name
from models.units import Millis
from models.windows import PANE_LENGTH, WINDOWS, Calendar, Pane, Span

_FINEST = PANE_LENGTH[Pane.TEN_SECONDS]
_NEVER = Span(Millis(0), Millis(0))
_Column: TypeAlias = NDArray[np.int64]


class Cut(NamedTuple):
    """What changed since the last cut, as bytes: what a checkpoint writes. An empty chunk is to be deleted.

    `series` are the names of new series; the first of them has the id `known_series`.
    """

    series: list[str]
    known_series: int
    windows: dict[str, Chunks]
    levels: Chunks
    panes: dict[tuple[Pane, Millis], Chunks]
    dead_panes: list[tuple[Pane, Millis]]


class Stored(NamedTuple):
    """What a partition's generation holds in Redis, as it was written by cuts."""

    series: Sequence[str]
    windows: Mapping[str, Chunks]
    levels: Chunks
    panes: Mapping[tuple[Pane, Millis], Chunks]


class Totals:
    """One partition's totals: panes, window totals and levels. `clock` is None until the first `advance`.

    `late` counts what was added to no pane, as it lies before the oldest that is kept; such facts show in levels only.
    """

    def __init__(self, zone: str) -> None:
        self.calendar = Calendar(zone)
        self.clock: Millis | None = None
        self.late = 0
        self.sums = Sums()
        self.panes: dict[Pane, dict[Millis, Cells]] = {pane: {} for pane in Pane}
        self._spans: list[Span] = [_NEVER] * len(WINDOWS)
        self._oldest_day = Millis(0)
        self._interned: dict[tuple[int, tuple[str, ...], str], list[int]] = {}
        self._saved_series = 0
        self._changed: list[set[int]] = [set() for _ in range(LEVEL_ROW + 1)]
        self._dead: list[tuple[Pane, Millis]] = []

    @classmethod
    def load(cls, zone: str, clock: Millis | None, stored: Stored) -> "Totals":
        """Totals as they were at the last cut, with the clock standing where it stood then."""
        totals = cls(zone)
        totals.sums = Sums(stored.series)
        totals._saved_series = len(stored.series)
        for row, window in enumerate(WINDOWS):
            for number, packed in stored.windows.get(window.name, {}).items():
                totals.sums.set_chunk(row, number, packed)
        for number, packed in stored.levels.items():
            totals.sums.set_chunk(LEVEL_ROW, number, packed)
        for (pane, start), chunks in stored.panes.items():
            totals.panes[pane][start] = Cells(chunks)
        totals.clock = clock
        if clock is not None:
            totals._spans = [totals.calendar.span(window, clock) for window in WINDOWS]
            totals._oldest_day = totals.calendar.oldest_day(clock)
        return totals

    def add(self, changes: Contributions) -> None:
        """Add a difference of contributions."""
        ids: list[int] = []
        instants: list[int] = []
        amounts: list[int] = []
        for (number, slices, at, value), times in changes.items():
            measure = MEASURES[number]
            if measure.kind is Kind.LEVEL:
                self._add_level(number, slices, value * times)
                continue
            self.late += at < self._oldest_day and times > 0
            if measure.kind is Kind.DURATION:
                index = bucket(value)
                for part, amount in (("sum", value * times), ("n", times), (f"b{index}", times)):
                    columns = self._ids(number, slices, part)
                    ids += columns
                    instants += [at] * len(columns)
                    amounts += [amount] * len(columns)
            else:
                columns = self._ids(number, slices, "")
                ids += columns
                instants += [at] * len(columns)
                amounts += [value * times] * len(columns)
        if ids:
            self._add_flows(np.array(ids, np.int64), np.array(instants, np.int64), np.array(amounts, np.int64))

    def _ids(self, number: int, slices: tuple[str, ...], part: str) -> list[int]:
        key = (number, slices, part)
        ids = self._interned.get(key)
        if ids is None:
            measure = MEASURES[number].id
            ids = self._interned[key] = [self.sums.id_of(series_name(measure, name, part)) for name in slices]
        return ids

    def _add_level(self, number: int, slices: tuple[str, ...], amount: int) -> None:
        for series in self._ids(number, slices, ""):
            self.sums.values[LEVEL_ROW, series] += amount
            self._changed[LEVEL_ROW].add(series // CHUNK)

    def _add_flows(self, ids: _Column, instants: _Column, amounts: _Column) -> None:
        """Reduce by finest pane and series once, then derive the coarser panes from that."""
        starts, ids, amounts = _reduced(instants - instants % _FINEST, ids, amounts)
        for pane in Pane:
            if pane is Pane.DAY:
                fine, where = np.unique(starts, return_inverse=True)
                floors = np.array([self.calendar.days.floor(Millis(at)) for at in fine.tolist()], np.int64)
                floored = floors[where]
            else:
                floored = starts - starts % PANE_LENGTH[pane]
            self._add_panes(pane, *_reduced(floored, ids, amounts))

    def _add_panes(self, pane: Pane, starts: _Column, ids: _Column, amounts: _Column) -> None:
        panes = self.panes[pane]
        oldest = None if self.clock is None else self.calendar.oldest_kept(pane, self.clock)
        bounds = np.flatnonzero(np.diff(starts, prepend=starts[0] - 1))
        for low, high in zip(bounds.tolist(), [*bounds[1:].tolist(), len(starts)], strict=True):
            start = Millis(int(starts[low]))
            if oldest is not None and self.calendar.pane_end(pane, start) <= oldest:
                continue
            panes.setdefault(start, Cells()).add(ids[low:high].tolist(), amounts[low:high].tolist())
            for row, window in enumerate(WINDOWS):
                if window.pane is pane and start in self._spans[row]:
                    self._add_to_row(row, ids[low:high], amounts[low:high])

    def _add_to_row(self, row: int, ids: _Column, amounts: _Column) -> None:
        self.sums.values[row, ids] += amounts
        self._changed[row].update(np.unique(ids // CHUNK).tolist())

    def advance(self, clock: Millis) -> None:
        """Move the clock forward: slide every window whose pane ended, and drop panes past their retention."""
        if self.clock is not None and clock <= self.clock:
            return
        for pane in Pane:
            start = self.calendar.pane_start(pane, clock)
            if self.clock is None or start != self.calendar.pane_start(pane, self.clock):
                self._slide(pane, clock)
                self._retire(pane, clock)
        self.clock = clock

    def _slide(self, pane: Pane, clock: Millis) -> None:
        for row, window in enumerate(WINDOWS):
            if window.pane is not pane:
                continue
            old, new = self._spans[row], self.calendar.span(window, clock)
            for start, cells in self.panes[pane].items():
                entered = (start in new) - (start in old)
                if entered:
                    ids, amounts = cells.columns()
                    self._add_to_row(row, ids, entered * amounts)
            self._spans[row] = new

    def _retire(self, pane: Pane, clock: Millis) -> None:
        oldest = self.calendar.oldest_kept(pane, clock)
        if pane is Pane.DAY:
            self._oldest_day = self.calendar.oldest_day(clock)
        for start in [start for start in self.panes[pane] if self.calendar.pane_end(pane, start) <= oldest]:
            del self.panes[pane][start]
            self._dead.append((pane, start))

    def cut(self) -> Cut:
        """What changed since the last cut (or load), and remember that it was taken."""
        rows = [
            {number: self.sums.chunk(row, number) for number in sorted(changed)} for row, changed in enumerate(self._changed)
        ]
        panes = {(pane, start): cells.cut() for pane, kept in self.panes.items() for start, cells in kept.items()}
        cut = Cut(
            self.sums.names[self._saved_series :],
            self._saved_series,
            {window.name: rows[row] for row, window in enumerate(WINDOWS) if rows[row]},
            rows[LEVEL_ROW],
            {key: chunks for key, chunks in panes.items() if chunks},
            self._dead,
        )
        self._saved_series, self._dead = len(self.sums), []
        self._changed = [set() for _ in self._changed]
        return cut


def _reduced(starts: _Column, ids: _Column, amounts: _Column) -> tuple[_Column, _Column, _Column]:
    """Amounts summed by (start, id), ordered so."""
    order = np.lexsort((ids, starts))
    starts, ids, amounts = starts[order], ids[order], amounts[order]
    first = np.flatnonzero((np.diff(starts, prepend=starts[0] - 1) != 0) | (np.diff(ids, prepend=ids[0] - 1) != 0))
    sums = np.add.reduceat(amounts, first)
    return starts[first], ids[first], sums
