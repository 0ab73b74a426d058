"""Files that commands read and write; `-` stands for standard input and output."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from rich.console import Console
from rich.progress import Progress

from streams.errors import Fatal

PIPE: Final = Path("-")


@contextmanager
def reading(file: Path) -> Iterator[Iterable[bytes]]:
    """The lines of a file, with a progress bar on standard error if that is a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        if file == PIPE:
            yield sys.stdin.buffer
            return
        try:
            lines = progress.open(file, "rb", description=file.name)
        except OSError as error:
            raise Fatal(str(file), f"cannot be read: {error.strerror}") from None
        with lines:
            yield lines


@contextmanager
def writing(file: Path) -> Iterator[BinaryIO]:
    """A file to write. Raises Fatal if it cannot be."""
    if file == PIPE:
        yield sys.stdout.buffer
        return
    try:
        out = file.open("wb")
    except OSError as error:
        raise Fatal(str(file), f"cannot be written: {error.strerror}") from None
    with out:
        yield out
