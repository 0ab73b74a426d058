"""The core as a partition runs it, in memory: facts and ticks in, totals and lines out.

It is the shortest program that obeys the design: fold, have merged leads tell one another, look again at what changed or became
due, add the difference, slide.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from build import DAY, NOON, RULES, folded

from models.catalogue import FIGURES, MEASURES
from models.codes import NEVER, Codes
from models.contributions import Contributions, difference, evaluate
from models.events import Event
from models.givens import givens
from models.grids import Columns
from models.kpis import MINIMUM_N, Formula
from models.meaning import Meaning, Waiting, meanings
from models.measures import USUAL
from models.rollup import Cut, Totals
from models.rollup import Stored as Loaded
from models.rules import Rules
from models.snapshot import Cell, Line, slices
from models.snapshot import evaluate as lines_of
from models.state import facts as rows
from models.state.absorption import NOTHING_GIVEN, Given, given, handed, whole
from models.state.facts import NOTHING, Facts, facts
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
        self.codes = Codes(rules)
        self.totals = Totals(self.codes)
        self.known_until = BEGINNING
        self.leads: dict[str, Lead] = {}
        self.given: dict[str, Given] = {}
        self.parts = count(1)
        self.facts: dict[str, Facts] = {}
        self.meanings: dict[str, Meaning] = {}
        self.stored = Stored([], {}, {}, {})

    def take(self, *events: Event) -> "Engine":
        """Fold events, then add what changed."""
        for event in events:
            fold(self.leads.setdefault(event.subject.id, Lead()), event)
        self._look_again(self._passed_on({event.subject.id for event in events}), self.known_until)
        return self

    def _passed_on(self, subjects: set[str]) -> set[str]:
        """Have merged leads tell one another what changed, as a log does until it is quiet; all who have changed."""
        changed, waiting = set(subjects), subjects
        while waiting:
            told = set()
            for own in sorted(waiting):
                before, self.given[own] = self.given.get(own, NOTHING_GIVEN), given(self.leads[own], own)
                for part in handed(before, self.given[own]):
                    event = part.event("/".join(part.path), next(self.parts), "passed on")
                    fold(self.leads.setdefault(part.target, Lead()), event)
                    told.add(part.target)
            waiting = told
            changed |= told
        return changed

    def _facts(self, subject: str) -> Facts:
        return facts(whole(self.leads[subject], subject), self.codes)

    def tick(self, clock: int) -> "Engine":
        """Move the clock, if it moves: what is due changes first, then windows slide."""
        if self.totals.clock is None or clock > self.totals.clock:
            known_until = Millis(clock - DUE_LAG)
            due = {of for of, each in self.meanings.items() if each.next_change and each.next_change <= known_until}
            self._look_again(due, known_until)
            self.known_until = known_until
            self.totals.advance(Millis(clock))
        return self

    def _look_again(self, subjects: Iterable[str], known_until: Millis) -> None:
        subjects = list(subjects)
        now = [self._facts(of) for of in subjects]
        old = evaluate([self.facts.get(of, NOTHING) for of in subjects], self.codes, self.known_until)
        new = evaluate(now, self.codes, known_until)
        self.totals.add(difference(new, old))
        self.facts.update(zip(subjects, now, strict=True))
        self.meanings.update(zip(subjects, meanings(new, self.codes, known_until), strict=True))

    def save(self) -> Cut:
        """Write what changed, as a checkpoint does."""
        cut = self.totals.cut()
        apply(cut, self.stored)
        return cut

    def restart(self) -> "Engine":
        """Save, forget everything, and load it."""
        self.save()
        self.totals = Totals.load(self.codes, self.totals.clock, Loaded(*self.stored))
        self.leads = {of: unpack(pack(lead, {}))[0] for of, lead in self.leads.items()}
        self.facts = {of: self._facts(of) for of in self.leads}
        again = evaluate(list(self.facts.values()), self.codes, self.known_until)
        self.meanings = dict(zip(self.facts, meanings(again, self.codes, self.known_until), strict=True))
        return self

    def untold(self) -> dict[str, Lead]:
        """All that nobody has told anything: how often others are told depends on the way that things came in."""
        return {of: lead for of, lead in self.leads.items() if not lead.absorbed}

    def oldest(self) -> dict[str, tuple[Millis, Millis | None]]:
        """By slice, the open clock that started first; of equally old ones the one that is due first."""
        found: dict[str, tuple[Millis, Millis | None]] = {}
        for waiting in (meaning.waiting for meaning in self.meanings.values()):
            for name in waiting.slices(self.codes.slices(USUAL)) if waiting else ():
                mine = (waiting.since, waiting.due)
                found[name] = min(mine, found.get(name, mine), key=lambda it: (it[0], float("inf") if it[1] is None else it[1]))
        return found

    def lines(self, minimum_n: Mapping[Formula, int] = MINIMUM_N) -> dict[str, Line]:
        """Every line of the catalogue by its key."""
        clock = self.totals.clock or BEGINNING
        columns = Columns(self.totals.sums).at_present(self.rules.money.minor_units, givens(self.rules, clock))
        found = lines_of(FIGURES, columns, self.oldest(), slices(self.rules, clock), minimum_n)
        return {line.key: line for line in found}

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


def of_one_subject(found: dict[str, Any]) -> dict[str, Any]:
    """Of series all but those of what leads tell accounts, which goes from partition to partition through the log."""
    return {name: values for name, values in found.items() if not name.startswith("companies_responded")}


def panes_of(totals: Totals) -> dict[tuple[Pane, Millis], dict[str, int]]:
    """Every pane that is not empty, by series."""
    found = {}
    for pane, kept in totals.panes.items():
        starts = list(kept)
        for start, held in zip(starts, kept.columns(starts), strict=True):
            columns = zip(*(column.tolist() for column in held), strict=True)
            found[pane, start] = {totals.sums.names[series]: amount for series, amount in columns if amount}
    return {key: cells for key, cells in found.items() if cells}


Listed: TypeAlias = Counter[tuple[str, tuple[str, ...], int, int]]
"""How often each contribution counts: measure, slices, `at` and value."""


def listed(contributions: Iterable[Contributions], codes: Codes) -> Listed:
    """Contributions as a person reads them."""
    found: Listed = Counter()
    for each in contributions:
        for row in range(len(each.of)):
            named = {dim: codes.name(dim, code) for dim, code in zip(each.dims, each.by[:, row], strict=True)}
            slices_of = tuple(f"{name}={named[name]}" if name else "" for name in each.slices)
            key = (MEASURES[each.measure].id, slices_of, int(each.at[row]), int(each.value[row]))
            found[key] += int(each.times[row])
    return Counter({key: times for key, times in found.items() if times})


class Seen(NamedTuple):
    """One lead at one instant, as a person reads it; `thresholds` are (percent, at, inquiry, due) of all, however long past."""

    contributions: Listed
    waiting: Waiting | None
    thresholds: list[tuple[int, ...]]
    next_change: Millis | None


def seen(lead: Lead, rules: Rules, known_until: int) -> Seen:
    """What one lead means at an instant."""
    codes = Codes(rules)
    found = evaluate([facts(lead, codes)], codes, Millis(known_until))
    (meaning,) = meanings(found, codes, Millis(known_until))
    named = (found.thresholds.percent, found.thresholds.at, found.thresholds.start, found.thresholds.due)
    thresholds = sorted(zip(*(column.tolist() for column in named), strict=True))
    return Seen(listed(found.contributions, codes), meaning.waiting, thresholds, meaning.next_change)


def changed(new: Lead, old: Lead, rules: Rules, known_until: int) -> Listed:
    """The difference between two leads."""
    codes = Codes(rules)
    mine, theirs = (evaluate([facts(lead, codes)], codes, Millis(known_until)) for lead in (new, old))
    return listed(difference(mine, theirs), codes)


def once(measure: str, at: int, value: int = 1) -> Contributions:
    """One occurrence of a measure, in the whole."""
    number = next(number for number, each in enumerate(MEASURES) if each.id == measure)
    of, when, worth, times = (np.array([each], np.int64) for each in (0, at, value, 1))
    return Contributions(number, ("",), (), of, when, worth, np.empty((0, 1), np.int64), times)


def counted(contributions: Listed, measure: str, of: str = "") -> list[tuple[int, int]]:
    """The instants and values at which a measure counts in a slice."""
    found = []
    for (name, names, at, value), times in contributions.items():
        if name == measure and of in names:
            found += [(at, value)] * times
    return sorted(found)


def told(measure: str, *events: Event, at: int = LATER, rules: Rules = RULES) -> list[tuple[int, int, str]]:
    """What a measure makes of one lead's events: how long after noon, how much, and in which slices."""
    found = []
    for (name, names, instant, value), times in seen(folded(*events), rules, at).contributions.items():
        if name == measure:
            slices_told = " ".join(each.partition("=")[2] for each in names if each)
            found += [(instant - NOON if instant else 0, value, slices_told)] * times
    return sorted(found)


