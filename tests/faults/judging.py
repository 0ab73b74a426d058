"""The end of a run: whether all that was acknowledged is counted once, by an oracle that shares no code with the engine."""

import asyncio
import json
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import behind
from children import ran
from faults.panes import Cells, expected_cells, stored_cells
from faults.stage import Stage, wall_s
from histories import Event
from oracle.alerts import alert_of, alerts_of_all
from system import CONNECTION, PARTITIONS, ROUND_S, System
from verdicts import wrong

from models.units import SECOND, Millis
from streams.local.truth import ledger_of, truth
from streams.local.truth_facts import Rules, rules_of
from streams.tables import Keys
from streams.tables.rows import decode_member

BEHIND_S: Final = 5
"""How far ahead of the wall clock the last ticks begin, so that no other tick comes behind them."""

TOLD_S: Final = 120
"""How long until all that is told is acknowledged."""

SHOWN: Final = 10
"""Differences of each kind that are told one by one."""


@dataclass
class Verdict:
    """What differs from the truth. `lost` and `doubled`: of how much there is too little or too much in panes and lists."""

    lost: int = 0
    doubled: int = 0
    differences: list[str] = field(default_factory=list)
    compared: dict[str, int] = field(default_factory=dict)

    @property
    def is_right(self) -> bool:
        """Whether nothing differs."""
        return not (self.lost or self.doubled or self.differences)

    def counts(self, what: str, stored: Counter[Any], expected: Counter[Any]) -> None:
        """Compare how much there is of each thing."""
        self.compared[what] = self.compared.get(what, 0) + len(expected)
        lost, doubled = expected - stored, stored - expected
        self.lost += len(lost)
        self.doubled += len(doubled)
        for found, fault in ((lost, "lost"), (doubled, "doubled")):
            self.tell(what, [f"{thing} {fault} {count}" for thing, count in sorted(found.items(), key=str)])

    def tell(self, what: str, found: Iterable[object]) -> None:
        """Some differences."""
        every = [f"{what}: {each}" for each in found]
        self.differences += every[:SHOWN] + ([f"{what}: {len(every) - SHOWN} more"] if len(every) > SHOWN else [])


async def judge(stage: Stage) -> Verdict:
    """Let all that is on its way arrive, then compare everything with the truth."""
    await asyncio.wait_for(stage.crm.end(), TOLD_S)
    clock = await come_to_rest(stage)
    page = await stage.system.round(clock)
    alerts = await stage.system.alerts()
    rules, verdict = rules_of(tomllib.loads(stage.system.rules)), Verdict()
    events = stage.crm.events
    verdict.tell("page", wrong(page, await asyncio.to_thread(truth, events, tomllib.loads(stage.system.rules), clock)))
    verdict.compared["page"] = len(page)
    await compare_panes(stage.system, events, rules, clock, verdict)
    await compare_members(stage.system, events, rules, clock, verdict)
    await compare_alerts(stage, rules, alerts, verdict)
    verdict.tell("dead letter", await stage.system.letters())
    await audit(stage, verdict)
    return verdict


async def come_to_rest(stage: Stage) -> Millis:
    """End the normalisers when all deliveries are read, and tick on until nothing is left to be told; the last clock."""
    since = stage.crm.acknowledged_at / SECOND + 1
    await stage.recovered(since)
    for place in stage.fleet.named("normaliser"):
        place.kept = False
        if place.service is not None:
            await asyncio.to_thread(place.service.stop)
    first = Millis((int(wall_s()) + BEHIND_S) * SECOND)
    return Millis(await asyncio.wait_for(stage.system.settled(first), ROUND_S))


async def compare_panes(system: System, events: list[Event], rules: Rules, clock: int, verdict: Verdict) -> None:
    """All panes of all partitions together, by series."""
    ledger = await asyncio.to_thread(ledger_of, events, rules, clock)
    expected = await asyncio.to_thread(expected_cells, ledger, rules.zone.key)
    stored: Cells = Counter()
    for keys in await generations(system):
        stored.update(await stored_cells(system.redis, keys))
    verdict.counts("pane", stored, expected)


async def compare_members(system: System, events: list[Event], rules: Rules, clock: int, verdict: Verdict) -> None:
    """Who is behind each number that can be drilled into: by measure, lead and instant."""
    expected = await asyncio.to_thread(_behind, events, rules, clock)
    stored: Counter[tuple[str, str, int]] = Counter()
    for keys in await generations(system):
        for measure, members in (await behind.read(system.redis, keys)).items():
            stored.update((measure, member.subject, member.at) for member in map(decode_member, map(str.encode, members)))
    verdict.counts("lead", stored, expected)


def _behind(events: Iterable[Any], rules: Rules, clock: int) -> Counter[tuple[str, str, int]]:
    found: Counter[tuple[str, str, int]] = Counter()
    for subject, ledger in behind.ledgers(events, rules, clock):
        for (name, (dims, _)), occurrences in ledger.flows.items():
            measure = behind.measure_of(name)
            if not dims and measure in behind.DRILLED:
                found.update((measure, f"{CONNECTION}:{subject}", at) for at, _ in occurrences)
    return found


async def compare_alerts(stage: Stage, rules: Rules, told: list[dict[str, Any]], verdict: Verdict) -> None:
    """The alerts that were sent, each looked at once, and those that the events' log asks for."""
    logs = await stage.system.records(stage.system.topics.events)
    expected, tied = await asyncio.to_thread(alerts_of_all, logs, PARTITIONS, rules)
    ids: dict[str, tuple[Any, ...]] = {}
    contents: dict[tuple[str, int], dict[str, Any]] = {}
    for each in told:
        named = (each["lead"], each["percent"], each["inquiry_at"], each["at"])
        if ids.setdefault(each["id"], named) != named:
            verdict.tell("alert", [f"two of one id: {each['id']}"])
        if contents.setdefault((each["id"], each["number"]), each) != each:
            verdict.tell("alert", [f"two contents under one id and number: {each}"])
    sent = Counter(alert_of(each) for each in contents.values() if each["lead"] not in tied)
    verdict.counts("alert", sent, Counter(expected))
    verdict.compared["alerts sent again"] = len(told) - len(contents)


async def generations(system: System) -> list[Keys]:
    """The keys of all partitions' current generations."""
    rows = await system.stored()
    return [Keys("lb", number).of(int(row["generation"])) for number, row in rows.items()]


async def audit(stage: Stage, verdict: Verdict) -> None:
    """What `leadbeat audit` has to say."""
    code, out, err = await ran("audit", "--format", "json", "--config", stage.config)
    if code or not out:
        verdict.tell("audit", [f"ended with {code}", *(json.loads(out)["shown"] if out else [err])])
        return
    report = json.loads(out)
    verdict.compared["audit"] = report["series"] + report["kpi_rows"]
    verdict.tell("audit", [*report["shown"], *report["failed"], *report["notes"]])
