"""Rules that are applied while everything runs: the numbers are those of somebody who had known them from the start."""

import asyncio
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import behind
import pytest
from children import loads, ran
from crowd import RULES, crowd
from histories import email, lead
from system import PARTITIONS
from verdicts import judged, wrong

from models.units import DAY, MINUTE, moment
from streams.config import Settings
from streams.tables import Keys

LIMIT_S = 120
LEADS = 1_000

MEMBERS, PIECE, SWITCH = b":3:members:", b":3:window:", b"\r\ngeneration\r\n$1\r\n3\r\n"
"""What requests carry that write pieces of the third generation, and that switch to it. Every installation begins with two."""


def others(now):
    """Other rules: ana moved to the south yesterday, which has had two minutes since the day before; a source is known."""
    before, yesterday = (moment(now - span).isoformat() for span in (2 * DAY, DAY))
    moved = RULES.replace("roster = [", f'roster = [{{ rep = "ana", team = "south", from = {yesterday} }},')
    stricter = moved.replace("sla = [", f'sla = [{{ target = "2m", team = "south", from = {before} }},')
    return stricter.replace('"outbound"]', '"outbound", "partner"]')


@dataclass
class Load:
    """Ever more events about the same leads."""

    now: int
    events: list = field(default_factory=list)
    seeds: Iterator[int] = field(default_factory=count)

    def more(self):
        found = crowd(LEADS, self.now, next(self.seeds))
        self.events += found
        return found


async def apply(system, config, rules, *options):
    """Apply rules as an operator does."""
    file = system.folder / "rules.toml"
    file.write_text(rules)
    code, out, err = await ran("rules", "apply", file, "--config", config, *options)
    assert code == 0, err
    return out


async def versions(system):
    """The versions of the rules that the partitions' totals are made by."""
    stored = await system.stored()
    return {json.loads(row["valuation"])["rules"] for row in stored.values() if row.get("valuation")}


async def valued(system, version):
    await system.until(lambda: _are(system, {version}), LIMIT_S, f"all totals are of version {version}")


async def _are(system, expected):
    return await versions(system) == expected


async def waiting_leads(system, now):
    """Two leads that wait, and the alerts that they give by the first rules."""
    events = [lead(name, created_at=now - age * MINUTE, owner=name) for name, age in (("ana", 9), ("cleo", 5))]
    await system.append(events)
    await system.tick_events(now)
    expected = [("crm:ana", 50), ("crm:ana", 80), ("crm:ana", 100)]
    await system.until(lambda: _told(system, expected), LIMIT_S, "the alerts of the first rules")
    return events, expected


async def touched(system, now):
    """Something is told of the two leads: whatever was still to be told of them would leave at the next tick."""
    events = [email("e1", now, name, automated=True) for name in ("ana", "cleo")]
    await system.append(events)
    return events


async def _told(system, expected):
    return await sent(system) == expected


async def sent(system):
    alerts = [(alert["lead"], alert["percent"]) for alert in await system.alerts()]
    return sorted(alert for alert in alerts if alert[0] in {"crm:ana", "crm:cleo"})


@pytest.mark.timeout(300)
@pytest.mark.parametrize("written", [MEMBERS, PIECE, SWITCH], ids=["members", "piece", "switch"])
async def test_rules_applied_under_load_hold_from_the_start_whatever_dies_meanwhile(system, wire, now, written):
    first = system.start("processor", system.configure(redis_url=wire.url))
    config = system.configure()
    system.start("exporter", config)
    waiting, expected = await waiting_leads(system, now)
    load = Load(now)
    async with system.under_load(load.more(), load.more):
        wire.mutes_from = lambda data: written in data
        await apply(system, config, others(now))
        await system.until(lambda: wire.mute, LIMIT_S, "totals are being made anew")
        first.kill()
        wire.mend()
        assert await versions(system) <= {1, 2}
        # It is started by the old configuration: what was applied is newer.
        second = system.start("processor", config)
        await valued(system, 2)
        await system.until(system.waiting, LIMIT_S, "the load goes on")
    waiting += await touched(system, now)
    await system.tick_events(now + MINUTE)
    page = await system.round(now + MINUTE)
    assert wrong(page, await judged(load.events + waiting, others(now), now + MINUTE)) == []
    assert page["leadbeat_rules_version", frozenset()] == 2
    in_force = Settings.model_validate(tomllib.loads(others(now))).rules()
    for number, record in (await system.stored()).items():
        keys = Keys("lb", number, int(record["generation"]))
        expected_members = await behind.of_stored_states(system.redis, keys, in_force, now + MINUTE)
        assert behind.stored(await behind.read(system.redis, keys)) == expected_members
    # By the new rules Cleo's lead was due three minutes ago, and Ana's seven: that nobody was told of it then is past.
    assert await sent(system) == expected
    assert second.says("rules_in_force", version=2, source="applied")


@pytest.mark.timeout(300)
async def test_two_workers_under_load_change_one_partition_at_a_time_and_stay(system, now):
    config = system.configure()
    workers = [system.start("processor", config)]
    system.start("exporter", config)
    waiting, expected = await waiting_leads(system, now)
    load = Load(now)
    async with system.under_load(load.more(), load.more):
        workers.append(system.start("processor", config))
        await system.until(lambda: loads(workers[1]), LIMIT_S, "the second one has joined")
        told = await apply(system, config, others(now), "--wait")
        await system.until(system.waiting, LIMIT_S, "the load goes on")
    assert told.endswith("All numbers are of version 2.\n")
    waiting += await touched(system, now)
    await system.tick_events(now + MINUTE)
    assert wrong(await system.round(now + MINUTE), await judged(load.events + waiting, others(now), now + MINUTE)) == []
    assert await sent(system) == expected
    revalued = [line for worker in workers for line in worker.says("revalued", rules=2)]
    assert sorted(line["partition"] for line in revalued) == list(range(PARTITIONS))
    for worker in workers:
        assert worker.says("rules_in_force", version=2, source="applied")
        assert worker.process.poll() is None


async def test_what_nobody_has_applied_yet_is_refused_if_it_is_older_or_the_same(system, now):
    config = system.configure()
    await apply(system, config, others(now))
    file = system.folder / "rules.toml"
    for rules, why in [
        (others(now), "nothing differs from version 2, which is in force"),
        (f"rules_version = 2\n{RULES}", "rules_version 2 is not newer than version 2"),
    ]:
        file.write_text(rules)
        code, _, err = await ran("rules", "apply", file, "--config", config)
        assert code == 2
        assert why in err
    again = await asyncio.gather(*(_race(system, config, number) for number in range(3)))
    assert sorted(again) == [0, 2, 2]
    applied = await system.redis.hgetall("lb:{rules}:documents")
    assert sorted(applied) == [b"2", b"3", b"version"]


async def _race(system, config, number):
    file = system.folder / f"race-{number}.toml"
    file.write_text("rules_version = 3\n" + RULES.replace('"10m"', f'"{20 + number}m"'))
    code, _, _ = await ran("rules", "apply", file, "--config", config)
    return code


@pytest.mark.timeout(240)
async def test_a_running_publisher_goes_on_while_its_own_partition_is_made_anew(system, now):
    config = system.configure()
    first = system.start("processor", config)
    await waiting_leads(system, now)
    await system.published(now)
    await apply(system, config, others(now), "--wait")
    await system.tick_events(now + MINUTE)
    await system.published(now + MINUTE)
    assert len(first.says("publisher_started")) == 1
