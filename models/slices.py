"""What numbers are sliced by: dimensions, pairs of them, and how the slices of both are named.

A slice is `rep=ana` for a dimension, `team,lead_source=north,inbound` for a pair, and nothing for the whole. A comma or a
backslash within one of a pair's values has a backslash before it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, TypeAlias

Pair: TypeAlias = tuple[str, str]
"""Two dimensions that numbers are sliced by together."""

WHOLE: Final = ""
"""The slice that everything counts in."""

OF_LEADS: Final = ("lead_source", "origin", "sales_region", "segment", "campaign")
"""Dimensions that are fields of leads: they apply as now to all facts of a lead."""

DIMS: Final = ("rep", "team", *OF_LEADS, "channel", "sentiment", "product", "competitor", "loss_reason", "nurture_track")
"""All dimensions."""

MOST_IN_PAIR: Final = 50_000
"""Slices that a pair may have."""

_SEPARATOR: Final = ","
_SPECIAL: Final = re.compile(r"([,\\])")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


def pair_name(pair: Pair) -> str:
    """A pair as the dimension that it is in the names of slices: `team,lead_source`."""
    return _SEPARATOR.join(pair)


def is_pair(dim: str) -> bool:
    """Whether what slices are of is a pair of dimensions."""
    return _SEPARATOR in dim


@lru_cache(maxsize=1024)
def dims_of(dim: str) -> tuple[str, ...]:
    """The dimensions that slices are of: none for the whole, one, or the two of a pair."""
    return tuple(dim.split(_SEPARATOR)) if dim else ()


def join_values(values: Sequence[str]) -> str:
    """The values of a pair as one; a single value stays as it is."""
    return values[0] if len(values) == 1 else _SEPARATOR.join(_SPECIAL.sub(r"\\\1", value) for value in values)


def split_values(dim: str, value: str) -> tuple[str, ...]:
    """The values of what slices are of, one for each of `dims_of`."""
    if not is_pair(dim):
        return (value,) if dim else ()
    ends = [-1, *_separators(value), len(value)]
    return tuple(_ESCAPED.sub(r"\1", value[start + 1 : end]) for start, end in pairwise(ends))


def _separators(value: str) -> Iterator[int]:
    """Where the commas stand that have no backslash before them."""
    escaped = False
    for place, character in enumerate(value):
        if character == _SEPARATOR and not escaped:
            yield place
        escaped = character == "\\" and not escaped


def pair_faults(pairs: Sequence[Pair], sizes: Mapping[str, int]) -> Iterator[tuple[int, str]]:
    """What is wrong with pairs, each by its place; `sizes` is how many values each dimension has, 0 if it is not sliced by."""
    seen: dict[frozenset[str], int] = {}
    for place, pair in enumerate(pairs):
        first = seen.setdefault(frozenset(pair), place)
        strange = [dim for dim in pair if dim not in DIMS]
        empty = [dim for dim in pair if not strange and not sizes[dim]]
        if strange:
            yield place, f"{strange[0]!r} is not a dimension: use {', '.join(DIMS)}"
        elif pair[0] == pair[1]:
            yield place, f"{pair[0]} cannot be paired with itself"
        elif first < place:
            yield place, f"is the same pair as pairs[{first}]"
        elif empty:
            yield place, f"no value of {empty[0]} is listed, so nothing is sliced by it: list them"
        elif sizes[pair[0]] * sizes[pair[1]] > MOST_IN_PAIR:
            yield place, f"has {sizes[pair[0]] * sizes[pair[1]]:,} slices, more than {MOST_IN_PAIR:,}: pair smaller dimensions"
