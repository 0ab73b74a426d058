"""The kinds of faults: what each does to an installation, and how often it comes in a schedule."""

from collections.abc import Awaitable, Callable
from random import Random
from typing import Final, NamedTuple

from faults.stage import Stage

Inject = Callable[[Stage, Random], Awaitable[float]]
"""Does it, sees that it came to pass, and undoes it; gives the instant at which it was over. Raises Missed, or AssertionError
for what must not be."""


class Kind(NamedTuple):
    """`quick` and `full` are how many there are of it in these schedules."""

    name: str
    inject: Inject
    quick: int
    full: int

    @property
    def what(self) -> str:
        """What it is, in a sentence."""
        return (self.inject.__doc__ or "").partition("\n")[0]


KINDS: Final[dict[str, Kind]] = {}


def kind(quick: int, full: int) -> Callable[[Inject], Inject]:
    """Declares a kind of faults, named as its function is."""

    def declared(inject: Inject) -> Inject:
        name = inject.__name__.replace("_", "-")
        KINDS[name] = Kind(name, inject, quick, full)
        return inject

    return declared
