"""What a provider is to the rest of inbound: pure functions of headers and bytes."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import msgspec

from models.errors import LeadbeatError
from models.events import Event
from models.units import MINUTE, SECOND, Duration, Millis

Element: TypeAlias = bytes | msgspec.Raw
"""One event of a delivery, still as bytes."""

TOLERANCE = Duration(5 * MINUTE)
"""How far the time of a signature may lie from ours, either way."""

SECONDS = re.compile(r"[0-9]{1,12}")
"""Unix seconds, as headers have them."""


class Busy(NamedTuple):
    """What makes a sender try a delivery again later: the status of the answer, and the seconds of its `retry-after`."""

    status: int
    retry_after_s: int


class Unauthentic(LeadbeatError):
    """A delivery that is not proven to come from its connection's CRM. `where` is the header at fault; no value is shown."""


class Provider(Protocol):
    """One kind of sender: a module as it stands, or an object where a connection has settings of its own."""

    @property
    def KEPT_HEADERS(self) -> frozenset[str]:  # noqa: N802 - a constant of the module
        """Names, in lower case, of the headers that a delivery keeps for later; all others are dropped at the door."""
        ...

    @property
    def BUSY(self) -> Busy:  # noqa: N802 - a constant of the module
        """What the sender is answered while deliveries cannot be kept. It must be one that it repeats deliveries after."""
        ...

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: Millis) -> None:
        """Raise Unauthentic, and nothing else, unless one of the secrets signed exactly this body a short while ago.

        The names of `headers` are in lower case.
        """
        ...

    def parse(self, body: bytes) -> Sequence[Element]:
        """Take a delivery apart into the sender's events, not yet read. Raises InvalidEventError if that cannot be done."""
        ...

    def read(self, element: Element) -> Sequence[Event] | None:
        """The canonical events that one event of the sender's says, maybe none; None if it is of a type that is not used.

        Subjects have the sender's own ids. Raises InvalidEventError, and nothing else, if it cannot be read.
        """
        ...


def shaped(headers: Mapping[str, str], name: str, shape: re.Pattern[str]) -> str:
    """A header that matches a shape as a whole. Raises Unauthentic if there is none."""
    value = headers.get(name, "")
    if not shape.fullmatch(value):
        raise Unauthentic(name, "is missing or malformed", f"it must match {shape.pattern}")
    return value


def timely(name: str, seconds: str, now: Millis, oldest: Duration = TOLERANCE) -> None:
    """Raise Unauthentic unless a header's time, in Unix seconds, is at most `oldest` ago and 5 minutes ahead."""
    age = now - int(seconds) * SECOND
    if age > oldest:
        raise Unauthentic(name, f"is more than {oldest // SECOND} s old", "check the clocks; sign each attempt anew")
    if age < -TOLERANCE:
        raise Unauthentic(name, f"lies more than {TOLERANCE // SECOND} s ahead", "check the clocks")
