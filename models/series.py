"""From contributions to series: which totals an occurrence moves, and by how much."""

from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.catalogue import MEASURES
from models.codes import Codes, Ints
from models.contributions import WHOLE, Contributions
from models.measures import Kind
from models.sketches import BUCKETS, buckets
from models.sums import Sums, series_name

_UNSEEN: Final = -1
_Known: TypeAlias = NDArray[np.int32]


class SeriesIds:
    """The ids of series by measure, part, slice and code. A series gets its id when something first counts in it."""

    def __init__(self, sums: Sums, codes: Codes) -> None:
        self._sums = sums
        self._codes = codes
        self._known: dict[tuple[int, str, str], _Known] = {}

    def flows(self, change: Contributions) -> Iterator[tuple[Ints, Ints, Ints]]:
        """What a change adds to series: ids, instants and amounts, for each of its slices."""
        is_duration = MEASURES[change.measure].kind is Kind.DURATION
        amounts = change.value * change.times
        in_buckets = buckets(change.value) if is_duration else None
        for each in change.slices:
            codes = np.zeros(len(change.of), np.int64) if each == WHOLE else change.by[change.dims.index(each)]
            yield self._ids(change.measure, "sum" if is_duration else "", each, codes), change.at, amounts
            if in_buckets is not None:
                yield self._ids(change.measure, "n", each, codes), change.at, change.times
                yield self._ids(change.measure, "b", each, codes, in_buckets), change.at, change.times

    def _ids(self, measure: int, part: str, each: str, codes: Ints, in_buckets: Ints | None = None) -> Ints:
        """The ids of a part of a measure in a slice; with buckets, each bucket is a part of its own."""
        names = [""] if each == WHOLE else self._codes.names(each)
        known = self._known.get((measure, part, each))
        if known is None:
            size = len(names) if in_buckets is None else len(names) * BUCKETS
            known = self._known[measure, part, each] = np.full(size, _UNSEEN, np.int32)
        places = codes if in_buckets is None else in_buckets * len(names) + codes
        ids = known[places]
        unseen = places[ids == _UNSEEN]
        if len(unseen):
            for place in np.unique(unseen).tolist():
                bucket, code = divmod(place, len(names))
                known[place] = self._sums.id_of(_name(measure, part if in_buckets is None else f"b{bucket}", each, names[code]))
            ids = known[places]
        return ids.astype(np.int64)


def _name(measure: int, part: str, each: str, value: str) -> str:
    return series_name(MEASURES[measure].id, "" if each == WHOLE else f"{each}={value}", part)
