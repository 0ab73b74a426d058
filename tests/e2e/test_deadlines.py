"""Deadlines fire by the log's time: none whose answer the log holds, each once, also where nothing else happens."""

from collections import Counter

import pytest
from histories import call, lead
from system import PARTITIONS, START_S
from verdicts import judged, wrong
from wire import with_word

from models.units import HOUR, MINUTE, SECOND
from streams.topics import partition_of

RULES = """
organisation.zone = "Europe/Berlin"
roster = [{ rep = "ana", team = "north" }]
sla = [{ target = "5m" }]
"""
BREACHED = [(50, "warning"), (80, "warning"), (100, "breach")]


def of_lead(alerts, name):
    """What was sent about a lead, by those who look at each id once."""
    once = {alert["id"]: alert for alert in alerts}
    return sorted((alert["percent"], alert["type"]) for alert in once.values() if alert["lead"] == f"crm:{name}")


@pytest.mark.parametrize("answered", [True, False])
async def test_an_answer_that_lay_in_the_log_while_the_worker_was_down_is_in_time(system, now, answered):
    events = [lead("ada", created_at=now, owner="ana")]
    config = system.configure(RULES)
    worker = system.start("worker", config)
    for name in ("gateway", "exporter"):
        system.start(name, config)
    await system.accepting()
    await system.post(events)
    await system.tick(now + SECOND)
    await system.round(now + SECOND)
    assert worker.stop() == 0

    if answered:
        events.append(call("c1", now + MINUTE, "ada", rep="ana"))
        await system.post(events[1:])
    clock = now + 5 * MINUTE + 2 * SECOND
    await system.tick(clock)
    system.start("worker", config)
    page = await system.round(clock)
    assert wrong(page, await judged(events, RULES, clock)) == []
    assert page["leadbeat_sla_breaches", frozenset({("window", "1h")})] == (0 if answered else 1)
    alerts = await system.alerts()
    assert of_lead(alerts, "ada") == ([] if answered else BREACHED)
    assert len(alerts) == (0 if answered else 3)


@pytest.mark.timeout(240)
async def test_time_passes_in_a_partition_in_which_nothing_happens(system, wire, now):
    base = now - 3 * HOUR
    quiet = [name for name in (f"lead-{number}" for number in range(100)) if partition_of(f"lead:crm:{name}".encode(), 4) == 3]
    busy = next(name for name in map(str, range(100)) if partition_of(f"lead:crm:{name}".encode(), 4) == 0)
    events = [lead(name, created_at=base + number * SECOND, owner="ana") for number, name in enumerate(quiet)]
    events += [call("c1", base + 10 * SECOND, quiet[0], connected=True)]
    direct, wired = (system.configure(RULES, redis_url=url) for url in ("", wire.url))
    system.start("exporter", direct)
    await system.append(events)

    async def come_to(clock):
        """A call in the busy partition, a tick for all, and every number is right."""
        events.append(call(f"c{clock}", clock, busy, rep="ana"))
        await system.append(events[-1:])
        await system.tick_events(clock)
        page = await system.round(clock)
        assert wrong(page, await judged(events, RULES, clock)) == []
        return page

    processor = system.start("processor", wired)
    await come_to(base + 20 * SECOND)
    # Half of the time has passed: what is told of it is stored, and the one who was to send it dies.
    wire.mutes_from = with_word(b"XADD")
    await system.tick_events(base + 3 * MINUTE)
    await system.until(lambda: outgoing(system), START_S, "the alerts are stored")
    processor.kill()
    wire.mend()
    assert await system.told(system.topics.alerts) == []
    processor = system.start("processor", wired)
    await come_to(base + 3 * MINUTE + 10 * SECOND)
    # Four fifths: it is sent, and the one who has sent it dies before it can say so.
    wire.loses_from = with_word(b"XTRIM")
    await system.tick_events(base + 4 * MINUTE + 30 * SECOND)
    await system.until(lambda: wire.lost, START_S, "the alerts are sent")
    processor.kill()
    wire.mend()
    system.start("processor", direct)
    for seconds in (280, 310, 340):
        await system.tick_events(base + seconds * SECOND)
    for minutes in (11, 16, 31, 61, 121):
        page = await come_to(base + minutes * MINUTE)
        waiting = page["leadbeat_leads_overdue", frozenset()]
        assert waiting == len(quiet) - 1
    for window, breaches in (("5m", 0), ("1h", 0), ("24h", len(quiet) - 1)):
        assert page["leadbeat_sla_breaches", frozenset({("window", window)})] == breaches
    alerts = await system.alerts()
    assert {name: of_lead(alerts, name) for name in quiet} == dict.fromkeys(quiet, BREACHED) | {quiet[0]: []}
    assert len(alerts) > len({alert["id"] for alert in alerts}), "nothing was sent twice: the kill came at the wrong time"
    assert set(Counter(alert["id"] for alert in alerts).values()) <= {1, 2}


async def outgoing(system):
    return any([await system.redis.xlen(f"lb:{{{number}}}:outbox") for number in range(PARTITIONS)])
