"""Rules that change between two runs: the numbers are those of somebody who had known the last rules from the start."""

from crowd import RULES, crowd
from system import START_S, judged, wrong

from models.units import DAY, MINUTE, moment

LEADS = 400


async def test_edited_rules_hold_for_what_was_counted_under_others(system, now):
    events = crowd(LEADS, now)
    await system.append(events)
    before, yesterday = (moment(now - span).isoformat() for span in (2 * DAY, DAY))
    moved = RULES.replace("roster = [", f'roster = [{{ rep = "ana", team = "south", from = {yesterday} }},')
    stricter = moved.replace("sla = [", f'sla = [{{ target = "2m", team = "south", from = {before} }},')
    renamed = stricter.replace('"outbound"]', '"outbound", "partner"]')
    sent = None
    for version, rules in enumerate((RULES, moved, stricter, renamed), 1):
        config = system.configure(rules, rules_version=version)
        processor, exporter = (system.start(name, config) for name in ("processor", "exporter"))
        clock = now + version * MINUTE
        await system.tick_events(clock)
        page = await system.round(clock)
        assert wrong(page, await judged(events, rules, clock)) == []
        alerts = await system.alerts()
        sent = len(alerts) if sent is None else sent
        assert len(alerts) == sent, "somebody was alerted because the rules have changed"
        assert processor.stop() == 0
        assert exporter.stop() == 0
    assert sent

    stored = await system.stored()
    late = system.start("processor", system.configure(moved, rules_version=2))
    late.expected_to_live = False
    await system.until(lambda: late.process.poll() is not None, START_S, "it refuses to work")
    assert late.process.returncode == 2
    assert "rules version 4, this worker has 2" in late.text()
    assert await system.stored() == stored
