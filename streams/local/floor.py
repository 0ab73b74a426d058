"""A sales floor: who works there, how well, when, and under which rules."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from models.units import DAY, HOUR, MINUTE, SECOND, Millis, moment

ZONES = (
    "Pacific/Auckland",
    "Australia/Sydney",
    "Asia/Tokyo",
    "Asia/Singapore",
    "Asia/Bangkok",
    "Asia/Dhaka",
    "Asia/Kolkata",
    "Asia/Karachi",
    "Asia/Dubai",
    "Africa/Nairobi",
    "Europe/Athens",
    "Europe/Berlin",
    "Europe/Lisbon",
    "Atlantic/Azores",
    "America/Noronha",
    "America/Sao_Paulo",
    "America/Halifax",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Anchorage",
    "Pacific/Honolulu",
    "Pacific/Pago_Pago",
)
"""Where an office may be, from east to west, no more than an hour or so apart."""

MORNING = 10 * 60 + 15
"""The minute of the local day at which a floor is at its busiest."""

OPENS, CLOSES = 8, 18
"""The hours between which people work, every day; at weekends they are fewer and slower."""

SATURDAY = 5
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

ARRIVALS = (1, 1, 1, 1, 1, 2, 3, 6, 11, 15, 16, 14, 10, 12, 14, 13, 11, 8, 6, 5, 4, 3, 2, 1)
"""How many inbound leads come at each local hour of a working day, relatively."""


@dataclass(frozen=True)
class Rep:
    """A rep's habits. `terms` are the teams, each from so many days before now on; None: has left."""

    name: str
    terms: tuple[tuple[int, str | None], ...]
    reaction_ms: int
    """The median from being given a lead to the first attempt."""

    diligence: float
    """The share of leads that are worked at once."""

    reach: float
    """The share of calls that connect."""

    order: float
    """The share of meetings whose outcome is marked."""

    def team(self, days_ago: float) -> str | None:
        """The rep's team so many days before now; None before joining and after leaving."""
        teams = [team for since, team in self.terms if since >= days_ago]
        return teams[-1] if teams else None


ALWAYS = 1000
"""Days ago: before all history."""

REPS = (
    Rep("Amara Okafor", ((ALWAYS, "Inbound"),), 70 * SECOND, 0.98, 0.46, 0.98),
    Rep("Ben Fischer", ((ALWAYS, "Inbound"),), 3 * MINUTE, 0.93, 0.38, 0.90),
    Rep("Chloé Martin", ((ALWAYS, "Inbound"), (0, "Enterprise")), 2 * MINUTE, 0.95, 0.42, 0.95),
    Rep("Diego Álvarez", ((ALWAYS, "Outbound"),), 4 * MINUTE, 0.90, 0.30, 0.88),
    Rep("Emma Lindqvist", ((ALWAYS, "Outbound"),), 6 * MINUTE, 0.88, 0.33, 0.93),
    Rep("Farid Rahimi", ((ALWAYS, "Inbound"), (120, "Outbound")), 9 * MINUTE, 0.80, 0.25, 0.75),
    Rep("Grace Kim", ((ALWAYS, "Enterprise"),), 100 * SECOND, 0.97, 0.50, 0.97),
    Rep("Hiro Tanaka", ((300, "Enterprise"),), 5 * MINUTE, 0.92, 0.40, 0.92),
    Rep("Iris Novák", ((ALWAYS, "Inbound"), (9, None)), 4 * MINUTE, 0.6, 0.35, 0.80),
)
"""Eight who work there now (one since this morning in another team, one since a while, one hired later), one who left."""

OUTSIDER = "Partner Desk"
"""Somebody who touches leads without being on the roster."""


