"""What can be set, its defaults and limits.

A settings object that is made by hand holds what it is given and reads nothing; `load` reads the file and the environment.
"""

import base64
import binascii
import re
from datetime import date, datetime
from ipaddress import IPv6Address
from itertools import chain
from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints

from models.calendars import Shift, WorkingHours
from models.kpis import MINIMUM_N, Formula
from models.rules import OTHER, UNASSIGNED, UNKNOWN, Membership, Rules, SlaPolicy
from models.slices import Pair
from models.units import DAY, HOUR, MINUTE, SECOND, Duration, Millis, millis

UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
RESERVED = frozenset({OTHER, UNASSIGNED, UNKNOWN})
SMALLEST_KEY_BYTES = 24
HIGHEST_PORT = 65_535
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY, _TIME = "|".join(WEEKDAYS), "(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00"
HOURS = re.compile(f"(?P<first>{_DAY})(?:-(?P<last>{_DAY}))? (?P<start>{_TIME})-(?P<end>{_TIME})")


def parse_duration(value: object) -> Duration:
    """Milliseconds of `90s`, `5m`, `2h` or `1d`. Raises ValueError, with what to write instead, for anything else."""
    match = re.fullmatch(r"([0-9]{1,6})([a-z]+)", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a duration: write it as a number with s, m, h or d, such as 90s, 5m, 2h or 1d")
    amount, unit = match.groups()
    if unit in {"bm", "bh", "bd"}:
        raise ValueError(f"business time ({unit}) is not supported yet: give wall time with s, m, h or d")
    if unit not in UNITS:
        raise ValueError(f"{unit!r} is not a unit of time: use s, m, h or d")
    return Duration(int(amount) * UNITS[unit])


def _target(duration: Duration) -> Duration:
    if duration <= 0:
        raise ValueError("must be longer than 0")
    return duration


def _since(value: object) -> date | None:
    if value is None or isinstance(value, date):
        since = value
    else:
        try:
            text = str(value)
            since = date.fromisoformat(text) if len(text) <= len("2026-01-31") else datetime.fromisoformat(text)
        except ValueError:
            raise ValueError("is not a date: write 2026-01-31, or an instant as 2026-01-31T09:00:00+01:00") from None
    if since is not None and not 1970 <= since.year < 2100:  # noqa: PLR2004 - the epoch, and what events may carry
        raise ValueError("is outside the years 1970 to 2099")
    return since


def _unreserved(name: str) -> str:
    if name in RESERVED:
        raise ValueError(f"{name!r} is a name that Leadbeat gives itself: choose another")
    return name


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is not a time zone: use a name of the IANA database, such as Europe/Berlin")
    return name


def _brokers(addresses: str) -> str:
    brokers = [broker.strip() for broker in addresses.split(",")]
    if not all(_is_broker(broker) for broker in brokers):
        raise ValueError("must be host:port (kafka-1:9092), several with commas between, IPv6 in brackets ([::1]:9092)")
    return ",".join(brokers)


def _is_broker(address: str) -> bool:
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|[^\s:/@\[\]]+):([0-9]{1,5})", address)
    return match is not None and 0 < int(match[2]) <= HIGHEST_PORT and (match[1] is None or _is_ipv6(match[1]))


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _shifts(text: str) -> tuple[Shift, ...]:
    match = HOURS.fullmatch(text)
    if match is None:
        raise ValueError("is not working hours: write them as Mon-Fri 09:00-18:00 or Sat 10:00-14:00")
    first, last = (WEEKDAYS.index(name) for name in (match["first"], match["last"] or match["first"]))
    start, end = (60 * int(hour) + int(minute) for hour, minute in (match["start"].split(":"), match["end"].split(":")))
    if first > last or start >= end:
        raise ValueError("must end after they begin: end a night at 24:00 and a week on Sun, and let another entry go on")
    return tuple(Shift(weekday, start, end) for weekday in range(first, last + 1))


def _hours(text: str) -> str:
    _shifts(text)
    return text


