"""Quantiles that can be added to and taken from: signed counts per logarithmic bucket over whole milliseconds.

DDSketch's buckets (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees",
PVLDB 2019): bucket i + 1 holds (g^(i-1), g^i] with g = (1 + a) / (1 - a), and answers with a value within a of all of them.
Counts are integers, so sketches add, subtract and merge exactly.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from decimal import Decimal, localcontext
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

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


def buckets(durations_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """The bucket of each duration; negative ones (which no measure emits) count as zero."""
    return np.searchsorted(_BOUNDS, durations_ms, side="left")


def estimate(index: int) -> float:
    """The value in ms that stands for a bucket."""
    return 0.0 if index == ZERO else 2 * _GAMMA ** (index - 1) / (_GAMMA + 1)


def quantile(counts: Mapping[int, int], q: float) -> float | None:
    """The nearest-rank quantile (rank ceil(q * n)) in ms, within 1 % of it; None for an empty sketch.

    `counts` maps bucket to count and has no negative ones; q is in (0, 1].
    """
    total = sum(counts.values())
    if total <= 0:
        return None
    rank = max(1, math.ceil(round(q * total, 9)))
    ordered = sorted(counts)
    reached = list(accumulate(counts[index] for index in ordered))
    return estimate(ordered[bisect_left(reached, rank)])


def maximum(counts: Mapping[int, int]) -> float | None:
    """The value of the highest bucket in use, in ms; None for an empty sketch."""
    used = [index for index, count in counts.items() if count > 0]
    return estimate(max(used)) if used else None
