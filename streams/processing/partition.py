"""One partition's memory: what is known of its leads and what they add up to. It does no I/O.

Everything here is a function of the log's prefix: events fold, and ticks move the clock, slide windows and fire deadlines.
What changed leaves as a `PartitionCut`, which a checkpoint makes durable as a whole.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec

from models.contributions import (
    ALERT_LIMIT,
    NOTHING,
    Contributions,
    Evaluation,
    Threshold,
    difference,
    evaluate,
)
from models.events import Event
from models.rollup import Cut, Totals
from models.rules import BREACH_PERCENT, Rules
from models.state.lead import Lead, fold, pack, unpack
from models.units import Millis, isoformat
from models.windows import DUE_LAG
from streams.processing.due import DueSet
from streams.processing.open_clocks import OpenClocks, OpenClocksCut
from streams.tables.rows import Outgoing

BEGINNING = Millis(0)
"""Where the due clock stands before there is a clock: nothing is due yet."""


@dataclass(slots=True)
class Remembered:
    """A lead in memory: its state, the thresholds already told, and what it meant when last looked at."""

    lead: Lead
    notified: list[str]
    evaluation: Evaluation


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
    rules: Rules
    sources: int
    totals: Totals
    due: DueSet = field(default_factory=DueSet)
    open_clocks: OpenClocks = field(default_factory=OpenClocks)
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
            lead, notified = (Lead(), []) if packed is None else unpack(packed)
            evaluation = NOTHING if packed is None else evaluate(lead, self.rules, self.known_until)
            self._leads[subject] = Remembered(lead, notified, evaluation)

    def apply(self, events: Iterable[Event]) -> None:
        """Fold events of remembered subjects, then take the difference once per subject."""
        changed: dict[str, None] = {}
        for event in events:
            subject = event.subject.id
            if fold(self._leads[subject].lead, event):
                changed[subject] = None
            else:
                self.unchanging += 1
            self._leads.move_to_end(subject)
        self._look_again(changed, self.known_until)

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
        self._look_again(subjects, known_until, fire=True)
        self.totals.advance(clock)

    def _look_again(self, subjects: Iterable[str], known_until: Millis, *, fire: bool = False) -> None:
        changes: Contributions = Counter()
        for subject in subjects:
            remembered = self._leads[subject]
            new = evaluate(remembered.lead, self.rules, known_until)
            for key, times in difference(new.contributions, remembered.evaluation.contributions).items():
                changes[key] += times
            self._count_withheld(remembered.evaluation, new, known_until)
            remembered.evaluation = new
            if fire:
                self._tell(subject, remembered, known_until)
            self.open_clocks.put(subject, new.waiting)
            self.due.put(subject, due_at(remembered, known_until))
            self._unsaved.add(subject)
        self.totals.add({key: times for key, times in changes.items() if times})

    def _tell(self, subject: str, remembered: Remembered, known_until: Millis) -> None:
        for threshold in _untold(remembered):
            if too_late(threshold, known_until):
                continue
            remembered.notified.append(threshold_name(threshold))
            self._outgoing.append(alert(self.alerts_topic, subject, threshold))

    def _count_withheld(self, old: Evaluation, new: Evaluation, known_until: Millis) -> None:
        appeared = set(new.thresholds).difference(old.thresholds)
        self.suppressed_alerts += sum(too_late(threshold, known_until) for threshold in appeared)

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


def _untold(remembered: Remembered) -> list[Threshold]:
    told = set(remembered.notified)
    return [threshold for threshold in remembered.evaluation.thresholds if threshold_name(threshold) not in told]


def due_at(remembered: Remembered, known_until: Millis) -> Millis | None:
    """The next change, or a threshold that is still to be told: alerts leave at ticks only, so that batches do not matter."""
    candidates = [threshold.at for threshold in _untold(remembered) if not too_late(threshold, known_until)]
    if remembered.evaluation.next_change is not None:
        candidates.append(remembered.evaluation.next_change)
    return min(candidates, default=None)


def too_late(threshold: Threshold, known_until: Millis) -> bool:
    """Whether the due time is so long past that nobody is told (imports); it counts all the same."""
    return known_until - threshold.due > ALERT_LIMIT


def threshold_name(threshold: Threshold) -> str:
    """What a state remembers of a threshold that was told: percent, inquiry and instant."""
    return f"{threshold.percent}:{threshold.clock}:{threshold.at}"


def alert(topic: str, subject: str, threshold: Threshold) -> Outgoing:
    """The message that tells of a threshold: `warning` before the due time, `breach` at it."""
    name = alert_id(subject, threshold)
    message = {
        "id": name,
        "type": "breach" if threshold.percent == BREACH_PERCENT else "warning",
        "percent": threshold.percent,
        "lead": subject,
        "rep": threshold.rep,
        "team": threshold.team,
        "inquiry_at": isoformat(threshold.clock),
        "due_at": isoformat(threshold.due),
        "at": isoformat(threshold.at),
    }
    return Outgoing(name, topic, subject.encode(), msgspec.json.encode(message))


def alert_id(subject: str, threshold: Threshold) -> str:
    """The same for the same threshold of the same clock, whoever finds it and however often."""
    return blake2b(f"sla:{threshold_name(threshold)}:{subject}".encode(), digest_size=16).hexdigest()
