"""What a partition's states add up to under its rules: the arithmetic of a re-valuation, many leads at once. It does no I/O.

Beside the totals it keeps nothing of a lead but its open clock, and until they are taken out when it is due and whose member
it is.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

import numpy as np

from models.codes import NEVER
from models.contributions import Evaluation, evaluate
from models.meaning import Waiting, thresholds_of, waiting_of
from models.members import moved
from models.neighbourhood import few
from models.news import news
from models.state.absorption import stands_alone, whole
from models.state.facts import Facts, facts, touch_rows
from models.state.lead import Lead, pack, unpack
from models.state.rows import TouchRows
from models.state.told import Alerts
from models.units import Millis
from streams.processing.huge import is_too_much, the_rest
from streams.processing.members import MembersCut
from streams.processing.open_clocks import OpenClocks
from streams.processing.partition import QUIET, Partition

LOTS: Final = 4
"""Lots of states after which the totals are made compact."""


class OfLeads(NamedTuple):
    """What some leads add beside totals: when they are due, whose members they are, and the rows of huge ones.

    Rows lie by the instant from which on they are.
    """

    due: Mapping[str, Millis]
    rows: Mapping[str, Mapping[int, bytes | None]]
    members: MembersCut


class AddingUp:
    """Fills a new partition's memory from states, whose clock stands already.

    Thresholds that lie in the past by its rules are taken as told, but for those of `pending` leads: they had something to be
    told at the next tick before, and still have.
    """

    def __init__(self, partition: Partition, pending: AbstractSet[str]) -> None:
        self._partition = partition
        self._known_until = partition.known_until
        self._pending = pending
        self._lots = 0
        self.leads = 0
        self.found_due = 0
        self.waiting: dict[str, Waiting] = {}
        self._due: dict[str, Millis] = {}
        self._rows: dict[str, Mapping[int, bytes | None]] = {}

    def take(self, states: Mapping[str, bytes]) -> dict[str, bytes]:
        """Add some states. Gives back those in which more must be remembered as told now."""
        codes = self._partition.codes
        subjects, known = list(states), [unpack(packed) for packed in states.values()]
        evaluation = evaluate(self._standing(subjects, known), codes, self._known_until)
        totals = self._partition.totals
        totals.add(evaluation.contributions)
        self._partition.members.move(subjects, moved(evaluation.contributions), totals.kept_from)
        self.leads += len(subjects)
        self._lots += 1
        if self._lots % LOTS == 0:
            totals.compact()
        for place, waiting in waiting_of(evaluation, codes).items():
            self.waiting[subjects[place]] = waiting
        due = np.flatnonzero(evaluation.next_change != NEVER)
        for place, at in zip(due.tolist(), evaluation.next_change[due].tolist(), strict=True):
            self._due[subjects[place]] = Millis(at)
        for place in np.flatnonzero(evaluation.ends_at <= self._known_until).tolist():
            if stands_alone(known[place][0]):
                self._due[subjects[place]] = Millis(self._known_until + QUIET)
        return self._tell(subjects, known, evaluation)

    def _standing(self, subjects: list[str], known: list[tuple[Lead, Alerts]]) -> list[Facts]:
        codes = self._partition.codes
        standing = [facts(whole(lead, subject), codes) for subject, (lead, _) in zip(subjects, known, strict=True)]
        for place, (lead, _) in enumerate(known):
            if lead.pages is not None:
                standing[place] = self._huge(subjects[place], lead, standing[place])
        return standing

    def _huge(self, subject: str, lead: Lead, known: Facts) -> Facts:
        """See to the rows of a huge lead, and add most of its touches; what stands of it with the others."""
        codes, sizes = self._partition.codes, self._partition.sizes
        self._rows[subject] = TouchRows(touch_rows(lead, codes), {}, sizes.rows).cut()
        if not is_too_much(known, sizes):
            return known
        for parts in the_rest(known, codes, self._known_until, sizes):
            self._partition.totals.add(parts)
        return few(known, codes, self._known_until)

    def _tell(self, subjects: list[str], known: list[tuple[Lead, Alerts]], evaluation: Evaluation) -> dict[str, bytes]:
        """Settle what was told of leads, and what is to be."""
        quiet: dict[str, bytes] = {}
        told_of = [bool(told) for _, told in known]
        found = thresholds_of(evaluation, self._partition.codes, self._known_until, told_of)
        for place in found.keys() | {place for place, told in enumerate(told_of) if told}:
            subject, (lead, told), thresholds = subjects[place], known[place], found.get(place, ())
            if subject in self._pending:
                if news(dict(told), thresholds):
                    self._due[subject] = self._known_until
            elif news(told, thresholds):
                quiet[subject] = pack(lead, told)
        return quiet

    def take_out(self) -> OfLeads:
        """What the leads that were added since this was last asked add beside totals."""
        found = OfLeads(self._due, self._rows, self._partition.members.cut(self._partition.totals.kept_from))
        self.found_due += len(found.due)
        self._due, self._rows = {}, {}
        return found

    def settle(self) -> None:
        """All states are added: the partition knows who waits. Who is due it reads when it is time."""
        self._partition.open_clocks = OpenClocks(self._partition.waiting_dims, self.waiting)
        self._partition.totals.late = 0  # it counts what comes late, not what is walked again
