"""The work that the engine is measured on: so many leads of five events each in 23 hours, in the order of their instants.

The same for the same arguments. Every lead is created, called or written to three times, and replies, meets, or is changed in
its record; ticks lie in between, as a log that is read from behind has them.
"""

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any, Final, NamedTuple

import msgspec

from models.rules import Membership, Rules, SlaPolicy
from models.units import HOUR, MINUTE, SECOND, Duration, Millis, isoformat
from streams.topics import TICK_KEY, encode_ticks, partition_of

PARTITIONS: Final = 4
EVENTS_A_LEAD: Final = 5
SPAN: Final = 23 * HOUR
TICK_EVERY: Final = 10_000
"""Events between two ticks."""

REPS: Final = tuple(f"rep-{number:02}" for number in range(50))
TEAMS: Final = ("north", "south", "east", "west", "partners")
SOURCES: Final = ("inbound", "outbound")
ORIGINS: Final = ("webinar", "referral", "search", "fair", "form", "chat", "list", "event")
REGIONS: Final = ("north", "east", "south", "west")
SEGMENTS: Final = ("small", "large")
CAMPAIGNS: Final = ("spring", "summer", "autumn", "winter")

CONNECTED, REPLIES, MEETINGS = 0.3, 0.6, 0.2
"""Shares: of calls that reach the lead, of leads whose last event is a reply, and of those whose is a meeting."""

_json = msgspec.json.Encoder()


class Appended(NamedTuple):
    """A record of the events log."""

    partition: int
    key: bytes
    value: bytes


def rules() -> Rules:
    """Fifty reps in five teams, and two service levels."""
    return Rules(
        zone="Europe/Berlin",
        roster=tuple(Membership(rep, Millis(0), TEAMS[number % len(TEAMS)]) for number, rep in enumerate(REPS)),
        sla=(SlaPolicy(Duration(10 * MINUTE)), SlaPolicy(Duration(HOUR), lead_source="outbound")),
        lead_sources=SOURCES,
        origins=ORIGINS,
        sales_regions=REGIONS,
        segments=SEGMENTS,
        campaigns=CAMPAIGNS,
    )


def events(leads: int, end: Millis, seed: int = 1) -> list[dict[str, Any]]:
    """All events, in the order in which they happened; `end` is the last instant."""
    found = [event for life in lives(leads, end, seed) for event in life]
    found.sort(key=lambda event: event["timestamp"])
    return found


def lives(leads: int, end: Millis, seed: int = 1, span: int = SPAN) -> Iterator[list[dict[str, Any]]]:
    """The same events, lead by lead; or those of leads that were created over another span of time."""
    rng = Random(seed)
    return (list(_life(number, end, span, rng)) for number in range(leads))


def log(leads: int, end: Millis, counts: Counter[str] | None = None, seed: int = 1) -> Iterator[Appended]:
    """The events log: events by subject, and ticks of all deliveries partitions to all partitions.

    `counts` is told how many events there are, and some measures of them all.
    """
    for number, event in enumerate(events(leads, end, seed), 1):
        if counts is not None:
            counts.update(counted(event))
        key = f"lead:{event['subject']['id']}".encode()
        yield Appended(partition_of(key, PARTITIONS), key, _json.encode(event))
        if number % TICK_EVERY == 0:
            yield from ticks(Millis(event["received_at"]))
    yield from ticks(end)


def ticks(at: Millis) -> Iterator[Appended]:
    """A tick of every deliveries partition in every partition."""
    value = encode_ticks(dict.fromkeys(range(PARTITIONS), at // SECOND))
    return (Appended(partition, TICK_KEY, value) for partition in range(PARTITIONS))


def counted(event: dict[str, Any]) -> Iterator[str]:
    """What an event counts in."""
    yield "events"
    data = event["data"]
    match event["type"]:
        case "touch.upserted":
            yield "touches"
            yield f"{data['channel']}s"
            if event["object"]["id"] == "t0":
                yield "lead_response_time#n"
        case "reply.upserted":
            yield "replies"
        case "meeting.upserted":
            yield "meetings_booked"
        case "lead.upserted" if "created_at" in data:
            yield "leads_created"


def _life(number: int, end: Millis, span: int, rng: Random) -> Iterator[dict[str, Any]]:
    name, owner = f"crm:lead-{number:07}", rng.choice(REPS)
    created_at = end - span + rng.randrange(span - HOUR)
    answered_at = created_at + min(SPAN // 8, round(rng.lognormvariate(6.5, 1.2) * SECOND))
    times = sorted((answered_at, *(answered_at + rng.randrange(6 * HOUR) for _ in range(3))))
    times = [min(at, end - SECOND) for at in times]
    fields = {
        "created_at": isoformat(Millis(created_at)),
        "owner": owner,
        "lead_source": rng.choice(SOURCES),
        "stage": "lead",
        "origin": rng.choice(ORIGINS),
        "sales_region": rng.choice(REGIONS),
        "segment": rng.choice(SEGMENTS),
        "campaign": rng.choice(CAMPAIGNS),
    }
    yield event(name, "lead.upserted", None, created_at, fields)
    for place, at in enumerate(times[:3]):
        channel = rng.choice(("call", "email", "message"))
        touch = {"channel": channel, "rep": owner, "connected": channel == "call" and rng.random() < CONNECTED}
        yield event(name, "touch.upserted", f"t{place}", at, {"at": isoformat(Millis(at)), **touch})
    yield _last(name, owner, times[3], rng)


def _last(name: str, owner: str, at: int, rng: Random) -> dict[str, Any]:
    instant = isoformat(Millis(at))
    kind = rng.random()
    if kind < REPLIES:
        told = {
            "at": instant,
            "channel": "email",
            "kind": "human",
            "sentiment": rng.choice(("positive", "neutral", "negative")),
        }
        return event(name, "reply.upserted", "r0", at, told)
    if kind < REPLIES + MEETINGS:
        planned = {"booked_at": instant, "scheduled_at": isoformat(Millis(at + 24 * HOUR)), "rep": owner, "kind": "demo"}
        return event(name, "meeting.upserted", "m0", at, planned)
    return event(name, "lead.upserted", None, at, {"owner": rng.choice(REPS), "stage": "mql"})


def event(name: str, kind: str, thing: str | None, at: int, data: dict[str, Any]) -> dict[str, Any]:
    """An event of a lead's, as it stands in the log; `thing` is the id of what it is about, if that is not the lead itself."""
    found = {
        "id": f"{name}-{at}-{thing}",
        "type": kind,
        "timestamp": isoformat(Millis(at)),
        "subject": {"kind": "lead", "id": name},
        "received_at": at + SECOND,
        "data": data,
    }
    if thing is not None:
        found["object"] = {"kind": kind.partition(".")[0], "id": thing}
    return found
