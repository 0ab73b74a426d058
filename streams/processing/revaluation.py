"""Re-valuation: a partition's totals made anew from its states, when rules or definitions have changed. No Kafka is read.

The next generation is written piece by piece beside the present one and becomes it in one fenced checkpoint, so that a crash at
any point leaves the old one whole and the next owner begins again. The arithmetic runs in a thread: other partitions, the
publisher and whoever asks how we are go on meanwhile.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Final, TypeVar

import structlog

from models.units import Millis
from streams.errors import Retry
from streams.processing.adding_up import AddingUp, seldom_collecting
from streams.processing.checkpoint import Fenced, Outcome, commit_until_definite, plan_removal
from streams.processing.cut import Checkpoint, Writes, cut_aside, cut_checkpoint
from streams.processing.open_clocks import OpenClocksCut
from streams.processing.partition import Partition, PartitionCut
from streams.processing.valuation import Valuation
from streams.processing.writes import open_of, writes_of
from streams.tables import Applied, Keys, Redis, read_due, walk_states

PIECE: Final = 4_000
"""Fields written in one script, which then takes some 20 ms."""

PANES: Final = 200
"""Panes written in one script."""

log = structlog.get_logger(__name__)

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


async def revalue(redis: Redis, keys: Keys, applied: Applied, partition: Partition, valuation: Valuation) -> Applied:
    """Fill a partition's memory from its states under its rules, store that as the next generation and switch to it.

    `partition` is new, with clock and ticks to come from `applied`. Raises Fenced, Retry and Fatal as the checkpoint's answers
    say.
    """
    began = time.monotonic()
    next_keys = keys.of(applied.progress.generation + 1)
    applied = await remove(redis, next_keys, applied)
    with seldom_collecting():
        adding_up, applied = await _add_up(redis, keys, applied, partition)
        for piece in await asyncio.to_thread(_writes, partition, adding_up):
            applied = await _commit(redis, cut_aside(next_keys, applied, piece))
    progress = replace(applied.progress, generation=next_keys.generation, valuation=valuation.encode())
    applied = await _commit(redis, cut_checkpoint(next_keys, applied, Writes(), progress))
    log.info(
        "revalued",
        partition=partition.number,
        generation=progress.generation,
        rules=valuation.rules,
        leads=adding_up.leads,
        due=len(adding_up.due),
        seconds=round(time.monotonic() - began, 2),
    )
    return await remove(redis, keys, applied)


async def _add_up(redis: Redis, keys: Keys, applied: Applied, partition: Partition) -> tuple[AddingUp, Applied]:
    """Sum all states. What must be remembered in them as told is written at once: it holds under the old rules as well."""
    progress = applied.progress
    partition.ticks = {source: Millis(at) for source, at in progress.ticks.items()}
    if progress.clock is not None:
        partition.totals.advance(Millis(progress.clock))  # now, so that what no pane keeps is not summed first
    adding_up = AddingUp(partition, (await read_due(redis, keys, -1, partition.known_until)).keys())
    async for states in walk_states(redis, keys):
        quiet = await asyncio.to_thread(adding_up.take, states)
        for some in _batched(quiet.items(), PIECE):
            applied = await _commit(redis, cut_checkpoint(keys, applied, Writes(states=some), progress))
    await asyncio.to_thread(adding_up.settle)
    return adding_up, applied


def _writes(partition: Partition, adding_up: AddingUp) -> Iterator[Writes]:
    """All of a new generation in pieces; series first, as everything else points at them. Nothing of it was there before."""
    nothing = OpenClocksCut({}, {}, partition.open_clocks.oldest_by_slice())
    whole = writes_of(PartitionCut({}, {}, adding_up.rows, (), partition.totals.cut(), {}, nothing, [], {}, None))
    return _pieces(whole, adding_up)


def _pieces(whole: Writes, adding_up: AddingUp) -> Iterator[Writes]:
    series = len(whole.series)
    for start in range(0, series, PIECE):
        yield Writes(series=whole.series[start : start + PIECE], known_series=start)
    for window, chunks in whole.windows.items():
        yield Writes(windows={window: chunks})
    yield Writes(levels=whole.levels, oldest=whole.oldest)
    for rows in whole.rows.items():
        yield Writes(rows=dict([rows]))
    for panes in _batched(whole.panes.items(), PANES):
        yield Writes(panes=panes)
    for due in _batched(adding_up.due.items(), PIECE):
        yield Writes(due=due)
    for waiting in _batched(adding_up.waiting.items(), PIECE):
        yield Writes(open=open_of(OpenClocksCut({}, waiting, {})))


def _batched(items: Iterable[tuple[_Key, _Value]], size: int) -> Iterator[Mapping[_Key, _Value]]:
    rest = iter(items)
    while batch := dict(islice(rest, size)):
        yield batch


async def remove(redis: Redis, keys: Keys, applied: Applied) -> Applied:
    """Remove what is left of a generation that nobody reads. Raises Fenced and Retry."""
    for removal in await plan_removal(redis, keys, applied):
        applied = await _commit(redis, removal)
    return applied


async def _commit(redis: Redis, checkpoint: Checkpoint[Applied]) -> Applied:
    answer = await commit_until_definite(redis, checkpoint)
    if answer.written:
        return checkpoint.then
    if answer.outcome is Outcome.FENCED:
        raise Fenced(checkpoint.where, f"re-valuation was refused: {answer.reason}", "its new owner does it")
    raise Retry(checkpoint.where, f"re-valuation was refused: {answer.outcome} {answer.reason}", "it begins again")
