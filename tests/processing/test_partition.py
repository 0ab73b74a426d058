"""A partition's memory is a function of its log: however the log is cut into batches, and wherever it crashes."""

import asyncio
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NoReturn

import behind
import strategies
import strategies_rules
from build import DAY, NOON, SECOND
from engine import Engine, of_one_subject, panes_of, sums_of
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from stores import SMALL, Store, record

from models.errors import InvalidEventError
from models.events import decode_logged
from models.state.lead import Lead, is_huge, unpack
from models.state.told import Alerts
from models.units import Millis
from streams.processing.huge import USUAL
from streams.processing.processor import Stored, process
from streams.processing.writes import writes_of
from streams.tables import Outgoing, Parts, Progress, Wanted

EVENTS = "crm.events.v1"
SOURCES = 2


class Run:
    """A partition that reads a log in batches, saves at times, crashes at times, and lets go of leads beyond its capacity."""

    def __init__(self, log: Sequence[Any], rules: Any, seed: int, *, rough: bool) -> None:
        self.log, self.rules, self.rng, self.rough = log, rules, Random(seed), rough
        self.capacity = 1 if rough else 10**6
        self.store = Store(sources=SOURCES, sizes=SMALL if rough else USUAL)
        self.partition = self.store.load(rules, self.capacity)
        self.pending: tuple[Any, Progress] | None = None
        asyncio.run(self.go())

    async def go(self) -> None:
        offset = 0
        while offset < len(self.log):
            size = self.rng.randint(1, 6) if self.rough else 1
            items = self.log[offset : offset + size]
            records = [record(offset + place, item) for place, item in enumerate(items)]
            await process(self.partition, records, Stored(self.fetch, self.fetch_parts, self.fetch_due), refused)
            offset += len(records)
            self.maybe_saved(0.6)
            if self.pending is None and self.rng.random() < 0.6:
                self.cut(offset)
            if self.rough and self.rng.random() < 0.15:
                offset = self.crash()
        self.maybe_saved(1)
        self.cut(offset)
        self.maybe_saved(1)

    def cut(self, offset: int) -> None:
        progress = Progress(offset, "", self.partition.clock, dict(self.partition.ticks))
        self.pending = (writes_of(self.partition.cut()), progress)

    def maybe_saved(self, chance: float) -> None:
        if self.pending is not None and self.rng.random() <= chance:
            self.store.write(*self.pending)
            self.pending = None
            self.partition.saved()

    def crash(self) -> int:
        if self.pending is not None and self.rng.random() < 0.5:
            self.store.write(*self.pending)  # stored, but nobody has heard the answer
        self.pending = None
        self.partition = self.store.load(self.rules, self.capacity)
        return self.store.progress.offset or 0

    async def fetch(self, subjects: Sequence[str]) -> dict[str, bytes]:
        if self.rough:
            self.maybe_saved(0.5)  # a checkpoint ends while the states are on their way
        return await self.store.states_of(subjects)

    async def fetch_parts(self, wanted: Mapping[str, Wanted]) -> Mapping[str, Parts]:
        found = await self.store.parts_of(wanted)
        if self.rough:
            self.maybe_saved(0.5)
        return found

    async def fetch_due(self, after: int, until: int) -> dict[str, int]:
        if self.rough:
            self.maybe_saved(0.3)
        found = await self.store.due_between(after, until)
        if self.rough:
            self.maybe_saved(0.5)
        return found


def states_of(store: Store) -> dict[str, tuple[Lead, Alerts]]:
    """The leads that are stored, none of them in pages."""
    found = {subject: unpack(packed) for subject, packed in store.whole_states().items()}
    return {subject: (replace(lead, objects=lead.everything, pages=None), told) for subject, (lead, told) in found.items()}


