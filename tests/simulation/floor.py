"""What happens on a sales floor, and how its CRM tells of it: late, twice, in disorder, corrected, deleted, merged, erased."""

from collections.abc import Callable
from random import Random
from typing import Any, Final

import histories
from histories import Event

from models.units import DAY, MINUTE, SECOND

REPS: Final = ("ana", "ben", "cleo", "stranger")
SOURCES: Final = ("inbound", "outbound", "partner")
CONNECTION: Final = "crm"

RULES: Final[dict[str, Any]] = {
    "lead_sources": ["inbound", "outbound"],
    "organisation": {"zone": "Europe/Berlin"},
    "sla": [{"target": "2m"}, {"target": "60s", "team": "north"}, {"target": "4m", "lead_source": "outbound"}],
    "roster": [{"rep": "ana", "team": "north"}, {"rep": "ben", "team": "south"}, {"rep": "cleo", "team": "south"}],
    "minimum_n": {"mean": 1, "ratio": 1, "p50": 1, "p90": 1, "p95": 1, "max": 1},
}
"""What leads are judged by, as the configuration has it."""

OTHER_RULES: Final[dict[str, Any]] = RULES | {
    "rules_version": 2,
    "sla": [{"target": "3m"}, {"target": "90s", "team": "south"}],
    "roster": [{"rep": "ana", "team": "south"}, {"rep": "ben", "team": "south"}, {"rep": "stranger", "team": "north"}],
}
"""What they are judged by when somebody has changed his mind."""

KINDS: Final = {
    "lead": 3,
    "call": 6,
    "email": 4,
    "reply": 3,
    "meeting": 2,
    "deal": 2,
    "stage": 2,
    "owner": 1,
    "correction": 3,
    "older": 1,
    "deletion": 1,
    "restoration": 1,
    "merge": 1,
    "erasure": 0.4,
    "again": 3,
    "account": 0.7,
}
"""What may happen, and how often on average."""


