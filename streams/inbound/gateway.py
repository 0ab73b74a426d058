"""Where webhooks come in: authentic, not too large, not too many, and answered with success only when they are safe.

`POST /hooks/{token}`: the opaque token names the connection, whose secrets prove the sender. Answers are 202 accepted, which is
acknowledged by Kafka or synced in the spool; 401 not authentic; 404 no such token; 408 and 413 the body is too slow or too
large; 415 it is encoded; 429 there are too many; 503, or what else the provider tries again after, neither Kafka nor the spool
takes it. Never a redirect and never 410, which make senders give up.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice
from typing import get_args

import structlog
import uvloop
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.units import SECOND, Millis
from streams import vitals
from streams.config import Connection, GatewaySettings, SecretFiles, Settings
from streams.errors import Retry
from streams.hashing import digest_of, holder_of
from streams.inbound.answers import Reason, Refused, answer, later
from streams.inbound.bodies import Bodies
from streams.inbound.deliveries import Deliveries, KafkaDeliveries
from streams.inbound.normalise import Delivery
from streams.inbound.providers import Provider, Unauthentic, provider_of
from streams.inbound.rates import STRANGERS, Rates
from streams.inbound.spool_file import SpoolFull
from streams.inbound.spooled import spooled
from streams.rotation import rotating
from streams.server import listen, serve
from streams.telemetry import GatewayMetrics, SpoolCollector
from streams.telemetry import registry as new_registry
from streams.topics import ensure_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Door:
    """What one token opens: a connection, and how its deliveries are proven."""

    connection: str
    provider: Provider
    secrets: tuple[str, ...]


class Doors:
    """All doors: `known` by the digest of their token; `decoys`, one of each provider, for requests whose token nobody has."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        self.use(connections)

    def use(self, connections: Sequence[Connection]) -> None:
        """Let these in from now on, and nobody else. All have as many secrets, some twice, so that all take as long."""
        most = max((len(connection.secrets) for connection in connections), default=0)
        self.known = [(digest_of(each.token.get_secret_value()), _door(each, most)) for each in connections]
        self.decoys = list({each.provider: door for each, (_, door) in zip(connections, self.known, strict=True)}.values())


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts that a request passes through, without the HTTP around it."""

    settings: GatewaySettings
    doors: Doors
    rates: Rates
    bodies: Bodies
    deliveries: Deliveries
    clock: Callable[[], Millis]
    metrics: GatewayMetrics

    async def hook(self, request: Request) -> Response:
        """Take one delivery in."""
        began = time.monotonic()
        door = holder_of(request.path_params["token"], self.doors.known)
        connection = door.connection if door else STRANGERS
        try:
            self.count(connection, began)
            async with self.bodies.body(request) as body:
                await self.take(door, request, body)
        except Refused as refused:
            self.metrics.refused.labels(connection, refused.reason).inc()
            return refused.answer
        self.metrics.accepted.labels(connection).inc()
        self.metrics.seconds.observe(time.monotonic() - began)
        return answer(202, b'{"accepted":true}')

    def count(self, connection: str, now: float) -> None:
        """Raise Refused if there are too many requests."""
        if wait := self.rates.admit(connection, now):
            raise Refused(429, "too many requests", "too_many", later(math.ceil(wait)))

    async def take(self, door: Door | None, request: Request, body: bytes) -> None:
        """Return when the delivery is proven to be one, and is safe. Raises Refused if not.

        A token that nobody has costs as much work as a wrong signature does: the time taken tells no token.
        """
        now = self.clock()
        if door is None:
            for decoy in self.doors.decoys:
                with suppress(Unauthentic):
                    decoy.provider.verify(request.headers, body, decoy.secrets, now)
            raise Refused(404, "not found", "unknown_token")
        try:
            door.provider.verify(request.headers, body, door.secrets, now)
        except Unauthentic as fault:
            log.warning("delivery_unauthentic", connection=door.connection, where=fault.where, what=fault.what)
            raise Refused(401, "not authentic", "unauthentic") from None
        kept = {name: request.headers[name] for name in door.provider.KEPT_HEADERS if name in request.headers}
        await self.append(door, Delivery(door.connection, now, kept, body))

    async def append(self, door: Door, delivery: Delivery) -> None:
        """Return when the delivery is safe. Raises Refused if that takes too long or fails: the sender tries again."""
        try:
            async with asyncio.timeout(self.settings.acknowledge_timeout / SECOND):
                await self.deliveries.append(delivery.body, delivery.record_headers())
        except (Retry, TimeoutError) as error:
            reason: Reason = "spool_full" if isinstance(error, SpoolFull) else "not_acknowledged"
            why = str(error) or "no answer in time"
            log.warning("delivery_not_acknowledged", connection=delivery.connection, reason=reason, error=why)
            status, retry_after_s = door.provider.BUSY
            raise Refused(status, "try again later", reason, later(retry_after_s)) from None


def create(
    settings: Settings, deliveries: Deliveries, clock: Callable[[], Millis], registry: CollectorRegistry | None = None
) -> Starlette:
    """The application: the hooks, and `/livez`, `/readyz` and `/metrics` of this process."""
    registry = registry or new_registry()
    metrics = GatewayMetrics(registry)
    metrics.expect((connection.name for connection in settings.connections), get_args(Reason))
    limits = settings.gateway
    gateway = Gateway(
        settings=limits,
        doors=Doors(settings.connections),
        rates=Rates(limits.rate, limits.connection_rate, (connection.name for connection in settings.connections)),
        bodies=Bodies(limits.body_limit, limits.read_timeout / SECOND),
        deliveries=deliveries,
        clock=clock,
        metrics=metrics,
    )

    app = Starlette(
        routes=[
            Route("/hooks/{token}", gateway.hook, methods=["POST"]),
            *vitals.routes(registry, deliveries.unready),
        ]
    )
    app.router.redirect_slashes = False
    app.state.doors = gateway.doors
    return app


def _door(connection: Connection, most: int) -> Door:
    keys = (secret.get_secret_value() for secret in cycle(connection.secrets))
    return Door(connection.name, provider_of(connection), tuple(islice(keys, most)))


def wall_clock() -> Millis:
    """The machine's time."""
    return Millis(time.time_ns() // 1_000_000)


async def run(settings: Settings, secrets: SecretFiles | None = None) -> None:
    """Be the gateway until SIGTERM or SIGINT; Kafka may come and go, and with a spool need not be there at the start.

    Raises Fatal, maybe in a group, if its address cannot be had, or its spool or the topics cannot be used; Retry if there is
    no spool and no Kafka.
    """
    if settings.gateway.spool is None:
        await ensure_of(settings)
    listener = listen(settings.gateway.host, settings.gateway.port)
    log.info("gateway_listening", host=settings.gateway.host, port=listener.getsockname()[1])
    registry = new_registry()

    async def let_in(deliveries: Deliveries) -> None:
        app = create(settings, deliveries, wall_clock, registry)
        doors: Doors = app.state.doors
        async with rotating(secrets, lambda read: doors.use(read.connections), registry):
            await serve(app, listener)

    async with KafkaDeliveries(settings).running() as kafka:
        if settings.gateway.spool is None:
            await let_in(kafka)
            return
        async with asyncio.TaskGroup() as group, spooled(kafka, settings.gateway) as deliveries:
            ensuring = group.create_task(_ensure(settings))
            registry.register(SpoolCollector(deliveries.state))
            await let_in(deliveries)
            ensuring.cancel()


async def _ensure(settings: Settings) -> None:
    while True:
        with suppress(Retry):
            return await ensure_of(settings)


def main(settings: Settings, secrets: SecretFiles | None = None) -> None:
    """Run the gateway as a process of its own, on uvloop. The files of its secrets are read again when they change."""
    uvloop.run(run(settings, secrets))
