"""A made-up sales floor as the CRM of an installation: its past, then its present, as signed webhooks to a gateway."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import httpx
import structlog

from streams.config import Settings
from streams.errors import Fatal, Retry
from streams.local.deliveries import Batch, Courier, post_all, wall
from streams.local.recording import STANDARD
from streams.local.simulator import Floor, Present

STEP_S: Final = 0.5
PATIENCE_S: Final = 30.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Sender:
    """The way to a gateway: a connection's URL, and the secret that signs for it."""

    client: httpx.AsyncClient
    hook: str
    secret: str

    async def send(self, batches: Sequence[Batch]) -> None:
        """Deliver batches, however long the gateway is away. Raises Fatal, in a group, if it refuses one."""
        waiting = {batch.id: batch for batch in batches}
        while waiting:
            try:
                await post_all(self.client, self.hook, self.secret, list(waiting.values()), lambda batch: waiting.pop(batch.id))
            except* Retry as faults:
                log.warning("gateway_away", faults=[str(fault) for fault in faults.exceptions], waiting=len(waiting))


async def simulate(settings: Settings, gateway: str, connection: str, seed: int) -> None:
    """Deliver 400 days of history to the gateway at an address, then what happens from now on, without end.

    Raises Fatal if the settings have no such connection, or, in a group, if the gateway refuses a delivery.
    """
    path, secret = credentials(settings, connection)
    floor, courier = Floor(seed, settings.organisation.zone), Courier(seed)
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        sender = Sender(client, f"{gateway.rstrip('/')}{path}", secret)
        now = wall()
        history = floor.history(now)
        await sender.send(courier.pack(history, now))
        log.info("history_delivered", events=len(history), seed=seed)
        present = Present(floor, now)
        while True:
            now = wall()
            await sender.send(courier.pack(present.until(now), now))
            await asyncio.sleep(STEP_S)


def credentials(settings: Settings, name: str) -> tuple[str, str]:
    """The path that a connection's webhooks go to, and the secret that signs them. Raises Fatal if there is none such."""
    for connection in settings.connections:
        if connection.name == name and connection.provider == STANDARD:
            return f"/hooks/{connection.token.get_secret_value()}", connection.secrets[0].get_secret_value()
    raise Fatal(f"connection {name!r}", "is not in the settings as one of Standard Webhooks", "add it, or name another one")
