"""The huge leads in a partition's memory: what of them must be read, what is written of them, and how they are counted."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from models.codes import Codes
from models.contributions import Contributions
from models.events import Logged
from models.neighbourhood import few, neighbourhood
from models.state.absorption import given, stands_alone
from models.state.facts import Facts
from models.state.lead import unpack_head
from models.units import Millis
from streams.processing.huge import USUAL, Huge, Sizes, grown, is_too_much, the_rest
from streams.processing.remembered import Remembered
from streams.tables import Parts, Wanted

Written: TypeAlias = Mapping[str, Mapping[int, bytes | None] | None]
"""By subject, pages or chunks of rows that have changed; None where one is gone, or all are."""


@dataclass(slots=True)
class HugeLeads:
    """Those of a partition's leads whose touches lie in pages; most often there are none."""

    codes: Codes
    sizes: Sizes = USUAL
    _leads: dict[str, Remembered] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._leads)

    @property
    def weight(self) -> int:
        """How many other leads they take the room of, beside their own."""
        return sum(each.huge.weight for each in self._leads.values() if each.huge is not None)

    def remember(self, subject: str, packed: bytes) -> Remembered:
        """Take in one as it is stored, without what is to be read beside it."""
        remembered = self._leads[subject] = Remembered(*unpack_head(packed, self.sizes.page), huge=Huge())
        return remembered

    def wanted(self, subjects: Iterable[str], events: Iterable[Logged]) -> dict[str, Wanted]:
        """What must be read before some subjects are looked at, or told some events."""
        told: dict[str, list[Logged]] = {subject: [] for subject in subjects if subject in self._leads}
        for event in events:
            if event.subject.id in told:
                told[event.subject.id].append(event)
        wanted: dict[str, Wanted] = {}
        for subject, some in told.items():
            each = self._leads[subject]
            parts = None if each.huge is None else each.huge.wanted(each.lead, some)
            if parts is not None:
                wanted[subject] = parts
        return wanted

    def remember_parts(self, fetched: Mapping[str, Parts]) -> None:
        """Take in what was read; of leads that were let go of meanwhile nothing is needed."""
        for subject, parts in fetched.items():
            each = self._leads.get(subject)
            if each is None or each.huge is None:
                continue
            known = each.huge.rows is not None
            each.huge.take(each.lead, parts, self.sizes)
            if not known:
                each.given = given(each.lead, subject)
                each.facts = each.counted = each.stands(subject, self.codes)

    def narrow(
        self,
        subjects: Sequence[str],
        facts: tuple[list[Facts], list[Facts]],
        clocks: tuple[Millis, Millis],
        add: Callable[[list[Contributions]], None],
    ) -> None:
        """Leave out of the facts of those among some leads, old and new, what makes no difference; they are worked out first.

        If too much is left still, only what says something of the lead is; what the rest adds is added in parts.
        """
        (before, after), (then, now) = facts, clocks
        for place, subject in enumerate(subjects):
            each = self._leads.get(subject)
            if each is None or each.huge is None:
                continue
            if stands_alone(each.lead):
                each.facts = each.stands(subject, self.codes)
            old, new = each.counted, each.facts
            before[place], after[place] = neighbourhood(old, new, self.codes, then, now, each.huge.columns_of(old, new))
            if is_too_much(before[place], self.sizes) or is_too_much(after[place], self.sizes):
                before[place], after[place] = few(old, self.codes, then), few(new, self.codes, now)
                for parts in the_rest(old, self.codes, then, self.sizes):
                    add([_less(part) for part in parts])
                for parts in the_rest(new, self.codes, now, self.sizes):
                    add(parts)

    def cut(self, changed: Mapping[str, Remembered]) -> tuple[Written, Written]:
        """The pages and rows that have changed, also of leads that have become huge, or are so no more."""
        pages: dict[str, Mapping[int, bytes | None] | None] = {}
        rows: dict[str, Mapping[int, bytes | None] | None] = {}
        for subject, each in changed.items():
            if each.huge is None:
                if len(each.lead.objects) <= self.sizes.objects:
                    continue
                each.huge = grown(each.lead, self.codes, self.sizes)
                self._leads[subject] = each
            if each.lead.pages is None or each.huge.rows is None:
                pages[subject] = rows[subject] = each.huge = None
                del self._leads[subject]
            else:
                pages[subject], rows[subject] = each.lead.pages.cut(), each.huge.rows.cut()
        return pages, rows

    def saved(self) -> None:
        """The last cut is stored."""
        for each in self._leads.values():
            if each.lead.pages is not None:
                each.lead.pages.saved()

    def forget(self, subject: str) -> int:
        """Let go of a lead, if it is one of these; how many other leads it took the room of."""
        each = self._leads.pop(subject, None)
        return 0 if each is None or each.huge is None else each.huge.weight


def _less(added: Contributions) -> Contributions:
    return added._replace(times=-added.times)
