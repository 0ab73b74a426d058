"""Some leads in a Redis, and questions for those behind a number, as tests of `streams.serving.leads` have them."""

from build import HOUR, MINUTE, NOON, call, lead, meeting, reply
from kept import Floor

from models.units import Millis
from streams.tables.rules import RulesDocument, put_in_force

CLOCK = Millis(NOON + 2 * HOUR)


async def floor_of(redis, rules, events, clock=CLOCK):
    """What is stored after some events, by rules that are in force."""
    await put_in_force(redis, "lb", RulesDocument(rules, Millis(0), "test"))
    floor = await Floor.claimed(redis, rules)
    await floor.tell(events, clock)
    return floor


async def ask(client, kpi, status=200, **query):
    answer = await client.get(f"/api/v1/kpis/{kpi}/leads", params={"window": "24h"} | query)
    assert answer.status_code == status, answer.text
    return answer.json()


def a_lead(name, at, **fields):
    return lead(of=f"crm:{name}", created_at=at, owner_at=at, **({"owner": "ana", "lead_source": "inbound"} | fields))


SOME = [
    a_lead("1", NOON),
    call("t1", NOON + MINUTE, of="crm:1", rep="ana"),
    reply("r1", of="crm:1", at=NOON + HOUR, channel="email", sentiment="positive"),
    reply("r2", of="crm:1", at=NOON + HOUR, channel="call", sentiment="negative"),
    a_lead("2", NOON + MINUTE, owner="cleo", lead_source="outbound"),
    a_lead("3", NOON + MINUTE),
    meeting("m1", of="crm:3", booked_at=NOON + HOUR, scheduled_at=NOON + 90 * MINUTE, rep="ben", outcome="held"),
]
