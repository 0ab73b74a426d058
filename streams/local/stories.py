"""A lead's life, told as the events that a CRM would send about it.

A `Story` knows how each thing is recorded: which object, which fields, and when the CRM last changed the record.
What happens in which order is `scenes.py`.
"""

import hashlib
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from models.units import MINUTE, SECOND, Millis, isoformat
from streams.local.floor import OUTSIDER, Office, Rep

Event = dict[str, Any]
Data = dict[str, Any]


@dataclass(frozen=True)
class Tempo:
    """How fast life goes: what people do takes `pace` times as long, what is left for later `stretch` times."""

    pace: float
    stretch: float
    office_hours: bool


INHERITED = ("lead_source", "origin", "sales_region", "segment", "campaign")
"""The fields that a lead's account has from it."""

REAL = Tempo(1, 1, office_hours=True)
DENSE = Tempo(1, 0.04, office_hours=True)
LIVELY = Tempo(0.5, 0.012, office_hours=False)
"""A day goes by in a quarter of an hour."""


class Teller(Protocol):
    """Whoever has something to tell."""

    def told(self) -> list[tuple[int, Event]]:
        """What was said since the last time, with the instants of its recording."""


@dataclass
class Touch:
    """What a story remembers of a touch."""

    id: str
    at: int
    channel: str
    automated: bool = False


