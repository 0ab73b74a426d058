"""The leads behind a number, out of Redis: who they are from the members, how they stand from their states.

Workers go on meanwhile. What is read is of one state of each partition if no checkpoint was written between; else it is read
again, a few times.
"""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple, Protocol

from models.codes import Codes
from models.kpis import Figure
from models.rules import Rules
from models.slices import dims_of, split_values
from models.units import Millis
from models.windows import DUE_LAG, WINDOW_INDEX, WINDOWS, Calendar
from streams.errors import Retry
from streams.serving.selection import InvalidQueryError, check, check_sliced
from streams.serving.standing import LeadBehind, Part, Placed, Stood, standing
from streams.tables import Applied, Keys, Redis, read_applied, read_whole_states
from streams.tables.members import Place, Stretch, read_members
from streams.tables.rules import in_force, read_rules
from streams.valuation import Valuation, decode_valuation, valuation_of

ATTEMPTS: Final = 5
"""How often partitions are read until they stand still."""

MOST_WAITING: Final = 10
"""Questions that may wait for others; more are turned away at once."""

PATIENCE_S: Final = 10.0
"""How long a question waits and is worked on."""

MOST_LOOKED_AT: Final = 5_000
"""Members whose leads are looked at for one answer, to find those of a slice."""


class Question(NamedTuple):
    """Which number is opened: a figure's numerator or denominator (`of`), in a window and slice (`by` is empty for the whole).

    At most `limit` leads are wanted, the newest behind a place.
    """

    figure: Figure
    of: str
    window: str
    by: str
    slice: str
    limit: int
    behind: Place | None = None

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures whose members are asked for."""
        asked = self.figure.denominator if self.of == "denominator" else self.figure.numerator
        return tuple(measure.id for measure in asked)


class Behind(NamedTuple):
    """Leads behind a number, newest first, and the place behind which there may be more (None: these are all).

    `clock` is where the least advanced partition's clock stands. `exact`: all stand there, and each was read as of one state.
    """

    clock: Millis
    exact: bool
    leads: Sequence[LeadBehind]
    rest: Place | None


class LeadsReader(Protocol):
    """Where the leads behind numbers are read from."""

    async def read(self, question: Question) -> Behind:
        """The leads that are asked for.

        Raises InvalidQueryError for a slice that there is none of, Retry if they cannot be read now, Fatal if what is there
        are no members.
        """
        ...


@dataclass(frozen=True)
class _Terms:
    """The rules in force, and what follows from them."""

    rules: Rules
    codes: Codes
    calendar: Calendar
    valuation: Valuation

    @classmethod
    def of(cls, rules: Rules) -> "_Terms":
        return cls(rules, Codes(rules), Calendar(rules.zone), valuation_of(rules))


class _Look(NamedTuple):
    """One reading: the partitions' records, the members that are looked at, newest first, and whether there are more."""

    records: Sequence[Applied]
    members: Sequence[Placed]
    more: bool
    parts: Sequence[Part]


