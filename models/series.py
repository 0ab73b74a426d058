"""From contributions to series: which totals an occurrence moves, and by how much."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final, TypeAlias

import numpy as np

from models.catalogue import MEASURES
from models.codes import Codes, Ints
from models.contributions import Contributions
from models.measures import PREVIOUS, SKETCHED, Kind
from models.sketches import BUCKETS, buckets
from models.slices import WHOLE
from models.sums import Sums, series_name

Flow: TypeAlias = tuple[Ints, Ints, Ints]
"""What is added to series: their ids, when, and how much."""

_UNSEEN: Final = -1
_GROWS_NOT: Final = -2
_GROWING: Final = frozenset(measure.id for measure in MEASURES if measure.grows)
_WITH_SKETCH: Final = frozenset((WHOLE, *SKETCHED))


class SeriesIds:
    """The ids of series by measure, part, slice and code. A series gets its id when something first counts in it."""

    def __init__(self, sums: Sums, codes: Codes) -> None:
        self._sums = sums
        self._codes = codes
        self._tables: dict[tuple[int, str], _Table] = {}

    def flows(self, change: Contributions) -> Iterator[Flow]:
        """What a change adds to series: ids, instants and amounts, for all of its slices."""
        amounts = change.value * change.times
        if MEASURES[change.measure].kind is not Kind.DURATION:
            yield self._added(change, "", amounts)
            return
        yield self._added(change, "sum", amounts)
        yield self._added(change, "n", change.times)
        yield self._added(change, "b", change.times, buckets(change.value))

    def _added(self, change: Contributions, part: str, amounts: Ints, in_buckets: Ints | None = None) -> Flow:
        """What a change adds to a part of its measure; with buckets, each of them is a part of its own."""
        table = self._tables.get((change.measure, part))
        if table is None:
            table = self._tables[change.measure, part] = self._table(change.measure, part)
        places = table.places(change)
        if in_buckets is not None:
            places += in_buckets * table.width
        ids = table.ids[places]
        unseen = places[ids == _UNSEEN]
        if len(unseen):
            for place in np.unique(unseen).tolist():
                table.ids[place] = self._sums.id_of(self._name(table, change.measure, part, place))
            ids = table.ids[places]
        times = len(places)
        return ids.ravel().astype(np.int64), np.tile(change.at, times), np.tile(amounts, times)

    def _table(self, measure: int, part: str) -> "_Table":
        slices = self._codes.slices(MEASURES[measure].dims)
        if part != "b":
            return _Table(self._codes, slices)
        return _Table(self._codes, [each for each in slices if each in _WITH_SKETCH], BUCKETS)

    def _name(self, table: "_Table", measure: int, part: str, place: int) -> str:
        bucket, place = divmod(place, table.width)
        dim, code = table.slice_at(place)
        name = f"{dim}={self._codes.name(dim, code)}" if dim else ""
        return series_name(MEASURES[measure].id, name, f"b{bucket}" if part == "b" else part)


class Previous:
    """The series of windows before, each beside its measure's own; it gets its id when something first counts in it."""

    def __init__(self, sums: Sums) -> None:
        self._sums = sums
        self._ids: Ints = np.empty(0, np.int64)

    def of(self, ids: Ints, amounts: Ints) -> tuple[Ints, Ints]:
        """Where some amounts of series are added when they are in a window before: ids and amounts of those that grow."""
        known = len(self._ids)
        if len(self._sums) > known:
            new = [_UNSEEN if name.partition("|")[0] in _GROWING else _GROWS_NOT for name in self._sums.names[known:]]
            self._ids = np.concatenate((self._ids, np.array(new, np.int64)))
        found = self._ids[ids]
        for own in np.unique(ids[found == _UNSEEN]).tolist():
            measure, _, name = self._sums.names[own].partition("|")
            self._ids[own] = self._sums.id_of(series_name(measure, name, PREVIOUS))
        grow = found != _GROWS_NOT
        return self._ids[ids[grow]], amounts[grow]


class _Table:
    """The ids of a part of a measure: for each slice as many as it has codes, and all of that for each bucket."""

    def __init__(self, codes: Codes, slices: Sequence[str], times: int = 1) -> None:
        *starts, self.width = accumulate((codes.width(each) for each in slices), initial=0)
        self.ids = np.full(self.width * times, _UNSEEN, np.int32)
        self._slices, self._starts = tuple(slices), starts
        self._start_of = dict(zip(slices, starts, strict=True))

    def places(self, change: Contributions) -> Ints:
        """Where the ids of a change stand in the first bucket: a row for each of its slices that are kept here."""
        kept = [each for each in change.slices if each in self._start_of]
        places = np.empty((len(kept), len(change.of)), np.int64)
        places[:] = np.array([[self._start_of[each]] for each in kept])
        ahead = len(change.slices) - len(change.dims)  # 1 where the first slice is the whole, which has no row of codes
        rows = [change.dims.index(each) for each in kept[ahead:]]
        places[ahead:] += change.by if len(rows) == len(change.dims) else change.by[rows]
        return places

    def slice_at(self, place: int) -> tuple[str, int]:
        """What is sliced by, and the code, at a place in the first bucket."""
        row = bisect_right(self._starts, place) - 1
        return self._slices[row], place - self._starts[row]
