"""A sales floor whose leads live through what leads live through, as canonical events; the same for the same seed."""

from collections import deque
from collections.abc import Iterator
from datetime import datetime
from heapq import heapify, heappop, heappush
from itertools import count
from random import Random
from typing import BinaryIO
from zoneinfo import ZoneInfo

from models.units import DAY, MINUTE, Millis, millis
from streams.inbound.normalise import Delivery
from streams.local.clients import Client
from streams.local.deliveries import Batch, Courier, secret_of, sign
from streams.local.doubles import doubles, from_an_unknown_address
from streams.local.floor import REPS, Office, Rep
from streams.local.marketing import Campaign, campaigns
from streams.local.recording import line_of
from streams.local.scenes import SEGMENTS, glimpse, life
from streams.local.staff import log, staff
from streams.local.stories import DENSE, LIVELY, REAL, Data, Event, Story, Teller, Tempo
from streams.local.telling import Subject

DENSE_LEADS = 250
PAST_LEADS = 200
PAST_DAYS = 400
PAST_ACCOUNTS = 45

BURST_MS = MINUTE
"""Within which what is recorded may go out together."""

LEAD_EVERY_MS = 7_000
GLIMPSE_EVERY_MS = 550
OTHER_EVERY_MS = 4_000
UNKNOWN = 0.04
"""The share of what happens live that comes from an address that is yet to be known for the lead's."""

REMEMBERED = 600
"""Something new may happen to so many of the latest leads, if they are not older than a day, nor just created."""


class Floor:
    """A seeded sales floor: first `history`, then `live`, each at most once."""

    def __init__(self, seed: int, zone: str, reps: tuple[Rep, ...] = REPS) -> None:
        self._seed = seed
        self._zone = ZoneInfo(zone)
        self._reps = reps
        self._numbers = count(1)
        self._order = count()
        self._pending: list[tuple[int, int, Event]] = []
        self._stories: deque[Story] = deque(maxlen=REMEMBERED)
        self._others: deque[Subject] = deque(maxlen=REMEMBERED)

    def history(self, now: Millis) -> list[Event]:
        """All that the CRM recorded up to an instant, in that order: one dense day, and 200 leads over 400 days.

        What these leads still have before them comes from `live`.
        """
        office = Office(self._zone, self._reps, now)
        rng = Random(f"{self._seed}/history")  # noqa: S311 - a simulation must be repeatable
        for at in office.past(PAST_LEADS, PAST_DAYS, rng):
            self._begin(office, REAL, at)
        for at in office.arrivals(DENSE_LEADS, rng):
            self._begin(office, DENSE, at)
        self._begin_others(office, rng)
        heapify(self._pending)
        events = []
        while self._pending and self._pending[0][0] <= now:
            events.append(heappop(self._pending)[2])
        return events

    def live(self, start: Millis) -> Iterator[tuple[Millis, Event]]:
        """What happens from an instant on, without end: each event with the instant at which it is recorded, in order.

        A caller lets it happen in real time by waiting for each instant; 2 to 4 events a second.
        """
        office = Office(self._zone, self._reps, start)
        rng = Random(f"{self._seed}/live")  # noqa: S311 - a simulation must be repeatable
        next_lead = next_glimpse = next_other = float(start)
        while True:
            now = min(next_lead, next_glimpse, next_other)
            while self._pending and self._pending[0][0] <= now:
                due, _, event = heappop(self._pending)
                yield Millis(due), event
            if next_other < min(next_lead, next_glimpse):
                self._go_on(round(now))
                next_other += rng.expovariate(1 / OTHER_EVERY_MS)
            elif next_lead <= next_glimpse:
                self._begin(office, LIVELY, round(now))
                next_lead += rng.expovariate(1 / LEAD_EVERY_MS)
            else:
                self._continue(rng, round(now))
                next_glimpse += rng.expovariate(1 / GLIMPSE_EVERY_MS)

    def _begin(self, office: Office, tempo: Tempo, at: int) -> None:
        story = Story(self._seed, next(self._numbers), office, tempo, at)
        life(story)
        doubles(story)
        self._tell(story)
        self._stories.append(story)
        self._others += [client for client in story.clients if isinstance(client, Subject)]

    def _begin_others(self, office: Office, rng: Random) -> None:
        """Who was a customer before, the reps, and the campaigns."""
        for number in range(PAST_ACCOUNTS):
            client = Client(self._seed, number, office, REAL, 0, f"client-{self._seed}-{number:04}")
            client.begins_at = office.now - DAY - rng.randrange((PAST_DAYS - 1) * DAY)
            owner = rng.choice(office.on_team("Enterprise", client.begins_at)).name
            fields: Data = {"owner": owner, "lead_source": rng.choice(("inbound", "outbound")), "segment": rng.choice(SEGMENTS)}
            self._others += client.live(fields)
        self._others += [*staff(self._seed, office, PAST_DAYS), *campaigns(self._seed, office, PAST_DAYS)]
        for subject in self._others:
            self._tell(subject)

    def _go_on(self, at: int) -> None:
        """Something small happens to an account, a rep or a campaign."""
        rng = Random(f"{self._seed}/other/{at}")  # noqa: S311 - a simulation must be repeatable
        there = [subject for subject in self._others if subject.begins_at < at < subject.ends_at]
        kind = rng.choices(("account", "rep", "campaign"), (60, 15, 25))[0]
        some = [subject for subject in there if subject.kind == kind]
        if not some:
            return
        subject = rng.choice(some)
        subject.tempo = LIVELY
        if isinstance(subject, Client):
            subject.turn(at)
        elif isinstance(subject, Campaign):
            subject.day(at, rng.randrange(1, 12))
        else:
            log(subject, at, rng.randrange(5 * MINUTE, 30 * MINUTE))
        self._tell(subject)

    def _continue(self, rng: Random, at: int) -> None:
        there = [story for story in self._stories if at - DAY < story.created_at < at - MINUTE and at < story.ends_at]
        if there:
            story = rng.choice(there)
            story.tempo = LIVELY
            (from_an_unknown_address if rng.random() < UNKNOWN else glimpse)(story, at)
            self._tell(story)

    def _tell(self, story: Teller) -> None:
        for at, event in story.told():
            heappush(self._pending, (at, next(self._order), event))


