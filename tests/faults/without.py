"""Leadbeat with one of its guards taken out: that a test fails then proves the guard, and the test.

python -m tests.faults.without GUARD worker --part processor --config leadbeat.toml
"""

import sys
from collections.abc import Callable
from functools import cache
from hashlib import sha1
from typing import Final

from streams import cli
from streams.processing import checkpoint
from streams.tables.server import load_script
from streams.transport import TP
from streams.transport.consumer import BatchConsumer
from streams.transport.thread import BatchThread
from tests.simulation.guards import FENCE, Guard
from tests.simulation.guards import GUARDS as SIMULATED


def rewritten(guard: Guard) -> Callable[[], None]:
    """Has the scripts say something else."""

    @cache
    def loading(package: str, name: str) -> tuple[str, str]:
        source, digest = load_script(package, name)
        instead = guard.texts().get(name)
        return (source, digest) if instead is None else (instead, sha1(instead.encode(), usedforsecurity=False).hexdigest())

    def take_out() -> None:
        checkpoint.load_script = loading  # type: ignore[attr-defined]

    return take_out


def unwatched() -> None:
    """Nobody asks aiokafka for the errors of group coordination."""

    async def pulse(self: BatchThread) -> None:
        with self._consumer._subscription.fetch_context():
            pass

    BatchThread.pulse = pulse  # type: ignore[method-assign]


def unheld() -> None:
    """Partitions are delivered whatever becomes of their checkpoints."""

    def hold(self: BatchConsumer, tp: TP) -> None:
        pass

    BatchConsumer.hold = hold  # type: ignore[method-assign]


CLAIM: Final = Guard(
    "whoever lost the KPI table writes on",
    {"checkpoint.lua": (FENCE, f"if not string.find(record_key, '{{kpi}}', 1, true) and {FENCE.removeprefix('if ')}")},
)

GUARDS: Final[dict[str, Callable[[], None]]] = {
    "fence": rewritten(SIMULATED["the fence"]),
    "sequence": rewritten(SIMULATED["the sequence"]),
    "dup": rewritten(SIMULATED["DUP"]),
    "claim": rewritten(CLAIM),
    "check_errors": unwatched,
    "hold": unheld,
}


if __name__ == "__main__":
    GUARDS[sys.argv.pop(1)]()
    cli.main()
