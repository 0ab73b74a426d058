"""All panes, as they are stored and as the truth has them: how much of each series is in each."""

from collections import Counter
from collections.abc import Iterator
from typing import Final, TypeAlias

import behind

from models.catalogue import MEASURES
from models.measures import Kind, Measure
from models.panes import CHUNK
from models.slices import join_values, pair_name
from models.sums import series_name, unpack
from models.units import Millis
from models.windows import PANE_LENGTH, LocalDays, Pane
from streams.local.truth_ledger import Ledger, Slice
from streams.tables import Keys, Redis
from streams.tables.loading import read_panes, read_totals

Cells: TypeAlias = Counter[tuple[str, int, str]]
"""By size and start of the pane, and series."""

BY_ID: Final = {measure.id: measure for measure in MEASURES}


async def stored_cells(redis: Redis, keys: Keys) -> Cells:
    """What is in a partition's panes, but for sketches."""
    totals, found = await read_totals(redis, keys), Counter[tuple[str, int, str]]()
    async for pane, chunks in read_panes(redis, keys, totals.panes):
        for number, packed in chunks.items():
            width = CHUNK[Pane(pane.size)]
            for offset, amount in zip(*(column.tolist() for column in unpack(packed, width)), strict=True):
                name = totals.series[number * width + offset]
                if "#b" not in name:
                    found[pane.size, pane.start, name] += amount
    return found


def expected_cells(ledger: Ledger, zone: str) -> Cells:
    """What must be in all panes, by all that happened. All of it is young enough to be kept in the shortest ones."""
    days, found = LocalDays(zone), Counter[tuple[str, int, str]]()
    for (name, slice_), occurrences in ledger.flows.items():
        measure = BY_ID[behind.measure_of(name)]
        named = _slice(measure, slice_)
        if named is None:
            continue
        for at, amount in occurrences:
            for size, start in _panes(measure, Millis(at), days):
                for part, much in _parts(measure, amount):
                    found[size, start, series_name(measure.id, named, part)] += much
    return Counter({cell: much for cell, much in found.items() if much})


def _slice(measure: Measure, slice_: Slice) -> str | None:
    """The slice by its name; None if the measure is not sliced so."""
    dims, values = slice_
    if not set(dims) <= set(measure.dims):
        return None
    dim = pair_name((dims[0], dims[1])) if len(dims) > 1 else "".join(dims)
    return f"{dim}={join_values(values)}" if dim else ""


def _panes(measure: Measure, at: Millis, days: LocalDays) -> Iterator[tuple[str, int]]:
    for size in Pane:
        if size is Pane.DAY:
            yield size.value, days.floor(at)
        elif size is not Pane.TEN_SECONDS or not measure.daily:
            yield size.value, at // PANE_LENGTH[size] * PANE_LENGTH[size]


def _parts(measure: Measure, amount: int) -> list[tuple[str, int]]:
    return [("sum", amount), ("n", 1)] if measure.kind is Kind.DURATION else [("", amount)]
