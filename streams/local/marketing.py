"""What is told of campaigns: what they cost, what came of them day by day, and what competitors ask."""

from datetime import timedelta

from models.units import DAY, HOUR, MINUTE
from streams.local.floor import BEATEN_BY, PRODUCTS, Office
from streams.local.stories import REAL, Data
from streams.local.telling import Subject

CAMPAIGNS: tuple[Data, ...] = (
    {"name": "autumn launch", "lead_source": "inbound", "origin": "webinar", "channel": "email", "segment": "mid-market"},
    {"name": "pricing guide", "lead_source": "inbound", "origin": "paid search", "channel": "message"},
    {"name": "security week", "lead_source": "outbound", "origin": "event list", "channel": "call", "segment": "enterprise"},
    {"lead_source": "inbound", "origin": "chat", "sales_region": "DACH"},
)
"""The last one goes by its id."""

SIGNED_UP = 0.02
"""The share of visits that end in a sign-up."""

TOLD_DAYS, WEEKS, QUOTED_EVERY_DAYS = 32, 26, 110


class Campaign(Subject):
    """A campaign, and what is known of each of its days so far."""

    def __init__(self, seed: int, number: int, office: Office, begins_at: int) -> None:
        super().__init__(seed, "campaign", f"campaign-{number}", office, REAL, begins_at)
        self.days: dict[str, dict[str, int]] = {}

    def day(self, at: int, visits: int) -> None:
        """So many more visits came on the day, and what goes with them. The day's figures are told anew."""
        date = self.office.local(at).date().isoformat()
        clicks = self.rng.randrange(visits + 1)
        more = {
            "visits": visits,
            "impressions": visits * self.rng.randrange(20, 60),
            "deliveries": clicks * self.rng.randrange(8, 14),
            "clicks": clicks,
            "sign_ups": sum(self.rng.random() < SIGNED_UP for _ in range(visits)),
        }
        before = self.days.get(date, {})
        self.days[date] = {name: before.get(name, 0) + count for name, count in more.items()}
        self.record("day", at, {"date": date} | self.days[date], wrong={"visits": visits * 100}, name=f"{self.id}-{date}")

    def spend(self, at: int, category: str, amount: int) -> None:
        """Something is paid for on this day."""
        data: Data = {"date": self.office.local(at).date().isoformat(), "category": category, "amount": amount}
        if self.chance(0.3):
            data["currency"] = self.rng.choice(("EUR", "USD"))
        self.record("cost", at, data, wrong={"amount": amount * 10})

    def quote(self, at: int, product: str, competitor: str) -> None:
        """It is heard what a competitor asks for the like of a product."""
        price = self.rng.randrange(20, 400) * 100
        data = {"at": self.instant(at), "product": product, "competitor": competitor, "price": price}
        self.record("quote", at, data, wrong={"price": price * 10})


def campaigns(seed: int, office: Office, days: int) -> list[Campaign]:
    """All campaigns, with what was told of them in so many days."""
    return [_campaign(seed, number, fields, office, days) for number, fields in enumerate(CAMPAIGNS, 1)]


def _campaign(seed: int, number: int, fields: Data, office: Office, days: int) -> Campaign:
    begins_at = office.now - days * DAY + number * HOUR
    campaign = Campaign(seed, number, office, begins_at)
    campaign.say("campaign.upserted", begins_at, fields)
    for days_ago in range(TOLD_DAYS, -1, -1):
        at = _evening(office, days_ago) - campaign.rng.randrange(HOUR)
        campaign.day(min(at, office.now - MINUTE), campaign.rng.randrange(30, 120))
    for weeks_ago in range(WEEKS, -1, -1):
        at = office.now - weeks_ago * 7 * DAY - campaign.rng.randrange(HOUR)
        campaign.spend(at, "marketing", campaign.rng.randrange(80, 400) * 100)
        if weeks_ago % 4 == number % 4:
            campaign.spend(at, "sdr" if number % 2 else "sales", campaign.rng.randrange(300, 900) * 100)
    for days_ago in range(days - 1, 0, -QUOTED_EVERY_DAYS):
        for competitor in BEATEN_BY:
            product = campaign.rng.choice([*PRODUCTS, "something else"])
            campaign.quote(office.now - days_ago * DAY + campaign.rng.randrange(HOUR), product, competitor)
    return campaign


def _evening(office: Office, days_ago: int) -> int:
    local = office.local(office.now).replace(hour=23, minute=0) - timedelta(days=days_ago)
    return round(local.timestamp() * 1000)
