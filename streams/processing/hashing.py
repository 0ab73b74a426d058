"""Who was erased, by hash."""

from collections.abc import Iterable

from streams.errors import Fatal
from streams.hashing import Hashing
from streams.tables import Progress


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


def check_same_key(hashing: Hashing, stored: Progress, where: str) -> None:
    """Raise Fatal if ids are stored that were hashed with another key: who was erased would not be known again."""
    if stored.hashed_with not in {"", hashing.name}:
        what = "ids are hashed with another worker.subject_key than this worker has"
        raise Fatal(where, what, "configure the one that was there before: it never changes")