FLAGS = (rows.AUTOMATED, rows.CONNECTED, rows.DELIVERED)


class Standing(NamedTuple):
    """A lead's facts as a person reads them, under the rules that tests share; rows as tuples, None where nothing is told."""

    created_at: int | None
    lead_source: str | None
    owners: list[tuple[int, str]]
    stages: list[tuple[int, str | None]]
    inquiries: list[int]
    touches: list[tuple[int, str, str, bool, bool, bool]]
    """At, rep, channel, and whether it was automated, connected, delivered."""
    replies: list[tuple[int, int, str, str, str]]
    """At, place of the touch it names, channel, kind, sentiment."""
    meetings: list[tuple[int | None, int | None, str, bool, str | None]]
    """Booked and scheduled, rep, whether it is a demo, outcome."""


def standing(lead: Lead) -> Standing | None:
    """What stands of a lead; None if nothing can any more."""
    codes = Codes(RULES)
    found = facts(lead, codes)
    if found == NOTHING and lead != Lead():
        return None
    reps, channels, sentiments = codes.rep.names, codes.channel.names, codes.sentiment.names
    own = np.frombuffer(found.lead, rows.LEAD)[0]

    def table(name: str, layout: np.dtype) -> list[tuple[int, ...]]:
        return np.frombuffer(getattr(found, name), layout).tolist()

    return Standing(
        _instant(int(own["created_at"])),
        None if own["lead_source"] == 0 else codes.lead_source.names[own["lead_source"]],
        [(at, reps[rep]) for at, rep in table("owners", rows.SPAN)],
        [(at, None if stage < 0 else rows.STAGES[stage]) for at, stage in table("stages", rows.SPAN)],
        [at for (at,) in table("inquiries", rows.INQUIRY)],
        [
            (
                at,
                reps[rep],
                channels[channel],
                *(bool(flags & flag) for flag in (rows.AUTOMATED, rows.CONNECTED, rows.DELIVERED)),
            )
            for at, rep, channel, flags in table("touches", rows.TOUCH)
        ],
        [
            (at, answers, channels[channel], rows.REPLY_KINDS[kind], sentiments[sentiment])
            for at, answers, channel, kind, sentiment in table("replies", rows.REPLY)
        ],
        [
            (_instant(booked), _instant(scheduled), reps[rep], bool(demo), rows.OUTCOMES[outcome])
            for booked, scheduled, rep, demo, outcome in table("meetings", rows.MEETING)
        ],
    )


def _instant(at: int) -> int | None:
    return None if at == NEVER else at
