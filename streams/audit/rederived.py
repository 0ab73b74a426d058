"""A partition's states made anew from its log: from nothing, event by event, each lead forgotten when it was to be.

It takes of the workers' code what an event means (fold) and what a lead amounts to (evaluate), and nothing of how they get
there: no differences, no due set, no pages, no checkpoints. States lie packed, but for those that were used lately.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from models.codes import Codes
from models.contributions import evaluate
from models.events import Logged
from models.meaning import meanings
from models.state.absorption import stands_alone
from models.state.facts import facts
from models.state.lead import Lead, fold, joined, pack, retire, unpack
from models.state.pages import paged
from models.units import Millis
from streams.audit.told import Ticks, told
from streams.processing.huge import USUAL
from streams.processing.partition import BEGINNING, QUIET, Partition
from streams.transport import Record

CAPACITY: Final = 20_000
"""Leads that are not packed."""

AT_ONCE: Final = 2_000
"""Leads that are given, or looked at, at once."""


class Rederived:
    """One partition's states. `offset` is the next one of its log to be taken; `sources` deliveries partitions tick."""

    def __init__(self, codes: Codes, sources: int, capacity: int = CAPACITY) -> None:
        self.offset = 0
        self.clock: Millis | None = None
        self.ticks: dict[int, Millis] = {}
        self._codes = codes
        self._sources = sources
        self._capacity = capacity
        self._packed: dict[str, bytes] = {}
        self._leads: OrderedDict[str, Lead] = OrderedDict()
        self._since: dict[str, Millis] = {}
        self._erased: set[str] = set()

    @property
    def known_until(self) -> Millis:
        """The due clock."""
        return Partition.due_clock(self.clock)

    def take(self, records: Sequence[Record]) -> None:
        """Apply the records that follow."""
        for each in told(records):
            if isinstance(each, dict):
                self._tick(each)
            else:
                self._fold(each)

    def _tick(self, ticks: Ticks) -> None:
        for source, at in ticks.items():
            self.ticks[source] = max(at, self.ticks.get(source, BEGINNING))
        known = [at for source, at in self.ticks.items() if source < self._sources]
        if len(known) == self._sources:
            self.clock = max(min(known), self.clock or BEGINNING)

    def _fold(self, event: Logged) -> None:
        subject = event.subject.id
        if self._is_quiet(subject):
            self._retire([subject])
        lead = self._lead(subject)
        if fold(lead, event) is None:
            return
        self._since[subject] = self.known_until
        if lead.erased:
            self._erased.add(subject)

    def _lead(self, subject: str) -> Lead:
        lead = self._leads.get(subject)
        if lead is None:
            packed = self._packed.get(subject)
            lead = Lead(erased=subject in self._erased) if packed is None else unpack(packed)[0]
            self._leads[subject] = lead
            if len(self._leads) > self._capacity:
                self._pack(*self._leads.popitem(last=False))
        else:
            self._leads.move_to_end(subject)
        return lead

    def _pack(self, subject: str, lead: Lead) -> None:
        if lead.erased:
            self._packed.pop(subject, None)
        elif subject in self._since:
            self._packed[subject] = pack(lead, {})

    def _is_quiet(self, subject: str) -> bool:
        """Whether nothing was told of a lead for so long that it may have been forgotten."""
        since = self._since.get(subject)
        return since is not None and self.known_until >= since + QUIET

    def _retire(self, subjects: Sequence[str]) -> None:
        """Forget the objects of those leads that have been in no number for long enough."""
        alone = [(subject, lead) for subject in subjects if stands_alone(lead := self._lead(subject)) and not lead.erased]
        now = self.known_until
        found = evaluate([facts(lead, self._codes) for _, lead in alone], self._codes, now)
        for (subject, lead), meaning in zip(alone, meanings(found, self._codes, now), strict=True):
            if meaning.ends_at is not None and now >= max(meaning.ends_at, self._since[subject]) + QUIET:
                retire(lead, meaning.last_at)
                self._since[subject] = now

    def ends_at(self, offset: int) -> None:
        """All before an offset was taken."""
        self.offset = offset

    def settle(self) -> None:
        """Forget of all leads what is to be forgotten by now; it need be done once only."""
        quiet = [subject for subject in self._since if self._is_quiet(subject)]
        for start in range(0, len(quiet), AT_ONCE):
            self._retire(quiet[start : start + AT_ONCE])

    def __len__(self) -> int:
        """How many leads are known."""
        return len(self._since) - len(self._erased)

    def subjects(self) -> Iterable[str]:
        """Who is known."""
        return (subject for subject in self._since if subject not in self._erased)

    def state(self, subject: str) -> bytes | None:
        """A lead with all that is known of it, packed; None if nothing is."""
        lead = self._leads.get(subject)
        if lead is None:
            return self._packed.get(subject)
        return None if lead.erased or subject not in self._since else pack(lead, {})

    def all_states(self) -> Iterator[dict[str, bytes]]:
        """All leads, some at a time; huge ones as they are stored, with what lies in their pages."""
        rest = iter(list(self.subjects()))
        while names := list(islice(rest, AT_ONCE)):
            yield {name: _in_pages(packed) for name in names if (packed := self.state(name)) is not None}


def _in_pages(packed: bytes) -> bytes:
    if len(packed) < USUAL.objects:  # bytes: so many objects take more
        return packed
    lead, _ = unpack(packed)
    if len(lead.objects) <= USUAL.objects:
        return packed
    lead.pages = paged(lead.objects)
    return joined(pack(lead, {}), [page for page in lead.pages.cut().values() if page])