def refused(_: Any, error: InvalidEventError) -> NoReturn:
    raise error


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[Any], list[Any]]:
    """Facts, and a log of them in any order, some twice, with ticks anywhere."""
    facts = draw(strategies.floors(3))
    log: list[Any] = draw(st.permutations([*facts, *facts[: draw(st.integers(0, 3))]]))
    near = st.integers(0, 80).map(lambda step: NOON // SECOND + step * 30)
    far = st.integers(805, 845).map(lambda days: (NOON + days * DAY) // SECOND)
    instants = near | far | strategies.WHEN.map(lambda at: at // SECOND)
    ticks = draw(st.lists(st.dictionaries(st.integers(0, SOURCES - 1), instants, min_size=1), max_size=14))
    for tick in ticks:
        log.insert(draw(st.integers(0, len(log))), tick)
    return facts, log


@given(logs(), strategies_rules.rules(), st.integers(0, 2**30), strategies.WHEN)
def test_batches_crashes_and_forgetting_change_nothing_and_the_totals_are_those_of_a_clean_run(
    history: tuple[list[Any], list[Any]], rules: Any, seed: int, end: int
) -> None:
    facts, log = history
    log = [*log, dict.fromkeys(range(SOURCES), end // SECOND)]
    smooth, rough = Run(log, rules, seed, rough=False), Run(log, rules, seed, rough=True)

    assert sums_of(rough.partition.totals) == sums_of(smooth.partition.totals)
    assert panes_of(rough.partition.totals) == panes_of(smooth.partition.totals)
    assert states_of(rough.store) == states_of(smooth.store)
    assert rough.store.pages.keys() == rough.store.rows.keys()
    assert rough.store.rows.keys() == {subject for subject, packed in rough.store.states.items() if is_huge(packed)}
    for name in ("due", "open", "oldest"):
        assert getattr(rough.store, name) == getattr(smooth.store, name)

    for run in (rough, smooth):
        totals = run.partition.totals
        known_until = run.partition.known_until
        kept = behind.of_states(run.store.whole_states(), rules, known_until, totals.kept_from)
        assert behind.stored(run.store.members) == kept

    if smooth.partition.clock is not None and smooth.partition.clock > NOON + 800 * DAY:
        return  # some may have been retired, and what is told of them later need not come to what it would have

    clean = Engine(rules)
    assert smooth.partition.clock is not None
    clean.known_until = Millis(smooth.partition.clock - 2 * SECOND)
    clean.take(*facts)
    clean.totals.advance(smooth.partition.clock)
    assert of_one_subject(sums_of(clean.totals)) == sums_of(rough.partition.totals)
    panes = {pane: of_one_subject(cells) for pane, cells in panes_of(clean.totals).items()}
    assert {pane: cells for pane, cells in panes.items() if cells} == panes_of(rough.partition.totals)
    assert sums_of(rough.store.load(rules, 1).totals) == sums_of(rough.partition.totals)


@given(logs(), strategies_rules.rules(), st.integers(0, 2**30))
def test_the_same_alerts_leave_once_each_however_the_log_is_cut_and_wherever_it_crashes(
    history: tuple[list[Any], list[Any]], rules: Any, seed: int
) -> None:
    _, log = history
    smooth, rough = Run(log, rules, seed, rough=False), Run(log, rules, seed, rough=True)

    assert alerts_of(rough.store) == alerts_of(smooth.store)
    assert last_words(rough.store) == last_words(smooth.store)
    for run in (rough, smooth):
        names = [message.id for message in run.store.sent]
        assert len(set(names)) == len(names)


def alerts_of(store: Store) -> list[Outgoing]:
    return [message for message in store.sent if message.topic != EVENTS]


def last_words(store: Store) -> dict[tuple[str, str], bytes]:
    """What others were told last, by whom it was told and by which channel; nothing if that was taken back."""
    told = [decode_logged(message.value) for message in store.sent if message.topic == EVENTS]
    words = {(event.subject.id, event.channel): event.lead for event in sorted(told, key=lambda event: event.sequence)}
    return {place: word for place, word in words.items() if word}
