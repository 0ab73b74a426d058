"""The whole chain, each part as a process of its own, at the settings' defaults; and what has been sent into it."""

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import httpx
from services import free_port

from benchmarks import engine
from benchmarks.present import Gauge, Step, counted
from benchmarks.process import Process
from benchmarks.stage import Stage
from streams.local.deliveries import Batch, post, secret_of, wall

CONNECTION: Final = "crm"
TOKEN: Final = "token_of_the_benchmark_0123456789"  # noqa: S105 - nothing to guess on this machine
SECRET: Final = secret_of(1)
PATIENCE_S: Final = 30.0

CONFIG: Final = """
[gateway]
port = {gateway}
{of_gateway}
[exporter]
port = {exporter}
[[connections]]
name = "{connection}"
token = "{token}"
secrets = ["{secret}"]
"""

PARTS: Final = MappingProxyType(
    {
        "gateway": ("gateway",),
        "normaliser": ("worker", "--part", "normaliser"),
        "processor": ("worker", "--part", "processor"),
        "exporter": ("exporter",),
    }
)


class Told:
    """What has been sent, and when: by gauge, and all together."""

    def __init__(self) -> None:
        self.counts: Counter[Gauge] = Counter()
        self.deliveries = 0
        self._sums: list[int] = [0]
        self._times: list[float] = []

    async def send(self, client: httpx.AsyncClient, hook: str, some: Sequence[Step]) -> None:
        """Send one delivery; return when it is acknowledged."""
        self.counts.update(step.gauge for step in some)
        self._times.append(time.monotonic())
        self._sums.append(self._sums[-1] + len(some))
        self.deliveries += 1
        await post(client, hook, SECRET, batch_of(self.deliveries, some))

    def behind_s(self, shown: int, now: float) -> float:
        """How long ago the first of those was sent that are not among so many."""
        place = bisect_right(self._sums, shown) - 1
        return now - self._times[place] if place < len(self._times) else 0.0


class Chain(NamedTuple):
    """Leadbeat's processes, and where they are."""

    parts: dict[str, Process]
    hook: str
    gateway: str
    exporter: str
    settings: Path

    async def begun(self, client: httpx.AsyncClient) -> None:
        """Return when there is a first round."""

        async def page() -> str:
            return await lines(client, self.exporter, "leadbeat_round ")

        await engine.until(bool, page, *self.parts.values())

    async def shown(self, client: httpx.AsyncClient) -> Counter[Gauge]:
        """What `/metrics` counts."""
        return counted(await lines(client, self.exporter, "leadbeat_"))

    async def until_shown(self, client: httpx.AsyncClient, told: Told) -> None:
        """Return when `/metrics` counts as much as was sent, or more."""
        await engine.until(lambda shown: shown >= told.counts, lambda: self.shown(client), *self.parts.values())


async def lines(client: httpx.AsyncClient, service: str, beginning: str) -> str:
    """The lines of a service's `/metrics` that begin so; none while nobody answers."""
    try:
        page = (await client.get(f"{service}/metrics")).text
    except httpx.TransportError:
        return ""
    return "".join(line for line in page.splitlines(keepends=True) if line.startswith(beginning))


def asking() -> httpx.AsyncClient:
    """Who sends and asks."""
    return httpx.AsyncClient(timeout=PATIENCE_S, limits=httpx.Limits(max_connections=100))


def start(stage: Stage, parts: Mapping[str, Sequence[str]] = PARTS, of_gateway: str = "", plain: str = "") -> Chain:
    """Start parts: commands by name. `of_gateway` are more of the gateway's settings, `plain` lines of the top level."""
    ports = {"gateway": free_port(), "exporter": free_port()}
    told = CONFIG.format(**ports, of_gateway=of_gateway, connection=CONNECTION, token=TOKEN, secret=SECRET)
    settings = stage.configure(engine.config(stage.kafka.bootstrap, stage.redis.url, plain) + told)
    started = {name: stage.start(name, settings, *words) for name, words in parts.items()}
    gateway, exporter = (f"http://127.0.0.1:{port}" for port in ports.values())
    return Chain(started, f"{gateway}/hooks/{TOKEN}", gateway, exporter, settings)


def batch_of(number: int, some: Sequence[Step]) -> Batch:
    """A delivery of what happens now."""
    now = wall()
    return Batch(f"msg_{number}", tuple(step.event(now) for step in some))