def _token(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,128}", token.get_secret_value()):
        raise ValueError("must be 16 to 128 characters of A-Z a-z 0-9 _ -, and not guessable (openssl rand -hex 24)")
    return token


def _signing_secret(secret: SecretStr) -> SecretStr:
    try:
        key = base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < SMALLEST_KEY_BYTES:
        raise ValueError("must be whsec_ and the base64 of at least 24 random bytes (openssl rand -base64 32)")
    return secret


Text: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]
GivenName: TypeAlias = Annotated[Text, AfterValidator(_unreserved)]
Span: TypeAlias = Annotated[Duration, BeforeValidator(parse_duration)]
Target: TypeAlias = Annotated[Duration, AfterValidator(_target), BeforeValidator(parse_duration)]
Since: TypeAlias = Annotated[Any, BeforeValidator(_since)]
"""A date, a datetime with or without an offset, or None for ever since; see `instant`."""
Port: TypeAlias = Annotated[int, Field(ge=0, le=HIGHEST_PORT)]
Hours: TypeAlias = Annotated[str, AfterValidator(_hours)]
"""Days and local times, such as Mon-Fri 09:00-18:00."""
Positive: TypeAlias = Annotated[int, Field(ge=1, le=2**31)]
WindowName: TypeAlias = Literal[
    "5m", "15m", "1h", "4h", "24h", "7d", "30d", "60d", "90d", "today", "week", "month", "quarter", "year"
]


def instant(since: date | None, zone: str) -> Millis:
    """The instant of a `from`: a date begins at local midnight, a time without an offset is local, None is the epoch."""
    if since is None:
        return Millis(0)
    start = since if isinstance(since, datetime) else datetime(since.year, since.month, since.day)  # noqa: DTZ001 - below
    return millis(start if start.tzinfo else start.replace(tzinfo=ZoneInfo(zone)))


class Section(BaseModel):
    """A part of the settings: immutable, and strict about its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class KafkaSettings(Section):
    """The log. `partitions` holds for deliveries and events alike and never changes for a running system."""

    bootstrap: Annotated[Text, AfterValidator(_brokers)] = "127.0.0.1:9092"
    partitions: Annotated[int, Field(ge=1, le=1024)] = 4
    topic_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,100}$")] = ""
    replication_factor: Annotated[int, Field(ge=1, le=15)] = 1
    create_topics: bool = True
    session_timeout_s: Annotated[int, Field(ge=6, le=300)] = 15
    group: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = "leadbeat"


class RedisSettings(Section):
    """The tables. The URL may carry a password, so it is a secret as a whole."""

    url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,50}$")] = "lb"


class GatewaySettings(Section):
    """Where webhooks come in. `body_limit` is in bytes; the senders' own patience is 5 s, so acknowledge within it."""

    host: Text = "127.0.0.1"
    port: Port = 8080
    body_limit: Annotated[int, Field(ge=1, le=16 * 2**20)] = 2**20
    read_timeout: Target = Duration(10 * SECOND)
    acknowledge_timeout: Target = Duration(4 * SECOND)


class ExporterSettings(Section):
    """Where Prometheus scrapes the KPIs."""

    host: Text = "127.0.0.1"
    port: Port = 9108


class WorkerSettings(Section):
    """Where a worker's two processes tell of themselves (`/livez`, `/readyz`, `/metrics`; port 0: nowhere), and how they work.

    `skip_lost_events`: go on, and count them, when Kafka has dropped events that were never applied (else the worker stops).
    """

    host: Text = "127.0.0.1"
    normaliser_port: Port = 0
    processor_port: Port = 0
    skip_lost_events: bool = False


