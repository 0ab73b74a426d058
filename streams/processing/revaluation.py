"""Re-valuation: a partition's totals made anew from its states, when rules or definitions have changed. No Kafka is read.

The next generation is written piece by piece beside the present one and becomes it in one fenced checkpoint, so that a crash at
any point leaves the old one whole and the next owner begins again.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import structlog

from models.contributions import evaluate
from models.meaning import meanings
from models.news import news
from models.state.absorption import whole
from models.state.facts import facts
from models.state.lead import pack, unpack
from models.units import Millis
from streams.errors import Retry
from streams.processing.checkpoint import Fenced, Outcome, commit_until_definite, plan_removal
from streams.processing.cut import Checkpoint, Writes, cut_aside, cut_checkpoint
from streams.processing.partition import Partition
from streams.processing.valuation import Valuation
from streams.processing.writes import writes_of
from streams.tables import Applied, Keys, Redis, walk_states

PIECE = 200
"""Panes written in one script."""

log = structlog.get_logger(__name__)


async def revalue(redis: Redis, keys: Keys, applied: Applied, partition: Partition, valuation: Valuation) -> Applied:
    """Fill a partition's memory from its states under its rules, store that as the next generation and switch to it.

    `partition` is new, with clock and ticks to come from `applied`. Raises Fenced, Retry and Fatal as the checkpoint's answers
    say.
    """
    next_keys = keys.of(applied.progress.generation + 1)
    applied = await remove(redis, next_keys, applied)
    quiet = await _add_up(redis, keys, applied, partition)
    writes = writes_of(partition.cut())
    for piece in _pieces(writes):
        applied = await _commit(redis, cut_aside(next_keys, applied, piece))
    progress = replace(applied.progress, generation=next_keys.generation, valuation=valuation.encode())
    applied = await _commit(redis, cut_checkpoint(next_keys, applied, Writes(states=quiet), progress))
    log.info("revalued", partition=partition.number, generation=progress.generation)
    partition.saved()
    return await remove(redis, keys, applied)


async def _add_up(redis: Redis, keys: Keys, applied: Applied, partition: Partition) -> dict[str, bytes]:
    """Sum all states. What the new rules would have told is taken as told: such states are given back."""
    progress = applied.progress
    partition.ticks = {source: Millis(at) for source, at in progress.ticks.items()}
    clock = None if progress.clock is None else Millis(progress.clock)
    known_until = partition.due_clock(clock)
    if clock is not None:
        partition.totals.advance(clock)  # now, so that what no pane keeps is not summed first
    quiet: dict[str, bytes] = {}
    async for states in walk_states(redis, keys):
        leads = [unpack(packed) for packed in states.values()]
        standing = [facts(whole(lead, subject), partition.codes) for subject, (lead, _) in zip(states, leads, strict=True)]
        evaluation = evaluate(standing, partition.codes, known_until)
        partition.totals.add(evaluation.contributions)
        found = meanings(evaluation, partition.codes, known_until, [bool(told) for _, told in leads])
        for subject, (lead, told), meaning in zip(states, leads, found, strict=True):
            if news(told, meaning.thresholds):
                quiet[subject] = pack(lead, told)
            partition.open_clocks.put(subject, meaning.waiting)
            partition.due.put(subject, meaning.next_change)
        await asyncio.sleep(0)
    partition.totals.late = 0  # it counts what comes late, not what is walked again
    return quiet


def _pieces(writes: Writes) -> Iterator[Writes]:
    """The same writes in several; series first, as everything else points at them. Nothing of it was there to be dropped."""
    yield Writes(series=writes.series, known_series=writes.known_series, windows=writes.windows, levels=writes.levels)
    yield Writes(known_series=len(writes.series), oldest=writes.oldest)
    panes, due, clocks = iter(writes.panes.items()), iter(writes.due.items()), iter(writes.open.items())
    while True:
        piece = Writes(
            known_series=len(writes.series),
            panes=dict(islice(panes, PIECE)),
            due=dict(islice(due, 10 * PIECE)),
            open=dict(islice(clocks, 10 * PIECE)),
        )
        if not (piece.panes or piece.due or piece.open):
            return
        yield piece


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
