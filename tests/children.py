"""Leadbeat's services as child processes of a test, and what they say of themselves."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services import CHECKOUT

STOP_S = 60
PROGRAM = ("streams.cli",)
"""The module that is run as Leadbeat. Others run it with something changed (`faults.without`, `faults.skewed`)."""

LISTENING = "0A"
"""The state of a socket, as Linux has it."""


@dataclass
class Service:
    """A child process of ours."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]
    expected_to_live: bool = True

    @classmethod
    def start(cls, name: str, config: Path, log: Path, program: Sequence[str] = PROGRAM) -> "Service":
        """Start a service; what it says goes to a file."""
        with log.open("wb") as out:
            process = subprocess.Popen(
                command(name, config, program),
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(name, log, process)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.expected_to_live = False
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end in order; what it ended with."""
        self.expected_to_live = False
        self.process.terminate()
        return self.process.wait(STOP_S)

    def freeze(self) -> None:
        """Have it do nothing, nor notice it."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        self.process.send_signal(signal.SIGCONT)

    def says(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """The lines of its log of an event."""
        lines = [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event and fields.items() <= line.items()]

    def text(self) -> str:
        """All that it has said."""
        return self.log.read_text(errors="replace")

    def check(self) -> None:
        """Fail if it has ended unasked."""
        if self.expected_to_live and self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self.text()[-3000:]}")


def end(services: Sequence[Service]) -> None:
    """End all that still run, at the same time; fail if one does not stop in order."""
    for service in services:
        service.expected_to_live = False
        service.thaw()
        service.process.terminate()
    stuck = [service for service in services if not _has_ended(service)]
    assert not stuck, "\n".join(f"{service.name} did not stop: {service.text()[-3000:]}" for service in stuck)


def _has_ended(service: Service) -> bool:
    try:
        service.process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        service.kill()
        return False
    return True


def ports_of(service: Service) -> set[int]:
    """The TCP ports that a service and the processes that it has started listen on."""
    inodes = {link for pid in processes_of(service) for link in map(_target, Path(f"/proc/{pid}/fd").iterdir())}
    tables = (Path(f"/proc/{service.process.pid}/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6"))
    rows = [line.split() for table in tables for line in table]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == LISTENING and f"socket:[{row[9]}]" in inodes}


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""


def processes_of(service: Service) -> list[int]:
    """A service's own process and those that it has started."""
    found = [service.process.pid]
    for pid in found:
        found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return found


def command(name: str, config: Path, program: Sequence[str] = PROGRAM) -> list[str]:
    """The command line of a service, whose name may have options behind it."""
    words = ["worker", "--part", name] if name in {"normaliser", "processor"} else name.split()
    return [sys.executable, "-m", *program, *words, "--config", str(config)]


def loads(processor: Service) -> list[dict[str, Any]]:
    """The partitions that a processor says it has loaded, each time with the offset and the claim."""
    return processor.says("partition_loaded", logger="streams.processing.owner")


async def ran(*words: str | Path) -> tuple[int, str, str]:
    """Run a command of ours to its end: exit code, output, error output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "streams.cli", *map(str, words)),
        cwd=CHECKOUT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()
