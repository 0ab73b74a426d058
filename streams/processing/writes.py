"""From a partition's cut to what a checkpoint writes, and from what is stored back to a partition's memory."""

from collections.abc import Mapping

from models.meaning import Waiting as WaitingLead
from models.rollup import Stored
from models.rollup import Totals as TotalsInMemory
from models.sums import Chunks
from models.units import Millis
from models.windows import Pane as PaneSize
from streams.processing.cut import Writes
from streams.processing.open_clocks import OpenClocks, OpenClocksCut
from streams.processing.partition import Partition, PartitionCut
from streams.tables import OpenClock, Pane, Progress, Totals, Waiting


def writes_of(cut: PartitionCut) -> Writes:
    """The writes that make a cut durable."""
    totals = cut.totals
    return Writes(
        states=cut.states,
        pages=cut.pages,
        rows=cut.rows,
        erased=cut.erased,
        panes={Pane(size.value, start): _chunks(chunks) for (size, start), chunks in totals.panes.items()},
        dropped=[Pane(size.value, start) for size, start in totals.dead_panes],
        windows={name: _chunks(chunks) for name, chunks in totals.windows.items()},
        levels=_chunks(totals.levels),
        oldest={name: found and Waiting(found.since, found.due) for name, found in cut.open_clocks.oldest.items()},
        series=totals.series,
        known_series=totals.known_series,
        due=cut.due,
        open=open_of(cut.open_clocks),
        members=cut.members.changed,
        expired=cut.members.expired,
        outgoing=cut.outgoing,
    )


def _chunks(chunks: Chunks) -> dict[int, bytes | None]:
    return {number: packed or None for number, packed in chunks.items()}


def open_of(cut: OpenClocksCut) -> dict[OpenClock, int | None]:
    """The open clocks that came and those that went (None), as their table has them."""
    changes: dict[OpenClock, int | None] = {_clock(subject, waiting): None for subject, waiting in cut.removed.items()}
    changes.update((_clock(subject, waiting), waiting.since) for subject, waiting in cut.added.items())
    return changes


def _clock(subject: str, waiting: WaitingLead) -> OpenClock:
    return OpenClock(subject, *waiting[1:])


def _waiting(clock: OpenClock, since: int) -> WaitingLead:
    _, due, *values = clock
    return WaitingLead(Millis(since), None if due is None else Millis(due), *values)


def restore(partition: Partition, progress: Progress, stored: Totals, panes: Mapping[Pane, Mapping[int, bytes]]) -> None:
    """Fill a new partition's memory with what is stored of it."""
    clock = None if progress.clock is None else Millis(progress.clock)
    held = {(PaneSize(pane.size), Millis(pane.start)): dict(chunks) for pane, chunks in panes.items()}
    partition.totals = TotalsInMemory.load(partition.codes, clock, Stored(stored.series, stored.windows, stored.levels, held))
    waiting = {clock.subject: _waiting(clock, since) for clock, since in stored.open.items()}
    partition.open_clocks = OpenClocks(partition.waiting_dims, waiting)
    partition.ticks = {source: Millis(at) for source, at in progress.ticks.items()}
