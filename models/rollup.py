"""How we sum: differences go into panes of four sizes, and panes into and out of windows as the clock moves.

All is integer arithmetic, so the totals after any sequence of differences are those of the final contributions, exactly.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from models.catalogue import MEASURES
from models.codes import Codes, Ints
from models.contributions import Contributions
from models.measures import Kind
from models.panes import Panes
from models.series import Flow, Previous, SeriesIds
from models.sums import LEVEL_ROW, Changed, Chunks, Sums
from models.tables import summed
from models.units import Millis
from models.windows import EMPTY, PANE_LENGTH, WINDOWS, Calendar, Pane, Span

_DENSE: Final = 2_000_000
"""Cells up to which it is quicker to add into all of them than to sort; they are 16 MiB."""

_FEW_PANES: Final = 10_000
"""Panes up to which all from the first to the last are numbered, used or not."""


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


def _joined(flows: Sequence[Flow]) -> Flow:
    ids, instants, amounts = (np.concatenate(column) for column in zip(*flows, strict=True))
    return ids, instants, amounts


def _moves(panes: Panes, old: Span, new: Span) -> dict[Millis, int]:
    """The panes that come into a span (1) and leave it (-1)."""
    return {start: 1 if start in new else -1 for start in panes if (start in new) != (start in old)}


class Totals:
    """One partition's totals: panes, window totals and levels. `clock` is None until the first `advance`.

    `late` counts what was added to no pane, as it lies before the oldest that is kept; such facts show in levels only.
    """

    def __init__(self, codes: Codes) -> None:
        self.codes = codes
        self.calendar = Calendar(codes.rules.zone)
        self.clock: Millis | None = None
        self.late = 0
        self.sums = Sums()
        self.panes = {pane: Panes(pane) for pane in Pane}
        self._series = SeriesIds(self.sums, codes)
        self._previous = Previous(self.sums)
        self._spans: list[Span] = [EMPTY] * len(WINDOWS)
        self._previous_spans: list[Span] = [EMPTY] * len(WINDOWS)
        self._oldest: dict[Pane, Millis] = dict.fromkeys(Pane, Millis(0))
        self._saved_series = 0
        self._changed = Changed()
        self._dead: list[tuple[Pane, Millis]] = []

    @property
    def kept_from(self) -> Millis:
        """Where the oldest day starts that is kept: what lies before is in no pane."""
        return self._oldest[Pane.DAY]

    @classmethod
    def load(cls, codes: Codes, clock: Millis | None, stored: Stored) -> "Totals":
        """Totals as they were at the last cut, with the clock standing where it stood then."""
        totals = cls(codes)
        for name in stored.series:
            totals.sums.id_of(name)
        totals._saved_series = len(stored.series)
        for row, window in enumerate(WINDOWS):
            for number, packed in stored.windows.get(window.name, {}).items():
                totals.sums.set_chunk(row, number, packed)
        for number, packed in stored.levels.items():
            totals.sums.set_chunk(LEVEL_ROW, number, packed)
        for (pane, start), chunks in stored.panes.items():
            totals.panes[pane].put(start, chunks)
        totals.clock = clock
        if clock is not None:
            totals._spans = [totals.calendar.span(window, clock) for window in WINDOWS]
            totals._previous_spans = [totals.calendar.previous_span(window, clock) for window in WINDOWS]
            totals._oldest = {pane: totals.calendar.oldest_start(pane, clock) for pane in Pane}
        return totals

    def add(self, changes: Iterable[Contributions]) -> None:
        """Add a difference of contributions."""
        brief: list[Flow] = []
        daily: list[Flow] = []
        for change in changes:
            measure = MEASURES[change.measure]
            if measure.kind is Kind.LEVEL:
                self._add_levels(change)
            else:
                self.late += int(np.count_nonzero((change.at < self._oldest[Pane.DAY]) & (change.times > 0)))
                (daily if measure.daily else brief).extend(self._series.flows(change))
        if brief:
            self._add_brief(*_joined(brief))
        if brief or daily:
            self._add_flows(*_joined(brief + daily))

    def _add_levels(self, change: Contributions) -> None:
        for ids, _, amounts in self._series.flows(change):
            self._add_to_row(LEVEL_ROW, ids, amounts)

    def _add_brief(self, ids: Ints, instants: Ints, amounts: Ints) -> None:
        """Into ten-second panes."""
        recent = instants >= self._oldest[Pane.TEN_SECONDS]
        self._add_panes(Pane.TEN_SECONDS, *self._reduced(Pane.TEN_SECONDS, ids[recent], instants[recent], amounts[recent]))

    def _add_flows(self, ids: Ints, instants: Ints, amounts: Ints) -> None:
        """Into panes of every other size. Hours and days are whole five minutes, so these are reduced once for all three."""
        ids, instants, amounts = self._reduced(Pane.FIVE_MINUTES, ids, instants, amounts)
        self._add_panes(Pane.FIVE_MINUTES, ids, instants, amounts)
        for pane in (Pane.HOUR, Pane.DAY):
            self._add_panes(pane, *self._reduced(pane, ids, instants, amounts))

    def _reduced(self, pane: Pane, ids: Ints, instants: Ints, amounts: Ints) -> tuple[Ints, Ints, Ints]:
        """Ids, starts of panes and amounts summed by pane and id, in that order, without what has cancelled out."""
        if not len(ids):
            return ids, instants, amounts
        numbers, starts = self._numbered(pane, instants)
        width = len(self.sums)
        cells = numbers * width + ids
        if len(starts) * width <= min(_DENSE, 64 * len(ids) + 100_000):
            totals = np.zeros(len(starts) * width, np.int64)
            np.add.at(totals, cells, amounts)
            cells = np.flatnonzero(totals)
            amounts = totals[cells]
        else:
            cells, amounts = summed(cells, amounts)
            left = amounts != 0
            cells, amounts = cells[left], amounts[left]
        numbers, ids = np.divmod(cells, width)
        return ids, starts[numbers], amounts

    def _numbered(self, pane: Pane, instants: Ints) -> tuple[Ints, Ints]:
        """The pane of each instant as a number, and where those panes start."""
        length = PANE_LENGTH[Pane.FIVE_MINUTES if pane is Pane.DAY else pane]
        numbers = instants // length
        first = int(numbers.min())
        count = int(numbers.max()) - first + 1
        if count > _FEW_PANES:
            used, numbers = np.unique(numbers, return_inverse=True)
            starts = used * length
        else:
            numbers, starts = numbers - first, (np.arange(count) + first) * length
        if pane is not Pane.DAY:
            return numbers, starts
        floors = [self.calendar.days.floor(Millis(at)) for at in starts.tolist()]
        days, day_of = np.unique(floors, return_inverse=True)
        return day_of[numbers], days

    def _add_panes(self, pane: Pane, ids: Ints, starts: Ints, amounts: Ints) -> None:
        """To panes of one size, and to the windows that they lie in; rows are in the order of panes."""
        low = int(np.searchsorted(starts, self._oldest[pane]))
        ids, starts, amounts = ids[low:], starts[low:], amounts[low:]
        if not len(ids):
            return
        self.panes[pane].add(starts, ids, amounts)
        for row, window in enumerate(WINDOWS):
            if window.pane is pane:
                low, high = np.searchsorted(starts, self._spans[row]).tolist()
                self._add_to_row(row, ids[low:high], amounts[low:high])
                low, high = np.searchsorted(starts, self._previous_spans[row]).tolist()
                self._add_to_row(row, *self._previous.of(ids[low:high], amounts[low:high]))

    def _add_to_row(self, row: int, ids: Ints, amounts: Ints) -> None:
        np.add.at(self.sums.values[row], ids, amounts)
        self._changed.mark(row, ids)

    def close(self) -> None:
        """Keep the memory small after a cut of very much."""
        for panes in self.panes.values():
            panes.close()

    def compact(self) -> None:
        """Keep the memory small where much is added between two cuts."""
        for panes in self.panes.values():
            panes.settle()

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
        panes = self.panes[pane]
        moves: dict[tuple[int, bool], dict[Millis, int]] = {}
        for row, window in enumerate(WINDOWS):
            if window.pane is pane:
                span, previous = self.calendar.span(window, clock), self.calendar.previous_span(window, clock)
                moves[row, False] = _moves(panes, self._spans[row], span)
                moves[row, True] = _moves(panes, self._previous_spans[row], previous)
                self._spans[row], self._previous_spans[row] = span, previous
        moved = sorted(set().union(*moves.values()))
        columns = dict(zip(moved, panes.columns(moved), strict=True))
        for (row, is_previous), signs in moves.items():
            if signs:
                each = ((columns[start][0], sign * columns[start][1]) for start, sign in signs.items())
                ids, amounts = map(np.concatenate, zip(*each, strict=True))
                self._add_to_row(row, *(self._previous.of(ids, amounts) if is_previous else (ids, amounts)))

    def _retire(self, pane: Pane, clock: Millis) -> None:
        oldest = self._oldest[pane] = self.calendar.oldest_start(pane, clock)
        self._dead += [(pane, start) for start in self.panes[pane].drop(oldest)]

    def cut(self) -> Cut:
        """What changed since the last cut (or load), and remember that it was taken."""
        rows = [self.sums.chunks(row, self._changed.take(row)) for row in range(LEVEL_ROW + 1)]
        panes = {(pane, start): chunks for pane, kept in self.panes.items() for start, chunks in kept.cut().items()}
        cut = Cut(
            self.sums.names[self._saved_series :],
            self._saved_series,
            {window.name: rows[row] for row, window in enumerate(WINDOWS) if rows[row]},
            rows[LEVEL_ROW],
            panes,
            self._dead,
        )
        self._saved_series, self._dead = len(self.sums), []
        return cut
