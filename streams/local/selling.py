"""What happens to deals. All of it is drawn apart from the rest of the lead's life, which goes on as if there were none."""

from math import log
from random import Random

from models.units import DAY, HOUR, MINUTE, SECOND
from streams.local.clients import bought
from streams.local.floor import BEATEN_BY, PIPELINE, PRODUCTS
from streams.local.stories import Data, Story

STAGES = tuple(name for name, _ in PIPELINE)
CURRENCIES = {"EUR": 55, None: 25, "USD": 20}
"""Of which currency amounts are, in percent; some CRMs do not say."""

FURTHER = ("upsell", "cross_sell", "renewal")
"""What a customer's next deals are; by the lead's number, so that every history has some of each."""

TERMS = (12, 12, 12, 24, 36, 1, None)
REASONS = ("price", "no budget", "no answer", "chose another", "timing")
USUAL_LIST_PRICE = 6_000
"""In major units."""

LISTED, DEARER, DISCOUNTS = 0.6, 0.02, (0, 0, 5, 10, 10, 15, 20)
PRICED_AT_ONCE, HAGGLED, IN_THE_OPEN, WINS = 0.8, 0.25, 0.25, 0.45
MISTAKEN, REOPENED, DELETED, MORE = 0.08, 0.2, 0.08, 0.45
ITEMISED, PROPOSED, NURTURED, AGAINST, SIGNED, BY_NAME = 0.3, 0.6, 0.3, 0.2, 0.8, 0.7
TRACKS = ("newsletter", "webinars", "events", None)

SPOTTED = 0.015
"""The share of what happens live that is somebody who wants to buy, and makes up their mind in minutes."""


