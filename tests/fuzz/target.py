"""What is fuzzed: a reader of bytes from outside, and what it may raise. Anything else is a finding, and a broken law is."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import msgspec
from fuzz.forms import JSON, Form

SLOW_S = 0.05
"""An input that takes longer is reported."""

T = TypeVar("T")


class Target(NamedTuple):
    """`run` reads an input and holds what comes out to its laws; `seeds` are inputs that say something, to begin with.

    An input that is not even written as this target's are says nothing: `run` returns.
    """

    run: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    allowed: tuple[type[Exception], ...] = ()
    form: Form = JSON

    def check(self, data: bytes) -> None:
        """Raise what the target must not, if it does for this input."""
        try:
            self.run(data)
        except self.allowed:
            return


def read(data: bytes, kind: type[T]) -> T | None:
    """An input of several parts, as JSON; None for what is none."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