class Connection(Section):
    """One CRM that sends webhooks: the token in its URL names it, any of its secrets signs for it."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    provider: Literal["standard"] = "standard"
    token: Annotated[SecretStr, AfterValidator(_token)]
    secrets: Annotated[tuple[Annotated[SecretStr, AfterValidator(_signing_secret)], ...], Field(min_length=1, max_length=5)]


class Organisation(Section):
    """Whose days and weeks count, and when somebody is there to be alerted; no number depends on the working hours."""

    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    working_hours: tuple[Hours, ...] = ("Mon-Fri 09:00-18:00",)


class RosterEntry(Section):
    """`rep` belongs to `team` from an instant on; without a team the rep has left."""

    rep: GivenName
    team: GivenName | None = None
    since: Since = Field(default=None, alias="from")


class SlaEntry(Section):
    """How soon an inquiry must be answered; an attribute that is not named matches anything."""

    target: Target
    since: Since = Field(default=None, alias="from")
    team: Text | None = None
    lead_source: Text | None = None
    segment: Text | None = None


class MeetingSettings(Section):
    """When a meeting that nobody marked counts as `unmarked`, or, if so wished, as held."""

    grace: Span = HOUR
    unmarked: Literal["unmarked", "held"] = "unmarked"


class MinimumN(Section):
    """How many samples a statistic needs before it is shown."""

    mean: Positive = 1
    ratio: Positive = 10
    p50: Positive = 1
    p90: Positive = 20
    p95: Positive = 30
    max: Positive = 1

    def by_formula(self) -> dict[Formula, int]:
        """The least n of each formula that has one; that of means holds for means of times, too."""
        return {formula: getattr(self, formula.removesuffix("_time")) for formula in MINIMUM_N}


class Profile(Section):
    """What the exporter shows: the windows of the slices, by what it slices beside the usual, and how many series at most."""

    board_windows: Annotated[tuple[WindowName, ...], Field(min_length=1)] = ("1h", "24h", "7d", "today", "month")
    also_by: tuple[Literal["sales_region", "campaign"], ...] = ()
    max_series: Positive = 50_000


class Settings(Section):
    """All of it."""

    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    gateway: GatewaySettings = GatewaySettings()
    worker: WorkerSettings = WorkerSettings()
    exporter: ExporterSettings = ExporterSettings()
    ticks: Literal["wall", "external"] = "wall"
    checkpoint_ms: Annotated[int, Field(ge=10, le=60_000)] = 500
    connections: tuple[Connection, ...] = ()
    organisation: Organisation = Organisation()
    roster: tuple[RosterEntry, ...] = ()
    sla: tuple[SlaEntry, ...] = (SlaEntry.model_validate({"target": "5m"}),)
    lead_sources: tuple[GivenName, ...] = ("inbound", "outbound")
    origins: tuple[GivenName, ...] = ()
    sales_regions: tuple[GivenName, ...] = ()
    segments: tuple[GivenName, ...] = ()
    campaigns: tuple[GivenName, ...] = ()
    pairs: tuple[Pair, ...] = ()
    meetings: MeetingSettings = MeetingSettings()
    rules_version: Positive = 1
    minimum_n: MinimumN = MinimumN()
    profile: Profile = Profile()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    def rules(self) -> Rules:
        """What the organisation has decided. Raises InvalidRulesError, which settings from `load` never do."""
        rules = self.unchecked_rules()
        rules.check()
        return rules

    def unchecked_rules(self) -> Rules:
        """What the organisation has decided, whatever may be wrong with it."""
        zone = self.organisation.zone
        return Rules(
            version=self.rules_version,
            zone=zone,
            roster=tuple(Membership(entry.rep, instant(entry.since, zone), entry.team) for entry in self.roster),
            sla=tuple(
                SlaPolicy(entry.target, instant(entry.since, zone), entry.team, entry.lead_source, entry.segment)
                for entry in self.sla
            ),
            lead_sources=self.lead_sources,
            origins=self.origins,
            sales_regions=self.sales_regions,
            segments=self.segments,
            campaigns=self.campaigns,
            pairs=self.pairs,
            meeting_grace_ms=self.meetings.grace,
            unmarked_meetings_count_as_held=self.meetings.unmarked == "held",
        )

    def working_hours(self) -> WorkingHours:
        """When somebody is there to be alerted."""
        organisation = self.organisation
        return WorkingHours(organisation.zone, tuple(chain.from_iterable(map(_shifts, organisation.working_hours))))
