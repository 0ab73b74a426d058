"""What Redis would hold of a partition, and records of its log, in memory."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from models.codes import Codes
from models.events import encode
from models.rollup import Totals
from models.state.lead import is_huge, joined
from streams.hashing import Hashing
from streams.processing.hashing import Tombstones
from streams.processing.huge import USUAL, Sizes
from streams.processing.partition import Partition
from streams.processing.writes import restore
from streams.tables import Outgoing, Parts, Progress, Wanted
from streams.tables import Totals as Tables
from streams.topics import TICK_KEY, encode_ticks

SMALL = Sizes(objects=3, page=2, rows=2, at_once=1)
"""Leads are huge so soon that most tests make some."""

HASHING = Hashing(b"a key of the tests")


class Store:
    """What Redis would hold: absolute values, replaced by each checkpoint as a whole."""

    def __init__(self, number: int = 0, sources: int = 2, sizes: Sizes = USUAL) -> None:
        self.number, self.sources, self.sizes = number, sources, sizes
        self.states: dict[str, bytes] = {}
        self.pages: dict[str, dict[int, bytes]] = {}
        self.rows: dict[str, dict[int, bytes]] = {}
        self.erased: set[bytes] = set()
        self.series: list[str] = []
        self.windows: dict[str, dict[int, bytes]] = {}
        self.levels: dict[int, bytes] = {}
        self.panes: dict[Any, dict[int, bytes]] = {}
        self.due: dict[str, int] = {}
        self.open: dict[Any, int] = {}
        self.oldest: dict[str, Any] = {}
        self.members: dict[str, dict[str, int]] = {}
        self.sent: list[Outgoing] = []
        self.progress = Progress(0)

    def write(self, writes: Any, progress: Progress) -> None:
        assert writes.known_series == len(self.series)
        self.series += writes.series
        for window, chunks in writes.windows.items():
            put(self.windows.setdefault(window, {}), chunks)
        for pane, chunks in writes.panes.items():
            put(self.panes.setdefault(pane, {}), chunks)
        for pane in writes.dropped:
            self.panes.pop(pane, None)
        for name in ("states", "levels", "oldest", "due", "open"):
            put(getattr(self, name), getattr(writes, name))
        for measure, members in writes.members.items():
            put(self.members.setdefault(measure, {}), members)
        for measure, before in writes.expired.items():
            self.members[measure] = {member: at for member, at in self.members.get(measure, {}).items() if at >= before}
        for name in ("pages", "rows"):
            for subject, changes in getattr(writes, name).items():
                if changes is None:
                    getattr(self, name).pop(subject, None)
                else:
                    put(getattr(self, name).setdefault(subject, {}), changes)
        self.erased |= set(writes.erased)
        self.sent += writes.outgoing
        self.progress = progress

    def load(self, rules: Any, capacity: int) -> Partition:
        tombstones = Tombstones(HASHING, self.erased)
        codes = Codes(rules)
        partition = Partition(
            self.number, codes, self.sources, Totals(codes), capacity=capacity, tombstones=tombstones, sizes=self.sizes
        )
        tables = (self.series[:], self.windows, self.levels, self.oldest, self.open, list(self.panes))
        restore(partition, self.progress, Tables(*tables), {pane: dict(chunks) for pane, chunks in self.panes.items()})
        return partition

    async def states_of(self, subjects: Sequence[str]) -> dict[str, bytes]:
        return {subject: self.states[subject] for subject in subjects if subject in self.states}

    async def parts_of(self, wanted: Mapping[str, Wanted]) -> dict[str, Parts]:
        return {
            subject: Parts(
                dict(self.rows.get(subject, {})) if rows else None,
                {number: self.pages.get(subject, {}).get(number) for number in pages},
            )
            for subject, (rows, pages) in wanted.items()
        }

    def whole_states(self) -> dict[str, bytes]:
        """All states, those of huge leads with what lies in their pages."""
        return {
            subject: joined(packed, self.pages.get(subject, {}).values()) if is_huge(packed) else packed
            for subject, packed in self.states.items()
        }

    async def due_between(self, after: int, until: int) -> dict[str, int]:
        return {subject: at for subject, at in self.due.items() if after < at <= until}


def put(table: dict[Any, Any], changes: Mapping[Any, Any]) -> None:
    for key, value in changes.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value


def record(offset: int, item: Any) -> Any:
    """A tick, as a dictionary, or an event as a record of the log."""
    if isinstance(item, dict):
        return SimpleNamespace(offset=offset, timestamp=0, key=TICK_KEY, value=encode_ticks(item))
    return SimpleNamespace(offset=offset, timestamp=0, key=b"lead:x", value=encode(item))
