"""Ids of subjects as keyed hashes, where they must be known again and cannot be told from what is stored."""

from hashlib import blake2b
from typing import Final

DIGEST_BYTES: Final = 16

_BETWEEN: Final = b"\0"


class Hashing:
    """Keyed BLAKE2b. `key` has 0 to 64 bytes; without one, whoever can guess an id can find out that it is meant."""

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
