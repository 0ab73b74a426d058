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

from models.meaning import Waiting
from models.units import Millis
from streams.errors import Retry
from streams.processing.adding_up import AddingUp, OfLeads
from streams.processing.checkpoint import Fenced, Outcome, commit_until_definite, plan_removal
from streams.processing.checks import claimed_as
from streams.processing.cut import Checkpoint, Writes, cut_aside, cut_checkpoint
from streams.processing.members import MembersCut
from streams.processing.memory import give_back, seldom_collecting
from streams.processing.open_clocks import OpenClocksCut
from streams.processing.partition import Partition, PartitionCut
from streams.processing.writes import open_of, writes_of
from streams.tables import Applied, Keys, Redis, read_due, walk_states
from streams.valuation import Valuation

PIECE: Final = 4_000
"""Fields and members written in one script, which then takes some 20 ms."""

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
    try:
        with seldom_collecting():
            adding_up, applied = await _add_up(redis, keys, applied, partition)
            pieces = await asyncio.to_thread(_writes, partition, adding_up.waiting)
            applied = await _write_aside(redis, next_keys, applied, pieces)
    finally:
        await asyncio.to_thread(give_back)
    progress = replace(applied.progress, generation=next_keys.generation, valuation=valuation.encode())
    applied = await _commit(redis, cut_checkpoint(next_keys, applied, Writes(), progress))
    log.info(
        "revalued",
        partition=partition.number,
        generation=progress.generation,
        rules=valuation.rules,
        leads=adding_up.leads,
        due=adding_up.found_due,
        seconds=round(time.monotonic() - began, 2),
    )
    return await remove(redis, keys, applied)


async def _add_up(redis: Redis, keys: Keys, applied: Applied, partition: Partition) -> tuple[AddingUp, Applied]:
    """Sum all states, and write who is due and whose members they are as they come: that is too much to be kept to the end.

    What must be remembered in them as told is written at once, too: it holds under the old rules as well.
    """
    progress, next_keys, check = applied.progress, keys.of(applied.progress.generation + 1), claimed_as(keys, applied)
    partition.ticks = {source: Millis(at) for source, at in progress.ticks.items()}
    if progress.clock is not None:
        partition.totals.advance(Millis(progress.clock))  # now, so that what no pane keeps is not summed first
    adding_up = AddingUp(partition, (await read_due(redis, keys, -1, partition.known_until, check)).keys())
    of_leads: Iterable[Writes] = ()
    async for states in walk_states(redis, keys, check=check):
        # What some leads add beside totals is written while the next ones are summed.
        summing = asyncio.to_thread(adding_up.take, states)
        quiet, applied = await asyncio.gather(summing, _write_aside(redis, next_keys, applied, of_leads))
        of_leads = _pieces_of_leads(adding_up.take_out())
        for some in _batched(quiet.items(), PIECE):
            applied = await _commit(redis, cut_checkpoint(keys, applied, Writes(states=some), progress))
    applied = await _write_aside(redis, next_keys, applied, of_leads)
    await asyncio.to_thread(adding_up.settle)
    return adding_up, applied


async def _write_aside(redis: Redis, keys: Keys, applied: Applied, pieces: Iterable[Writes]) -> Applied:
    for piece in pieces:
        applied = await _commit(redis, cut_aside(keys, applied, piece))
    return applied


def _writes(partition: Partition, waiting: Mapping[str, Waiting]) -> Iterator[Writes]:
    """The totals of a new generation in pieces; series first, as everything else points at them, and who waits last."""
    nothing = OpenClocksCut({}, {}, partition.open_clocks.oldest_by_slice())
    whole = writes_of(PartitionCut({}, {}, {}, (), partition.totals.cut(), {}, nothing, MembersCut({}, {}), [], {}, None))
    partition.totals.close()
    return _pieces(whole, waiting)


def _pieces(whole: Writes, waiting: Mapping[str, Waiting]) -> Iterator[Writes]:
    series = len(whole.series)
    for start in range(0, series, PIECE):
        yield Writes(series=whole.series[start : start + PIECE], known_series=start)
    for window, chunks in whole.windows.items():
        yield Writes(windows={window: chunks})
    yield Writes(levels=whole.levels, oldest=whole.oldest)
    for panes in _batched(whole.panes.items(), PANES):
        yield Writes(panes=panes)
    for some in _batched(waiting.items(), PIECE):
        yield Writes(open=open_of(OpenClocksCut({}, some, {})))


def _pieces_of_leads(found: OfLeads) -> Iterator[Writes]:
    for due in _batched(found.due.items(), PIECE):
        yield Writes(due=due)
    for subject, rows in found.rows.items():
        yield Writes(rows={subject: rows})
    piece: dict[str, Mapping[str, int | None]] = {}
    size = 0
    for measure, members in found.members.changed.items():
        for some in _batched(members.items(), PIECE):
            if piece and size + len(some) > PIECE:
                yield Writes(members=piece)
                piece, size = {}, 0
            piece[measure] = some
            size += len(some)
    if piece:
        yield Writes(members=piece)


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
