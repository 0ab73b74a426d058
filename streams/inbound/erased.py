"""Who was erased, as the topic of dead letters tells, and which letters are about them."""

from collections import defaultdict
from collections.abc import Iterator

from models.state.subjects import Kind, identity
from streams.config import Settings
from streams.dead_letters import DeadLetter
from streams.dead_letters.letters import Record
from streams.dead_letters.marks import erasure_of
from streams.hashing import Hashing
from streams.inbound.mentions import mentions


class Erased:
    """All erasures that were met so far."""

    def __init__(self, settings: Settings) -> None:
        self._hashing = Hashing(settings.worker.hashing_key())
        self._email_keys = {
            each.name: b"" if each.email_key is None else bytes.fromhex(each.email_key.get_secret_value())
            for each in settings.connections
        }
        self._digests: defaultdict[Kind, set[bytes]] = defaultdict(set)

    def __len__(self) -> int:
        """How many were erased."""
        return sum(map(len, self._digests.values()))

    def take(self, record: Record) -> None:
        """Learn of the erasure that a record tells of, if it does."""
        if erasure := erasure_of(record):
            self._digests[erasure.kind].add(erasure.digest)

    def concern(self, letter: DeadLetter) -> bool:
        """Whether a letter may be about somebody who was erased; it costs nothing where nobody was."""
        return bool(self._digests) and any(
            self._hashing.digest(subject) in digests for digests, subject in self._subjects(letter)
        )

    def _subjects(self, letter: DeadLetter) -> Iterator[tuple[set[bytes], str]]:
        """The subjects that a letter may be about, each with those of its kind that were erased."""
        # What was no delivery of the gateway may be of any connection; what was an event has full ids.
        for connection in [letter.connection] if letter.connection != "" else self._email_keys:
            for kind, name in mentions(letter.content, self._email_keys.get(connection or "", b"")):
                for each, digests in self._digests.items():
                    if kind in {None, each}:
                        yield digests, name if connection is None else identity(each, connection, name)
