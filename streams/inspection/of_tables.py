"""What Redis says: a server that keeps what it is given, partitions that move, a round that is fresh."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

import msgspec

from models.errors import UNREADABLE
from models.units import SECOND, Duration
from streams.config import Settings
from streams.errors import Fatal
from streams.inspection.findings import Finding, fail, numbers, of_fault, ok, span, warn
from streams.inspection.of_log import APART, START_WORKER
from streams.inspection.seen import TablesSeen
from streams.processing.presence import COUNTS_S
from streams.serving.health import STALE_AFTER
from streams.tables import Applied
from streams.tables.rules import in_force
from streams.tables.server import server_faults
from streams.valuation import Valuation, check_not_older, decode_valuation, valuation_of

NEARLY_FULL: Final = 0.8
"""The share of its memory limit that Redis may use without a remark."""

WRITTEN: Final = {"aof_last_write_status": "writing the append-only file", "rdb_last_bgsave_status": "the last snapshot"}
"""What INFO says of the last time that something was written to disk."""

MUCH_WAITING: Final = 1_000
"""Messages that wait to be sent which are worth a remark."""

PUBLISHED_EVERY: Final = Duration(15 * SECOND)
"""How old a round may be: a new one comes every second."""


def of_tables(settings: Settings, seen: TablesSeen) -> Iterator[Finding]:
    """Everything about Redis and what Leadbeat keeps there."""
    yield from _server(seen)
    yield from _persistence(seen.info)
    yield from chain(_partitions(settings, seen), _rules(settings, seen), _valuations(settings, seen), _workers(seen))
    yield from chain(_round(settings, seen), _outbox(seen))
    yield from map(of_fault, seen.faults)


def _server(seen: TablesSeen) -> Iterator[Finding]:
    info = seen.info
    faults = [of_fault(fault) for fault in server_faults(info)]
    yield from faults or [ok("redis", f"answers: version {info['redis_version']}, a master that evicts nothing")]
    if abs(seen.ahead_ms) > APART + seen.asked_in_ms:
        how = "ahead of" if seen.ahead_ms > 0 else "behind"
        yield warn("clocks", f"that of Redis is {span(seen.ahead_ms)} {how} this machine's", "set both by NTP")
    else:
        yield ok("clocks", "Redis and this machine agree")
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if limit and used > NEARLY_FULL * limit:
        todo = "raise maxmemory: a Redis that is full takes no checkpoint, and everything stands"
        yield warn("redis memory", f"{used / limit:.0%} of maxmemory is used", todo)


def _persistence(info: Mapping[str, Any]) -> Iterator[Finding]:
    where = "redis persistence"
    if info.get("loading"):
        yield warn(where, "it is loading its data", "wait until it has")
    for name, what in WRITTEN.items():
        if info.get(name, "ok") != "ok":
            yield fail(where, f"{what} has failed", "look into its log: a full disk, mostly")
    if not info.get("aof_enabled"):
        what = "appendonly is off: if Redis ends, all since its last snapshot is gone, and made up for from Kafka at best"
        yield warn(where, what, "set appendonly yes")
    else:
        yield ok(where, "the append-only file is on")


def _partitions(settings: Settings, seen: TablesSeen) -> Iterator[Finding]:
    untaken = {number for number, applied in enumerate(seen.applied) if applied is None}
    clocks = {number: applied.progress.clock for number, applied in enumerate(seen.applied) if applied is not None}
    without = {number for number, clock in clocks.items() if clock is None}
    ages = {number: seen.at - clock for number, clock in clocks.items() if clock is not None}
    behind = {number: age for number, age in ages.items() if age > STALE_AFTER}
    if untaken:
        yield fail("partitions", f"no worker has taken {numbers(untaken)} yet", START_WORKER)
    if without:
        todo = "every deliveries partition has to tick: start a worker, or look into its log"
        yield fail("partitions", f"{numbers(without)} without a clock", todo)
    if behind and settings.ticks == "wall":
        yield fail("partitions", f"{numbers(behind)} up to {span(max(behind.values()))} behind", START_WORKER)
    if not untaken and not without and (not behind or settings.ticks != "wall"):
        yield ok("partitions", f"all {len(seen.applied)} are taken and have a clock")


def _rules(settings: Settings, seen: TablesSeen) -> Iterator[Finding]:
    """Which rules are in force: the configuration's, or applied ones."""
    mine, applied = settings.rules(), seen.rules
    rules = in_force(mine, applied)
    told = f"version {rules.version} is in force"
    if applied is None or rules is not applied.rules:
        yield ok("rules", f"{told}: that of the configuration")
        return
    told += f", applied {span(max(0, seen.at - applied.applied_at))} ago by {applied.applied_by}"
    if mine.version == rules.version and mine != rules:
        what = f"{told}; the configuration says something else under the same version, which does not count"
        yield warn("rules", what, "apply it (leadbeat rules apply), or write into it what is in force (leadbeat table rules)")
    else:
        older = f"; those of the configuration are older ({mine.version})" if mine.version < rules.version else ""
        yield ok("rules", told + older)


