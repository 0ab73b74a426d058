"""What states add up to, from nothing: the totals that a partition should have, who waits, how many are behind each number."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from models.codes import Codes
from models.meaning import Waiting
from models.rollup import Totals
from models.units import Millis
from streams.processing.adding_up import AddingUp
from streams.processing.memory import seldom_collecting
from streams.processing.open_clocks import Oldest
from streams.processing.partition import Partition


class AddedUp(NamedTuple):
    """The sums of some states at a clock. `members` says how many there are of each measure."""

    totals: Totals
    waiting: Mapping[str, Waiting]
    oldest: Mapping[str, Oldest | None]
    members: Mapping[str, int]
    leads: int


def add_up(states: Iterable[Mapping[str, bytes]], codes: Codes, clock: int | None) -> AddedUp:
    """Sum states, some at a time; those of huge leads with what lies in their pages. None: no clock has come yet."""
    partition = Partition(0, codes, 1, Totals(codes))
    if clock is not None:
        partition.totals.advance(Millis(clock))
    adding_up, members = AddingUp(partition, frozenset()), Counter[str]()
    with seldom_collecting():
        for some in states:
            adding_up.take(some)
            for measure, of in adding_up.take_out().members.changed.items():
                members[measure] += len(of)
    adding_up.settle()
    oldest = partition.open_clocks.oldest_by_slice()
    return AddedUp(partition.totals, adding_up.waiting, oldest, members, adding_up.leads)
