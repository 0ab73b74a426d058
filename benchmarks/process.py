"""A process that is measured: its CPU time, and the most memory that it has had."""

import os
import subprocess
from pathlib import Path
from typing import Any, Self


class Process:
    """A command while it runs; on Linux, where `/proc` tells of it."""

    def __init__(self, process: Any, log: Path | None = None) -> None:
        self._process, self._log = process, log

    @classmethod
    def start(cls, command: list[str], log: Path) -> Self:
        """Start a command; what it prints goes to a file."""
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)  # noqa: S603
        return cls(process, log)

    def cpu_s(self) -> float:
        """The CPU time that it has taken, its kernel's included."""
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mib(self) -> float:
        """The most memory that it has had resident."""
        return self._mib("VmHWM:")

    def resident_mib(self) -> float:
        """The memory that it has resident now."""
        return self._mib("VmRSS:")

    def descriptors(self) -> int:
        """How many files and sockets it has open."""
        return len(list(Path(f"/proc/{self._process.pid}/fd").iterdir()))

    def lives(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def ended(self) -> None:
        """Return when it has ended by itself."""
        self._process.wait()

    def output(self) -> str:
        """The end of what it has printed."""
        return self._log.read_text(errors="replace")[-3000:] if self._log else ""

    def end(self) -> None:
        """End it, in order if it will."""
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _mib(self, name: str) -> float:
        line = next(line for line in self._proc("status").splitlines() if line.startswith(name))
        return int(line.split()[1]) / 1024

    def _proc(self, name: str) -> str:
        return Path(f"/proc/{self._process.pid}/{name}").read_text()
