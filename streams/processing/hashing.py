"""Ids of leads as keyed hashes, where they must be known again and cannot be told from what is stored."""

from collections.abc import Iterable
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


class Tombstones:
    """Who was erased, by hash; remembers who was added since the last `cut`."""

    def __init__(self, hashing: Hashing, stored: Iterable[bytes] = ()) -> None:
        self.hashing = hashing
        self._digests = set(stored)
        self._added: list[bytes] = []

    def __len__(self) -> int:
        """How many were erased."""
        return len(self._digests)

    def __contains__(self, subject: str) -> bool:
        """Whether somebody was erased; where nobody was, nothing is hashed."""
        return bool(self._digests) and self.hashing.digest(subject) in self._digests

    def add(self, subject: str) -> None:
        """Somebody is erased."""
        digest = self.hashing.digest(subject)
        if digest not in self._digests:
            self._digests.add(digest)
            self._added.append(digest)

    def cut(self) -> list[bytes]:
        """Who was erased since the last cut."""
        added, self._added = self._added, []
        return added
