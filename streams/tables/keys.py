"""The names of all Redis keys: `lb:{p}:…` for partition p, `lb:{kpi}:…` for the table that people and programs read.

What stands in braces is Redis Cluster's hash tag: all keys of a partition lie in one slot, so that one script can move them.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple
from zlib import crc32

BUCKETS: Final = 256
"""Hashes that a partition's states are spread over, so that states can be walked without a scan of the whole server."""


class Pane(NamedTuple):
    """A pane of totals: its size as the key spells it (`10s 5m 1h 1d`) and its start in ms UTC."""

    size: str
    start: int


def part_of(pane: Pane) -> str:
    """The pane's name among the parts of its generation."""
    return f"pane:{pane.size}:{pane.start}"


def members_part(measure: str) -> str:
    """The name of a measure's members among the parts of their generation."""
    return f"members:{measure}"


def rows_of(subject: str) -> str:
    """The name of a huge lead's rows among the parts of their generation."""
    return f"rows:lead:{subject}"


def bucket_of(subject: str) -> int:
    """The bucket of a subject's state."""
    return crc32(subject.encode()) % BUCKETS


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one partition; totals are those of one generation, state and outbox belong to all of them."""

    prefix: str
    partition: int
    generation: int = 1

    def of(self, generation: int) -> "Keys":
        """The same partition under another generation of its totals."""
        return replace(self, generation=generation)

    @property
    def applied(self) -> str:
        """Hash: claim, sequence, offset, clock, valuation: how far the partition has come and who may move it."""
        return f"{self.prefix}:{{{self.partition}}}:applied"

    @property
    def outbox(self) -> str:
        """Stream: what is still to be published, `<seq>-<n>` → id, topic, key, value."""
        return f"{self.prefix}:{{{self.partition}}}:outbox"

    @property
    def erased(self) -> str:
        """Set: the keyed hashes of the leads that were erased, so that what is delivered again can be swallowed."""
        return f"{self.prefix}:{{{self.partition}}}:erased"

    def state(self, bucket: int) -> str:
        """Hash: subject → folded state, packed; of a huge lead without what lies in its pages."""
        return f"{self.prefix}:{{{self.partition}}}:state:lead:{bucket}"

    def pages(self, subject: str) -> str:
        """Hash: page → touches of a huge lead, packed."""
        return f"{self.prefix}:{{{self.partition}}}:pages:lead:{subject}"

    def rows(self, subject: str) -> str:
        """Hash: instant → rows of a huge lead's touches from then on, as this generation's rules see them."""
        return self.part(rows_of(subject))

    def pane(self, pane: Pane) -> str:
        """Hash: chunk → packed amounts of one pane."""
        return self.part(part_of(pane))

    def window(self, name: str) -> str:
        """Hash: chunk → packed running totals of one window."""
        return self.part(f"window:{name}")

    @property
    def level(self) -> str:
        """Hash: chunk → packed levels, which have no window."""
        return self.part("level")

    @property
    def oldest(self) -> str:
        """Hash: slice → the oldest open clock in it."""
        return self.part("oldest")

    @property
    def changed(self) -> str:
        """Sorted set: what the publisher reads, scored by the sequence of its last change."""
        return self.part("changed")

    @property
    def series(self) -> str:
        """Hash: series id, dense from 0 → its name; only ever added to."""
        return self.part("series")

    @property
    def due(self) -> str:
        """Sorted set: subject, scored by the instant of its next change by time alone."""
        return self.part("due")

    @property
    def open(self) -> str:
        """Sorted set: open clocks with their slices, scored by their start."""
        return self.part("open")

    def members(self, measure: str) -> str:
        """Sorted set: who is behind a measure's number, scored by the instant."""
        return self.part(members_part(measure))

    @property
    def parts(self) -> str:
        """Set: the names of the generation's panes, windows, members and rows of huge leads: enumerable without a scan."""
        return self.part("parts")

    def part(self, name: str) -> str:
        """A key of the generation by what follows it (as the members of `parts` are spelled)."""
        return f"{self.prefix}:{{{self.partition}}}:{self.generation}:{name}"


@dataclass(frozen=True, slots=True)
class KpiKeys:
    """The keys of the KPI table."""

    prefix: str

    @property
    def applied(self) -> str:
        """Hash: claim, round, clock and exactness: which round the table shows."""
        return f"{self.prefix}:{{kpi}}:applied"

    @property
    def changes(self) -> str:
        """Hash: the number of one of the last rounds → what it changed, packed, so that readers need not read all again."""
        return f"{self.prefix}:{{kpi}}:changes"

    def window(self, name: str) -> str:
        """Hash: KPI and slice → its row as JSON; levels stand under `now`."""
        return f"{self.prefix}:{{kpi}}:{name}"


def present_key(prefix: str) -> str:
    """Hash: worker's token → since when it is here, when it last said so, and what it tells of itself."""
    return f"{prefix}:{{workers}}:present"


def rules_key(prefix: str) -> str:
    """Hash: version → the rules document of that version, and under `version` the newest, which is in force."""
    return f"{prefix}:{{rules}}:documents"
