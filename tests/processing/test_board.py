"""The board: all partitions put together, however they grow, are read and begin again."""

from dataclasses import replace

import build
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.kpis import MINIMUM_N
from models.sums import CHUNK, pack_runs
from models.windows import WINDOW_INDEX
from streams.processing.board import Board
from streams.tables import Applied, Changed, Progress, Seen

ROW = WINDOW_INDEX["1h"]
NAMES = ("calls", "emails", "calls|rep=ana", "emails|rep=ana", "calls|rep=ben")
READ = st.tuples(st.integers(0, 2), st.booleans(), st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 9))))


def packed(amounts):
    ids = [number for number, amount in enumerate(amounts) if amount]
    (chunk,) = pack_runs(np.array(ids, np.int64), np.array([amounts[each] for each in ids], np.int64), np.array([len(ids)]))
    return {0: chunk or None}


@given(st.lists(READ, max_size=5))
def test_what_stands_is_the_sum_of_all_partitions_by_name(reads):
    board, parts = Board(3), [dict[str, int]() for _ in range(3)]
    for number, whole, amounts in reads:
        if whole:
            parts[number] = {}
        known = len(parts[number])
        parts[number] |= dict(amounts)
        assert len(parts[number]) <= CHUNK
        windows = {"1h": packed(list(parts[number].values()))}
        applied = replace(APPLIED, progress=Progress(clock=build.NOON))
        board.take(number, Changed(applied, Seen(), whole, list(parts[number])[known:], windows))
        grids = board.grids(build.RULES, build.NOON, MINIMUM_N)
        for name in NAMES:
            key, _, named = name.partition("|")
            grid = grids[key, named.partition("=")[0]]
            expected = sum(part.get(name, 0) for part in parts)
            told = dict(zip(grid.names, grid.numerator[:, ROW].tolist(), strict=True))
            assert told.get(named.partition("=")[2], 0) == expected


APPLIED = Applied(1, "t", 0, 0, Progress())
