"""A crowd of leads for load: five events each, some told twice, all in disorder; the same for the same seed."""

from random import Random

from histories import Event, call, deleted, email, lead, meeting, merged, reply, touch

from models.units import DAY, HOUR, MINUTE, Duration, Millis

LATELY = Duration(3 * DAY)

REPS = ("ana", "ben", "cleo", "dora", "stranger")
SOURCES = ("inbound", "outbound", "partner")
TWICE = 0.02
"""The share of events that are told again."""

RULES = """
lead_sources = ["inbound", "outbound"]
organisation.zone = "Europe/Berlin"
sla = [{ target = "10m" }, { target = "1h", lead_source = "outbound" }, { target = "4m", team = "north" }]
roster = [
    { rep = "ana", team = "north" },
    { rep = "ben", team = "north" },
    { rep = "cleo", team = "south" },
    { rep = "dora", team = "south", from = 2020-01-01 },
]
"""
"""What the crowd's leads are judged by, as TOML."""


def crowd(leads: int, until: Millis, seed: int = 1, span: Duration = LATELY) -> list[Event]:
    """The events of so many leads, who came in the span up to an instant; what is put right later is so by then."""
    rng = Random(seed)
    events = [event for number in range(leads) for event in _life(f"lead-{number}", until, span, rng)]
    events += rng.sample(events, round(TWICE * len(events)))
    rng.shuffle(events)
    return events


FAMILY = 10
"""How many leads of a crowd in turn have to do with one another where some are merged."""


def mergers(leads: int, until: Millis, seed: int = 1) -> list[Event]:
    """Merges among a crowd's leads: of each ten a chain of four, a circle of three, one undone, one moved and deleted."""
    rng = Random(seed)
    events = [event for first in range(0, leads - FAMILY + 1, FAMILY) for event in _family(first, until - HOUR)]
    events += rng.sample(events, round(TWICE * len(events)))
    rng.shuffle(events)
    return events


def _family(first: int, at: Millis) -> list[Event]:
    a, b, c, d, e, f, g, h, i, j = (f"lead-{first + place}" for place in range(FAMILY))
    chain = [merged(at, b, a), merged(at, c, b), merged(at, d, c)]
    circle = [merged(at, e, f), merged(at, f, g), merged(at, g, e)]
    undone = [merged(at, h, a), merged(at + MINUTE, h, None)]
    return [*chain, *circle, *undone, merged(at, i, d), merged(at + MINUTE, i, j), deleted(at + MINUTE, i)]


def _life(name: str, until: Millis, span: Duration, rng: Random) -> list[Event]:
    """A lead that is called, answers, and whose record is put right later: moved, taken back, or given to somebody else."""
    created_at = until - HOUR - rng.randrange(span)
    owner = rng.choice(REPS)
    called_at = created_at + round(rng.expovariate(1 / (8 * MINUTE)))
    replied_at = called_at + rng.randrange(20 * MINUTE)
    later = until - 1 - rng.randrange(30 * MINUTE)
    last = rng.choice(
        (
            touch("t1", name, version=later, rep=rng.choice(REPS), connected=True),
            deleted(later, name, ("touch", "t1")),
            lead(name, version=later, owner=rng.choice(REPS), owner_at=min(called_at, later), lead_source=rng.choice(SOURCES)),
            meeting("m1", name, version=later, booked_at=min(replied_at, later), scheduled_at=later, rep=owner, outcome="held"),
            email("t2", later, name, automated=True),
        )
    )
    return [
        lead(name, version=created_at, created_at=created_at, owner=owner, lead_source=rng.choice(SOURCES)),
        call("t1", called_at, name, rep=owner, connected=rng.random() < 0.4),
        email("t3", called_at + rng.randrange(HOUR), name),
        reply("r1", name, at=replied_at, channel=rng.choice(("call", "email")), sentiment="positive"),
        last,
    ]
