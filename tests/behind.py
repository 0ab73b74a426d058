"""Who is behind numbers: as it is stored, as final states say, and as the oracle says, which shares no code with the engine."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from engine import listed

from models.catalogue import MEASURES
from models.codes import Codes
from models.contributions import evaluate
from models.rules import Rules
from models.state.absorption import whole
from models.state.facts import facts
from models.state.lead import unpack
from models.units import Millis
from models.windows import DUE_LAG, Calendar, Pane
from streams.local.truth import Case
from streams.local.truth_facts import Rules as TruthRules
from streams.local.truth_facts import belonging, leads_of
from streams.local.truth_gauges import Ledger, Slice
from streams.local.truth_windows import windows_at
from streams.tables import Keys, Redis, walk_states
from streams.tables.rows import decode_member

Members: TypeAlias = dict[str, set[tuple[str, int, int]]]
"""By measure: whom and when, and which of what is of the same lead and instant."""

DRILLED = tuple(measure.id for measure in MEASURES if measure.drill)


def measure_of(name: str) -> str:
    """The engine's measure of what the oracle calls `stage_entries{lead_stage=mql}`."""
    return re.sub(r"\{\w+=(\w+)\}", r"_\1", name)


def stored(tables: Mapping[str, Mapping[str, int]]) -> Members:
    """What tables of members hold; each has the score that it tells."""
    found: Members = {}
    for measure, members in tables.items():
        for packed, at in members.items():
            member = decode_member(packed)
            assert member.at == at
            found.setdefault(measure, set()).add(tuple(member))
    return found


def of_states(states: Mapping[str, bytes], rules: Rules, known_until: int, kept_from: int = 0) -> Members:
    """What must be stored of some states: every occurrence of theirs from the oldest day on that is kept."""
    codes = Codes(rules)
    found: Members = {}
    for subject, packed in states.items():
        lead = whole(unpack(packed)[0], subject)
        evaluation = evaluate([facts(lead, codes)], codes, Millis(known_until))
        times: Counter[tuple[str, int]] = Counter()
        for (measure, _, at, _), count in listed(evaluation.contributions, codes).items():
            if measure in DRILLED and at >= kept_from:
                times[measure, at] += count
        for (measure, at), count in times.items():
            found.setdefault(measure, set()).update((subject, at, k) for k in range(count))
    return found


async def read(redis: Redis, keys: Keys) -> dict[str, dict[str, int]]:
    """The tables of members of a partition's generation, but for empty ones."""
    found = {}
    for measure in DRILLED:
        held = await redis.zrange(keys.members(measure), 0, -1, withscores=True)
        found |= {measure: {member.decode(): int(at) for member, at in held}} if held else {}
    return found


async def of_stored_states(redis: Redis, keys: Keys, rules: Rules, clock: int) -> Members:
    """What must be stored of the states of a partition whose clock stands at an instant."""
    states = {}
    async for some in walk_states(redis, keys):
        states |= some
    kept_from = Calendar(rules.zone).oldest_start(Pane.DAY, Millis(clock))
    return of_states(states, rules, clock - DUE_LAG, kept_from)


Behind: TypeAlias = dict[tuple[str, str, Slice], Counter[str]]
"""By measure, window and slice: how often each lead is behind the number."""


def told(events: Iterable[Mapping[str, Any]], rules: TruthRules, clock: int) -> Behind:
    """Who is behind every number that can be drilled into, as the oracle has it."""
    windows = windows_at(clock, rules)
    found: Behind = {}
    for subject, ledger in ledgers(events, rules, clock):
        for (name, slice_), occurrences in ledger.flows.items():
            measure = measure_of(name)
            for window, (start, end) in windows.items() if measure in DRILLED else ():
                times = sum(start <= at < end for at, _ in occurrences)
                if times:
                    found.setdefault((measure, window, slice_), Counter())[subject] += times
    return found


def ledgers(events: Iterable[Mapping[str, Any]], rules: TruthRules, clock: int) -> Iterator[tuple[str, Ledger]]:
    """What each lead by itself has happened to it, as the oracle has it."""
    for subject, history in belonging(events).items():
        own = [event | {"subject": {"kind": "lead", "id": subject}} for event in history if event["type"] != "merged"]
        ledger = Ledger(rules.pairs)
        for lead in leads_of(own):
            Case(lead, rules, clock, ledger).enter()
        yield subject, ledger