def _valuations(settings: Settings, seen: TablesSeen) -> Iterator[Finding]:
    stored = {found for applied in seen.applied if applied is not None if (found := _valuation(applied))}
    mine = valuation_of(in_force(settings.rules(), seen.rules))
    where = "rules and definitions"
    if not stored:
        return
    for found in stored:
        try:
            check_not_older(mine, found, where)
        except Fatal as fault:
            yield of_fault(fault)
            return
    if stored == {mine}:
        yield ok(where, f"the totals are of these rules (version {mine.rules}) and this catalogue ({mine.catalogue})")
    elif len(stored) > 1:
        todo = "ask again in a minute; if it goes on, see which workers run with what"
        yield warn(where, "partitions differ: some are being re-valued", todo)
    else:
        what = "the totals were made by other rules or by another release"
        todo = "wait until they are made anew; else start the workers again, or name the settings file that they run with"
        yield warn(where, what, todo)


def _valuation(applied: Applied) -> Valuation | None:
    try:
        return decode_valuation(applied.progress.valuation)
    except Fatal:
        return None


def _workers(seen: TablesSeen) -> Iterator[Finding]:
    theirs = seen.at + seen.ahead_ms
    alive = [worker for worker in seen.workers if theirs - worker.seen <= COUNTS_S * SECOND]
    if alive:
        names = ", ".join(sorted(_name(worker.about) for worker in alive))
        yield ok("workers", f"{len(alive)} here: {names}")
    else:
        yield fail("workers", f"none has said that it is here for {COUNTS_S:.0f} s", START_WORKER)


def _name(about: str) -> str:
    try:
        return str(msgspec.json.decode(about)["name"])
    except (*UNREADABLE, TypeError):
        return "one of another version"


def _round(settings: Settings, seen: TablesSeen) -> Iterator[Finding]:
    record = seen.round
    if record is None:
        todo = "wait until all partitions have a clock; the worker that has partition 0 publishes"
        yield fail("round", "none has been published yet", todo)
        return
    age = seen.at - record.published_at
    if age > PUBLISHED_EVERY and settings.ticks == "wall":
        what = f"the last one was published {span(age)} ago"
        yield fail("round", what, "look into the log of the worker that has partition 0")
    elif record.stale:
        what = f"stale: the partitions' clocks lie {span(record.spread_ms)} apart"
        yield fail("round", what, "see which partitions are behind (leadbeat table applied), and why")
    else:
        yield ok("round", f"number {record.number} was published {span(max(0, age))} ago")


def _outbox(seen: TablesSeen) -> Iterator[Finding]:
    waiting = sum(seen.outbox)
    if waiting > MUCH_WAITING:
        yield warn("outbox", f"{waiting} messages wait to be sent", "see whether Kafka takes them: the worker's log")
    else:
        yield ok("outbox", f"{waiting} messages wait to be sent")
