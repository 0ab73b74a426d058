"""What the tests of the Redis seam store, and how they look at all that is stored."""

from typing import Any

from streams.processing.checkpoint import Answer, Outcome, commit
from streams.processing.cut import Checkpoint, Writes
from streams.tables import Applied, Keys, OpenClock, Outgoing, Pane, Progress, Redis, Waiting, read_applied

PROGRESS = Progress(offset=17, fingerprint="f00d", clock=90_000, ticks={0: 90_000, 1: 91_000}, valuation='{"catalogue":1}')
CLOCK = OpenClock("crm:1", 120_000, "mia", "west", "web", "fair", "dach", "smb", "launch")
MESSAGE = Outgoing("a1", "alerts", b"crm:1", b"{}")
WRITES = Writes(
    states={"crm:1": b"\xc4\x01\x00", "crm:2": b"two"},
    pages={"crm:2": {0: b"a page", 7: b"another"}, "crm:3": {1: b"of another"}},
    rows={"crm:2": {0: b"rows", 90_000: b"later ones"}, "crm:3": {0: b"of another"}},
    panes={Pane("10s", 90_000): {0: b"p0", 3: b"p3"}, Pane("1d", 0): {0: b"day"}},
    windows={"1h": {0: b"w0", 1: b"w1"}, "7d": {0: b"v0"}},
    levels={0: b"l0"},
    oldest={"": Waiting(60_000, 120_000), "rep=mia": Waiting(60_000, None)},
    series=["touches", "touches|rep=mia"],
    due={"crm:1": 120_000, "crm:2": 99_000},
    open={CLOCK: 60_000},
    members={"calls": {'["crm:1",60000,0]': 60_000, '["crm:2",70000,0]': 70_000, '["crm:2",80000,0]': 80_000}},
    outgoing=[MESSAGE, MESSAGE._replace(id="a2", key=None)],
)
"""A bit of everything."""

FURTHER = Writes(
    states={"crm:1": b"new", "crm:2": None},
    pages={"crm:2": None, "crm:3": {1: None, 2: b"instead"}},
    rows={"crm:2": None, "crm:3": {0: b"others"}},
    panes={Pane("10s", 100_000): {0: b"q0"}},
    dropped=[Pane("10s", 90_000)],
    windows={"1h": {0: None, 1: b"w1 again"}},
    levels={0: None, 1: b"l1"},
    oldest={"": None},
    series=["replies"],
    known_series=2,
    due={"crm:1": None, "crm:2": 98_000},
    open={CLOCK: None},
    members={"calls": {'["crm:2",80000,0]': None, '["crm:3",70001,0]': 70_001}, "emails": {'["crm:1",1,0]': 1}},
    expired={"calls": 70_000, "emails": 70_000, "messages": 70_000},
    outgoing=[MESSAGE._replace(id="a3")],
)
"""What may follow it."""


async def snapshot(redis: Redis) -> dict[bytes, bytes]:
    """All that is stored, as Redis itself would carry it elsewhere."""
    names = sorted(await redis.keys("*"))
    return {name: await redis.dump(name) for name in names}


async def restore(redis: Redis, copy: dict[bytes, bytes]) -> None:
    """What Redis comes back with when it has lost its last writes."""
    await redis.flushall()
    for name, dumped in copy.items():
        await redis.restore(name, 0, dumped)


async def applied(redis: Redis, keys: Keys) -> Applied | None:
    """The partition's record as it is stored."""
    (found,) = await read_applied(redis, [keys])
    return found


async def unchanged(redis: Redis, checkpoint: Checkpoint[Any]) -> Answer:
    """The answer to a checkpoint that changes nothing."""
    before = await snapshot(redis)
    answer = await commit(redis, checkpoint)
    assert await snapshot(redis) == before
    return answer


async def committed(redis: Redis, checkpoint: Checkpoint[Applied]) -> Applied:
    """What is held after a checkpoint that is written now."""
    assert await commit(redis, checkpoint) == (Outcome.OK, "")
    return checkpoint.then
