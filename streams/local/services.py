"""Leadbeat's own services as child processes of a demo: started, watched, and stopped in order, or with us if we are killed."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from streams.errors import Fatal

STOP_LIMIT_S = 15.0
LOOK_S = 0.1
LAST_LINES = 8


class Service:
    """A running service."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self._process = process
        self._log = log

    def check(self) -> None:
        """Raise Fatal, with its last words, if it has ended."""
        if self._process.returncode is None:
            return
        words = self._log.read_text(errors="replace").strip().splitlines()[-LAST_LINES:]
        raise Fatal(self.name, f"ended with {self._process.returncode}:\n" + "\n".join(words), f"its log was {self._log}")

    async def stop(self) -> None:
        """Ask it to stop; insist if it takes too long."""
        if self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_LIMIT_S)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def service(name: str, config: Path) -> AsyncIterator[Service]:
    """`leadbeat <name> --config <config>` in a process of its own; its log stands beside the configuration."""
    log = config.with_name(f"{name}.log")
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streams.cli", name, "--supervised", "--config", str(config)),
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us, who then stop things in order
        )
    running = Service(name, process, log)
    try:
        yield running
    finally:
        await running.stop()


async def until(done: Callable[[], Awaitable[bool]], limit_s: float, what: str, *services: Service) -> None:
    """Wait until an async condition holds. Raises Fatal if a service ends meanwhile, or when the limit has passed."""
    deadline = asyncio.get_running_loop().time() + limit_s
    while True:
        for each in services:
            each.check()
        if await done():
            return
        if asyncio.get_running_loop().time() > deadline:
            raise Fatal(what, f"did not come about within {limit_s:.0f} s", "look at the services' logs")
        await asyncio.sleep(LOOK_S)


async def answers(client: httpx.AsyncClient, url: str) -> bool:
    """Whether a URL answers with success."""
    try:
        return (await client.get(url)).is_success
    except httpx.TransportError:
        return False
