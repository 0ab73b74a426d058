"""What a provider is to the rest of inbound: pure functions of headers and bytes."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec

from models.errors import LeadbeatError
from models.units import Millis

Element: TypeAlias = bytes | msgspec.Raw
"""One event of a delivery, still as bytes."""


class Unauthentic(LeadbeatError):
    """A delivery that is not proven to come from its connection's CRM. `where` is the header at fault; no value is shown."""


class Provider(Protocol):
    """One kind of sender. Each module of this package is one, as it stands."""

    @property
    def KEPT_HEADERS(self) -> frozenset[str]:  # noqa: N802 - a constant of the module
        """Names, in lower case, of the headers that a delivery keeps for later; all others are dropped at the door."""
        ...

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: Millis) -> None:
        """Raise Unauthentic, and nothing else, unless one of the secrets signed exactly this body a short while ago.

        The names of `headers` are in lower case.
        """
        ...

    def parse(self, body: bytes) -> Sequence[Element]:
        """Take a delivery apart into canonical events, not yet checked. Raises InvalidEventError if that cannot be done."""
        ...
