"""What must hold when a world has come to rest: everything told is counted once, and everybody who waited was alerted to."""

from bisect import bisect_left
from typing import Any, Final

import msgspec
from oracle.alerts import Record as Logged
from oracle.alerts import alert_of, alerts_of_all
from published import snapshot_of
from simulation.floor import CONNECTION, RULES
from simulation.invariants import Invariants, messages
from simulation.network import at_once
from simulation.world import GARBAGE, TOPICS, Violation, World, rules_of

from models.kpis import MINIMUM_N, Formula
from models.snapshot import slices
from models.units import Millis
from streams.dead_letters import letter_of
from streams.dead_letters.marks import is_letter
from streams.inbound.normalise import Delivery, normalise
from streams.inbound.normaliser import providers_of
from streams.local.truth import truth
from streams.local.truth_facts import rules_of as tables_of
from streams.local.truth_page import compare
from streams.processing.board import Board
from streams.processing.round import NOTHING, work_out
from streams.serving.profile import Profile
from streams.serving.table import WINDOW_NAMES, Row, Snapshot
from streams.tables import Keys, read_changes
from streams.tables.changes import Seen
from streams.topics import TICK_KEY, decode_tick, decode_ticks, partition_of
from streams.transport import TP

PROFILE: Final = Profile(("1h", "24h", "7d", "today", "month"), 10**9)

LEAST: Final = {formula: 1 if formula in MINIMUM_N else 0 for formula in Formula}
"""How many samples a figure needs here."""


def judge(world: World, invariants: Invariants) -> None:
    """Raise Violation if anything is not as it must be."""
    if world.lag():
        raise Violation(f"{world.lag()} records and messages still wait when all has been calm for a while")
    clocks = {int(world.stored(number)[b"clock"]) for number in range(world.scale.partitions)}
    if len(clocks) != 1:
        raise Violation(f"clocks stand at {clocks}")
    for number in range(world.scale.partitions):
        invariants.compare(number)
    (clock,) = clocks
    _time_is_behind(world)
    _gauges(world, Millis(clock))
    _dead_letters(world)
    _alerts(world)


def _gauges(world: World, clock: Millis) -> None:
    """What would be scraped is what the oracle says of all that was ever posted."""
    rules = rules_of(1 if world.tables is RULES else 2)
    board = Board(world.scale.partitions)
    for number in range(world.scale.partitions):
        changed = at_once(read_changes(world.direct, Keys("lb", number), WINDOW_NAMES[:-1], Seen()))
        if changed is not None:
            board.take(number, changed)
    written = work_out(NOTHING, board.grids(rules, clock, LEAST), 1).written
    rows = {window: {key: msgspec.json.decode(row, type=Row) for key, row in told.items()} for window, told in written.items()}
    snapshot = Snapshot(snapshot_of([], slices(rules, clock), clock).round, rows)
    page = {(each.name.metric, frozenset(each.name.labels.items())): each.value for each in PROFILE.show(snapshot).series}
    expected = truth(world.floor.told, world.tables, clock)
    wrong = compare(page, expected)
    if wrong:
        raise Violation(f"{len(wrong)} gauges are not what the facts give: {wrong[:5]}")


def _time_is_behind(world: World) -> None:
    """A tick stands in the events log behind all events that its deliveries partition had before it."""
    for source in range(world.scale.partitions):
        told, before_tick = _delivered(world, source)
        for tp in world.tps:
            first: dict[bytes, int] = {}
            known = 0
            for record in world.kafka.log(tp).records:
                first.setdefault(record.value or b"", record.offset)
                at = (decode_ticks(record.value) or {}).get(source) if record.key == TICK_KEY else None
                needed = before_tick[bisect_left(before_tick, (at, 0))][1] if at is not None else 0
                for key, value in told[known:needed]:
                    if partition_of(key, world.scale.partitions) == tp.partition and value not in first:
                        raise Violation(f"partition {tp.partition}: the tick at {record.offset} is before {value!r}")
                known = max(known, needed)


def _delivered(world: World, source: int) -> tuple[list[tuple[bytes, bytes]], list[tuple[int, int]]]:
    """The events of a deliveries partition, as they are passed on, and how many of them stand before each new tick."""
    provider = providers_of(world.settings.connections)[CONNECTION]
    told: list[tuple[bytes, bytes]] = []
    ticks: list[tuple[int, int]] = []
    for record in world.kafka.log(TP(TOPICS.deliveries, source)).records:
        at = decode_tick(record.value) if record.key == TICK_KEY else None
        if at is None:
            delivery = Delivery.of_record(record.headers, record.value, TOPICS.deliveries, source, record.offset)
            told += normalise(delivery, provider, {"EUR"}).events
        elif not ticks or at > ticks[-1][0]:
            ticks.append((at, len(told)))
    return told, ticks


def _dead_letters(world: World) -> None:
    """Each record that cannot be read has its letter, and nothing else has."""
    garbage = {
        (tp.partition, record.offset) for tp in world.tps for record in world.kafka.log(tp).records if record.key == GARBAGE
    }
    letters = [letter_of(record) for record in world.kafka.log(TP(TOPICS.dead, 0)).records if is_letter(record)]
    told = {(letter.partition, letter.offset) for letter in letters if letter.topic == TOPICS.events}
    if garbage != told:
        raise Violation(f"dead letters: {told - garbage} of nothing, none of {garbage - told}")


def _alerts(world: World) -> None:
    """The same message under the same id and number, always; and all messages that the logs ask for, and no others."""
    said: dict[tuple[str, int], dict[str, Any]] = {}
    for message in messages(world, TOPICS.alerts):
        name = message["id"], message["number"]
        if said.setdefault(name, message) != message:
            raise Violation(f"two messages of one number: {said[name]} and {message}")
    if world.tables is not RULES:
        return  # whose alert was due under which rules depends on when each partition was made anew
    logs = (world.kafka.log(tp).records for tp in world.tps)
    readable = ([Logged(each.key, each.value or b"") for each in log if each.key != GARBAGE] for log in logs)
    wanted, tied = alerts_of_all(readable, world.scale.partitions, tables_of(world.tables))
    told = {alert_of(message) for message in said.values() if message["lead"] not in tied}
    if told != wanted:
        raise Violation(f"alerts that nobody asked for: {sorted(told - wanted)[:5]}; not told: {sorted(wanted - told)[:5]}")
