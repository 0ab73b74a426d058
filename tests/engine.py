"""The core as a partition runs it, in memory: facts and ticks in, totals and lines out.

It is the shortest program that obeys the design: fold, look again at what changed or became due, add the difference, slide.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from build import DAY, NOON, RULES, folded

from models.catalogue import FIGURES, MEASURES
from models.contributions import NOTHING, Contributions, Evaluation, difference, evaluate
from models.events import Event
from models.kpis import MINIMUM_N, Formula
from models.rollup import Cut, Totals
from models.rollup import Stored as Loaded
from models.rules import Rules
from models.snapshot import Cell, Line, slices
from models.snapshot import evaluate as lines_of
from models.state.lead import Lead, fold, pack, unpack
from models.units import Millis
from models.windows import DUE_LAG, Pane

BEGINNING = Millis(0)
"""Where the due clock stands before there is a clock."""


LATER = Millis(NOON + 2 * DAY)
"""When all is over that a test tells of."""


class Stored(NamedTuple):
    """What lies in Redis: as `models.rollup.Stored`, to be written to."""

    series: list[str]
    windows: dict[str, dict[int, bytes]]
    levels: dict[int, bytes]
    panes: dict[tuple[Pane, Millis], dict[int, bytes]]


class Engine:
    """One partition. Events and ticks may come in any order and again."""

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules
        self.totals = Totals(rules.zone)
        self.known_until = BEGINNING
        self.leads: dict[str, Lead] = {}
        self.meanings: dict[str, Evaluation] = {}
        self.stored = Stored([], {}, {}, {})

    def take(self, *events: Event) -> "Engine":
        """Fold events, then add what changed."""
        for event in events:
            fold(self.leads.setdefault(event.subject.id, Lead()), event)
        self._look_again({event.subject.id for event in events})
        return self

    def tick(self, clock: int) -> "Engine":
        """Move the clock, if it moves: what is due changes first, then windows slide."""
        if self.totals.clock is None or clock > self.totals.clock:
            self.known_until = Millis(clock - DUE_LAG)
            self._look_again(
                {of for of, each in self.meanings.items() if each.next_change and each.next_change <= self.known_until}
            )
            self.totals.advance(Millis(clock))
        return self

    def _look_again(self, subjects: Iterable[str]) -> None:
        changes: Contributions = Counter()
        for of in subjects:
            meaning = evaluate(self.leads[of], self.rules, self.known_until)
            for key, times in difference(meaning.contributions, self.meanings.get(of, NOTHING).contributions).items():
                changes[key] += times
            self.meanings[of] = meaning
        self.totals.add(changes)

    def save(self) -> Cut:
        """Write what changed, as a checkpoint does."""
        cut = self.totals.cut()
        apply(cut, self.stored)
        return cut

    def restart(self) -> "Engine":
        """Save, forget everything, and load it."""
        self.save()
        self.totals = Totals.load(self.rules.zone, self.totals.clock, Loaded(*self.stored))
        self.leads = {of: unpack(pack(lead, []))[0] for of, lead in self.leads.items()}
        self.meanings = {of: evaluate(lead, self.rules, self.known_until) for of, lead in self.leads.items()}
        return self

    def oldest(self) -> dict[str, tuple[Millis, Millis | None]]:
        """By slice, the open clock that started first; of equally old ones the one that is due first."""
        found: dict[str, tuple[Millis, Millis | None]] = {}
        for waiting in (meaning.waiting for meaning in self.meanings.values()):
            for name in waiting.slices if waiting else ():
                mine = (waiting.since, waiting.due)
                found[name] = min(mine, found.get(name, mine), key=lambda it: (it[0], float("inf") if it[1] is None else it[1]))
        return found

    def lines(self, minimum_n: Mapping[Formula, int] = MINIMUM_N) -> dict[str, Line]:
        """Every line of the catalogue by its key."""
        told = slices(self.rules, self.totals.clock or BEGINNING)
        return {line.key: line for line in lines_of(FIGURES, self.totals.sums, self.oldest(), told, minimum_n)}

    def cell(self, key: str, window: str = "now", minimum_n: Mapping[Formula, int] = MINIMUM_N) -> Cell:
        """One figure in one window."""
        line = self.lines(minimum_n)[key]
        return line.cells[line.windows.index(window)]


def apply(cut: Cut, stored: Stored) -> None:
    """Write a cut over what is stored, as a checkpoint's script does."""
    assert cut.known_series == len(stored.series)
    stored.series.extend(cut.series)
    for window, chunks in cut.windows.items():
        _write(stored.windows.setdefault(window, {}), chunks)
    _write(stored.levels, cut.levels)
    for key, chunks in cut.panes.items():
        _write(stored.panes.setdefault(key, {}), chunks)
    for key in cut.dead_panes:
        stored.panes.pop(key, None)


def _write(held: dict[int, bytes], chunks: Mapping[int, bytes]) -> None:
    for number, packed in chunks.items():
        if packed:
            held[number] = packed
        else:
            held.pop(number, None)


def sums_of(totals: Totals) -> dict[str, list[int]]:
    """Every series that is not 0: its windows, its level."""
    return dict(totals.sums.nonzero())


def panes_of(totals: Totals) -> dict[tuple[Pane, Millis], dict[str, int]]:
    """Every pane that is not empty, by series."""
    found = {}
    for pane, kept in totals.panes.items():
        for start, cells in kept.items():
            columns = zip(*(column.tolist() for column in cells.columns()), strict=True)
            found[pane, start] = {totals.sums.names[series]: amount for series, amount in columns if amount}
    return {key: cells for key, cells in found.items() if cells}


def counted(contributions: Contributions, measure: str, of: str = "") -> list[tuple[int, int]]:
    """The instants and values at which a measure counts in a slice."""
    found = []
    for (number, names, at, value), times in contributions.items():
        if MEASURES[number].id == measure and of in names:
            found += [(at, value)] * times
    return sorted(found)


def told(measure: str, *events: Event, at: int = LATER, rules: Rules = RULES) -> list[tuple[int, int, str]]:
    """What a measure makes of one lead's events: how long after noon, how much, and in which slices."""
    contributions = evaluate(folded(*events), rules, Millis(at)).contributions
    found = []
    for (number, names, instant, value), times in contributions.items():
        if MEASURES[number].id == measure:
            slices_told = " ".join(name.partition("=")[2] for name in names if name)
            found += [(instant - NOON if instant else 0, value, slices_told)] * times
    return sorted(found)
