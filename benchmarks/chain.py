"""The whole chain, each part as a process of its own, at the settings' defaults."""

from pathlib import Path
from typing import Final, NamedTuple

import httpx
from services import free_port

from benchmarks import engine
from benchmarks.process import Process
from benchmarks.stage import Stage
from streams.local.deliveries import secret_of

CONNECTION: Final = "crm"
TOKEN: Final = "token_of_the_benchmark_0123456789"  # noqa: S105 - nothing to guess on this machine
SECRET: Final = secret_of(1)

CONFIG: Final = """
[gateway]
port = {gateway}
[exporter]
port = {exporter}
[[connections]]
name = "{connection}"
token = "{token}"
secrets = ["{secret}"]
"""


class Chain(NamedTuple):
    """Leadbeat's processes, and where they are."""

    parts: dict[str, Process]
    hook: str
    exporter: str
    settings: Path

    async def lines(self, client: httpx.AsyncClient, beginning: str) -> list[str]:
        """The lines of `/metrics` that begin so; none while there is no page."""
        try:
            page = (await client.get(f"{self.exporter}/metrics")).text
        except httpx.TransportError:
            return []
        return [line for line in page.splitlines() if line.startswith(beginning)]

    async def begun(self, client: httpx.AsyncClient) -> None:
        """Return when there is a first round."""

        async def round_of() -> list[str]:
            return await self.lines(client, "leadbeat_round ")

        await engine.until(bool, round_of, self.parts["processor"])


def start(stage: Stage) -> Chain:
    """Start all parts."""
    ports = {"gateway": free_port(), "exporter": free_port()}
    told = CONFIG.format(**ports, connection=CONNECTION, token=TOKEN, secret=SECRET)
    settings = stage.configure(engine.config(stage.kafka.bootstrap, stage.redis.url, "") + told)
    commands = {
        "gateway": ["gateway"],
        "normaliser": ["worker", "--part", "normaliser"],
        "processor": ["worker", "--part", "processor"],
        "exporter": ["exporter"],
    }
    parts = {name: stage.start(name, settings, *words) for name, words in commands.items()}
    gateway, exporter = (f"http://127.0.0.1:{port}" for port in ports.values())
    return Chain(parts, f"{gateway}/hooks/{TOKEN}", exporter, settings)
