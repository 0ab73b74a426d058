"""The KPI table of a round against an evaluation of the sums that were made anew: pure."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from models.kpis import Formula
from models.rules import Rules
from models.snapshot import State
from models.sums import Sums
from models.units import Millis
from streams.audit.findings import Differences
from streams.processing.board import Board
from streams.processing.open_clocks import Oldest
from streams.processing.round import NOTHING, work_out
from streams.serving.table import Row, decode, decode_row
from streams.tables import KpiTable, Waiting

ABSENT: Final = "no row"


class Summed(NamedTuple):
    """What a partition's states add up to, as far as KPIs are made of it."""

    sums: Sums
    oldest: Mapping[str, Oldest | None]


def compare_rows(
    table: KpiTable,
    derived: Sequence[Summed],
    rules: Rules,
    minimum_n: Mapping[Formula, int],
    found: Differences,
) -> int:
    """Compare all rows of the table. Gives how many there are in either. Raises Fatal for what is no KPI table."""
    snapshot = decode(table, "the KPI table")
    clock = Millis(int(table.record["clock"]))
    board = Board(len(derived))
    for number, (sums, oldest) in enumerate(derived):
        board.put(number, sums, {name: Waiting(*each) for name, each in oldest.items() if each is not None})
    expected = work_out(NOTHING, board.grids(rules, clock, minimum_n), 0).written
    rows = 0
    for window, held in snapshot.rows.items():
        there = {key: decode_row(row) for key, row in expected.get(window, {}).items()}
        keys = held.keys() | there.keys()
        rows += len(keys)
        for key in sorted(keys):
            mine, theirs = _said(held.get(key)), _said(there.get(key))
            if mine != theirs and not (theirs is None and mine == _FAREWELL):
                found.add(None, f"KPI {key}", window, _told(mine), _told(theirs))
    return rows


_Said = tuple[float | None, int, int | None, str]

_FAREWELL: Final[_Said] = (None, 0, None, State.NO_TRAFFIC.value)
"""What a row says that is about to go."""


def _said(row: Row | None) -> _Said | None:
    return None if row is None else (row.value, row.numerator, row.denominator, row.state)


def _told(said: _Said | None) -> str:
    if said is None:
        return ABSENT
    value, numerator, denominator, state = said
    return f"{value} ({numerator} of {denominator}, {state})"
