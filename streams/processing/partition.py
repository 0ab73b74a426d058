"""One partition's memory: what is known of its leads and what they add up to. It does no I/O.

Everything here is a function of the log's prefix: events fold, and ticks move the clock, slide windows and fire deadlines.
What changed leaves as a `PartitionCut`, which a checkpoint makes durable as a whole.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from models.codes import Codes
from models.contributions import difference, evaluate_both
from models.events import Logged
from models.meaning import count_appeared_late, meanings
from models.measures import USUAL
from models.members import moved
from models.news import News, news
from models.rollup import Cut, Totals
from models.state.absorption import given, stands_alone, whole
from models.state.facts import facts, facts_after
from models.state.lead import Lead, fold, is_huge, pack, retire, unpack
from models.state.told import RETRACTED
from models.units import DAY, Duration, Millis
from models.windows import DUE_LAG
from streams.hashing import Hashing
from streams.processing.absorbed import absorbed
from streams.processing.alerts import alert
from streams.processing.due import DueSet
from streams.processing.handing_on import HandingOn
from streams.processing.hashing import Tombstones
from streams.processing.huge import USUAL as USUAL_SIZES
from streams.processing.huge import Sizes
from streams.processing.huge_leads import HugeLeads, Written
from streams.processing.members import Members, MembersCut
from streams.processing.open_clocks import OpenClocks, OpenClocksCut
from streams.processing.remembered import Remembered
from streams.tables import Parts, Wanted
from streams.tables.rows import Outgoing

BEGINNING = Millis(0)
"""Where the due clock stands before there is a clock: nothing is due yet."""

QUIET: Final = Duration(30 * DAY)
"""How long nothing may have been told of a lead that is in no number any more before it is forgotten: an import may go on."""

AT_ONCE: Final = 5_000
"""Leads that are looked at together."""


@dataclass(frozen=True, slots=True)
class PartitionCut:
    """All that changed since the last cut. None stands for what is gone."""

    states: Mapping[str, bytes | None]
    pages: Written
    rows: Written
    erased: Sequence[bytes]
    totals: Cut
    due: Mapping[str, Millis | None]
    open_clocks: OpenClocksCut
    members: MembersCut
    outgoing: list[Outgoing]
    ticks: Mapping[int, Millis]
    clock: Millis | None


@dataclass(slots=True)
class Partition:
    """The memory of one events partition. `sources` is how many deliveries partitions tick; as many are those of events."""

    number: int
    codes: Codes
    sources: int
    totals: Totals
    alerts_topic: str = "leadbeat.alerts.v1"
    capacity: int = 10_000
    events_topic: str = "crm.events.v1"
    tombstones: Tombstones = field(default_factory=lambda: Tombstones(Hashing()))
    due: DueSet = field(default_factory=DueSet)
    open_clocks: OpenClocks = field(init=False)
    members: Members = field(default_factory=Members)
    ticks: dict[int, Millis] = field(default_factory=dict)
    suppressed_alerts: int = 0
    unchanging: int = 0
    """How many events have told nothing new."""
    hashes_ids: bool = False
    """Whether anything was kept or sent under a hashed id."""
    sizes: Sizes = USUAL_SIZES
    """When leads are huge."""
    huge: HugeLeads = field(init=False)
    _leads: OrderedDict[str, Remembered] = field(default_factory=OrderedDict)
    _uncounted: dict[str, None] = field(default_factory=dict)
    _unsaved: set[str] = field(default_factory=set)
    _under_way: set[str] = field(default_factory=set)
    _told: list[tuple[News, str]] = field(default_factory=list)
    _outgoing: list[Outgoing] = field(default_factory=list)
    _handing_on: HandingOn = field(default_factory=HandingOn)
    _ticks_changed: bool = False

    def __post_init__(self) -> None:
        """Nobody waits yet."""
        self.huge = HugeLeads(self.codes, self.sizes)
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
                self._leads[subject] = Remembered(Lead(erased=subject in self.tombstones), {})
            elif is_huge(packed):
                self._leads[subject] = self.huge.remember(subject, packed)
            else:
                lead, told = unpack(packed)
                stands = facts(whole(lead, subject), self.codes)
                self._leads[subject] = Remembered(lead, told, stands, stands, given=given(lead, subject))

    def wanted(self, subjects: Iterable[str], events: Iterable[Logged]) -> dict[str, Wanted]:
        """What of remembered leads must be fetched before they can be looked at, or told some events."""
        return self.huge.wanted(subjects, events) if self.huge else {}

    def remember_parts(self, fetched: Mapping[str, Parts]) -> None:
        """Take in what was wanted."""
        self.huge.remember_parts(fetched)

    def apply(self, events: Iterable[tuple[int, Logged]]) -> None:
        """Fold events of remembered subjects, each with its offset in the log.

        The totals have them from the next tick or cut, once for each subject.
        """
        leads, codes, uncounted, unsaved = self._leads, self.codes, self._uncounted, self._unsaved
        bound: dict[str, None] = {}
        for offset, event in events:
            subject = event.subject.id
            remembered = leads[subject]
            leads.move_to_end(subject)
            huge = remembered.huge
            change = fold(remembered.lead, event) if huge is None else huge.fold(remembered.lead, event, codes)
            if change is None:
                self.unchanging += 1
                continue
            self._handing_on.note(subject, remembered, event, change, offset)
            if not stands_alone(remembered.lead):
                bound[subject] = None
            elif huge is None:
                remembered.facts = facts_after(change, remembered.facts, remembered.lead, codes)
            if remembered.lead.erased:
                self.tombstones.add(subject)
                self.hashes_ids = True
            uncounted[subject] = None
            unsaved.add(subject)
        for subject in bound:
            leads[subject].facts = leads[subject].stands(subject, codes)
        for part, offset in self._handing_on.told(leads):
            self._outgoing.append(absorbed(self.events_topic, self.sources, self.tombstones.hashing, part, offset))
            self.hashes_ids = True

    def next_clock(self, ticks: Mapping[int, Millis]) -> Millis | None:
        """Where the clock would stand after some ticks; None if it would not move."""
        newest = dict(self.ticks)
        for source, at in ticks.items():
            newest[source] = max(at, newest.get(source, at))
        if len([source for source in newest if source < self.sources]) < self.sources:
            return None
        clock = min(at for source, at in newest.items() if source < self.sources)
        return clock if self.clock is None or clock > self.clock else None

    def take_ticks(self, ticks: Mapping[int, Millis]) -> None:
        """Take in ticks; the clock is moved by `advance`."""
        for source, at in ticks.items():
            if at > self.ticks.get(source, BEGINNING):
                self.ticks[source] = at
                self._ticks_changed = True

    def to_look_at(self, clock: Millis) -> list[str]:
        """Some of the leads that are to be looked at before the clock moves: those that changed, then those that are due."""
        changed = list(islice(self._uncounted, AT_ONCE))
        return changed or self.due.until(self.due_clock(clock), AT_ONCE)

    def look(self, subjects: Sequence[str], clock: Millis) -> None:
        """Have the totals know what some remembered leads mean when the clock has moved."""
        self._told += self._count(subjects, self.due_clock(clock), tell=True)

    def advance(self, clock: Millis) -> None:
        """Move the clock, when all leads that change by that are looked at: alerts leave, windows slide."""
        self._outgoing += [alert(self.alerts_topic, subject, each) for each, subject in sorted(self._told, key=_by_time)]
        self._told = []
        self.totals.advance(clock)

    def _count(self, subjects: Sequence[str], known_until: Millis, *, tell: bool) -> list[tuple[News, str]]:
        """Have the totals know what some leads mean at an instant; they know what they meant at the last tick.

        What is to be told of them is given back, or, as alerts leave at ticks only, makes them due at the next.
        """
        found = []
        leads = [self._leads[subject] for subject in subjects]
        before, after = [each.counted for each in leads], [each.facts for each in leads]
        if self.huge:
            self.huge.narrow(subjects, (before, after), (self.known_until, known_until), self.totals.add)
        old, new = evaluate_both(before, after, self.codes, self.known_until, known_until)
        changes = difference(new, old)
        self.totals.add(changes)
        self.members.move(subjects, moved(changes, old), self.totals.kept_from)
        self.suppressed_alerts += count_appeared_late(new.thresholds, old.thresholds, known_until)
        told = [bool(each.told) for each in leads]
        for subject, each, meaning in zip(subjects, leads, meanings(new, self.codes, known_until, told), strict=True):
            each.counted = each.facts
            changed = subject in self._uncounted
            self._uncounted.pop(subject, None)
            self.open_clocks.put(subject, meaning.waiting)
            due = meaning.next_change
            if meaning.ends_at is not None and meaning.ends_at <= known_until and stands_alone(each.lead):
                since = self.known_until if changed else self.due.at(subject)
                due = Millis(max(meaning.ends_at, since) + QUIET)
                if not changed and since >= meaning.ends_at + QUIET:
                    due = None
                    retire(each.lead, meaning.last_at)
                    each.given = given(each.lead, subject)
                    each.facts = each.counted = facts(each.lead, self.codes)
                    self._unsaved.add(subject)
            if meaning.thresholds or each.told:
                if not tell:
                    due = known_until if news(dict(each.told), meaning.thresholds) else due
                elif what := news(each.told, meaning.thresholds):
                    found += [(item, subject) for item in what]
                    self._unsaved.add(subject)
            if due != each.due:
                each.due = due
                self.due.put(subject, due)
        return found

    def cut(self) -> PartitionCut:
        """Take out all that changed since the last cut. Until `saved`, its subjects stay in memory."""
        while changed := list(islice(self._uncounted, AT_ONCE)):
            self._count(changed, self.known_until, tell=False)
        pages, rows = self.huge.cut({subject: self._leads[subject] for subject in self._unsaved})
        cut = PartitionCut(
            {subject: _stored(self._leads[subject]) for subject in self._unsaved},
            pages,
            rows,
            self.tombstones.cut(),
            self.totals.cut(),
            self.due.cut(),
            self.open_clocks.cut(),
            self.members.cut(self.totals.kept_from),
            self._outgoing,
            dict(self.ticks),
            self.clock,
        )
        self._under_way, self._unsaved, self._outgoing = self._unsaved, set(), []
        self._ticks_changed = False
        return cut

    def saved(self) -> None:
        """The last cut is durable and none is under way."""
        self._under_way = set()
        self.huge.saved()
        self.due.saved()
        self.forget()

    def forget(self) -> None:
        """Let go of the least recently used leads beyond capacity, but for those that Redis does not have as they are."""
        # However heavy some are, they leave half of the room to the others.
        excess = len(self._leads) - self.capacity + (min(self.huge.weight, self.capacity // 2) if self.huge else 0)
        for subject in list(islice(self._leads, max(0, excess))):
            if excess > 0 and subject not in self._unsaved and subject not in self._under_way:
                del self._leads[subject]
                excess -= 1 + self.huge.forget(subject)


def _stored(remembered: Remembered) -> bytes | None:
    """A lead as it is stored. Of an erased one nothing is, once all of its alerts are taken back."""
    ended = all(last.type == RETRACTED for last in remembered.told.values())
    return None if remembered.lead.erased and ended else pack(remembered.lead, remembered.told)


def _by_time(told: tuple[News, str]) -> tuple[Millis, str, int, int]:
    item, subject = told
    return item.at, subject, item.percent, item.told.number
