"""Leadbeat with one of its guards taken out: that a test fails then proves the guard, and the test.

python -m tests.faults.without GUARD worker --part processor --config leadbeat.toml
"""

import sys
from collections.abc import Callable
from functools import cache
from hashlib import sha1
from typing import Any, Final

from streams import cli
from streams.processing import checkpoint
from streams.tables.server import load_script
from streams.transport.consumer import BatchConsumer
from streams.transport.thread import BatchThread

FENCE: Final = "if stored[2] ~= token then"


def altered(before: str, after: str) -> Callable[[], None]:
    """Has the script of checkpoints say something else in one place."""

    @cache
    def loading(package: str, name: str) -> tuple[str, str]:
        source, digest = load_script(package, name)
        if name != "checkpoint.lua":
            return source, digest
        assert source.count(before) == 1, f"{name} does not say {before!r} once"
        source = source.replace(before, after)
        return source, sha1(source.encode(), usedforsecurity=False).hexdigest()

    def take_out() -> None:
        checkpoint.load_script = loading  # type: ignore[assignment]

    return take_out


def unwatched() -> None:
    """Nobody asks aiokafka for the errors of group coordination."""

    async def pulse(self: BatchThread) -> None:
        with self._consumer._subscription.fetch_context():
            pass

    BatchThread.pulse = pulse  # type: ignore[assignment,method-assign]


def unheld() -> None:
    """Partitions are delivered whatever becomes of their checkpoints."""

    def hold(*_: Any) -> None:
        pass

    BatchConsumer.hold = hold  # type: ignore[method-assign]


GUARDS: Final[dict[str, Callable[[], None]]] = {
    "fence": altered(FENCE, "if false then"),
    "sequence": altered("if now ~= expected then", "if false then"),
    "dup": altered("if now == expected + 1 then return {'DUP', ''} end", ""),
    "claim": altered(FENCE, f"if not string.find(record_key, '{{kpi}}', 1, true) and {FENCE.removeprefix('if ')}"),
    "check_errors": unwatched,
    "hold": unheld,
}


if __name__ == "__main__":
    GUARDS[sys.argv.pop(1)]()
    cli.main()
