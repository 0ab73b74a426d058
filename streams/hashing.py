"""What must be known again and cannot be told from what is kept: ids of subjects, and tokens."""

import hmac
from collections.abc import Iterable
from hashlib import blake2b, sha256
from typing import Final, TypeVar

Holder = TypeVar("Holder")

DIGEST_BYTES: Final = 16

_BETWEEN: Final = b"\0"


def digest_of(token: str) -> bytes:
    """The SHA-256 of a token: enough where tokens are so random that nobody can try all."""
    return sha256(token.encode(errors="replace")).digest()


def holder_of(token: str, known: Iterable[tuple[bytes, Holder]]) -> Holder | None:
    """Whose token it is, by its digest. All are compared, so that the time taken tells nothing about any."""
    given, found = digest_of(token), None
    for digest, holder in known:
        if hmac.compare_digest(digest, given):
            found = holder
    return found


class Hashing:
    """Ids by keyed BLAKE2b. `key` has 0 to 64 bytes; without one, whoever can guess an id can find out that it is meant."""

    def __init__(self, key: bytes = b"") -> None:
        self._keyed = blake2b(key=key, digest_size=DIGEST_BYTES)

    def digest(self, *ids: str) -> bytes:
        """The same for the same ids in the same order, and for no others."""
        hashing = self._keyed.copy()
        hashing.update(_BETWEEN.join(each.encode() for each in ids))
        return hashing.digest()

    @property
    def name(self) -> str:
        """What tells this key from another, and tells nothing of it."""
        return self.digest("which key is this?").hex()