class Sale:
    """A deal of a story, with dice of its own, and further ones for what is told of it besides."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.deal = story.new("deal")
        self.amount = 0
        self.rng = Random(f"{story.seed}/{self.deal}")  # noqa: S311 - a simulation must be repeatable
        self.extras = Random(f"{story.seed}/{self.deal}/extras")  # noqa: S311

    def chance(self, share: float) -> bool:
        """Whether something happens that happens in this share of cases."""
        return self.rng.random() < share

    def soon(self, usual_ms: float) -> int:
        """How long somebody takes who usually takes so long."""
        return round(usual_ms * self.rng.lognormvariate(0, 0.6) * self.story.tempo.pace) + self.rng.randrange(SECOND)

    def later(self, usual_ms: float) -> int:
        """How long something is left."""
        return round(usual_ms * self.rng.lognormvariate(0, 0.6) * self.story.tempo.stretch) + self.rng.randrange(20 * SECOND)

    def say(self, at: int, data: Data) -> int:
        """The deal's record is new or changed."""
        return self.story.say("deal.upserted", at, data, ("deal", self.deal))

    def price(self) -> Data:
        """What the deal is about: the amount, and what the price list asks, perhaps."""
        asked = round(self.rng.lognormvariate(log(USUAL_LIST_PRICE), 0.8)) * 100
        told: Data = {"amount": asked * (100 - self.rng.choice(DISCOUNTS)) // 100}
        self.amount = told["amount"]
        currency = self.rng.choices(list(CURRENCIES), list(CURRENCIES.values()))[0]
        if self.chance(LISTED):
            told["list_amount"] = told["amount"] * 9 // 10 if self.chance(DEARER) else asked
        if currency is not None:
            told["currency"] = currency
        return told

    def lines(self) -> list[Data]:
        """What is sold, item by item, for the amount or a little less; of some the product is not told, or not listed."""
        products = self.extras.sample([*PRODUCTS, None, "Training"], self.extras.randint(1, 3))
        lines: list[Data] = []
        for product in products:
            quantity = self.extras.randint(1, 20)
            line: Data = {"quantity": quantity, "unit_price": self.amount // len(products) // quantity}
            lines.append(line if product is None else {"product": product} | line)
        return lines

    def propose(self, at: int, closed_at: int, *, won: bool) -> None:
        """Proposals are sent, and signed when the deal is won, mostly; some are withdrawn."""
        for _ in range(self.extras.randint(1, 2)):
            proposal = "proposal", self.story.new("proposal")
            sent_at = self.extras.randrange(at + SECOND, max(closed_at, at + 2 * SECOND))
            data: Data = {"sent_at": self.story.instant(sent_at), "deal": self.deal}
            if self.story.owner and self.extras.random() < BY_NAME:
                data["rep"] = self.story.owner.name
            self.story.say("proposal.upserted", sent_at + self.extras.randrange(2 * SECOND), data, proposal)
            if won and self.extras.random() < SIGNED:
                signed_at = max(closed_at, sent_at + 3 * SECOND)
                self.story.say("proposal.upserted", signed_at, {"signed_at": self.story.instant(signed_at)}, proposal)
            elif self.extras.random() < DELETED:
                self.story.remove(closed_at + 4 * SECOND, *proposal, restored_after=MINUTE if won else None)

    def begin(self, at: int, kind: str) -> None:
        """The deal is created, by its rep mostly, with or without a price and a stage."""
        data: Data = {"created_at": self.story.instant(at), "stage": self.rng.choice(("new", STAGES[0]))}
        price = self.price()
        priced_at_once = self.chance(PRICED_AT_ONCE)
        lines = self.lines() if self.extras.random() < ITEMISED else []
        if lines:
            data |= {name: told for name, told in price.items() if name == "currency"} | {"lines": lines}
        elif priced_at_once:
            data |= price
        if self.story.owner and self.chance(0.85):
            data["rep"] = self.story.owner.name
        if self.chance(0.9):
            data["kind"] = kind
        term = self.rng.choice(TERMS)
        if term is not None:
            data["term_months"] = term
        recorded_at = self.say(at + self.rng.randrange(2 * SECOND), data)
        if "amount" not in data and not lines:
            self.say(recorded_at + self.soon(20 * MINUTE), price)

    def advance(self, at: int, until: int, *, won: bool) -> None:
        """From stage to stage until a close, now and then past one; some CRMs say since when."""
        reached = STAGES if won else STAGES[: self.rng.randint(1, len(STAGES))]
        walked = [stage for stage in reached if not self.chance(0.15)]
        moments = sorted(self.rng.randrange(at + 2 * SECOND, max(until, at + 3 * SECOND)) for _ in walked)
        for moment, stage in zip(moments, walked, strict=True):
            since: Data = {}
            if self.chance(0.5):
                since["stage_at"] = self.story.instant(max(at, moment - self.soon(5 * MINUTE)))
            self.say(moment, {"stage": stage} | since)
        if moments and self.chance(HAGGLED):
            self.say(moments[-1] + SECOND, {"amount": self.amount * 9 // 10})

    def close(self, at: int, *, won: bool) -> int:
        """It is won or lost, and first marked wrong now and then."""
        if self.chance(MISTAKEN):
            self.say(at, {"outcome": "lost" if won else "won", "closed_at": self.story.instant(at)})
            at += self.soon(2 * MINUTE)
        data: Data = {"outcome": "won" if won else "lost", "closed_at": self.story.instant(at)}
        if not won and self.chance(0.7):
            data["loss_reason"] = self.rng.choice(REASONS)
        if (self.extras if won else self.rng).random() < AGAINST:
            data["competitor"] = (self.extras if won else self.rng).choice(BEATEN_BY)
        return self.say(at + self.rng.randrange(3 * SECOND), data)

    def reopen(self, at: int) -> int:
        """It is not lost yet; then, mostly, it is."""
        at = self.say(at, {"outcome": None, "closed_at": None, "stage": STAGES[0]})
        return self.close(at + self.later(DAY), won=False) if self.chance(0.6) else at

    def remove(self, at: int) -> None:
        """Its record is deleted, by mistake or because it was there twice."""
        again = self.soon(10 * MINUTE) if self.chance(0.5) else None
        self.story.remove(at, "deal", self.deal, restored_after=again)


def sell(story: Story, at: int, closed_at: int, *, won: bool, kind: str = "new_business") -> None:
    """A deal from its beginning to its close, with second thoughts; who bought may buy more. Some lost ones are left open."""
    sale = Sale(story)
    sale.begin(at, kind)
    sale.advance(at, closed_at, won=won)
    if sale.extras.random() < PROPOSED:
        sale.propose(at, closed_at, won=won)
    last = closed_at
    if won or not sale.chance(IN_THE_OPEN):
        last = sale.close(closed_at, won=won)
        if not won and sale.chance(REOPENED):
            last = sale.reopen(last + sale.soon(30 * MINUTE) + sale.later(DAY))
    if won:
        bought(story, closed_at, again=kind != "new_business")
    if sale.chance(DELETED):
        sale.remove(last + sale.soon(5 * MINUTE) + sale.later(4 * HOUR))
    if won and sale.chance(MORE):
        again_at = closed_at + sale.soon(10 * MINUTE) + sale.later(2 * DAY)
        again = FURTHER[story.number % len(FURTHER)]
        sell(story, again_at, again_at + sale.soon(20 * MINUTE) + sale.later(3 * DAY), won=sale.chance(0.6), kind=again)


def nurture(story: Story, at: int) -> None:
    """Some of those who do not buy yet are put on a track that may bring them back."""
    rng = Random(f"{story.seed}/{story.id}/nurture/{at}")  # noqa: S311 - a simulation must be repeatable
    if rng.random() < NURTURED:
        track, thing = rng.choice(TRACKS), ("nurture", story.new("nurture"))
        data: Data = {"entered_at": story.instant(at)} | ({"track": track} if track else {})
        story.say("nurture.upserted", at + rng.randrange(2 * SECOND), data, thing)
        if rng.random() < DELETED:
            story.remove(at + rng.randrange(MINUTE, HOUR), *thing)


def spot(story: Story, at: int) -> None:
    """Of some leads that are there already a deal turns up, though nobody says so of the lead itself."""
    rng = Random(f"{story.seed}/{story.id}/{at}")  # noqa: S311 - a simulation must be repeatable
    if rng.random() < SPOTTED:
        sell(story, at, at + rng.randrange(2 * MINUTE, 15 * MINUTE), won=rng.random() < WINS)
