"""All that happened, by measure and slice."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from streams.local.truth_section import Told

Slice = tuple[tuple[str, ...], tuple[str, ...]]
"""A dimension, or the two of a pair, and its values."""

Dims = dict[str, str]
Occurrences = list[tuple[int, int]]
"""The instants and amounts of one measure in one slice."""

WHOLE: Slice = ((), ())
"""The slice that holds everything."""


@dataclass
class Ledger:
    """All that happened, by measure and slice, not yet looked at through any window."""

    pairs: list[tuple[str, str]] = field(default_factory=list)
    flows: dict[tuple[str, Slice], Occurrences] = field(default_factory=lambda: defaultdict(list))
    levels: Counter[tuple[str, Slice]] = field(default_factory=Counter)
    oldest: dict[Slice, tuple[int, float]] = field(default_factory=dict)

    def slices(self, dims: Dims) -> list[Slice]:
        """The whole, each dimension, and the pairs of which there are both."""
        pairs = [pair for pair in self.pairs if pair[0] in dims and pair[1] in dims]
        return [
            WHOLE,
            *(((dim,), (value,)) for dim, value in dims.items()),
            *((pair, (dims[pair[0]], dims[pair[1]])) for pair in pairs),
        ]

    def add(self, measure: str, at: int, dims: Dims, amount: int = 1) -> None:
        """Enter an occurrence into the whole and into the slices of its dimensions."""
        for key in self.slices(dims):
            self.flows[measure, key].append((at, amount))

    def stand(self, measure: str, dims: Dims, amount: int = 1) -> None:
        """Enter something that is the case now."""
        for key in self.slices(dims):
            self.levels[measure, key] += amount

    def enter(self, told: Told) -> None:
        """Enter what a subject tells."""
        if told.at is None:
            self.stand(told.measure, told.dims, told.amount)
        else:
            self.add(told.measure, told.at, told.dims, told.amount)

    def distinct(self, measure: str, occurrences: Iterable[tuple[int, Dims]], horizon: int) -> None:
        """Enter something once per slice: at the last occurrence in that slice before the end of the clock's 10 s."""
        last: dict[Slice, int] = {}
        for at, dims in sorted(occurrences, key=lambda occurrence: occurrence[0]):
            if at < horizon:
                last |= dict.fromkeys(self.slices(dims), at)
        for key, at in last.items():
            self.flows[measure, key].append((at, 1))

    def wait(self, start: int, due: float, dims: Dims) -> None:
        """Enter an open clock; the oldest stays, of equally old ones the one that is due first (infinity: no due)."""
        for key in self.slices(dims):
            self.oldest[key] = min(self.oldest.get(key, (start, due)), (start, due))
