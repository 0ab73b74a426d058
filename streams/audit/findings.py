"""What an audit has found: of each partition what was compared, and what differs."""

from collections import Counter
from typing import Final

from msgspec import Struct, field

MOST_SHOWN: Final = 50
"""Differences that are told one by one."""


class Difference(Struct, frozen=True):
    """A number that is not what it should be. `window` names a window, a pane, or `now`; of a lead, a part of its state."""

    partition: int | None
    series: str
    window: str
    stored: str
    derived: str


class Differences:
    """Differences as they are found: how many, of how many series, and the first of them."""

    def __init__(self) -> None:
        self.shown: list[Difference] = []
        self.count = 0
        self._series: Counter[tuple[int | None, str]] = Counter()

    def add(self, partition: int | None, series: str, window: str, stored: object, derived: object) -> None:
        """Something differs."""
        self.count += 1
        self._series[partition, series] += 1
        if len(self.shown) < MOST_SHOWN:
            self.shown.append(Difference(partition, series, window, _told(stored), _told(derived)))

    @property
    def series(self) -> int:
        """How many series, rows, leads and open clocks differ somewhere."""
        return len(self._series)


class Audited(Struct, frozen=True):
    """A partition that was compared, and how: up to which offset and clock, made anew from what."""

    partition: int
    offset: int
    clock: int | None
    source: str
    leads: int
    series: int


class Report(Struct, frozen=True):
    """An audit. `notes` say what was not compared, `failed` which partitions (or all) could not be, and why."""

    audited: list[Audited]
    kpi_rows: int
    differing: int
    differences: int
    shown: list[Difference]
    notes: list[str]
    failed: list[str]
    seconds: float = 0.0
    at: int = field(default=0)

    @property
    def series(self) -> int:
        """How many series and rows were compared."""
        return sum(each.series for each in self.audited) + self.kpi_rows


_LONGEST: Final = 160


def _told(content: object) -> str:
    text = str(content)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
