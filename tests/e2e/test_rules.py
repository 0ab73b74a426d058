"""Rules that change between two runs: the numbers are those of somebody who had known the last rules from the start."""

from crowd import RULES, crowd
from histories import lead
from system import START_S
from verdicts import judged, wrong

from models.units import DAY, MINUTE, moment

LEADS = 400


async def test_edited_rules_hold_for_what_was_counted_under_others(system, now):
    events = crowd(LEADS, now)
    events += [lead(name, created_at=now - age * MINUTE, owner=name) for name, age in (("ana", 9), ("cleo", 5))]
    await system.append(events)
    before, yesterday = (moment(now - span).isoformat() for span in (2 * DAY, DAY))
    moved = RULES.replace("roster = [", f'roster = [{{ rep = "ana", team = "south", from = {yesterday} }},')
    stricter = moved.replace("sla = [", f'sla = [{{ target = "2m", team = "south", from = {before} }},')
    renamed = stricter.replace('"outbound"]', '"outbound", "partner"]')
    system.start("exporter", system.configure())
    sent = []
    for version, rules in enumerate((RULES, moved, renamed), 1):
        processor = system.start("processor", system.configure(rules, rules_version=version))
        clock = now + version * MINUTE
        await system.tick_events(clock)
        assert wrong(await system.round(clock), await judged(events, rules, clock)) == []
        sent.append([(alert["lead"], alert["percent"]) for alert in await system.alerts()])
        assert processor.stop() == 0
    # Ana's target was 4 minutes, then 10, of which 9 had passed: the last was told when it came. Then 2, and nothing new came.
    assert sorted(sent[0]) == [("crm:ana", 50), ("crm:ana", 80), ("crm:ana", 100), ("crm:cleo", 50)]
    assert sent[1:] == [[*sent[0], ("crm:ana", 100)]] * 2

    stored = await system.stored()
    late = system.start("processor", system.configure(moved, rules_version=2))
    late.expected_to_live = False
    await system.until(lambda: late.process.poll() is not None, START_S, "it refuses to work")
    assert late.process.returncode == 2
    assert "rules version 3, this worker has 2" in late.text()
    assert await system.stored() == stored
