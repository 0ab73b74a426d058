"""A huge lead in a partition's memory: which of its parts must be read, and how events are folded into it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NamedTuple

from models.codes import Codes
from models.contributions import Contributions, difference, evaluate
from models.events import Absorbed, Logged, Merged
from models.neighbourhood import Columns, more_and_more
from models.state.absorption import stands_alone
from models.state.facts import NOTHING, TOUCH, Facts, Touch, facts, facts_with, touch_of, touch_rows
from models.state.lead import Change, Lead, fold, spoken_of
from models.state.pages import SIZE, paged
from models.state.rows import CHUNK, TouchRows
from models.units import Millis
from streams.tables import Parts, Wanted


class Sizes(NamedTuple):
    """Objects beyond which a lead is huge; touches in a page and rows in a chunk, on average; touches evaluated at once."""

    objects: int = 2 * SIZE
    page: int = SIZE
    rows: int = CHUNK
    at_once: int = 4_096


USUAL: Final = Sizes()

ORDINARY: Final = 4096
"""How many bytes of rows weigh as much in memory as a lead that is not huge."""


@dataclass(slots=True)
class Huge:
    """What is kept of a huge lead beside its state: the rows of its touches (None until they are read), and those counted."""

    rows: TouchRows | None = None
    counted: Columns = field(default_factory=partial(Columns, b""))

    @property
    def weight(self) -> int:
        """How many other leads it stands for in memory."""
        return 0 if self.rows is None else 3 * len(self.rows) // ORDINARY

    def wanted(self, lead: Lead, events: Iterable[Logged]) -> Wanted | None:
        """What must be read of the lead before events are folded into it, or it is looked at; None if all is there.

        What it gives to others, and what it is with what it was given, is told by all of its pages.
        """
        if lead.pages is None:
            return None
        events, rows = list(events), self.rows is None
        if (not stands_alone(lead) and (events or rows)) or any(isinstance(event, _BINDING) for event in events):
            pages = lead.pages.missing_of_all()
        else:
            pages = lead.pages.missing([key for event in events for key in spoken_of(event)], lead.objects)
        return Wanted(rows, sorted(pages)) if rows or pages else None

    def take(self, lead: Lead, parts: Parts, sizes: Sizes) -> None:
        """Take in what was read."""
        if lead.pages is not None:
            for number, packed in parts.pages.items():
                lead.pages.take(number, packed)
        if self.rows is None and parts.rows is not None:
            self.rows = TouchRows.load(parts.rows, sizes.rows)

    def fold(self, lead: Lead, event: Logged, codes: Codes) -> Change | None:
        """Fold an event into the lead and its rows."""
        key = next((key for key in spoken_of(event)[:1] if key.startswith("touch:")), None)
        before = _standing(lead, key, codes)
        change = fold(lead, event)
        if change is not None and self.rows is not None:
            self.rows.change(before, _standing(lead, key, codes))
        return change

    def columns_of(self, old: Facts, new: Facts) -> tuple[Columns, Columns]:
        """The columns of touches that are counted and of those that are to be counted in their place, which are kept."""
        before = self.counted.of(old.touches)
        self.counted = before.of(new.touches)
        return before, self.counted

    def facts(self, lead: Lead, codes: Codes) -> Facts:
        """What stands of a lead that has nothing to do with others."""
        if self.rows is None or lead.pages is None:
            return facts(lead, codes)
        return facts_with(self.rows.all(), lead, codes)


_BINDING: Final = (Merged, Absorbed)


def _standing(lead: Lead, key: str | None, codes: Codes) -> Touch | None:
    if key is None or lead.pages is None:
        return None
    record = lead.pages.home(key, lead.objects).get(key)
    return None if record is None else touch_of(record, codes)


def is_too_much(known: Facts, sizes: Sizes) -> bool:
    """Whether a lead has too many touches to be evaluated with others."""
    return len(known.touches) > 2 * sizes.at_once * TOUCH.itemsize


def the_rest(known: Facts, codes: Codes, known_until: Millis, sizes: Sizes) -> Iterator[list[Contributions]]:
    """What all of a lead's touches add beside few of them, in parts."""
    if known == NOTHING:
        return
    for fewer, more in more_and_more(known, codes, known_until, sizes.at_once):
        yield difference(*(evaluate([each], codes, known_until) for each in (more, fewer)))


def grown(lead: Lead, codes: Codes, sizes: Sizes) -> Huge:
    """A lead that has become huge: its touches are put into pages."""
    rows = TouchRows(touch_rows(lead, codes), {}, sizes.rows)
    lead.pages = paged(lead.objects, sizes.page)
    return Huge(rows)
