"""Members: who is behind the number of a measure that can be drilled into, one for each occurrence.

A member is a lead, an instant and `k`, which counts the lead's occurrences at that instant from 0. It says nothing of slices:
a lead that changes hands has the same members as before.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np

from models.catalogue import MEASURES
from models.codes import AT_BITS, NEVER, Ints, Mask, key
from models.contributions import Contributions, Evaluation
from models.tables import Table, summed

DRILLED: Final = {number: measure.id for number, measure in enumerate(MEASURES) if measure.drill}
"""The measures that have members: their ids by number."""


class Moved(NamedTuple):
    """Members of a measure that came or went, row by row: whose each is, its instant, its `k`, whether it came."""

    measure: str
    of: Ints
    at: Ints
    k: Ints
    came: Mask


def moved(changes: Iterable[Contributions], old: Evaluation | None = None) -> Iterator[Moved]:
    """The members that a difference of contributions brings and takes, where those of `old` (None: nobody's) were there.

    Law: those of `old` with what came, without what went, are those of the new evaluation.
    """
    before: Mapping[int, Contributions] | None = None
    for change in changes:
        if change.measure not in DRILLED or not len(change.of):
            continue
        keys, more = summed(key(change.of, change.at), change.times)
        left = np.flatnonzero(more)
        if len(left):
            before = before if before is not None else _drilled(old)
            yield _numbered(change.measure, keys[left], more[left], before.get(change.measure))


def _drilled(old: Evaluation | None) -> dict[int, Contributions]:
    return {} if old is None else {each.measure: each for each in old.contributions if each.measure in DRILLED}


def _numbered(measure: int, keys: Ints, more: Ints, old: Contributions | None) -> Moved:
    """Of each lead and instant so many more, or (negative) fewer, than there were: the last ones come, and go."""
    there = np.zeros(len(keys), np.int64)
    if old is not None and len(old.of):
        held = np.sort(key(old.of, old.at))
        there = np.searchsorted(held, keys, side="right") - np.searchsorted(held, keys, side="left")
    count = np.abs(more)
    row = np.repeat(np.arange(len(keys)), count)
    place = np.arange(len(row)) - (np.cumsum(count) - count)[row]
    k = np.minimum(there, there + more)[row] + place
    return Moved(DRILLED[measure], keys[row] >> AT_BITS, keys[row] & NEVER, k, more[row] > 0)


def rows_of(found: Table, of: Ints, at: Ints, k: Ints) -> Ints:
    """The row that each of some members stands for among a measure's occurrences; -1 where there is none (any more)."""
    if not len(found):
        return np.full(len(of), -1, np.int64)
    order = np.argsort(found.key, kind="stable")
    keys, wanted = found.key[order], key(of, at)
    place = np.searchsorted(keys, wanted) + k
    within, place = place < len(keys), np.minimum(place, len(keys) - 1)
    return np.where(within & (keys[place] == wanted), order[place], -1)
