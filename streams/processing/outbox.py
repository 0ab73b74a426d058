"""What a checkpoint has to tell the world, told after the checkpoint is stored: at least once, under ids that never change."""

import asyncio
from collections.abc import Iterable
from typing import Final, Protocol

from streams.processing.checkpoint import Answer, Outcome, commit_until_definite
from streams.processing.checks import claimed_as
from streams.processing.cut import Checkpoint, cut_trim
from streams.producer import Message
from streams.tables import Applied, Keys, Outgoing, Redis, read_outbox

_SENT_AT_ONCE: Final = 500


class Producer(Protocol):
    """The part of aiokafka's producer that is used here."""

    async def send_all(self, records: Iterable[Message]) -> None:
        """Sends messages, those of a partition in turn, and returns when the brokers have acknowledged all."""


class Outbox:
    """A partition's messages between their checkpoint and Kafka's acknowledgement; one for each claim (`held`).

    Messages of a key go in the order of their checkpoints. What cannot be sent waits, and what is stored is trimmed only up to
    it: a message may come twice, but never not at all.
    """

    def __init__(self, producer: Producer, redis: Redis, keys: Keys, held: Applied) -> None:
        self._producer = producer
        self._redis = redis
        self._keys = keys
        self._held = held
        self._waiting: list[tuple[int, Outgoing]] = []
        self._sent = self._trimmed = 0
        self._publishing = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """How many messages are still to be sent."""
        return len(self._waiting)

    async def load(self) -> None:
        """Takes up what earlier owners have left, before anything is added. Raises Retry."""
        self._waiting = await read_outbox(self._redis, self._keys, claimed_as(self._keys, self._held))

    def add(self, checkpoint: Checkpoint[Applied]) -> None:
        """Takes the messages of a checkpoint that was answered with OK or DUP."""
        self._waiting += [(checkpoint.then.seq, message) for message in checkpoint.outgoing]

    async def publish(self) -> Answer:
        """Sends what waits, then trims it from Redis, for which it waits. Raises what the producer raises: call it again.

        An answer other than OK means that the partition is not held any longer, as the next checkpoint will be told too.
        """
        async with self._publishing:
            while self._waiting:
                sending = self._waiting[:_SENT_AT_ONCE]
                await self._producer.send_all(Message(each.topic, each.partition, each.key, each.value) for _, each in sending)
                del self._waiting[: len(sending)]
                self._sent = sending[-1][0]
            return await self._trim()

    async def _trim(self) -> Answer:
        if self._sent == self._trimmed:
            return Answer(Outcome.OK)
        answer = await commit_until_definite(self._redis, cut_trim(self._keys, self._held, self._sent))
        self._trimmed = self._sent
        return answer