class Floor:
    """A made-up CRM: `tell` gives the next events, as of an instant; `told` are all of them."""

    def __init__(self, random: Random, leads: int) -> None:
        self._random = random
        self._most = leads
        self._number = 0
        self.told: list[Event] = []
        self._leads: list[str] = []
        self._things: list[tuple[str, str, str]] = []
        weights = {kind: usual * random.choice((0, 0.3, 1, 1, 3)) for kind, usual in KINDS.items()}
        self._weights = weights | {"lead": 3, "call": 4}

    def tell(self, now: int) -> list[Event]:
        """What is told next."""
        kind = self._random.choices(list(self._weights), list(self._weights.values()))[0]
        if not self._leads or (kind == "lead" and len(self._leads) < self._most):
            events = [self._lead(now)]
        elif kind == "again":
            events = [self._random.choice(self.told)]
        else:
            told: dict[str, Callable[[int, str], Event]] = {
                name: getattr(self, f"_{name}") for name in KINDS if name != "again"
            }
            events = [told[kind](now, self._random.choice(self._leads))]
        if kind != "again":
            events = [event | {"id": f"event-{len(self.told)}"} for event in events]
        self.told += events
        return events

    def take_back(self, events: list[Event]) -> None:
        """Some events, told last, did not get out."""
        del self.told[len(self.told) - len(events) :]

    def _some_time_ago(self, now: int) -> int:
        """An instant: lately, mostly."""
        span = self._random.choice((SECOND, 20 * SECOND, 2 * MINUTE, 2 * MINUTE, 10 * MINUTE, 2 * DAY))
        return now - self._random.randrange(span)

    def _name(self, kind: str, lead: str) -> str:
        self._number += 1
        name = f"{kind[0]}{self._number}"
        self._things.append((lead, kind, name))
        return name

    def _lead(self, now: int, _: str = "") -> Event:
        self._number += 1
        name = f"lead{self._number}"
        self._leads.append(name)
        owner, source = self._random.choice((*REPS, None)), self._random.choice(SOURCES)
        account = self._random.choice((None, "a1", "a2"))
        created_at = self._some_time_ago(now)
        return histories.lead(
            name,
            version=now,
            created_at=created_at,
            owner=owner,
            lead_source=source,
            **({"account": account} if account else {}),
        )

    def _call(self, now: int, lead: str) -> Event:
        at, rep = self._some_time_ago(now), self._random.choice(REPS)
        return histories.call(self._name("touch", lead), at, lead, version=now, rep=rep, connected=self._random.random() < 0.4)

    def _email(self, now: int, lead: str) -> Event:
        automated = self._random.random() < 0.2
        return histories.email(self._name("touch", lead), self._some_time_ago(now), lead, version=now, automated=automated)

    def _reply(self, now: int, lead: str) -> Event:
        kind, sentiment = self._random.choice(("human", "human", "bounce")), self._random.choice(("positive", "negative", None))
        at, channel = self._some_time_ago(now), self._random.choice(("call", "email"))
        told = {"at": at, "channel": channel, "kind": kind} | ({"sentiment": sentiment} if sentiment else {})
        return histories.reply(self._name("reply", lead), lead, version=now, **told)

    def _meeting(self, now: int, lead: str) -> Event:
        booked_at = self._some_time_ago(now)
        scheduled_at = booked_at + self._random.randrange(20 * MINUTE)
        outcome = self._random.choice(("held", "no_show", None))
        told = {"booked_at": booked_at, "scheduled_at": scheduled_at, "rep": self._random.choice(REPS)}
        return histories.meeting(
            self._name("meeting", lead), lead, version=now, **told, **({"outcome": outcome} if outcome else {})
        )

    def _deal(self, now: int, lead: str) -> Event:
        told = {"amount": self._random.randrange(100_000), "currency": "EUR", "created_at": self._some_time_ago(now)}
        return histories.deal(self._name("deal", lead), lead, version=now, **told)

    def _stage(self, now: int, lead: str) -> Event:
        stage = self._random.choice(("mql", "sql", "opportunity", "customer", "disqualified"))
        return histories.lead(lead, version=now, stage=stage, stage_at=self._some_time_ago(now))

    def _owner(self, now: int, lead: str) -> Event:
        return histories.lead(lead, version=now, owner=self._random.choice(REPS), owner_at=self._some_time_ago(now))

    def _correction(self, now: int, lead: str) -> Event:
        touches = [(of, name) for of, kind, name in self._things if kind == "touch"]
        if not touches:
            return self._call(now, lead)
        of, name = self._random.choice(touches)
        return histories.touch(name, of, version=now, rep=self._random.choice(REPS), connected=True)

    def _older(self, now: int, lead: str) -> Event:
        """What was so before, and comes behind what has been told since."""
        return histories.lead(lead, version=now - 5 * MINUTE, owner=self._random.choice(REPS))

    def _deletion(self, now: int, lead: str) -> Event:
        of, thing = self._some_thing(lead)
        return histories.deleted(now, of, thing)

    def _restoration(self, now: int, lead: str) -> Event:
        of, thing = self._some_thing(lead)
        return histories.restored(now, of, thing)

    def _some_thing(self, lead: str) -> tuple[str, tuple[str, str] | None]:
        if not self._things or self._random.random() < 0.2:
            return lead, None
        of, kind, name = self._random.choice(self._things)
        return of, (kind, name)

    def _merge(self, now: int, lead: str) -> Event:
        other = self._random.choice((*self._leads, None))
        return histories.merged(now, lead, other if other != lead else None)

    def _erasure(self, now: int, lead: str) -> Event:
        return histories.erased(now, lead)

    def _account(self, now: int, _: str) -> Event:
        name = self._random.choice(("a1", "a2"))
        return histories.subscription(self._random.randrange(50_000), now, name, version=now, currency="EUR")