class RedisLeads:
    """The leads in Redis, of all partitions. One question is answered at a time, so that they crowd out nothing else."""

    def __init__(self, redis: Redis, prefix: str, partitions: int, configured: Rules) -> None:
        self._redis = redis
        self._prefix = prefix
        self._keys = [Keys(prefix, number) for number in range(partitions)]
        self._configured = configured
        self._terms: _Terms | None = None
        self._lock = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "leads")  # one, also where nobody waits any more for what it works on
        self._asked = 0

    async def read(self, question: Question) -> Behind:
        """The leads that are asked for. Raises InvalidQueryError, Retry or Fatal."""
        if self._asked > MOST_WAITING:
            raise Retry("leads", f"{self._asked} questions are being answered already", "ask again when they are")
        self._asked += 1
        try:
            async with asyncio.timeout(PATIENCE_S), self._lock:
                return await self._find(question)
        except TimeoutError:
            raise Retry("leads", f"no answer within {PATIENCE_S:.0f} s", "ask for fewer leads, or later") from None
        finally:
            self._asked -= 1

    async def _find(self, question: Question) -> Behind:
        terms = await self._terms_in_force()
        wanted = wanted_values(question, terms.codes)
        look, still = await self._look_at_what_stands_still(question, terms)
        # In a thread: thousands of leads take a while, in which others shall be answered.
        stood = await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: [standing(part, terms.codes, wanted) for part in look.parts]
        )
        return _answer(question, look, stood, still=still)

    async def _terms_in_force(self) -> _Terms:
        rules = in_force(self._configured, await read_rules(self._redis, self._prefix))
        if self._terms is None or self._terms.rules != rules:
            self._terms = await asyncio.to_thread(_Terms.of, rules)
        return self._terms

    async def _look_at_what_stands_still(self, question: Question, terms: _Terms) -> tuple[_Look, bool]:
        """A reading of one state of each partition, or, after some attempts, of what moves."""
        look = await self._look(question, terms)
        for _ in range(ATTEMPTS - 1):
            if await self._stood_still(look.records):
                return look, True
            look = await self._look(question, terms)
        return look, await self._stood_still(look.records)

    async def _look(self, question: Question, terms: _Terms) -> _Look:
        records = [_checked(record, terms, keys) for record, keys in zip(await self._records(), self._keys, strict=True)]
        most = MOST_LOOKED_AT if question.by else question.limit
        stretches = [_stretches(question, terms, *each) for each in zip(self._keys, records, strict=True)]
        read = iter(await read_members(self._redis, list(chain.from_iterable(stretches)), most + 1))
        own = [[member for _ in part for member in next(read)] for part in stretches]
        members = sorted(chain.from_iterable(own), key=_place, reverse=True)[: most + 1]
        last = members[most - 1][0] if len(members) > most else None
        parts = []
        for keys, record, held in zip(self._keys, records, own, strict=True):
            looked_at = [each for each in held if last is None or each[0] >= last]
            states = await read_whole_states(self._redis, keys, dict.fromkeys(member.subject for _, member in looked_at))
            parts.append(Part(Millis(_clock(record) - DUE_LAG), looked_at, states))
        return _Look(records, members[:most], last is not None, parts)

    async def _records(self) -> list[Applied | None]:
        return await read_applied(self._redis, self._keys)

    async def _stood_still(self, records: Sequence[Applied]) -> bool:
        """Whether no checkpoint was written since."""
        now = await self._records()
        return all(
            late is not None and (late.token, late.seq) == (early.token, early.seq)
            for early, late in zip(records, now, strict=True)
        )


def _checked(record: Applied | None, terms: _Terms, keys: Keys) -> Applied:
    """A partition's record. Raises Retry if it has no clock yet, or is of other rules, catalogue or code than we have."""
    if record is None or record.progress.clock is None:
        raise Retry("clock", "not all partitions have one yet", "wait until a worker has taken them")
    stored, mine = decode_valuation(record.progress.valuation), terms.valuation
    if stored != mine:
        theirs = f"rules version {stored.rules}" if stored else "no rules yet"
        what = f"its numbers are by {theirs}, this exporter has rules version {mine.rules}, or other ones or another release"
        todo = "wait if rules were just changed; else give exporter and workers the same settings and release"
        raise Retry(keys.applied, what, todo)
    return record


def _clock(record: Applied) -> Millis:
    return Millis(record.progress.clock or 0)


def _stretches(question: Question, terms: _Terms, keys: Keys, record: Applied) -> list[Stretch]:
    """The members of a partition that are behind the number: those of its window, as its own clock stands."""
    span = terms.calendar.span(WINDOWS[WINDOW_INDEX[question.window]], _clock(record))
    generation = keys.of(record.progress.generation)
    return [Stretch(generation.members(measure), measure, *span, question.behind) for measure in question.measures]


def _place(placed: Placed) -> Place:
    return placed[0]


def _answer(question: Question, look: _Look, stood: Sequence[Stood], *, still: bool) -> Behind:
    leads = {place: lead for part in stood for place, lead in part.leads.items()}
    found = [place for place, _ in look.members if place in leads]
    rest = look.members[-1][0] if look.more else None
    if len(found) > question.limit:
        found = found[: question.limit]
        rest = found[-1]
    clocks = [_clock(record) for record in look.records]
    exact = still and len(set(clocks)) == 1 and all(part.whole for part in stood)
    return Behind(min(clocks), exact, [leads[place] for place in found], rest)


def wanted_values(question: Question, codes: Codes) -> dict[str, str]:
    """The values that a slice asks for, by dimension. Raises InvalidQueryError for a slice that there is none of."""
    check_sliced([question.by], ["", *filter(question.figure.has, codes.slices(question.figure.dims)[1:])])
    dims, values = dims_of(question.by), split_values(question.by, question.slice)
    if len(values) != len(dims):
        raise InvalidQueryError("slice", f"{question.slice!r} is not one of each", f"give values of {question.by}")
    return dict(_known(codes, dims, values))


def _known(codes: Codes, dims: Sequence[str], values: Sequence[str]) -> Iterator[tuple[str, str]]:
    for dim, value in zip(dims, values, strict=True):
        check("slice", value, dict.fromkeys(codes.names(dim)))
        yield dim, value
