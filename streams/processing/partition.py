"""One partition's memory: what is known of its leads and what they add up to. It does no I/O.

Everything here is a function of the log's prefix: events fold, and ticks move the clock, slide windows and fire deadlines.
What changed leaves as a `PartitionCut`, which a checkpoint makes durable as a whole.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from models.codes import Codes
from models.contributions import difference, evaluate
from models.events import Event
from models.meaning import Meaning, Threshold, count_appeared_late, meanings, threshold_name
from models.measures import USUAL
from models.rollup import Cut, Totals
from models.state.facts import NOTHING, Facts, facts
from models.state.lead import Lead, fold, pack, unpack
from models.units import Millis
from models.windows import DUE_LAG
from streams.processing.alerts import alert
from streams.processing.due import DueSet
from streams.processing.open_clocks import OpenClocks, OpenClocksCut
from streams.tables.rows import Outgoing

BEGINNING = Millis(0)
"""Where the due clock stands before there is a clock: nothing is due yet."""

AT_ONCE: Final = 5_000
"""Leads that are looked at together."""


@dataclass(slots=True)
class Remembered:
    """A lead in memory: its state, the thresholds already told, and its facts as they were last looked at."""

    lead: Lead
    notified: list[str]
    facts: Facts = NOTHING


@dataclass(frozen=True, slots=True)
class PartitionCut:
    """All that changed since the last cut. None stands for what is gone."""

    states: Mapping[str, bytes]
    totals: Cut
    due: Mapping[str, Millis | None]
    open_clocks: OpenClocksCut
    outgoing: list[Outgoing]
    ticks: Mapping[int, Millis]
    clock: Millis | None


@dataclass(slots=True)
class Partition:
    """The memory of one events partition. `sources` is how many deliveries partitions tick."""

    number: int
    codes: Codes
    sources: int
    totals: Totals
    due: DueSet = field(default_factory=DueSet)
    open_clocks: OpenClocks = field(init=False)
    ticks: dict[int, Millis] = field(default_factory=dict)
    alerts_topic: str = "leadbeat.alerts.v1"
    capacity: int = 50_000
    suppressed_alerts: int = 0
    unchanging: int = 0
    """How many events have told nothing new."""
    _leads: OrderedDict[str, Remembered] = field(default_factory=OrderedDict)
    _unsaved: set[str] = field(default_factory=set)
    _outgoing: list[Outgoing] = field(default_factory=list)
    _ticks_changed: bool = False

    def __post_init__(self) -> None:
        """Nobody waits yet."""
        self.open_clocks = OpenClocks(self.waiting_dims)

    @property
    def waiting_dims(self) -> tuple[str, ...]:
        """What open clocks are sliced by."""
        return self.codes.slices(USUAL)

    @property
    def clock(self) -> Millis | None:
        """Where windows stand: the least of the newest ticks; None until every deliveries partition has ticked."""
        return self.totals.clock

    @property
    def known_until(self) -> Millis:
        """The due clock: where all stands that time alone changes."""
        return self.due_clock(self.clock)

    @staticmethod
    def due_clock(clock: Millis | None) -> Millis:
        """The due clock that belongs to a clock."""
        return BEGINNING if clock is None else Millis(clock - DUE_LAG)

    @property
    def changed(self) -> bool:
        """Whether there is something to save."""
        return bool(self._unsaved or self._outgoing or self._ticks_changed)

    @property
    def unsaved(self) -> int:
        """How many leads have changed since the last cut."""
        return len(self._unsaved)

    def reject(self, dead: Outgoing) -> None:
        """A record that can never be processed leaves for the dead letters."""
        self._outgoing.append(dead)

    def missing(self, subjects: Iterable[str]) -> list[str]:
        """Which of some subjects must be fetched before they can be looked at."""
        return [subject for subject in dict.fromkeys(subjects) if subject not in self._leads]

    def remember(self, fetched: Mapping[str, bytes | None]) -> None:
        """Take in fetched states; None where Redis knows nothing of a subject."""
        for subject, packed in fetched.items():
            if subject in self._leads:
                continue
            if packed is None:
                self._leads[subject] = Remembered(Lead(), [])
            else:
                lead, notified = unpack(packed)
                self._leads[subject] = Remembered(lead, notified, facts(lead, self.codes))

    def apply(self, events: Iterable[Event]) -> None:
        """Fold events of remembered subjects, then take the difference once per subject."""
        changed: dict[str, Facts] = {}
        for event in events:
            subject = event.subject.id
            remembered = self._leads[subject]
            if fold(remembered.lead, event):
                changed.setdefault(subject, remembered.facts)
            else:
                self.unchanging += 1
            self._leads.move_to_end(subject)
        for subject in changed:
            remembered = self._leads[subject]
            remembered.facts = facts(remembered.lead, self.codes)
        self._unsaved.update(changed)
        self._look_again(
            {subject: old for subject, old in changed.items() if old != self._leads[subject].facts}, self.known_until
        )

    def due_by(self, clock: Millis) -> list[str]:
        """The subjects that a tick to an instant makes due, in the order in which they fire."""
        return self.due.until(Millis(clock - DUE_LAG))

    def next_clock(self, ticks: Mapping[int, Millis]) -> Millis | None:
        """Where the clock would stand after some ticks; None if it would not move."""
        newest = dict(self.ticks)
        for source, at in ticks.items():
            newest[source] = max(at, newest.get(source, at))
        if len([source for source in newest if source < self.sources]) < self.sources:
            return None
        clock = min(at for source, at in newest.items() if source < self.sources)
        return clock if self.clock is None or clock > self.clock else None

    def tick(self, ticks: Mapping[int, Millis]) -> None:
        """Take in ticks. If the clock moves: fire what is due (its states are remembered), then slide the windows."""
        clock = self.next_clock(ticks)
        for source, at in ticks.items():
            if at > self.ticks.get(source, BEGINNING):
                self.ticks[source] = at
                self._ticks_changed = True
        if clock is None:
            return
        known_until = Millis(clock - DUE_LAG)
        subjects = self.due_by(clock)
        for start in range(0, len(subjects), AT_ONCE):
            some = subjects[start : start + AT_ONCE]
            self._look_again({subject: self._leads[subject].facts for subject in some}, known_until, fire=True)
        self.totals.advance(clock)

    def _look_again(self, before: Mapping[str, Facts], known_until: Millis, *, fire: bool = False) -> None:
        """Add what some leads mean now less what they meant with their facts as they were `before`, at the last tick."""
        if not before:
            return
        remembered = [self._leads[subject] for subject in before]
        old = evaluate(list(before.values()), self.codes, self.known_until)
        new = evaluate([each.facts for each in remembered], self.codes, known_until)
        self.totals.add(difference(new, old))
        self.suppressed_alerts += count_appeared_late(new.thresholds, old.thresholds, known_until)
        for subject, each, meaning in zip(before, remembered, meanings(new, self.codes, known_until), strict=True):
            if fire:
                self._tell(subject, each, meaning.thresholds)
            self.open_clocks.put(subject, meaning.waiting)
            self.due.put(subject, due_at(each.notified, meaning))
            self._unsaved.add(subject)

    def _tell(self, subject: str, remembered: Remembered, thresholds: Sequence[Threshold]) -> None:
        for threshold in thresholds:
            if threshold_name(threshold) not in remembered.notified:
                remembered.notified.append(threshold_name(threshold))
                self._outgoing.append(alert(self.alerts_topic, subject, threshold))

    def cut(self) -> PartitionCut:
        """Take out all that changed since the last cut. Until `saved`, its subjects stay in memory."""
        states = {}
        for subject in self._unsaved:
            remembered = self._leads[subject]
            states[subject] = pack(remembered.lead, remembered.notified)
        cut = PartitionCut(
            states,
            self.totals.cut(),
            self.due.cut(),
            self.open_clocks.cut(),
            self._outgoing,
            dict(self.ticks),
            self.clock,
        )
        self._unsaved, self._outgoing = set(), []
        self._ticks_changed = False
        return cut

    def saved(self) -> None:
        """The last cut is durable and none is under way: forget the least recently used leads beyond capacity."""
        for subject in list(self._leads):
            if len(self._leads) <= self.capacity:
                break
            if subject not in self._unsaved:
                del self._leads[subject]


def due_at(notified: Sequence[str], meaning: Meaning) -> Millis | None:
    """The next change, or a threshold that is still to be told: alerts leave at ticks only, so that batches do not matter."""
    candidates = [threshold.at for threshold in meaning.thresholds if threshold_name(threshold) not in notified]
    if meaning.next_change is not None:
        candidates.append(meaning.next_change)
    return min(candidates, default=None)
