"""Where a partition's reading starts, given what is stored of it and what its log still holds."""

from typing import NamedTuple

from streams.errors import Fatal
from streams.tables import Progress
from streams.transport import LogEnds


class Start(NamedTuple):
    """The offset to read from, and how many events the log has dropped before they were applied."""

    offset: int
    lost: int = 0


async def start_of(where: str, progress: Progress, log_ends: LogEnds, *, skip_lost: bool = False) -> Start:
    """Where to read from. Raises Fatal if the log and the tables do not fit together, or events are lost and may not be."""
    if progress.offset is None:
        committed = await log_ends.committed()
        if committed:
            what = f"Redis was emptied, or is another one: it holds nothing, though the group has come to offset {committed}"
            todo = (
                "see that redis.url and redis.prefix are as before, and restore Redis from its last save; or, to count anew"
                " from what the log still holds, stop all workers and say: leadbeat rebuild"
            )
            raise Fatal(where, what, todo)
        return Start(log_ends.earliest)
    if progress.offset < log_ends.earliest:
        lost = log_ends.earliest - progress.offset
        if skip_lost:
            return Start(log_ends.earliest, lost)
        what = f"{lost} events from offset {progress.offset} on are past the log's retention"
        raise Fatal(where, what, "restore the log, or set worker.skip_lost_events to go on without them")
    if progress.offset > log_ends.end:
        what = f"stands at offset {progress.offset}, behind the log's end {log_ends.end}: another log, or one that lost records"
        raise Fatal(where, what, "point kafka at the log that these tables were made from")
    if progress.offset > 0:
        found = await log_ends.fingerprint_before(progress.offset)
        if found is not None and found != progress.fingerprint:
            what = f"another record stands before offset {progress.offset} than the one that was applied"
            raise Fatal(where, what, "point kafka at the log that these tables were made from")
    return Start(progress.offset)
