"""A subject that is no lead, told as the events that a CRM would send about it: an account, a rep or a campaign."""

from random import Random

from models.units import MINUTE, SECOND, Millis, isoformat
from streams.local.floor import Office
from streams.local.stories import Data, Event, Tempo

MISTAKEN, REMOVED, RESTORED = 0.04, 0.03, 0.5
"""The shares of what is told that is put right, and deleted; and of the latter what is brought back."""


class Subject:
    """One subject, with dice of its own. Methods take the instant at which something happens, as a lead's story does."""

    def __init__(self, seed: int, kind: str, identity: str, office: Office, tempo: Tempo, begins_at: int) -> None:
        self.seed = seed
        self.kind = kind
        self.id = identity
        self.office = office
        self.tempo = tempo
        self.begins_at = begins_at
        self.ends_at = float("inf")
        self.events: list[tuple[int, Event]] = []
        self.counts: dict[str, int] = {}
        self.rng = Random(f"{seed}/{kind}/{identity}")  # noqa: S311 - a simulation must be repeatable

    def chance(self, share: float) -> bool:
        """Whether something happens that happens in this share of cases."""
        return self.rng.random() < share

    def later(self, median_ms: float) -> int:
        """How long something is left."""
        return round(median_ms * self.rng.lognormvariate(0, 0.6) * self.tempo.stretch) + self.rng.randrange(20 * SECOND)

    def instant(self, at: int) -> str:
        """RFC 3339."""
        return isoformat(Millis(at))

    def new(self, kind: str) -> str:
        """The id of a new object of this subject."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"{self.id}-{kind}{self.counts[kind]}"

    def say(self, kind: str, at: int, data: Data | None = None, thing: tuple[str, str] | None = None) -> int:
        """Add one event that the CRM recorded at an instant."""
        self.counts["event"] = self.counts.get("event", 0) + 1
        event: Event = {
            "id": f"{self.kind}-{self.seed}-{self.id}-e{self.counts['event']}",
            "type": kind,
            "timestamp": self.instant(at),
            "subject": {"kind": self.kind, "id": self.id},
        }
        if thing:
            event["object"] = {"kind": thing[0], "id": thing[1]}
        if data is not None:
            event["data"] = data
        self.events.append((at, event))
        return at

    def record(self, kind: str, at: int, data: Data, *, wrong: Data | None = None, name: str = "") -> str:
        """A new object, recorded soon after it happened. Now and then it is `wrong` at first, or deleted, or brought back."""
        thing = kind, name or self.new(kind)
        last = at + self.rng.randrange(3 * SECOND)
        if wrong and self.chance(MISTAKEN):
            self.say(f"{kind}.upserted", last, data | wrong, thing)
            last += self.rng.randrange(SECOND, 20 * MINUTE)
            self.say(f"{kind}.upserted", last, {field: data[field] for field in wrong}, thing)
        else:
            self.say(f"{kind}.upserted", last, data, thing)
        if self.chance(REMOVED):
            last = self.say("deleted", last + self.rng.randrange(SECOND, 30 * MINUTE), thing=thing)
            if self.chance(RESTORED):
                self.say("restored", last + self.rng.randrange(SECOND, 30 * MINUTE), thing=thing)
        return thing[1]

    def merge(self, at: int, into: "Subject | None") -> int:
        """The record is found to be of the same as another one, or (None) not to be."""
        self.say("merged", at)
        self.events[-1][1]["into"] = into and {"kind": into.kind, "id": into.id}
        return at

    def end(self, at: int, kind: str) -> None:
        """The record is deleted, or all that is known is forgotten; nothing is told of it any more."""
        self.ends_at = self.say(kind, at)

    def told(self) -> list[tuple[int, Event]]:
        """What was said since the last time: each event with the instant of its recording, in that order."""
        said, self.events = self.events, []
        return sorted((item for item in said if item[0] <= self.ends_at), key=lambda item: item[0])
