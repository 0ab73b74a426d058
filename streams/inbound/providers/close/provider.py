"""What Close sends, verified and read with a connection's settings."""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final

from models.events import Event
from models.units import Millis
from streams.config import CloseSettings
from streams.inbound.providers.close import activities, records
from streams.inbound.providers.close.bodies import change_of
from streams.inbound.providers.close.telling import Case, Telling
from streams.inbound.providers.contract import SECONDS, Busy, Element, Unauthentic, shaped, timely

_HASH = re.compile(r"[0-9a-f]{64}")


class Close:
    """The provider, with a connection's settings and the key of its e-mail subjects."""

    KEPT_HEADERS: Final[frozenset[str]] = frozenset()
    BUSY: Final = Busy(503, 10)
    """It repeats what fails for 72 hours."""

    def __init__(self, settings: CloseSettings, email_key: bytes) -> None:
        self._settings, self._email_key = settings, email_key

    def verify(self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: Millis) -> None:
        """Raise Unauthentic unless one of the secrets signed the timestamp and the body, a short while ago."""
        digest = shaped(headers, "close-sig-hash", _HASH).encode()
        timestamp = shaped(headers, "close-sig-timestamp", SECONDS)
        matches = False
        for secret in secrets:
            # All are compared, so that the time taken tells nothing of which one matched.
            matches |= hmac.compare_digest(sign(timestamp, body, key_of(secret)).encode(), digest)
        if not matches:
            raise Unauthentic("close-sig-hash", "no signature matches", "check the subscription's signature_key")
        timely("close-sig-timestamp", timestamp, now, self._settings.signature_age)

    def parse(self, body: bytes) -> Sequence[Element]:
        """The body: it holds one event."""
        return [body]

    def read(self, element: Element) -> Sequence[Event] | None:
        """The canonical events that an entry of the event log says; None if nothing of that type is used."""
        change = change_of(element)
        case = Case(change, Telling(change.id, change.version()), self._settings, self._email_key)
        is_used = records.tell(case) or activities.tell(case)
        return case.telling.events if is_used else None


def key_of(secret: str) -> bytes:
    """The signing key in hex digits. Raises Unauthentic if there is none: an empty key would open to anybody."""
    try:
        key = bytes.fromhex(secret)
    except ValueError:
        key = b""
    if not key:
        raise Unauthentic("secret", "is not hex digits", "see docs/providers.md")
    return key


def sign(timestamp: str, body: bytes, key: bytes) -> str:
    """The signature of a body, with the timestamp as its header has it, in Unix seconds."""
    return hmac.digest(key, timestamp.encode() + body, hashlib.sha256).hex()
