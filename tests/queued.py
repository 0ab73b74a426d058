"""Leads that wait, for tests: open clocks as checkpoints leave them in Redis, and the rounds beside them."""

from collections.abc import Mapping
from typing import Any
from zlib import crc32

from build import HOUR, MINUTE, SECOND, call, email, lead, meeting, reply
from published import at_noon, publish
from stored import committed

from models.measures import USUAL
from models.units import Millis
from streams.processing.checkpoint import claim_partition
from streams.processing.cut import Writes, cut_checkpoint
from streams.serving import health
from streams.tables import Applied, Keys, OpenClock, Progress, Redis


def clock(name: str, due: int | None, **slices: str) -> OpenClock:
    """The open clock of a lead of the connection `crm`; ana's, of the north, inbound, unless something else is said."""
    usual: dict[str, Any] = dict.fromkeys(USUAL, "unknown") | {"rep": "ana", "team": "north", "lead_source": "inbound"}
    return OpenClock(f"crm:{name}", due, **(usual | slices))


class Partitions:
    """All partitions of a prefix, held by the test: who waits in them is what it says."""

    def __init__(self, redis: Redis, held: dict[Keys, Applied]) -> None:
        self._redis = redis
        self._held = held
        self._waiting: dict[OpenClock, int] = {}

    @classmethod
    async def claimed(cls, redis: Redis, prefix: str = "lb", count: int = 4) -> "Partitions":
        """Claim them all."""
        keys = [Keys(prefix, number) for number in range(count)]
        return cls(redis, {each: await claim_partition(redis, each, count, "test") for each in keys})

    async def show(self, at: int, waiting: Mapping[OpenClock, int]) -> None:
        """Let these wait, each since an instant, and nobody else; all clocks stand at `at`."""
        changes = {clock: None for clock in self._waiting if clock not in waiting} | dict(waiting)
        for keys, held in self._held.items():
            mine = {
                clock: since
                for clock, since in changes.items()
                if crc32(clock.subject.encode()) % len(self._held) == keys.partition
            }
            self._held[keys] = await committed(self._redis, cut_checkpoint(keys, held, Writes(open=mine), Progress(clock=at)))
        self._waiting = dict(waiting)


class Floor:
    """A sales floor as Redis shows it: what has happened, and who waits."""

    def __init__(self, redis: Any, partitions: Partitions) -> None:
        self._redis = redis
        self._partitions = partitions
        self._number = 0

    async def publish(self, *events: Any, clock: Millis | None = None, **record: Any) -> Millis:
        """The round after some events, its clock now unless another is given, in place of the round before."""
        clock = clock or health.wall()
        self._number += 1
        await publish(self._redis, "lb", at_noon(*events, clock=clock, number=self._number, **record))
        return clock

    async def wait(self, waiting: Mapping[OpenClock, int] | None = None) -> None:
        """Let these leads wait, and nobody else."""
        await self._partitions.show(health.wall(), waiting or {})


def some_work(now, calls=12):
    """A day with a bit of everything: enough calls for a ratio, too few meetings for one."""
    events = [lead(created_at=now - HOUR, owner="ana", changed_at=now)]
    events += [call(f"c{number}", now - number * MINUTE, rep="ana", connected=number % 3 == 0) for number in range(calls)]
    events += [email("e1", now - MINUTE, rep="ben"), reply("r1", at=now - SECOND, channel="email")]
    return [*events, meeting("m1", booked_at=now - MINUTE, scheduled_at=now + HOUR, rep="ana")]
