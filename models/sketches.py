"""Quantiles that can be added to and taken from: signed counts per logarithmic bucket over whole milliseconds.

DDSketch's buckets (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
PVLDB 2019): bucket i + 1 holds (g^(i-1), g^i] with g = (1 + a) / (1 - a), and answers with a value within a of all of them.
Counts are integers, so sketches add, subtract and merge exactly.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal, localcontext
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

RELATIVE_ERROR = 0.0099
"""A little under the promised 1 %, so that rounding of the logarithm cannot break the promise."""

ZERO = 0
"""The bucket of durations of no time at all; it answers 0 exactly."""

LONGEST = 2**42
"""No duration is longer, in ms: some 139 years."""

_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)


def _bounds() -> Iterator[int]:
    """The largest whole number in each bucket, by exact arithmetic: a machine's logarithm must not move a sample."""
    with localcontext(prec=60):
        bound, gamma = Decimal(1), Decimal(_GAMMA)
        yield ZERO
        while bound < LONGEST:
            yield int(bound)
            bound *= gamma
        yield LONGEST


_BOUNDS = np.array(list(_bounds()), np.int64)

BUCKETS = len(_BOUNDS)
"""How many buckets there are."""


def buckets(durations_ms: Ints) -> Ints:
    """The bucket of each duration; negative ones (which no measure emits) count as zero."""
    return np.searchsorted(_BOUNDS, durations_ms, side="left")


def estimate(index: int) -> float:
    """The value in ms that stands for a bucket."""
    return 0.0 if index == ZERO else 2 * _GAMMA ** (index - 1) / (_GAMMA + 1)


Entry: TypeAlias = tuple[str, int, int]
"""A bucket of a sketch: whose it is, the bucket, the column that holds its count."""


class Layout(NamedTuple):
    """Several sketches side by side: their buckets and the columns of their counts, each one's place, and where each begins."""

    buckets: Ints
    columns: Ints
    place: dict[str, int]
    begins: Ints


def lay_out(entries: Iterable[Entry]) -> Layout:
    """Sketches side by side, each with its buckets in turn."""
    ordered = sorted(entries)
    ends = {name: after for after, (name, _, _) in enumerate(ordered, 1)}
    return Layout(
        np.array([bucket for _, bucket, _ in ordered], np.int64),
        np.array([column for _, _, column in ordered], np.int64),
        {name: place for place, name in enumerate(ends)},
        np.array([0, *ends.values()], np.int64),
    )


class Sketches:
    """Sketches side by side in several windows, cumulated over buckets, so that a rank is found by bisection.

    `counts` has a row for each window; none of those that are laid out is negative.
    """

    def __init__(self, layout: Layout, counts: Ints) -> None:
        self._buckets, self._place = layout.buckets, layout.place
        self._cumulated = counts[:, layout.columns].cumsum(axis=1)
        reached = np.concatenate((np.zeros((len(counts), 1), np.int64), self._cumulated), axis=1)[:, layout.begins]
        self._before, self._totals = reached[:, :-1], np.diff(reached, axis=1)

    def quantile(self, share: float, names: Sequence[str]) -> Floats:
        """The nearest-rank quantiles (rank ceil(share * n)) in ms, within 1 % of it; NaN where there are no samples.

        By sketch, then by window. `share` is in whole thousandths, in (0, 1]; 1 gives the highest bucket in use.
        """
        rank = -(-self._totals * round(share * _WHOLE) // _WHOLE)
        found = np.full((len(rank), len(self._place) + 1), np.nan)  # the last column stands for what has no sketch
        for window, (cumulated, target) in enumerate(zip(self._cumulated, self._before + rank, strict=True)):
            there = self._totals[window] > 0
            entry = np.searchsorted(cumulated, target[there], side="left")
            found[window, :-1][there] = _ESTIMATES[self._buckets[entry]]
        quantiles: Floats = found[:, [self._place.get(name, -1) for name in names]].T
        return quantiles


_WHOLE: Final = 1000
_ESTIMATES: Final = np.array([estimate(bucket) for bucket in range(BUCKETS)])