@dataclass(frozen=True)
class Office:
    """Where and when: the zone, who works there, and the instant that their terms count back from."""

    zone: ZoneInfo
    reps: tuple[Rep, ...]
    now: Millis

    def local(self, at: int) -> datetime:
        """An instant by the office's clock."""
        return moment(Millis(at)).astimezone(self.zone)

    def days_ago(self, at: int) -> int:
        """How many local days an instant lies before today."""
        return (self.local(self.now).date() - self.local(at).date()).days

    def is_weekend(self, at: int) -> bool:
        """Whether it is Saturday or Sunday there."""
        return self.local(at).weekday() >= SATURDAY

    def at_work(self, at: int, rng: Random) -> int:
        """The instant itself if people work then, else some minutes after they next begin."""
        local = self.local(at)
        if OPENS <= local.hour < CLOSES:
            return at
        opening = local.replace(hour=OPENS, minute=0, second=0, microsecond=0)
        day = timedelta(days=1 if local.hour >= CLOSES else 0)
        return round((opening + day).timestamp() * 1000) + rng.randrange(40 * MINUTE)

    def on_team(self, team: str, at: int) -> list[Rep]:
        """Who is in a team then; whoever is there if nobody is in it."""
        there = [(rep, rep.team(self.days_ago(at))) for rep in self.reps]
        return [rep for rep, name in there if name == team] or [rep for rep, name in there if name is not None]

    def arrivals(self, count: int, rng: Random) -> list[int]:
        """Instants within the last 24 hours at which leads come in, by the time of day, sorted."""
        hours = [self.now - (hour + 1) * HOUR for hour in range(24)]
        weights = [ARRIVALS[self.local(hour + HOUR // 2).hour] * (0.4 if self.is_weekend(hour) else 1) for hour in hours]
        return sorted(hour + rng.randrange(HOUR) for hour in rng.choices(hours, weights, k=count))

    def past(self, count: int, days: int, rng: Random) -> list[int]:
        """Instants between the last day and so many days ago, in office hours mostly, denser towards now, sorted."""
        instants = []
        for number in range(count):
            at = self.now - DAY - round((days - 1) * DAY * ((number + rng.random()) / count) ** 2)
            instants.append(at if number % 3 == 0 else min(self.at_work(at, rng), self.now - DAY))
        return sorted(instants)


def morning_zone(now: Millis) -> str:
    """The zone, of a list of real ones, in which it is mid-morning now."""

    def distance(name: str) -> int:
        local = moment(now).astimezone(ZoneInfo(name))
        return abs(local.hour * 60 + local.minute - MORNING)

    return min(ZONES, key=distance)


LISTS = """\
lead_sources = ["inbound", "outbound"]
origins = ["webinar", "referral", "paid search", "contact form", "trade fair", "chat", "cold list", "event list"]
sales_regions = ["DACH", "Nordics", "UK & Ireland", "Benelux"]
segments = ["smb", "mid-market", "enterprise"]
campaigns = ["autumn launch", "pricing guide"]
products = ["Starter", "Team", "Suite"]
competitors = ["Northwind", "Contoso"]
loss_reasons = ["price", "no budget", "no answer", "chose another"]
nurture_tracks = ["newsletter", "webinars"]
referral_origins = ["referral"]
pairs = [["team", "lead_source"], ["rep", "channel"]]
"""
"""What numbers are sliced by; some values of each field are left to be `other`."""


PRODUCTS = ("Starter", "Team", "Suite")
BEATEN_BY = ("Northwind", "Contoso", "Fabrikam")
"""Competitors; the last one is not listed."""

PIPELINE = (("qualified", 20), ("proposal", 50), ("negotiation", 80))
"""The qualified stages of the pipeline, each with how likely a deal in it is won, in percent."""

DOLLAR = ((ALWAYS, "0.93"), (60, "0.88"), (0, "0.865"))
"""What a US dollar is worth in euros, each from so many days before now on."""


TARGETS = (("response_within_sla_ratio", "0.9", "24h"), ("meetings_booked", "40", "7d"), ("revenue", "3000000", "year"))
"""What KPIs shall be: how much, in which window."""

LEADERBOARDS = ("meetings_booked", "response_within_sla_ratio", "lead_response_time_mean")
"""What reps are ranked by."""


def demo_rules_toml(now: Millis, zone: str, reps: tuple[Rep, ...] = REPS) -> str:
    """The floor's rules as TOML, of which plain keys come first: put nothing before it."""
    today = moment(now).astimezone(ZoneInfo(zone)).date()
    parts = [LISTS, f'[organisation]\nzone = "{zone}"\n\n[meetings]\ngrace = "1h"\n']
    parts.append("[customers]\nafter_purchase_days = 180\n")
    for rep in reps:
        for days_ago, team in rep.terms:
            parts.append(_table("roster", rep=rep.name, team=team, since=_day(today, days_ago)))
    parts.append(_calendar())
    parts += [_table("team_calendars", team=team, calendar="office") for team in ("Inbound", "Outbound", "unassigned")]
    parts += [
        _table("sla", target="10m"),
        _table("sla", target="5m", since=_day(today, 100)),
        _table("sla", target="1h", lead_source="outbound"),
        _table("sla", target="3m", segment="enterprise", since=_day(today, 0)),
        _table("sla", target="30bm", segment="mid-market", since=_day(today, 30)),
    ]
    parts.append('[money]\ncurrency = "EUR"\ngross_margin_percent = 80\n')
    parts += [_table("money.rates", currency="USD", rate=rate, since=_day(today, days_ago)) for days_ago, rate in DOLLAR]
    parts += [f'[[deal_stages]]\nname = "{name}"\nprobability = {probability}\n' for name, probability in PIPELINE]
    parts += [_table("targets", kpi=kpi, value=value, window=window) for kpi, value, window in TARGETS]
    parts += [_table("quotas", rep=rep.name, amount="40000", per="month") for rep in reps if rep.terms[-1][1] is not None]
    parts += [_table("plans", rep=rep.name, commission_percent="7.5", ote="90000") for rep in reps]
    parts += [_table("leaderboards", kpi=kpi) for kpi in LEADERBOARDS]
    return "\n".join(parts)


def _calendar() -> str:
    """The hours of the office, with a break at noon; shorter at weekends."""
    full, short = (f'["{OPENS:02}:00-12:30", "13:00-{closes}:00"]' for closes in (CLOSES, CLOSES - 2))
    hours = ", ".join(f"{day} = {full if day not in {'sat', 'sun'} else short}" for day in WEEK)
    return f'[[calendars]]\nname = "office"\nhours = {{ {hours} }}\n'


def _day(today: date, days_ago: int) -> date | None:
    return None if days_ago == ALWAYS else today - timedelta(days=days_ago)


def _table(name: str, *, since: date | None = None, **texts: str | None) -> str:
    lines = [f'{key} = "{text}"' for key, text in texts.items() if text is not None]
    return "\n".join([f"[[{name}]]", *lines, *([f"from = {since}"] if since else []), ""])
