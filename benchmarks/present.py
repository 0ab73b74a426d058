"""Events as they happen, without end: leads come, are called or written to three times, and reply or meet.

Every event counts once, in one gauge by rep. All leads of a rep lie in one partition of the events log, so what is sent for a
gauge counts in about the order in which it was sent, whatever the other partitions do.
"""

import re
from collections import Counter, deque
from collections.abc import Iterator
from itertools import count
from typing import Any, Final, NamedTuple

from benchmarks.workload import CAMPAIGNS, EVENTS_A_LEAD, ORIGINS, PARTITIONS, REGIONS, REPS, SEGMENTS, SOURCES
from models.units import HOUR, Millis, isoformat
from streams.topics import partition_of

APART: Final = 200
"""How many other leads come between two events of a lead."""

CHANNELS: Final = ("call", "email", "message")
METRICS: Final = ("leads_created", "touches", "replies", "meetings_booked")

_SAMPLE: Final = re.compile(rf'^leadbeat_({"|".join(METRICS)})_by_rep{{rep="([^"]+)",window="24h"}} (\S+)$', re.MULTILINE)


class Gauge(NamedTuple):
    """A metric by rep."""

    metric: str
    rep: str


class Step(NamedTuple):
    """What happens next: the lead's event of this place in its life, and where it counts."""

    lead: int
    place: int
    gauge: Gauge

    def event(self, at: Millis) -> dict[str, Any]:
        """The event, as one that happens at an instant."""
        instant, rep = isoformat(at), self.gauge.rep
        match self.gauge.metric:
            case "leads_created":
                return self._event("lead", at, {"created_at": instant, "owner": rep, "stage": "lead", **_attributes(self.lead)})
            case "touches":
                channel = CHANNELS[(self.lead + self.place) % len(CHANNELS)]
                return self._event("touch", at, {"at": instant, "channel": channel, "rep": rep})
            case "replies":
                return self._event("reply", at, {"at": instant, "channel": "email", "sentiment": "positive"})
            case _:
                planned = {"booked_at": instant, "scheduled_at": isoformat(Millis(at + 24 * HOUR)), "rep": rep}
                return self._event("meeting", at, planned)

    def _event(self, kind: str, at: Millis, data: dict[str, Any]) -> dict[str, Any]:
        name = _name(self.lead)
        thing = {} if kind == "lead" else {"object": {"kind": kind, "id": f"{name}-{self.place}"}}
        return {
            "id": f"{name}-{self.place}",
            "type": f"{kind}.upserted",
            "timestamp": isoformat(at),
            "subject": {"kind": "lead", "id": name},
            **thing,
            "data": data,
        }


def steps(connection: str) -> Iterator[Step]:
    """What happens, by a connection of this name: of each lead everything, in its order, `APART` leads from one to the next."""
    on_their_way: deque[tuple[int, str]] = deque(maxlen=(EVENTS_A_LEAD - 1) * APART + 1)
    for lead in count():
        on_their_way.append((lead, _rep_of(lead, connection)))
        for place in range(EVENTS_A_LEAD):
            if place * APART < len(on_their_way):
                number, rep = on_their_way[-1 - place * APART]
                yield Step(number, place, Gauge(_metric(number, place), rep))


def more(connection: str, leads: int) -> Iterator[Step]:
    """What goes on to happen to the first leads, one event of each in turn, when all of `steps` has happened to them."""
    for place in count(EVENTS_A_LEAD):
        for lead in range(leads):
            metric = _metric(lead, 1 + place % (EVENTS_A_LEAD - 1))
            yield Step(lead, place, Gauge(metric, _rep_of(lead, connection)))


def counted(page: str) -> Counter[Gauge]:
    """What a page counts by rep."""
    found = {Gauge(metric, rep): int(float(value)) for metric, rep, value in _SAMPLE.findall(page)}
    return Counter({gauge: number for gauge, number in found.items() if number})


def _metric(lead: int, place: int) -> str:
    if place == 0:
        return "leads_created"
    if place < EVENTS_A_LEAD - 1:
        return "touches"
    return "meetings_booked" if lead % 4 == 0 else "replies"


def _rep_of(lead: int, connection: str) -> str:
    """One of the reps who belong to the lead's partition."""
    partition = partition_of(f"lead:{connection}:{_name(lead)}".encode(), PARTITIONS)
    theirs = REPS[partition::PARTITIONS]
    return theirs[lead % len(theirs)]


def _name(lead: int) -> str:
    return f"lead-{lead:07}"


def _attributes(lead: int) -> dict[str, str]:
    return {
        "lead_source": SOURCES[lead % len(SOURCES)],
        "origin": ORIGINS[lead % len(ORIGINS)],
        "sales_region": REGIONS[lead % len(REGIONS)],
        "segment": SEGMENTS[lead // 2 % len(SEGMENTS)],
        "campaign": CAMPAIGNS[lead // 3 % len(CAMPAIGNS)],
    }
