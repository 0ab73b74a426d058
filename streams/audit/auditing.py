"""One audit: partition by partition, from the log where it reaches back to the beginning, from the states where it does not."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from models.codes import Codes
from models.errors import LeadbeatError
from models.rules import Rules
from streams.audit.added_up import AddedUp, add_up
from streams.audit.comparing import compare_leads, compare_totals, parts_of
from streams.audit.findings import Audited, Differences, Report
from streams.audit.from_states import Walked, bring_forward, some_at_a_time, walk
from streams.audit.log import EventsLog
from streams.audit.rederived import AT_ONCE, Rederived
from streams.audit.shown import Summed, compare_rows
from streams.audit.standing_still import stand_still
from streams.config import Settings
from streams.errors import Retry
from streams.hashing import Hashing
from streams.processing.hashing import Tombstones, check_same_key
from streams.security import kafka_security
from streams.tables import Applied, Keys, KpiTable, Redis, check_layout, read_applied, walk_states
from streams.tables.rules import in_force, read_rules
from streams.tables.still import Still, read_some_states
from streams.topics import Topics
from streams.valuation import Valuation, valuation_of

FROM_LOG: Final = "from the log"

LOOKED_AT_AGAIN: Final = 500
"""Leads that are read in one transaction."""

MOST_AGAIN: Final = 20_000
"""Leads that may differ at first sight, as more was told of them since, and are still looked at again."""


class Terms(NamedTuple):
    """By what an audit goes: the rules in force, and what totals by them are marked with."""

    rules: Rules
    codes: Codes
    valuation: Valuation
    hashing: Hashing


@dataclass(slots=True)
class _Found:
    """What an audit has found so far."""

    differences: Differences = field(default_factory=Differences)
    audited: list[Audited] = field(default_factory=list)
    parts: dict[int, Summed] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


async def audit(settings: Settings, redis: Redis, only: int | None = None) -> Report:
    """Audit all partitions, or one. Raises Retry and Fatal where nothing can be audited at all."""
    began = time.monotonic()
    await check_layout(redis, settings.redis.prefix, settings.kafka.partitions)
    rules = in_force(settings.rules(), await read_rules(redis, settings.redis.prefix))
    terms = Terms(rules, Codes(rules), valuation_of(rules), Hashing(settings.worker.hashing_key()))
    numbers = range(settings.kafka.partitions) if only is None else (only,)
    found = _Found()
    auditing = _Auditing(settings, redis, terms, found)
    table = await auditing.all_of(numbers)
    if only is None and not found.failed:
        if table is None:
            found.notes.append("KPI table: not compared, as no exact round of the same checkpoints was met")
    else:
        found.notes.append("KPI table: not compared, as that takes all partitions")
    rows = 0
    if table is not None and not found.failed:
        told = [found.parts[number] for number in numbers]
        rows = await asyncio.to_thread(compare_rows, table, told, rules, settings.minimum_n.by_formula(), found.differences)
    differences = found.differences
    return Report(
        found.audited,
        rows,
        differences.series,
        differences.count,
        differences.shown,
        found.notes,
        found.failed,
        round(time.monotonic() - began, 3),
        time.time_ns() // 1_000_000,
    )


class _Auditing:
    def __init__(self, settings: Settings, redis: Redis, terms: Terms, found: _Found) -> None:
        self._settings = settings
        self._redis = redis
        self._terms = terms
        self._found = found
        self._topic = Topics(settings.kafka.topic_prefix).events

    def _keys(self, number: int) -> Keys:
        return Keys(self._settings.redis.prefix, number)

    async def all_of(self, numbers: Sequence[int]) -> KpiTable | None:
        """Audit some partitions; gives the KPI table if it is of the same checkpoints as all of them."""
        kafka, security = self._settings.kafka, kafka_security(self._settings.kafka)
        logs: dict[int, EventsLog] = {}
        walked: dict[int, Walked] = {}
        for number in numbers:
            log = logs[number] = EventsLog(kafka.bootstrap, self._topic, number, security)
            await log.look()
            if log.earliest > 0:
                walked[number] = await walk(self._redis, self._keys(number))
        whole = len(numbers) == self._settings.kafka.partitions and await self._are_ours(numbers)
        stood = await stand_still(self._redis, self._settings.redis.prefix, numbers, whole=whole)
        for number, still in stood.partitions.items():
            try:
                if isinstance(still, LeadbeatError):
                    raise still
                self._check(number, still.applied)
                if number in walked:
                    await self._from_states(number, still, logs[number], walked.pop(number))
                else:
                    await self._from_log(number, still, logs[number])
            except LeadbeatError as fault:
                self._found.failed.append(f"partition {number}: {fault}")
        return stood.table

    async def _are_ours(self, numbers: Sequence[int]) -> bool:
        """Whether all partitions can be audited now: else there is no round to be waited for."""
        ours = self._terms.valuation.encode()
        applied = await read_applied(self._redis, [self._keys(number) for number in numbers])
        return all(each is not None and each.progress.valuation == ours for each in applied)

    def _check(self, number: int, applied: Applied) -> None:
        """Raise where totals are not of our rules and code: they differ then, and need not be wrong."""
        where, progress = self._keys(number).applied, applied.progress
        if progress.offset is None:
            raise Retry(where, "nothing was applied yet", "ask again when a worker has")
        check_same_key(self._terms.hashing, progress, where)
        if progress.valuation != self._terms.valuation.encode():
            what = "its totals are of other rules, or made by another release"
            raise Retry(where, what, "audit with the workers' release and settings, when all totals are made anew")

    async def _from_log(self, number: int, still: Still, log: EventsLog) -> None:
        terms, progress = self._terms, still.applied.progress
        derived = Rederived(terms.codes, self._settings.kafka.partitions)
        await _follow(derived, log, still.applied)
        await asyncio.to_thread(derived.settle)
        differences = self._found.differences
        if (derived.clock, dict(derived.ticks)) != (progress.clock, dict(progress.ticks)):
            differences.add(number, "clock", "now", progress.clock, derived.clock)
        added_up = await asyncio.to_thread(add_up, derived.all_states(), terms.codes, progress.clock)
        self._compare(number, still, added_up, FROM_LOG)
        await self._compare_leads(number, derived, log)

    async def _from_states(self, number: int, still: Still, log: EventsLog, walked: Walked) -> None:
        terms, progress = self._terms, still.applied.progress
        tombstones = Tombstones(terms.hashing, walked.erased)
        told = log.read(walked.offset, progress.offset or 0, progress.fingerprint)
        await bring_forward(walked, told, tombstones)
        states = some_at_a_time(walked.states, AT_ONCE)
        added_up = await asyncio.to_thread(add_up, states, terms.codes, progress.clock)
        self._compare(number, still, added_up, f"from the states, as the log begins at offset {log.earliest}")

    def _compare(self, number: int, still: Still, added_up: AddedUp, source: str) -> None:
        series = compare_totals(number, still, added_up, self._terms.codes, self._found.differences)
        self._found.parts[number] = Summed(added_up.totals.sums, added_up.oldest)
        progress = still.applied.progress
        self._found.audited.append(Audited(number, progress.offset or 0, progress.clock, source, added_up.leads, series))

    async def _compare_leads(self, number: int, derived: Rederived, log: EventsLog) -> None:
        """Compare what is known of each lead. Of some more was told since: these are compared as of a later offset."""
        keys, suspects, known = self._keys(number), set[str](), set[str]()
        async for states in walk_states(self._redis, keys):
            known.update(states)
            suspects.update(await asyncio.to_thread(_differing, states, derived))
        missing = [subject for subject in derived.subjects() if subject not in known and parts_of(derived.state(subject))]
        again = sorted(suspects.union(missing))
        for start in range(0, min(len(again), MOST_AGAIN), LOOKED_AT_AGAIN):
            some = again[start : start + LOOKED_AT_AGAIN]
            seen = await read_some_states(self._redis, keys, some)
            await _follow(derived, log, seen.applied)
            compare_leads(number, seen.whole(), {subject: derived.state(subject) for subject in some}, self._found.differences)
        if len(again) > MOST_AGAIN:
            self._found.notes.append(
                f"partition {number}: {len(again) - MOST_AGAIN} leads that changed meanwhile were not compared"
            )


def _differing(states: Mapping[str, bytes], derived: Rederived) -> list[str]:
    """Which of some leads are not stored as they were made anew."""
    found = []
    for subject, packed in states.items():
        mine = derived.state(subject)
        if mine != packed and parts_of(mine) != parts_of(packed):
            found.append(subject)
    return found


async def _follow(derived: Rederived, log: EventsLog, applied: Applied) -> None:
    """Take the log up to where a partition has applied it."""
    end = applied.progress.offset or 0
    if end < derived.offset:
        raise Retry(log.where, f"its tables went back to offset {end}: Redis has lost its last writes", "ask again")
    async for records in log.read(derived.offset, end, applied.progress.fingerprint):
        derived.take(records)
    derived.ends_at(end)
