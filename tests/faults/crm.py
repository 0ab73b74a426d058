"""CRMs whose webhooks are delivered until they are acknowledged, however long that takes; and what was acknowledged."""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

import httpx
from crowd import crowd
from histories import Event, erased

from models.units import MINUTE, Duration
from streams.errors import Retry
from streams.local.deliveries import Batch, Courier, post, wall
from streams.local.simulator import Floor, Present, recorded_at

STEP_S: Final = 0.5
PAUSES_S: Final = (0.2, 0.5, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2)
"""How long a sender waits before each further attempt."""

SENDERS: Final = 4
"""How many deliveries of a CRM are on their way at once."""

PATIENCE_S: Final = 15.0
SURGE_LEADS: Final = 60
SURGE_EVENTS: Final = 30
"""Events in each delivery of a surge."""

LATELY: Final = Duration(30 * MINUTE)
ZONE: Final = "Europe/Berlin"


@dataclass
class Crm:
    """All that is sent to one hook. `events` are those of deliveries that were acknowledged."""

    client: httpx.AsyncClient
    hook: str
    secret: str
    seed: int
    events: list[Event] = field(default_factory=list)
    deliveries: int = 0
    acknowledged_at: int = 0
    """When the last one was, in ms of the wall clock."""
    erased: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    _by_lead: dict[str, list[Event]] = field(default_factory=lambda: defaultdict(list))
    _numbers: Iterable[int] = field(default_factory=lambda: itertools.count(1))
    _enough: asyncio.Event = field(default_factory=asyncio.Event)
    _telling: list[asyncio.Task[None]] = field(default_factory=list)

    def begin(self, floors: int) -> None:
        """Have so many sales floors be told of while they live, until the end."""
        self._telling += [asyncio.create_task(self._live(number)) for number in range(floors)]

    async def end(self) -> None:
        """Tell all that is left to be told, and return when it is acknowledged."""
        self._enough.set()
        await asyncio.gather(*self._telling)

    def cancel(self) -> None:
        """Tell nothing more."""
        for telling in self._telling:
            telling.cancel()

    @property
    def fault(self) -> str:
        """What was refused for good, if anything was."""
        ended = [telling for telling in self._telling if telling.done() and not telling.cancelled()]
        return next((repr(telling.exception()) for telling in ended if telling.exception()), "")

    async def _live(self, number: int) -> None:
        seed = self.seed * 1000 + number
        present, courier = Present(Floor(seed, ZONE), wall()), Courier(seed)
        while not self._enough.is_set():
            now = wall()
            await self.deliver(courier.pack(present.until(now), now))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), STEP_S)
        await self.deliver([batch for _, batch in courier.rest()])

    def surge(self, rng: Random) -> None:
        """Begin to tell of many leads at once, of whom some are told again and others put right."""
        seed = rng.randrange(2**32)
        now = wall()
        events = [event for event in crowd(SURGE_LEADS, now, seed, LATELY) if recorded_at(event) <= now]
        lots = [events[start : start + SURGE_EVENTS] for start in range(0, len(events), SURGE_EVENTS)]
        batches = [Batch(f"msg_surge_{seed}_{number}", tuple(lot)) for number, lot in enumerate(lots)]
        self._telling.append(asyncio.create_task(self.deliver(batches)))

    async def erase(self, rng: Random) -> str:
        """Erase a lead of whom something was told; its id."""
        name = rng.choice(sorted(self._by_lead.keys() - self.erased))
        self.erased.add(name)
        await self.deliver([Batch(f"msg_erase_{name}", (erased(wall(), name),))])
        return name

    async def tell_again(self, name: str) -> None:
        """Deliver all that was told of a lead once more, under other ids."""
        events = list(self._by_lead[name])
        await self.deliver([Batch(f"msg_again_{next(iter(self._numbers))}", (event,)) for event in events])

    async def deliver(self, batches: Sequence[Batch]) -> None:
        """Return when all are acknowledged. Raises Fatal, in a group, if one is refused for good."""
        queue = iter(batches)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(SENDERS, len(batches))):
                group.create_task(self._deliver_from(queue))

    async def _deliver_from(self, queue: Iterable[Batch]) -> None:
        for batch in queue:
            while not await self._acknowledged(batch):
                pass
            self.deliveries += 1
            self.events += batch.events
            self.acknowledged_at = wall()
            for event in batch.events:
                if event["subject"]["kind"] == "lead":
                    self._by_lead[event["subject"]["id"]].append(event)

    async def _acknowledged(self, batch: Batch) -> bool:
        try:
            await post(self.client, self.hook, self.secret, batch, PAUSES_S)
        except Retry:
            return False
        return True


@asynccontextmanager
async def telling(hook: str, secret: str, seed: int) -> AsyncIterator[Crm]:
    """A CRM that may tell."""
    crm: Crm

    async def count(response: httpx.Response) -> None:
        crm.answers[response.status_code] += 1

    async with httpx.AsyncClient(timeout=PATIENCE_S, event_hooks={"response": [count]}) as client:
        crm = Crm(client, hook, secret, seed)
        try:
            yield crm
        finally:
            crm.cancel()
