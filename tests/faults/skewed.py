"""Leadbeat with a wall clock of its own, that may jump while it runs: so many s ahead as a file says. For tests only.

python -m tests.faults.skewed CLOCK worker --part processor --config leadbeat.toml
"""

import mmap
import sys
import time
from collections.abc import Callable
from pathlib import Path
from struct import Struct
from typing import Final

OFFSET: Final = Struct("<d")


class Skew:
    """The file that says how far a process's clock is ahead."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.set(0.0)

    def set(self, seconds: float) -> None:
        """Have the clock jump."""
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.write(OFFSET.pack(seconds))


def skew(path: Path) -> None:
    """From now on, this process's wall clock goes by the file."""
    with path.open("rb") as file:
        told = mmap.mmap(file.fileno(), OFFSET.size, prot=mmap.PROT_READ)
    now, now_ns = time.time, time.time_ns

    def ahead() -> float:
        seconds: float = OFFSET.unpack_from(told)[0]
        return seconds

    _replace(lambda: now() + ahead(), lambda: now_ns() + round(ahead() * 1e9))


def _replace(now: Callable[[], float], now_ns: Callable[[], int]) -> None:
    time.time, time.time_ns = now, now_ns


if __name__ == "__main__":
    skew(Path(sys.argv.pop(1)))
    from streams import cli  # what it imports must find the clock replaced

    cli.main()
