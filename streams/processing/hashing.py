"""Who was erased, by hash."""

from collections.abc import Iterable

from streams.hashing import Hashing


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
