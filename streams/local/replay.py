"""The numbers of recorded facts at an instant, by the core alone: no Kafka, no Redis, no clock."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from models.catalogue import FIGURES
from models.codes import Codes
from models.contributions import evaluate
from models.errors import LeadbeatError
from models.givens import givens
from models.grids import Columns
from models.kpis import Formula
from models.meaning import Waiting, meanings
from models.measures import USUAL
from models.rollup import Totals
from models.rules import Rules
from models.snapshot import Line, slices
from models.snapshot import evaluate as tell
from models.state.absorption import settle, whole
from models.state.facts import facts
from models.state.lead import Lead, fold
from models.units import SECOND, Millis
from models.windows import DUE_LAG
from streams.config import Connection
from streams.inbound.normalise import Unknown
from streams.local.recording import Fact, Mistake, read

AT_ONCE: Final = 500
"""Leads whose contributions are summed together."""


@dataclass(frozen=True, slots=True)
class AsOf:
    """Where the clock shall stand: `clock` in ms UTC, or None for the first whole second after the last receipt.

    Only what had been received by then is known; with `known_later` all that is in the file.
    """

    clock: Millis | None = None
    known_later: bool = False

    def knows(self, received_at: Millis) -> bool:
        """Whether something received at an instant counts."""
        return self.clock is None or self.known_later or received_at <= self.clock


@dataclass(slots=True)
class Recorded:
    """What a recording holds, folded: the leads, and how many events were folded, came later, or were no facts."""

    leads: dict[str, Lead] = field(default_factory=dict)
    events: int = 0
    later: int = 0
    unknown: int = 0
    mistakes: list[Mistake] = field(default_factory=list)
    last_receipt: Millis = field(default=Millis(0))

    def take(self, fact: Fact) -> None:
        """Fold a fact into its lead."""
        fold(self.leads.setdefault(fact.event.subject.id, Lead()), fact.event)
        self.events += 1
        self.last_receipt = max(self.last_receipt, fact.received_at)


@dataclass(frozen=True, slots=True)
class Replay:
    """The catalogue's lines at `clock`, and what they were made from."""

    clock: Millis
    known_until: Millis
    lines: tuple[Line, ...]
    recorded: Recorded


def replay(
    recording: Iterable[bytes],
    rules: Rules,
    minimum_n: Mapping[Formula, int],
    as_of: AsOf = AsOf(),
    connections: Mapping[str, Connection] = {},
) -> Replay:
    """Every figure of the catalogue at an instant, from a recording in any order.

    Deliveries are read with the settings of their connections, by name, where there are any. Lines that cannot be read are told
    in `recorded.mistakes`. Raises LeadbeatError if no line can be.
    """
    recorded = collect(recording, as_of, rules.money.currencies, connections)
    if not recorded.events and not recorded.later:
        first = f", first of all {recorded.mistakes[0]}" if recorded.mistakes else ""
        raise LeadbeatError("recording", f"it holds no event that can be read{first}", "see leadbeat schema")
    clock = Millis(recorded.last_receipt - recorded.last_receipt % SECOND + SECOND) if as_of.clock is None else as_of.clock
    known_until = Millis(clock - DUE_LAG)
    codes = Codes(rules)
    totals = Totals(codes)
    totals.advance(clock)
    settle(recorded.leads)
    leads = [whole(lead, subject) for subject, lead in recorded.leads.items()]
    oldest = _add(totals, leads, codes, known_until)
    columns = Columns(totals.sums).at_present(rules.money.minor_units, givens(rules, clock))
    lines = tell(FIGURES, columns, oldest, slices(rules, clock), minimum_n)
    return Replay(clock, known_until, tuple(lines), recorded)


def collect(
    recording: Iterable[bytes], as_of: AsOf, currencies: AbstractSet[str], connections: Mapping[str, Connection] = {}
) -> Recorded:
    """Fold all that counts."""
    recorded = Recorded()
    for number, line in enumerate(recording, start=1):
        for found in read(number, line, currencies, connections):
            match found:
                case Mistake():
                    recorded.mistakes.append(found)
                case Unknown():
                    recorded.unknown += 1
                case Fact() if as_of.knows(found.received_at):
                    recorded.take(found)
                case Fact():
                    recorded.later += 1
    return recorded


def _add(totals: Totals, leads: Sequence[Lead], codes: Codes, known_until: Millis) -> dict[str, tuple[Millis, Millis | None]]:
    """Add what each lead contributes; gives the oldest open clock of each slice."""
    oldest: dict[str, tuple[Millis, Millis | None]] = {}
    for start in range(0, len(leads), AT_ONCE):
        evaluation = evaluate([facts(lead, codes) for lead in leads[start : start + AT_ONCE]], codes, known_until)
        totals.add(evaluation.contributions)
        for meaning in meanings(evaluation, codes, known_until):
            if meaning.waiting is not None:
                _wait(oldest, meaning.waiting, codes.slices(USUAL))
    return oldest


def _wait(oldest: dict[str, tuple[Millis, Millis | None]], waiting: Waiting, dims: tuple[str, ...]) -> None:
    found = waiting.since, waiting.due
    for name in waiting.slices(dims):
        oldest[name] = min(oldest.get(name, found), found, key=_soonest)


def _soonest(waiting: tuple[Millis, Millis | None]) -> tuple[Millis, bool, Millis]:
    """Who has waited longest; of equals who is due first, those who are never due last."""
    since, due = waiting
    return since, due is None, since if due is None else due
