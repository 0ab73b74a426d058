"""Deliveries to Kafka, straight while all is well, else by way of the spool, in the order in which they were accepted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from models.units import SECOND
from streams.config import GatewaySettings
from streams.errors import Fatal, Retry
from streams.inbound.deliveries import KafkaDeliveries
from streams.inbound.normalise import RecordHeaders
from streams.inbound.spool import Spool, opened
from streams.inbound.spool_file import MOST_ROWS
from streams.telemetry import SpoolState

log = structlog.get_logger(__name__)

KAFKAS_SHARE: Final = 0.6
"""How much of the time in which a sender is answered Kafka may take; the rest is the disk's."""

HOLD_S: Final = 0.5
"""How long deliveries that come may be held up while the last ones of the spool are sent before them."""

PAUSE_S = 1.0
"""How long to wait before what failed is tried again."""

SEND_LIMIT_S: Final = 30.0
"""How long sending some of the spool may take; what is not acknowledged then is sent again."""


class SpooledDeliveries:
    """What is accepted while something waits in the spool waits behind it; when it is empty, all goes straight again."""

    def __init__(self, kafka: KafkaDeliveries, spool: Spool, patience_s: float, largest: int) -> None:
        self._kafka, self._spool, self._patience_s, self._largest = kafka, spool, patience_s, largest
        self._open = asyncio.Event()
        self._open.set()

    def state(self) -> SpoolState:
        """What the spool holds."""
        return self._spool.state()

    def unready(self) -> str | None:
        """Why a delivery would not be safe: Kafka is away, and the spool has no room for the largest that may come."""
        if self._spool.room() > self._largest or (self._kafka.ready() and not self._spool.unsent):
            return None
        return "the spool is full, or its disk is"

    async def append(self, value: bytes, headers: RecordHeaders) -> None:
        """Return when the delivery is safe. Raises SpoolFull if Kafka does not acknowledge and the spool has no room."""
        await self._open.wait()
        if not self._spool.unsent and self._kafka.ready() and await self._straight(value, headers):
            return
        await self._spool.add(headers, value)

    async def _straight(self, value: bytes, headers: RecordHeaders) -> bool:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._kafka.append(value, headers)
        except (Retry, TimeoutError) as error:
            log.warning("delivery_to_spool", error=str(error) or "no acknowledgement in time")
            return False
        return True

    async def forward(self) -> None:
        """Send what is in the spool as soon as Kafka takes it, the oldest first, for ever."""
        while True:
            await self._spool.filled.wait()
            log.warning("spool_filled", deliveries=self._spool.unsent)
            while self._spool.filled.is_set():
                if self._spool.unsent and not self._kafka.ready():
                    await asyncio.sleep(PAUSE_S)
                    continue
                try:
                    await self._send_some()
                    await self._spool.clear()
                except (Retry, TimeoutError) as error:
                    self._open.set()
                    log.warning("spool_waits", deliveries=self._spool.unsent, error=str(error) or "no answer in time")
                    await asyncio.sleep(PAUSE_S)
            log.info("spool_empty")

    async def _send_some(self) -> None:
        """Send the oldest deliveries. While the last few are sent none comes in, so that there is an end."""
        if 0 < self._spool.unsent <= MOST_ROWS:
            self._hold()
        if kept := await self._spool.oldest():
            async with asyncio.timeout(SEND_LIMIT_S):
                await self._kafka.append_all(kept)
            self._spool.sent(kept)
        if not self._spool.unsent:
            self._open.set()

    def _hold(self) -> None:
        if self._open.is_set():
            self._open.clear()
            asyncio.get_running_loop().call_later(HOLD_S, self._open.set)


@asynccontextmanager
async def spooled(kafka: KafkaDeliveries, settings: GatewaySettings) -> AsyncIterator[SpooledDeliveries]:
    """Deliveries by way of the spool of the settings, at work. Raises Fatal if it cannot be used, in a group later on."""
    if settings.spool is None:
        raise Fatal("gateway.spool", "is not set")
    async with opened(settings.spool, settings.spool_limit) as spool, asyncio.TaskGroup() as group:
        patience_s = KAFKAS_SHARE * settings.acknowledge_timeout / SECOND
        deliveries = SpooledDeliveries(kafka, spool, patience_s, settings.body_limit)
        forwarding = group.create_task(deliveries.forward())
        yield deliveries
        forwarding.cancel()
