"""The board says what the sums of all partitions say, however they were read, and whatever was asked of it before."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import build
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from models.catalogue import FIGURES
from models.givens import givens
from models.grids import Columns
from models.kpis import MINIMUM_N, Formula
from models.snapshot import grids, slices
from models.sums import CHUNK, LEVEL_ROW, Sums, pack_runs
from models.units import SECOND, Millis
from models.windows import WINDOW_INDEX, WINDOWS
from streams.processing.board import Board
from streams.tables import Applied, Changed, Progress, Seen, Waiting

MANY = [f"emails|rep=r{number}" for number in range(CHUNK + 40)]
"""So many that they do not go into one chunk, and the sum has to grow."""

NAMES = ("calls", "calls_connected", "calls|rep=ana", "calls_connected|rep=ana", "leads_awaiting_response", MANY[0], MANY[-1])
CELLS = st.tuples(st.sampled_from(NAMES), st.sampled_from((0, WINDOW_INDEX["1h"], WINDOW_INDEX["30d"], LEVEL_ROW)))
WAITING = st.dictionaries(st.sampled_from(("", "rep=ana")), st.none() | st.builds(Waiting, st.integers(1, 9), st.just(99)))
OTHERS = structs.replace(build.RULES, roster=build.RULES.roster[:1], gross_margin_percent=40)
"""Rules by which others are always told, and more is given."""

ASKED = st.tuples(
    st.sampled_from((build.RULES, OTHERS)),
    st.sampled_from((build.NOON, Millis(build.NOON + SECOND))),
    st.sampled_from((MINIMUM_N, MINIMUM_N | {Formula.RATIO: 1})),
)
READ = st.tuples(st.integers(0, 2), st.booleans(), st.booleans(), st.dictionaries(CELLS, st.integers(0, 20)), WAITING, ASKED)


@dataclass
class Stored:
    """A partition as Redis has it."""

    names: list[str] = field(default_factory=list)
    amounts: dict[tuple[str, int], int] = field(default_factory=dict)
    oldest: dict[str, Waiting] = field(default_factory=dict)

    def chunk(self, row: int, number: int) -> bytes | None:
        """A packed chunk; None where it is empty."""
        within = {place: self.amounts.get((name, row), 0) for place, name in enumerate(self.names) if place // CHUNK == number}
        used = [place for place, amount in within.items() if amount]
        worth = np.array([within[place] for place in used], np.int64)
        return next(pack_runs(np.array(used, np.int64) % CHUNK, worth, np.array([len(used)]))) or None

    def told(self, cells: set[tuple[str, int]], oldest: dict[str, Waiting | None], new: int, *, whole: bool) -> Changed:
        """What reading it gives that has seen all but some new names, after some cells have changed."""
        chunks: dict[int, dict[int, bytes | None]] = defaultdict(dict)
        for name, row in cells:
            number = self.names.index(name) // CHUNK
            chunks[row][number] = self.chunk(row, number)
        levels = chunks.pop(LEVEL_ROW, {})
        windows = {WINDOWS[row].name: found for row, found in chunks.items()}
        applied = Applied(1, "t", 0, 0, Progress(clock=build.NOON))
        seen = Seen("t", 1, 1, len(self.names))
        return Changed(applied, seen, whole, self.names[len(self.names) - new :], windows, levels, oldest)


@settings(max_examples=30)
@given(st.lists(READ, max_size=5))
def test_what_stands_is_the_sum_of_all_partitions_by_name(reads):
    board, parts = Board(3), [Stored() for _ in range(3)]
    for number, whole, many, amounts, waiting, (rules, clock, minimum_n) in reads:
        if whole:
            parts[number] = Stored()
        part = parts[number]
        known = len(part.names)
        new = [*(MANY if many else ()), *(name for name, _ in amounts)]
        part.names += [name for name in dict.fromkeys(new) if name not in part.names]
        part.amounts |= amounts
        part.oldest = {name: each for name, each in (part.oldest | waiting).items() if each is not None}
        board.take(number, part.told(set(amounts), waiting, len(part.names) - known, whole=whole or not known))
        assert alike(board.grids(rules, clock, minimum_n), expected(parts, rules, clock, minimum_n))


def test_names_that_a_partition_has_no_more_are_forgotten():
    board = Board(2)
    board.take(0, Stored(["calls"]).told(set(), {}, 1, whole=True))
    board.take(1, Stored(MANY).told(set(), {}, len(MANY), whole=True))
    board.take(1, Stored(["calls"]).told(set(), {}, 1, whole=True))
    board.grids(build.RULES, build.NOON, MINIMUM_N)
    assert board._sums.names == ["calls"]


def test_partitions_that_are_put_in_add_up_however_many_series_they_have():
    board = Board(2)
    for number, names in enumerate((MANY, [*reversed(MANY), "calls"])):
        sums = Sums(names)
        sums.values[WINDOW_INDEX["1h"], : len(names)] = np.arange(len(names))
        board.put(number, sums, {})
    grid = board.grids(build.RULES, build.NOON, MINIMUM_N)["emails", "rep"]
    found = dict(zip(grid.names, grid.numerator[:, WINDOW_INDEX["1h"]].tolist(), strict=True))
    assert {found[name.partition("=")[2]] for name in MANY} == {len(MANY) - 1}


def expected(parts, rules, clock, minimum_n):
    """The same, worked out from nothing."""
    added: Counter[tuple[str, int]] = Counter()
    oldest: dict[str, tuple[int, int]] = {}
    for part in parts:
        added.update(part.amounts)
        for name, waiting in part.oldest.items():
            oldest[name] = min(oldest.get(name, (waiting.since, waiting.due)), (waiting.since, waiting.due))
    sums = Sums()
    for (name, row), amount in added.items():
        column = sums.id_of(name)
        sums.values[row, column] = amount
    columns = Columns(sums).at_present(rules.money.minor_units, givens(rules, clock))
    return grids(FIGURES, columns, oldest, slices(rules, clock), minimum_n)


def alike(found, wanted) -> bool:
    return found.keys() == wanted.keys() and all(
        set(grid.names) == set(wanted[key].names)
        and all(
            np.array_equal(mine, theirs[_order(grid, wanted[key])], equal_nan=mine.dtype.kind == "f")
            for mine, theirs in zip(grid[3:], wanted[key][3:], strict=True)
        )
        for key, grid in found.items()
    )


def _order(grid, other) -> list[int]:
    places = {name: place for place, name in enumerate(other.names)}
    return [places[name] for name in grid.names]
