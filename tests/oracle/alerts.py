"""Which alerts a log of events asks for, from nothing but its records, in their order, and the rules.

What is due when is the truth's (`streams.local.truth`), of all that is known of a lead so far: each lead is read anew at every
tick behind one of its events, and at every tick that passes a threshold. Leads that have to do with others are left out.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from streams.local.truth import BEHIND_MS, Case
from streams.local.truth_facts import Rules, leads_of
from streams.local.truth_ledger import Ledger
from streams.local.truth_record import instant_of

TICK_KEY = b"tick"
TOO_LATE_MS = 15 * 60 * 1000
"""How long after its due time nobody is told any more."""

BREACH = 100
ENDED = {"resolved", "retracted"}


class Record(NamedTuple):
    """A record of the events topic."""

    key: bytes | None
    value: bytes


class Alert(NamedTuple):
    """A message: of which lead, percent, inquiry and instant (both in ms), which of these, and what it says."""

    lead: str
    percent: int
    inquiry_at: int
    at: int
    number: int
    type: str


class Threshold(NamedTuple):
    """What has passed unanswered: percent, inquiry and instant; whether it was answered later; when all of it was due."""

    percent: int
    inquiry_at: int
    at: int
    answered: bool
    due: float


def alert_of(told: Mapping[str, Any]) -> Alert:
    """A message as the oracle has it."""
    inquiry_at, at = (instant_of(told[name]) for name in ("inquiry_at", "at"))
    return Alert(told["lead"], told["percent"], inquiry_at, at, told["number"], told["type"])


def alerts_of_all(partitions: Iterable[Iterable[Record]], sources: int, rules: Rules) -> tuple[set[Alert], set[str]]:
    """The same of all partitions; a lead may be tied by what stands in another one's log."""
    found: set[Alert] = set()
    tied: set[str] = set()
    for partition in partitions:
        alerts, others = alerts_of(partition, sources, rules)
        found |= alerts
        tied |= others
    return {alert for alert in found if alert.lead not in tied}, tied


def alerts_of(partition: Iterable[Record], sources: int, rules: Rules) -> tuple[set[Alert], set[str]]:
    """All messages that a partition's log asks for, and the leads that have to do with others, of whom none is among them."""
    ticks: dict[str, int] = {}
    clock = 0
    looks: dict[str, _Lead] = defaultdict(_Lead)
    tied: set[str] = set()
    found: set[Alert] = set()
    for record in partition:
        told = json.loads(record.value)
        if record.key != TICK_KEY:
            if told["subject"]["kind"] == "lead":
                name = told["subject"]["id"]
                tied.update(_tied(told))
                looks[name].events.append(told)
                looks[name].changed = True
            continue
        ticks |= {source: max(at, ticks.get(source, 0)) for source, at in told["at"].items()}
        newest = min(ticks.values()) * 1000 if len(ticks) >= sources else 0
        if newest > clock:
            clock = newest
            for name, lead in looks.items():
                if name not in tied and (lead.changed or lead.next_at <= clock - BEHIND_MS):
                    found.update(lead.look(name, clock, rules))
    return {alert for alert in found if alert.lead not in tied}, tied


def _tied(told: Mapping[str, Any]) -> Iterator[str]:
    """The leads that an event of a lead ties to others."""
    if told["type"] in {"merged", "absorbed"}:
        yield told["subject"]["id"]
        if told.get("into"):
            yield told["into"]["id"]


class _Lead:
    """One lead: what is known of it so far, and what was told of its alerts."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []
        self.changed = False
        self.next_at: float = 0
        self._told: dict[tuple[int, int, int], tuple[str, int]] = {}

    def look(self, name: str, clock: int, rules: Rules) -> list[Alert]:
        """What is to be told of the lead at a tick."""
        self.changed = False
        known_until = clock - BEHIND_MS
        every = list(thresholds(self.events, clock, rules))
        self.next_at = min((each.at for each in every if each.at > known_until), default=float("inf"))
        passed = [each for each in every if each.at <= known_until]
        return [Alert(name, *key, number, kind) for key, number, kind in self._news(passed, known_until)]

    def _news(self, passed: Sequence[Threshold], known_until: int) -> Iterator[tuple[tuple[int, int, int], int, str]]:
        """An alert is sent when its threshold has passed, once more when it is answered or never came to pass, and so on."""
        for each in passed:
            key = (each.percent, each.inquiry_at, each.at)
            last = self._told.get(key)
            standing = last is not None and last[0] not in ENDED
            wanted = not each.answered if last is not None else known_until - each.due <= TOO_LATE_MS
            if not standing and wanted:
                yield self._tell(key, "breach" if each.percent == BREACH else "warning")
                standing = True
            if standing and each.answered:
                yield self._tell(key, "resolved")
        there = {(each.percent, each.inquiry_at, each.at) for each in passed}
        for key in [key for key, (kind, _) in self._told.items() if key not in there and kind != "retracted"]:
            yield self._tell(key, "retracted")

    def _tell(self, key: tuple[int, int, int], kind: str) -> tuple[tuple[int, int, int], int, str]:
        number = self._told[key][1] + 1 if key in self._told else 1
        self._told[key] = (kind, number)
        return key, number, kind


def thresholds(events: Sequence[Mapping[str, Any]], clock: int, rules: Rules) -> Iterator[Threshold]:
    """The thresholds of a lead that pass unanswered, whether they have passed yet or not."""
    for lead in leads_of(events):
        for wait in Case(lead, rules, clock, Ledger()).clocks:
            for percent, at in (wait.passed or {}).items():
                answered_at = wait.answer.at if wait.answer else float("inf")
                if at < answered_at and at < float("inf"):
                    yield Threshold(percent, wait.start, round(at), wait.answer is not None, (wait.passed or {})[BREACH])
