"""A process that uses a spool until it dies at a point that a test has chosen."""

import os
import resource
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, NamedTuple

from streams.inbound.deliveries import Kept
from streams.inbound.spool_file import SpoolFile

ROUNDS = 8
SIZES = (10, 300, 9000, 2500, 40)
"""Lengths of deliveries: some share a page, others take several."""

LIMIT = 2**25


class Death(NamedTuple):
    """After so many of SQLite's instructions; or when it writes beyond so many bytes of a file, in the midst of a page."""

    of: Literal["instruction", "byte"]
    number: int


def delivery(number: int) -> bytes:
    """One that can be told from its own half."""
    return b"%d:" % number + b"x" * SIZES[number % len(SIZES)] + b":%d" % number


def number_of(value: bytes) -> int:
    """The number of a delivery. Fails if it is not whole."""
    number = int(value.partition(b":")[0])
    assert value == delivery(number)
    return number


def read(file: SpoolFile) -> Iterator[Kept]:
    """All that a spool holds, in its order."""
    after = 0
    while found := file.oldest(after):
        yield from found
        after = found[-1].number


def live(path: Path, death: Death, first: int, told: Connection) -> None:
    """Keep deliveries from a number on, send some and delete them; tell of all of it just when it is done."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if death.of == "byte":
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (death.number, death.number))
    file = SpoolFile(path, LIMIT)
    if death.of == "instruction":
        file._db.set_progress_handler(_dying(death.number), 1)
    for turn in range(ROUNDS):
        numbers = range(first, first + 1 + turn % 4)
        told.send(("asked", [*numbers]))
        file.add(([("received_at", b"1")], delivery(number)) for number in numbers)
        told.send(("kept", [*numbers]))
        first = numbers[-1] + 1
        if turn % 3 == 2:
            some = file.oldest(0)[:5]
            told.send(("sent", [number_of(each.value) for each in some]))
            file.remove(some[-1].number)
    file.close()


def _dying(instructions: int):
    left = iter(range(instructions))

    def count() -> int:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    return count
