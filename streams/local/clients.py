"""What happens to accounts: they subscribe, grow, shrink, leave, come back, buy, ask for help, and say how content they are."""

from models.units import DAY, HOUR, MINUTE, SECOND
from streams.local.floor import Office
from streams.local.stories import Data, Story, Tempo
from streams.local.telling import Subject

CURRENCIES = {"EUR": 55, None: 25, "USD": 20}
"""Of which currency amounts are, in percent; some CRMs do not say."""

SUBSCRIBES, SINCE, PLANNED, RETURNS = 0.8, 0.6, 0.2, 0.4
TURNS = {
    "grow": 16,
    "shrink": 8,
    "leave": 6,
    "purchase": 12,
    "nps": 14,
    "csat": 14,
    "ticket": 12,
    "usage": 20,
    "referral": 5,
    "owner": 3,
}
"""What happens to accounts, relatively."""

SCORES = {"nps": ((10, 9, 8, 7, 6, 5, 3, 0), (24, 22, 16, 12, 9, 7, 6, 4)), "csat": ((5, 4, 3, 2, 1), (40, 30, 15, 9, 6))}
ERASED, DELETED, UNDELETED, TWICE, MISTAKEN = 7, 13, 17, 3, 23
"""Of every thirty accounts the ones that this happens to: the last two are there twice, and wrongly taken to be."""


class Client(Subject):
    """An account from its beginning on."""

    def __init__(self, seed: int, number: int, office: Office, tempo: Tempo, begins_at: int, name: str = "") -> None:
        super().__init__(seed, "account", name or f"account-{seed}-{number:04}", office, tempo, begins_at)
        self.number = number
        self.subscription: str | None = None
        self.mrr = 0
        self.money: Data = {}
        currency = self.rng.choices(list(CURRENCIES), list(CURRENCIES.values()))[0]
        if currency is not None:
            self.money = {"currency": currency}

    def live(self, fields: Data) -> list["Client"]:
        """All of its life. What there is of it: its record, and perhaps a second one."""
        at = self.begins_at
        added_at = at - self.later(20 * DAY)
        self.say("account.upserted", at + self.rng.randrange(2 * SECOND), {"added_at": self.instant(added_at)} | fields)
        if self.chance(SUBSCRIBES):
            self.cost(at, self.rng.randrange(40, 1_500) * 100)
        else:
            self.turn(at, "purchase")
        for _ in range(self.rng.randint(2, 9)):
            at += self.later(35 * DAY)
            self.turn(at)
        return self.finish(at)

    def cost(self, at: int, mrr: int | None) -> None:
        """The subscription costs so much a month from now on, or is planned to from later on; it may be corrected."""
        self.mrr = mrr or 0
        if self.subscription is None:
            self.subscription = self.new("subscription")
        data: Data = {"mrr": mrr} | self.money
        if self.chance(SINCE):
            ahead = self.later(6 * DAY) if self.chance(PLANNED) else 0
            data["effective_at"] = self.instant(at + ahead)
        self.record("subscription", at, data, wrong={"mrr": self.mrr + 1_000}, name=self.subscription)

    def turn(self, at: int, what: str = "") -> None:
        """One thing happens."""
        what = what or self.rng.choices(list(TURNS), list(TURNS.values()))[0]
        if what in {"grow", "shrink", "leave"}:
            self.move(at, what)
        elif what == "purchase":
            amount = self.rng.randrange(50, 4_000) * 100
            self.record("purchase", at, {"at": self.instant(at), "amount": amount} | self.money, wrong={"amount": amount * 10})
        elif what in SCORES:
            score = self.rng.choices(*SCORES[what])[0]
            data: Data = {"at": self.instant(at), "kind": what, "score": score}
            if self.chance(0.3):
                data["rep"] = self.rng.choice(self.office.on_team("Inbound", at)).name
            self.record("survey", at, data, wrong={"score": 1})
        elif what == "ticket":
            ticket = self.record("ticket", at, {"opened_at": self.instant(at)})
            closed_at = at + self.later(2 * DAY) + self.rng.randrange(MINUTE, 3 * HOUR)
            self.say("ticket.upserted", closed_at, {"closed_at": self.instant(closed_at)}, ("ticket", ticket))
        elif what == "usage":
            seconds = self.rng.randrange(60, 4 * 3_600)
            self.record("usage", at, {"at": self.instant(at), "seconds": seconds}, wrong={"seconds": seconds * 60})
        elif what == "referral":
            self.record("referral", at, {"at": self.instant(at)})
        else:
            self.say("account.upserted", at, {"owner": self.rng.choice(self.office.on_team("Enterprise", at)).name})

    def move(self, at: int, how: str) -> None:
        """It pays more, less, or nothing; some come back."""
        if self.mrr == 0:
            self.cost(at, self.rng.randrange(40, 900) * 100)
        elif how == "leave":
            self.cost(at, self.rng.choice((0, None)))
            if self.chance(RETURNS):
                self.cost(at + self.later(60 * DAY), self.rng.randrange(40, 900) * 100)
        else:
            percent = self.rng.randrange(110, 180) if how == "grow" else self.rng.randrange(40, 90)
            self.cost(at, self.mrr * percent // 100)

    def finish(self, at: int) -> list["Client"]:
        """A few are erased, deleted, deleted by mistake, or there twice; by number, so that every history has some."""
        number = self.number % 30
        noticed_at = self.begins_at + self.later(9 * DAY)
        if number == ERASED:
            self.end(at, "erased")
        elif number == DELETED:
            self.end(at, "deleted")
        elif number == UNDELETED:
            self.say("deleted", noticed_at)
            self.say("restored", noticed_at + self.rng.randrange(MINUTE, HOUR))
        elif number in {TWICE, MISTAKEN}:
            again = Client(self.seed, self.number, self.office, self.tempo, self.begins_at, f"{self.id}-again")
            again.say(
                "account.upserted", self.begins_at + self.rng.randrange(MINUTE), {"added_at": self.instant(self.begins_at)}
            )
            again.turn(self.begins_at + self.rng.randrange(MINUTE), "purchase")
            again.merge(noticed_at, self)
            if number == MISTAKEN:
                again.merge(noticed_at + self.rng.randrange(MINUTE, DAY), None)
            return [self, again]
        return [self]


def bought(story: Story, at: int, *, again: bool) -> None:
    """A deal of a lead is won: its account begins, or what it pays grows."""
    client = story.clients[0] if story.clients else None
    if isinstance(client, Client):
        if again and client.subscription:
            client.move(at, "grow")
        return
    fields = {"owner": story.owner.name} if story.owner else {}
    client = Client(story.seed, story.number, story.office, story.tempo, at)
    story.clients += client.live(story.fields | fields)