@dataclass
class Story:
    """One lead. Methods take the instant at which something happens and give the one at which the CRM has recorded it.

    `doubles` are further records of the same person, of other names; `clients` the records of the account that it buys for.
    """

    seed: int
    number: int
    office: Office
    tempo: Tempo
    created_at: int
    name: str = ""
    events: list[tuple[int, Event]] = field(default_factory=list)
    owner: Rep | None = None
    touches: list[Touch] = field(default_factory=list)
    doubles: "list[Story]" = field(default_factory=list)
    fields: Data = field(default_factory=dict)
    clients: "list[Teller]" = field(default_factory=list)
    ends_at: float = float("inf")

    def __post_init__(self) -> None:
        self.rng = Random(f"{self.seed}/{self.number}{self.name}")  # noqa: S311 - a simulation must be repeatable
        self.counts: dict[str, int] = {}

    @property
    def id(self) -> str:
        """The lead's id in its CRM."""
        return self.name or f"person-{self.seed}-{self.number:05}"

    def chance(self, share: float) -> bool:
        """Whether something happens that happens in this share of cases."""
        return self.rng.random() < share

    def soon(self, median_ms: float) -> int:
        """How long somebody takes who usually takes so long."""
        return round(median_ms * self.rng.lognormvariate(0, 0.7) * self.tempo.pace) + self.rng.randrange(900)

    def later(self, median_ms: float) -> int:
        """How long something is left."""
        return round(median_ms * self.rng.lognormvariate(0, 0.6) * self.tempo.stretch) + self.rng.randrange(20_000)

    def working(self, at: int) -> int:
        """The instant, or the next opening of the office; some work at any hour."""
        return self.office.at_work(at, self.rng) if self.tempo.office_hours and not self.chance(0.15) else at

    def instant(self, at: int) -> str:
        """RFC 3339; some of the CRM's clients write local time with its offset."""
        if self.number % 5:
            return isoformat(Millis(at))
        return self.office.local(at).isoformat(timespec="milliseconds")

    def say(self, kind: str, at: int, data: Data | None = None, thing: tuple[str, str] | None = None, sequence: int = 0) -> int:
        """Add one event that the CRM recorded at an instant."""
        self.counts["event"] = self.counts.get("event", 0) + 1
        event: Event = {
            "id": f"{self.id}-e{self.counts['event']}",
            "type": kind,
            "timestamp": self.instant(at),
            "subject": {"kind": "lead", "id": self.id},
        }
        if sequence:
            event["sequence"] = sequence
        if thing:
            event["object"] = {"kind": thing[0], "id": thing[1]}
        if data is not None:
            event["data"] = data
        self.events.append((at, event))
        return at

    def told(self) -> list[tuple[int, Event]]:
        """What was said of the person since the last time: each event with the instant of its recording, in that order.

        Nothing is recorded of a lead that is gone.
        """
        said, self.events = self.events, []
        also = [item for other in (*self.doubles, *self.clients) for item in other.told()]
        return sorted([*(item for item in said if item[0] <= self.ends_at), *also], key=lambda item: item[0])

    def new(self, kind: str) -> str:
        """The id of a new object of this lead."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"{self.id}-{kind}{self.counts[kind]}"

    # --- the lead itself ---------------------------------------------------------------------------------------------

    def create(self, data: Data) -> int:
        """The lead's record appears."""
        created_at = self.instant(self.created_at)
        self.fields = {name: value for name, value in data.items() if name in INHERITED}
        known = {"created_at": created_at, "stage": "lead"} | ({"owner_at": created_at} if "owner" in data else {}) | data
        return self.say("lead.upserted", self.created_at + self.rng.randrange(2 * SECOND), known)

    def assign(self, at: int, rep: Rep) -> int:
        """A rep becomes the owner; some CRMs say since when, of others the record's time is all there is."""
        self.owner = rep
        since: Data = {"owner_at": self.instant(at)} if self.chance(0.5) else {}
        return self.say("lead.upserted", at, {"owner": rep.name} | since)

    def enter(self, at: int, stage: str) -> int:
        """The lead moves to a stage."""
        since: Data = {"stage_at": self.instant(at)} if self.chance(0.5) else {}
        return self.say("lead.upserted", at + self.rng.randrange(1, 5 * SECOND), {"stage": stage} | since)

    def inquire(self, at: int) -> int:
        """The lead asks for something again."""
        return self.say(
            "inquiry.upserted", at + self.rng.randrange(SECOND), {"at": self.instant(at)}, ("inquiry", self.new("inquiry"))
        )

    # --- touches and replies -----------------------------------------------------------------------------------------

    def touch(self, at: int, channel: str, *, connected: bool = False) -> int:
        """A person calls or writes; a call is recorded when it is over."""
        touch = Touch(self.new("touch"), at, channel)
        self.touches.append(touch)
        talked = self.soon(4 * MINUTE) if connected else self.soon(20 * SECOND)
        recorded_at = at + talked if channel == "call" else at + self.rng.randrange(3 * SECOND)
        data: Data = {"at": self.instant(at), "channel": channel}
        if channel == "call":
            data["connected"] = connected
        if self.owner and not self.chance(0.04):
            data["rep"] = self.owner.name
        elif self.chance(0.2):
            data["rep"] = OUTSIDER
        return self.say("touch.upserted", recorded_at, data, ("touch", touch.id))

    def send(self, at: int, *, delivered: bool) -> int:
        """A sequence or an auto-reply sends an e-mail; that it was not delivered turns out a moment later."""
        touch = Touch(self.new("touch"), at, "email", automated=True)
        self.touches.append(touch)
        data: Data = {"at": self.instant(at), "channel": "email", "automated": True}
        if self.owner and self.chance(0.7):
            data["rep"] = self.owner.name
        recorded_at = self.say("touch.upserted", at + self.rng.randrange(2 * SECOND), data, ("touch", touch.id))
        if delivered:
            return recorded_at
        recorded_at = self.change(recorded_at + self.soon(30 * SECOND), touch, {"delivered": False})
        return self.reply(recorded_at, "bounce", channel="email")

    def change(self, at: int, touch: Touch, data: Data, sequence: int = 0) -> int:
        """A touch's record is corrected."""
        return self.say("touch.upserted", at, data, ("touch", touch.id), sequence)

    def reply(self, at: int, kind: str, *, channel: str | None = None, sentiment: str | None = None) -> int:
        """Something comes back; its sentiment is classified at once, later or never."""
        reply = self.new("reply")
        before = [touch for touch in self.touches if touch.at <= at]
        answered = max(before, key=lambda touch: touch.at, default=None)
        data: Data = {"at": self.instant(at), "kind": kind}
        channel = channel or (answered.channel if answered else "email")
        if not self.chance(0.03):
            data["channel"] = channel
        if answered and self.chance(0.5):
            data["in_reply_to"] = answered.id
        if kind == "human" and self.chance(0.1):
            del data["kind"]
        at_once = sentiment is not None and self.chance(0.6)
        if at_once:
            data["sentiment"] = sentiment
        recorded_at = self.say("reply.upserted", at + self.rng.randrange(1, 4 * SECOND), data, ("reply", reply))
        if sentiment is not None and not at_once:
            known_at = recorded_at + self.soon(3 * MINUTE)
            self.say("reply.upserted", known_at, {"sentiment": sentiment}, ("reply", reply))
        return recorded_at

    # --- meetings ----------------------------------------------------------------------------------------------------

    def book(self, at: int, scheduled_at: int, kind: str, *, by_lead: bool) -> str:
        """A meeting is booked, by the owner or by the lead itself."""
        meeting = self.new("meeting")
        data: Data = {"booked_at": self.instant(at), "scheduled_at": self.instant(scheduled_at), "kind": kind}
        if not by_lead and self.owner:
            data["rep"] = self.owner.name
        self.say("meeting.upserted", at + self.rng.randrange(2 * SECOND), data, ("meeting", meeting))
        return meeting

    def move(self, at: int, meeting: str, scheduled_at: int) -> int:
        """A meeting is put off."""
        return self.say("meeting.upserted", at, {"scheduled_at": self.instant(scheduled_at)}, ("meeting", meeting))

    def mark(self, at: int, meeting: str, outcome: str | None) -> int:
        """Somebody says how a meeting went, or that this was wrong."""
        return self.say("meeting.upserted", at, {"outcome": outcome}, ("meeting", meeting))

    def remove(self, at: int, kind: str, thing: str, *, restored_after: int | None = None) -> int:
        """An object is deleted, and perhaps brought back."""
        self.say("deleted", at, thing=(kind, thing))
        return at if restored_after is None else self.say("restored", at + restored_after, thing=(kind, thing))

    # --- more than one record ----------------------------------------------------------------------------------------

    def double(self, at: int, name: str = "") -> "Story":
        """Another record of the same person, from an instant on."""
        double = Story(self.seed, self.number, self.office, self.tempo, at, name or f"{self.id}-again{len(self.doubles) + 1}")
        self.doubles.append(double)
        return double

    def address(self) -> str:
        """What a CRM calls a person of whom it knows an e-mail address only."""
        hashed = hashlib.blake2b(f"{self.id}-{len(self.doubles)}@example.com".encode(), digest_size=16)
        return f"email:{hashed.hexdigest()}"

    def merge(self, at: int, into: "Story | None") -> int:
        """The record is found to be of the same person as another one, or (None) not to be."""
        self.say("merged", at)
        self.events[-1][1]["into"] = into and {"kind": "lead", "id": into.id}
        return at

    # --- ends --------------------------------------------------------------------------------------------------------

    def delete(self, at: int, *, restored_after: int | None = None) -> int:
        """The lead is deleted, and perhaps brought back."""
        self.say("deleted", at)
        if restored_after is None:
            self.ends_at = at
            return at
        return self.say("restored", at + restored_after)

    def erase(self, at: int) -> int:
        """The person asked to be forgotten."""
        self.ends_at = at
        return self.say("erased", at)
