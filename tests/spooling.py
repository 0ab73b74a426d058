"""A model of the deliveries topic, for gateways with a spool, and what must be true of all that was accepted."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from streams.config import Settings
from streams.errors import Retry
from streams.inbound.deliveries import Kept
from streams.inbound.spooled import SpooledDeliveries, spooled

PARTITIONS = 2
HEADERS = [("connection", b"acme"), ("received_at", b"1777885200123")]


class Topic:
    """Acknowledges, or not, as it is told; each partition's records in their order.

    `away`: nothing arrives. `mute`: all arrives, no answer comes. `breaks`: so many records arrive in each partition of what is
    sent at once, and then there is an error.
    """

    def __init__(self) -> None:
        self.partitions: dict[int, list[bytes]] = defaultdict(list)
        self.straight: list[bytes] = []
        self.forwarded: list[list[bytes]] = []
        self.away = self.mute = False
        self.breaks: int | None = None
        self.back = asyncio.Event()

    def ready(self) -> bool:
        return not self.away

    async def append(self, value: bytes, headers: list[tuple[str, bytes]]) -> None:
        """A delivery that goes straight; the producer chooses where, so any place will do."""
        assert headers == HEADERS
        if self.away:
            raise Retry("Kafka", "is away")
        self.straight.append(value)
        self.partitions[len(self.straight) % PARTITIONS].append(value)
        await self._answer()

    async def append_all(self, kept: Sequence[Kept]) -> None:
        if self.away:
            raise Retry("Kafka", "is away")
        assert {tuple(each.headers) for each in kept} == {tuple(HEADERS)}
        self.forwarded.append([each.value for each in kept])
        for number in range(PARTITIONS):
            here = [each.value for each in kept if each.number % PARTITIONS == number]
            self.partitions[number] += here[: self.breaks]
        if self.breaks is not None:
            raise Retry("Kafka", "broke off")
        await self._answer()

    async def _answer(self) -> None:
        if self.mute:
            self.back.clear()
            await self.back.wait()

    def recover(self) -> None:
        """All is well again; what was on its way is answered."""
        self.away = self.mute = False
        self.breaks = None
        self.back.set()


@asynccontextmanager
async def gateway(topic: Topic, path: Path, **settings: object) -> AsyncIterator[SpooledDeliveries]:
    """What a gateway with a spool does with deliveries, at work."""
    told = {"spool": path, "acknowledge_timeout": "1s"} | settings
    async with spooled(topic, Settings.model_validate({"gateway": told}).gateway) as deliveries:
        yield deliveries


def lost(accepted: Iterable[bytes], partitions: Iterable[Sequence[bytes]]) -> set[bytes]:
    """What was accepted and lies nowhere."""
    return set(accepted) - {value for partition in partitions for value in partition}


def disordered(partitions: Iterable[Sequence[bytes]]) -> list[tuple[bytes, bytes]]:
    """Deliveries, named `sender number`, that lie before one that their sender sent earlier, copies aside."""
    found = []
    for partition in partitions:
        latest: dict[bytes, bytes] = {}
        for value in dict.fromkeys(partition):
            sender, number = value.split()[:2]
            before = latest.get(sender, value)
            if int(number) < int(before.split()[1]):
                found.append((before, value))
            latest[sender] = value
    return found
