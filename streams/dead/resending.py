"""Sending dead letters again: each is read as the normaliser would read it, and what can be goes back to the deliveries.

It goes with its connection, receipt and headers, and with what it was as a dead letter. So the normaliser that fails again
makes the same dead letter of it; one that does not says so in its place.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaError
from msgspec import UNSET
from msgspec.structs import replace

from models.errors import LeadbeatError
from models.units import Millis
from streams.config import Settings
from streams.dead.reading import DeadLetters, Entry
from streams.dead_letters import DeadLetter, Kind, kind_of
from streams.errors import Poison, Retry
from streams.inbound.normalise import Delivery, normalise
from streams.inbound.providers import Provider, providers_of
from streams.producer import LastingProducer
from streams.security import kafka_security
from streams.topics import Topics

AT_ONCE: Final = 200
"""Letters that are on their way at the same time."""


class Outcome(NamedTuple):
    """What comes of a dead letter that is sent again: whether it is read then, and what it says or why not."""

    id: str
    kind: Kind
    is_read: bool
    what: str


class Desk:
    """Reads dead letters once more, and sends them again."""

    def __init__(self, settings: Settings) -> None:
        self._topics, self._kafka = Topics(settings.kafka.topic_prefix), settings.kafka
        self._providers: Mapping[str, Provider] = providers_of(settings.connections)
        self._currencies = settings.unchecked_rules().money.currencies

    async def check(self, dead_letters: DeadLetters, chosen: Sequence[Entry]) -> list[Outcome]:
        """What would come of some, without sending any."""
        return [self._tried(letter)[0] async for letter in dead_letters.letters(chosen)]

    async def send(self, dead_letters: DeadLetters, chosen: Sequence[Entry]) -> list[Outcome]:
        """Send those again that can be read now, and return when Kafka has acknowledged all. Raises Retry."""
        outcomes: list[Outcome] = []
        waiting: list[asyncio.Future[Any]] = []
        async with LastingProducer(self._kafka.bootstrap, "leadbeat-dead", **kafka_security(self._kafka)).running() as lasting:
            try:
                producer = await lasting.current()
                async for letter in dead_letters.letters(chosen):
                    outcome, delivery = self._tried(letter)
                    outcomes.append(outcome)
                    if outcome.is_read and delivery is not None:
                        headers = delivery.record_headers()
                        waiting.append(await producer.send(self._topics.deliveries, delivery.body, headers=headers))
                    if len(waiting) == AT_ONCE:
                        await asyncio.gather(*waiting)
                        waiting.clear()
                await asyncio.gather(*waiting)
            except KafkaError as error:
                raise Retry(
                    "Kafka", f"did not take all: {error!r}", "send them again: what arrives twice counts once"
                ) from error
        return outcomes

    def _tried(self, letter: DeadLetter) -> tuple[Outcome, Delivery | None]:
        kind = kind_of(letter)
        if letter.is_resent:
            return Outcome(letter.id, kind, is_read=True, what="was read when it was sent again"), None
        try:
            delivery, provider = self._delivery(letter)
        except Poison as fault:
            return Outcome(letter.id, kind, is_read=False, what=_told(fault)), None
        normalised = normalise(delivery, provider, self._currencies)
        if normalised.read is None:
            still = kind_of(next(each for each in normalised.dead if each.id == letter.id))
            return Outcome(letter.id, kind, is_read=False, what=f"{still.where}: {still.reason}"), None
        return Outcome(letter.id, kind, is_read=True, what=_said(len(normalised.events), normalised.unknown)), delivery

    def _delivery(self, letter: DeadLetter) -> tuple[Delivery, Provider]:
        if not letter.connection or letter.received_at is None:
            raise Poison(letter.topic, "it was no delivery of the gateway", "find out who writes to this topic")
        provider = self._providers.get(letter.connection)
        if provider is None:
            raise Poison("connections", f"there is no connection {letter.connection!r}", "configure it")
        now = time.time_ns() // 1_000_000
        again = replace(letter, body=UNSET, body_base64=UNSET, resent_at=now)
        received_at = Millis(letter.received_at)
        return Delivery(letter.connection, received_at, letter.headers, letter.content, again=again), provider


def _told(fault: LeadbeatError) -> str:
    return f"{fault.where}: {fault.what}"


def _said(events: int, unknown: int) -> str:
    if events:
        return f"says {events} event{'' if events == 1 else 's'}"
    return "is of a type that is not used" if unknown else "says nothing that counts"
