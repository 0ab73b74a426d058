"""Where webhooks come in: authentic, not too large, and answered with success only when Kafka has them.

`POST /hooks/{token}`: the opaque token names the connection, whose secrets prove the sender. Answers are 202 accepted; 401 not
authentic; 404 no such token; 408 and 413 the body is too slow or too large; 415 it is encoded; 503 Kafka does not acknowledge.
Never a redirect and never 410, which make senders give up.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Literal, TypeAlias, get_args

import structlog
import uvloop
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from models.units import SECOND, Millis
from streams import vitals
from streams.config import Connection, GatewaySettings, SecretFiles, Settings
from streams.errors import Retry
from streams.inbound.deliveries import Deliveries, KafkaDeliveries
from streams.inbound.normalise import Delivery
from streams.inbound.providers import Provider, Unauthentic, provider_of
from streams.rotation import rotating
from streams.server import listen, serve
from streams.telemetry import GatewayMetrics
from streams.telemetry import registry as new_registry

log = structlog.get_logger(__name__)

RETRY_AFTER_S = "10"
CLOSE = {"connection": "close"}

MOST_DISCARDED = 32 * 2**20
"""Bytes of a refused body that are taken in, so that its sender comes to read the answer."""

Reason: TypeAlias = Literal[
    "disconnected", "encoded", "malformed", "not_acknowledged", "too_large", "too_slow", "unauthentic", "unknown_token"
]


class Refused(Exception):
    """A request that is not accepted. The reason is for us; what the sender is told gives nothing away."""

    def __init__(self, status: int, told: str, reason: Reason, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, told, reason)
        self.reason = reason
        self.answer = _answer(status, b'{"error":"%s"}' % told.encode(), headers)


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
        self.known = [(_digest(each.token.get_secret_value()), _door(each, most)) for each in connections]
        self.decoys = list({each.provider: door for each, (_, door) in zip(connections, self.known, strict=True)}.values())


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts that a request passes through, without the HTTP around it."""

    settings: GatewaySettings
    doors: Doors
    deliveries: Deliveries
    clock: Callable[[], Millis]
    metrics: GatewayMetrics

    async def hook(self, request: Request) -> Response:
        """Take one delivery in."""
        began = time.monotonic()
        door = self.door(request.path_params["token"])
        try:
            body = await self.read(request)
            delivery = self.admit(door, request, body)
            await self.append(delivery)
        except Refused as refused:
            self.metrics.refused.labels(door.connection if door else "", refused.reason).inc()
            return refused.answer
        self.metrics.accepted.labels(delivery.connection).inc()
        self.metrics.seconds.observe(time.monotonic() - began)
        return _answer(202, b'{"accepted":true}')

    def door(self, token: str) -> Door | None:
        """The door that a token opens. All digests are compared, so that the time taken tells nothing about any."""
        given = _digest(token)
        found = None
        for digest, door in self.doors.known:
            if hmac.compare_digest(digest, given):
                found = door
        return found

    async def read(self, request: Request) -> bytes:
        """The body as sent. Raises Refused for one that is encoded, too large or too slow.

        The rest of what is refused is taken in, up to a limit, and not kept: a connection that is closed while the sender
        still writes loses the answer. Who waits for our word before the body gets it at once.
        """
        fault = self._unwanted(request)
        if fault and "expect" in request.headers:
            raise fault
        body, length = bytearray(), 0
        try:
            async with asyncio.timeout(self.settings.read_timeout / SECOND):
                async for chunk in request.stream():
                    length += len(chunk)
                    if length > self.settings.body_limit:
                        fault = fault or self._too_large()
                    if length > MOST_DISCARDED:
                        break
                    if not fault:
                        body += chunk
        except TimeoutError:
            raise fault or Refused(408, "the body took too long", "too_slow", CLOSE) from None
        except ClientDisconnect:
            raise fault or Refused(400, "the body is incomplete", "disconnected") from None
        if fault:
            raise fault
        return bytes(body)

    def _unwanted(self, request: Request) -> Refused | None:
        """What the headers say against a body."""
        if any(encoding.strip().lower() not in {"", "identity"} for encoding in request.headers.getlist("content-encoding")):
            return Refused(415, "send the body without a content encoding", "encoded", CLOSE)
        length = request.headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            return Refused(400, "content-length is not a number", "malformed", CLOSE)
        # Compared by its digits first: Python refuses to read thousands of them.
        if len(length.lstrip("0")) > len(str(self.settings.body_limit)) or int(length) > self.settings.body_limit:
            return self._too_large()
        return None

    def _too_large(self) -> Refused:
        return Refused(413, f"the limit is {self.settings.body_limit} bytes", "too_large", CLOSE)

    def admit(self, door: Door | None, request: Request, body: bytes) -> Delivery:
        """The delivery, if it is proven to be one. Raises Refused if not.

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
        return Delivery(door.connection, now, kept, body)

    async def append(self, delivery: Delivery) -> None:
        """Return when the delivery is safe. Raises Refused if that takes too long or fails: the sender tries again."""
        try:
            async with asyncio.timeout(self.settings.acknowledge_timeout / SECOND):
                await self.deliveries.append(delivery.body, delivery.record_headers())
        except (Retry, TimeoutError) as error:
            log.warning("delivery_not_acknowledged", connection=delivery.connection, error=str(error) or "no answer in time")
            raise Refused(503, "try again later", "not_acknowledged", {"retry-after": RETRY_AFTER_S}) from None


def create(
    settings: Settings, producer: Deliveries, clock: Callable[[], Millis], registry: CollectorRegistry | None = None
) -> Starlette:
    """The application: the hooks, and `/livez`, `/readyz` and `/metrics` of this process."""
    registry = registry or new_registry()
    metrics = GatewayMetrics(registry)
    metrics.expect((connection.name for connection in settings.connections), get_args(Reason))
    gateway = Gateway(
        settings=settings.gateway,
        doors=Doors(settings.connections),
        deliveries=producer,
        clock=clock,
        metrics=metrics,
    )

    app = Starlette(
        routes=[
            Route("/hooks/{token}", gateway.hook, methods=["POST"]),
            *vitals.routes(registry, lambda: None if producer.ready() else "Kafka is not there"),
        ]
    )
    app.router.redirect_slashes = False
    app.state.doors = gateway.doors
    return app


def _door(connection: Connection, most: int) -> Door:
    keys = (secret.get_secret_value() for secret in cycle(connection.secrets))
    return Door(connection.name, provider_of(connection), tuple(islice(keys, most)))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, media_type="application/json")


def wall_clock() -> Millis:
    """The machine's time."""
    return Millis(time.time_ns() // 1_000_000)


async def run(settings: Settings, secrets: SecretFiles | None = None) -> None:
    """Be the gateway until SIGTERM or SIGINT. Raises Fatal if its address cannot be had; Kafka may come and go."""
    listener = listen(settings.gateway.host, settings.gateway.port)
    log.info("gateway_listening", host=settings.gateway.host, port=listener.getsockname()[1])
    registry = new_registry()
    async with KafkaDeliveries(settings).running() as deliveries:
        app = create(settings, deliveries, wall_clock, registry)
        doors: Doors = app.state.doors
        async with rotating(secrets, lambda read: doors.use(read.connections), registry):
            await serve(app, listener)


def main(settings: Settings, secrets: SecretFiles | None = None) -> None:
    """Run the gateway as a process of its own, on uvloop. The files of its secrets are read again when they change."""
    uvloop.run(run(settings, secrets))
