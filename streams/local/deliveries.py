"""How a CRM delivers: in signed batches, some of them twice, some late, some out of order; and it tries again."""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

import httpx
from standardwebhooks.webhooks import Webhook

from models.units import MINUTE, SECOND, Millis, moment
from streams.errors import Fatal, Retry

Event = dict[str, Any]

PAUSES_S = (0.2, 0.5, 1, 2, 4, 8, 15, 30)
"""How long a sender waits before each further attempt."""

LONGEST_PAUSE_S = 60.0
"""The most that a `Retry-After` is heeded."""

TRY_AGAIN = {httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS}

SIZES = ((1, 1), (1, 1), (2, 6), (2, 20), (10, 60), (60, 100))
"""The ranges that a delivery's number of events is drawn from."""

LATE_SIZES = ((1, 1), (2, 12))

SENDERS = 4
"""How many deliveries are on their way at once."""


@dataclass(frozen=True)
class Batch:
    """One delivery: its id, which stays when it is tried again, and its 1 to 100 events."""

    id: str
    events: tuple[Event, ...]

    @property
    def body(self) -> str:
        """The JSON: of a single event the event itself, of several an array."""
        content = self.events[0] if len(self.events) == 1 else self.events
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True)
class Faults:
    """How often deliveries go wrong: shares of events held back, of batches repeated, overtaken, or in disorder within."""

    late: float = 0.03
    repeated: float = 0.08
    overtaken: float = 0.1
    shuffled: float = 0.15
    hold_ms: tuple[int, int] = (MINUTE, 8 * MINUTE)


class Deliveries(NamedTuple):
    """What is sent at once, and what was held back for later."""

    now: list[Batch]
    later: list[Batch]


class Courier:
    """Packs events as a CRM's webhooks do, with the faults of that trade; the same for the same seed."""

    def __init__(self, seed: int, faults: Faults = Faults()) -> None:
        self._seed = seed
        self._faults = faults
        self._rng = Random(f"{seed}/courier")  # noqa: S311 - a simulation must be repeatable
        self._held: list[tuple[Millis, Batch]] = []
        self._count = 0

    def pack(self, events: Iterable[Event], now: Millis) -> list[Batch]:
        """The deliveries to send now for these events, in order, and those held back earlier whose time has come."""
        prompt: list[Event] = []
        late: list[Event] = []
        for event in events:
            (late if self._chance(self._faults.late) else prompt).append(event)
        self._held += [(self._held_until(now), batch) for batch in self._batches(late, LATE_SIZES)]
        due = [batch for at, batch in self._held if at <= now]
        self._held = [(at, batch) for at, batch in self._held if at > now]
        return self._disorder([*due, *self._batches(prompt)])

    def rest(self) -> list[tuple[Millis, Batch]]:
        """What is still held back, each with the instant at which it would be sent; afterwards nothing is."""
        held, self._held = self._held, []
        return sorted(held, key=lambda item: item[0])

    def transit_ms(self) -> int:
        """How long a delivery takes from the CRM's record to its receipt."""
        return self._rng.randrange(80, 2 * SECOND)

    def _chance(self, share: float) -> bool:
        return self._rng.random() < share

    def _held_until(self, now: Millis) -> Millis:
        return Millis(now + self._rng.randint(*self._faults.hold_ms))

    def _batches(self, events: list[Event], sizes: tuple[tuple[int, int], ...] = SIZES) -> list[Batch]:
        batches = []
        rest = events
        while rest:
            size = self._rng.randint(*self._rng.choice(sizes))
            chosen, rest = rest[:size], rest[size:]
            batches.append(self._batch(tuple(chosen)))
        return batches

    def _batch(self, events: tuple[Event, ...]) -> Batch:
        self._count += 1
        return Batch(f"msg_{self._seed}_{self._count:06}", events)

    def _disorder(self, batches: list[Batch]) -> list[Batch]:
        """Shuffles within a batch, overtaking, and repetitions under a new id, right away or some deliveries later."""
        sent: list[Batch] = []
        for batch in batches:
            events = list(batch.events)
            if self._chance(self._faults.shuffled):
                self._rng.shuffle(events)
            place = len(sent) - self._rng.randint(1, 3) if self._chance(self._faults.overtaken) else len(sent)
            sent.insert(max(place, 0), Batch(batch.id, tuple(events)))
        for batch in list(sent):
            if self._chance(self._faults.repeated):
                place = sent.index(batch) + self._rng.randint(1, 5)
                sent.insert(place, self._batch(batch.events))
        return sent


def deliveries(events: Iterable[Event], seed: int, faults: Faults = Faults()) -> Deliveries:
    """All events as deliveries with their faults: those to send in this order, and those to send later."""
    courier = Courier(seed, faults)
    now = courier.pack(events, Millis(0))
    return Deliveries(now, [batch for _, batch in courier.rest()])


def wall() -> Millis:
    """Now, by the wall clock."""
    return Millis(time.time_ns() // 1_000_000)


def secret_of(seed: int) -> str:
    """A webhook secret made from a seed, in Standard Webhooks' form."""
    return "whsec_" + base64.b64encode(hashlib.sha256(f"leadbeat {seed}".encode()).digest()).decode()


def sign(secret: str, batch: Batch, at: Millis) -> dict[str, str]:
    """The headers of a delivery that is sent at an instant."""
    return {
        "content-type": "application/json",
        "webhook-id": batch.id,
        "webhook-timestamp": str(at // SECOND),
        "webhook-signature": Webhook(secret).sign(batch.id, moment(at), batch.body),
    }


async def post(client: httpx.AsyncClient, url: str, secret: str, batch: Batch, pauses: Sequence[float] = PAUSES_S) -> None:
    """Deliver a batch, trying again while the receiver is away or overloaded; returns when it is acknowledged.

    Raises Fatal if the delivery is refused (tried again it would be refused again), Retry if every attempt was in vain.
    """
    fault = ""
    for pause in (*pauses, None):
        headers = sign(secret, batch, wall())
        wait = pause
        try:
            response = await client.post(url, content=batch.body.encode(), headers=headers)
        except httpx.TransportError as error:
            fault = f"{type(error).__name__} {error}".strip()
        else:
            if response.is_success:
                return
            fault = f"answered with {response.status_code}: {response.text[:200]}"
            if response.status_code not in TRY_AGAIN and not response.is_server_error:
                raise Fatal(f"delivery {batch.id}", fault, "check the connection's URL and secret")
            wait = _asked_pause_s(response, pause)
        if wait is not None:
            await asyncio.sleep(wait)
    raise Retry(f"delivery {batch.id}", f"not acknowledged in {len(pauses) + 1} attempts: {fault}", "send it again later")


def _asked_pause_s(response: httpx.Response, pause: float | None) -> float | None:
    asked = response.headers.get("retry-after", "")
    return min(float(asked), LONGEST_PAUSE_S) if asked.isdecimal() and pause is not None else pause


async def post_all(
    client: httpx.AsyncClient, url: str, secret: str, batches: Sequence[Batch], acknowledged: Callable[[Batch], object]
) -> None:
    """Deliver batches, a few at a time, with `post`; each is told as it is acknowledged."""
    queue = iter(batches)
    async with asyncio.TaskGroup() as group:
        for _ in range(min(SENDERS, len(batches))):
            group.create_task(_post_from(queue, client, url, secret, acknowledged))


async def _post_from(
    queue: Iterator[Batch], client: httpx.AsyncClient, url: str, secret: str, acknowledged: Callable[[Batch], object]
) -> None:
    for batch in queue:
        await post(client, url, secret, batch)
        acknowledged(batch)
