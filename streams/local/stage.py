"""The stage of a demo: embedded servers, Leadbeat's services on them, and the way to deliver webhooks to them."""

import secrets
import socket
import tomllib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from models.units import Millis
from streams.errors import Fatal
from streams.local.deliveries import Batch, Courier, post_all, secret_of, wall
from streams.local.embedded import PARTITIONS, EmbeddedFolder, EmbeddedKafka, EmbeddedRedis
from streams.local.floor import demo_rules_toml, morning_zone
from streams.local.recorder import recording
from streams.local.recording import STANDARD
from streams.local.services import Service, answers, service, until
from streams.local.simulator import Floor

CONNECTION = "demo"
START_LIMIT_S = 60.0
APPLY_LIMIT_S = 120.0


@dataclass(frozen=True)
class Options:
    """How a demo runs. `seconds` None: until Ctrl-C. `record`: a file for the deliveries as they are received."""

    seconds: float | None = None
    seed: int = 7
    record: Path | None = None


@dataclass
class Demo:
    """A demo that runs: its addresses, and what it has delivered."""

    options: Options
    console: Console
    bootstrap: str
    redis: str
    rules: dict[str, Any]
    exporter: str
    hook: str
    settings: Path
    client: httpx.AsyncClient
    services: Sequence[Service]
    floor: Floor
    courier: Courier
    delivered: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, batches: Sequence[Batch]) -> None:
        """Deliver batches, a few at a time."""
        secret = secret_of(self.options.seed)
        await post_all(self.client, self.hook, secret, batches, lambda batch: self.delivered.extend(batch.events))

    async def kpis(self, **query: str) -> dict[str, Any]:
        """The API's answer."""
        response = await self.client.get(f"{self.exporter}/api/v1/kpis", params=query)
        return response.json() if response.is_success else {"clock": None, "kpis": []}

    async def table(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The API's rows of the whole, by id and window."""
        rows = (await self.kpis())["kpis"]
        return {(row["id"], row["window"]): row for row in rows if not row.get("by")}

    @property
    def links(self) -> list[tuple[str, str]]:
        """Where to look."""
        served = {"Live page": "/", "Metrics": "/metrics", "API": "/api/v1/kpis"}
        pages = ((name, f"{self.exporter}{path}") for name, path in served.items())
        return [*pages, ("Webhooks", self.hook), ("Settings", str(self.settings))]

    async def applied(self, clock: Millis) -> None:
        """Wait until all that was acknowledged before a tick is applied: ticks come behind the records they follow."""

        async def reached() -> bool:
            stands = (await self.kpis(kpi="touches", window="5m")).get("clock")
            return stands is not None and stands >= clock

        await until(reached, APPLY_LIMIT_S, "applying the deliveries", *self.services)


@asynccontextmanager
async def running(options: Options, console: Console) -> AsyncIterator[Demo]:
    """All services up and ready, on embedded parts; stopped, and gone with all they kept, at the end."""
    async with AsyncExitStack() as stack:
        console.print("Starting an embedded Kafka and Redis, gateway, worker and exporter; nothing is kept …", style="dim")
        folder = Path(await stack.enter_async_context(EmbeddedFolder()))
        bootstrap = await stack.enter_async_context(EmbeddedKafka())
        redis = await stack.enter_async_context(EmbeddedRedis())
        token, ports = secrets.token_urlsafe(24), free_ports(8080, 9108)
        config = folder / "leadbeat.toml"
        now = wall()
        floor_rules = demo_rules_toml(now, morning_zone(now))
        config.write_text("\n".join((floor_rules, toml(options.seed, bootstrap, redis, token, ports))))
        rules = tomllib.loads(config.read_text())
        gateway, exporter = (f"http://127.0.0.1:{port}" for port in ports)
        services = [await stack.enter_async_context(service(name, config)) for name in ("exporter", "worker", "gateway")]
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        await until(lambda: answers(client, f"{gateway}/readyz"), START_LIMIT_S, "starting the gateway", *services)
        await until(lambda: answers(client, f"{exporter}/livez"), START_LIMIT_S, "starting the exporter", *services)
        if options.record is not None:
            write_rules(options.record, floor_rules)
            await stack.enter_async_context(recording(bootstrap, options.record, {CONNECTION: STANDARD}))
        yield Demo(
            options,
            console,
            bootstrap,
            redis,
            rules,
            exporter,
            f"{gateway}/hooks/{token}",
            config,
            client,
            services,
            Floor(options.seed, rules["organisation"]["zone"]),
            Courier(options.seed),
        )


def toml(seed: int, bootstrap: str, redis: str, token: str, ports: Sequence[int]) -> str:
    """The configuration of the demo's services, but for the floor's rules."""
    return "\n".join(
        (
            f'[kafka]\nbootstrap = "{bootstrap}"\npartitions = {PARTITIONS}\ncreate_topics = false\nsession_timeout_s = 6\n',
            f'[redis]\nurl = "{redis}"\n',
            f'[worker]\nsubject_key = "{secrets.token_hex(32)}"\n',
            f"[gateway]\nport = {ports[0]}\n",
            f"[exporter]\nport = {ports[1]}\n",
            f'[[connections]]\nname = "{CONNECTION}"\ntoken = "{token}"\nsecrets = ["{secret_of(seed)}"]\n',
        )
    )


def rules_beside(recording: Path) -> Path:
    """Where the rules of a recording stand, for `leadbeat replay --config`."""
    return recording.with_suffix(".rules.toml")


def write_rules(recording: Path, rules: str) -> None:
    """Write the rules beside a recording. Raises Fatal if that cannot be, before anything is recorded in vain."""
    try:
        rules_beside(recording).write_text(rules)
    except OSError as error:
        raise Fatal(
            f"--record {recording}", f"cannot be written: {error.strerror}", "name a file in a folder that is there"
        ) from None


def free_ports(*wanted: int) -> list[int]:
    """The wanted ports, or others where those are taken."""
    return [_bindable(port) or _bindable(0) for port in wanted]


def _bindable(port: int) -> int:
    with suppress(OSError), socket.create_server(("127.0.0.1", port)) as probe:
        return int(probe.getsockname()[1])
    return 0