class Present:
    """A floor's present as it happens: `until` gives what has happened since it was asked last."""

    def __init__(self, floor: Floor, start: Millis) -> None:
        self._upcoming = floor.live(start)
        self._next = next(self._upcoming)

    def until(self, now: Millis) -> list[Event]:
        """The events recorded up to an instant, in order."""
        events = []
        while self._next[0] <= now:
            events.append(self._next[1])
            self._next = next(self._upcoming)
        return events


def write(out: BinaryIO, seed: int, now: Millis, zone: str = "Europe/Berlin", connection: str = "demo") -> list[Event]:
    """Write a floor's history as recorded deliveries, one JSON object a line in the order of their receipt.

    Each was received soon after its latest event, or minutes later if it was held back, and signed with `secret_of(seed)`.
    Returns the events written; those that would be received after `now` are not.
    """
    written: list[Event] = []
    for received_at, batch in recorded(Floor(seed, zone).history(now), seed):
        if received_at > now:
            break
        headers = sign(secret_of(seed), batch, received_at)
        out.write(line_of(Delivery(connection, received_at, headers, batch.body.encode())))
        written += batch.events
    return written


def recorded(events: list[Event], seed: int) -> list[tuple[Millis, Batch]]:
    """Events as deliveries in the order of their receipt, as if each had been sent soon after it was recorded."""
    courier = Courier(seed)
    receipts: list[tuple[Millis, Batch]] = []
    for chunk in _bursts(events):
        now = Millis(recorded_at(chunk[-1]) + courier.transit_ms())
        receipts += [(Millis(now + number), batch) for number, batch in enumerate(courier.pack(chunk, now))]
    return sorted(receipts + courier.rest(), key=lambda receipt: receipt[0])


def recorded_at(event: Event) -> Millis:
    """When the CRM recorded an event."""
    return millis(datetime.fromisoformat(event["timestamp"]))


def _bursts(events: list[Event]) -> Iterator[list[Event]]:
    """The events in groups that were recorded shortly after one another."""
    burst: list[Event] = []
    for event in events:
        if burst and recorded_at(event) > recorded_at(burst[0]) + BURST_MS:
            yield burst
            burst = []
        burst.append(event)
    if burst:
        yield burst
