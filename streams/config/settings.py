"""What can be set, its defaults and limits.

A settings object that is made by hand holds what it is given and reads nothing; `load` reads the file and the environment.
"""

import base64
import binascii
import re
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationInfo,
)

from models.events import Channel, Stage
from models.kpis import MINIMUM_N, Formula
from models.rules import OTHER, UNASSIGNED, UNKNOWN, Membership, Rules, SlaPolicy
from models.units import DAY, HOUR, MINUTE, SECOND, Duration, Millis, millis

UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
RESERVED = frozenset({OTHER, UNASSIGNED, UNKNOWN})
SMALLEST_KEY_BYTES = 24


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


def _token(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,128}", token.get_secret_value()):
        raise ValueError("must be 16 to 128 characters of A-Z a-z 0-9 _ -, and not guessable (openssl rand -hex 24)")
    return token


def _signing_secret(secret: SecretStr, info: ValidationInfo) -> SecretStr:
    if info.data.get("provider") == "close":
        if not re.fullmatch(r"([0-9a-fA-F]{2}){16,128}", secret.get_secret_value()):
            raise ValueError("must be the signature_key that Close gave the subscription: at least 32 hex digits")
        return secret
    try:
        key = base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < SMALLEST_KEY_BYTES:
        raise ValueError("must be whsec_ and the base64 of at least 24 random bytes (openssl rand -base64 32)")
    return secret


def _email_key(key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
    if key is None and info.data.get("provider") == "close":
        raise ValueError("is missing: 32 to 128 hex digits that nobody can guess (openssl rand -hex 32)")
    if key is not None and not re.fullmatch(r"([0-9a-fA-F]{2}){16,64}", key.get_secret_value()):
        raise ValueError("must be 32 to 128 hex digits that nobody can guess (openssl rand -hex 32)")
    return key


Text: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]
GivenName: TypeAlias = Annotated[Text, AfterValidator(_unreserved)]
CustomField: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,100}$")]
Span: TypeAlias = Annotated[Duration, BeforeValidator(parse_duration)]
Target: TypeAlias = Annotated[Duration, AfterValidator(_target), BeforeValidator(parse_duration)]
Since: TypeAlias = Annotated[Any, BeforeValidator(_since)]
"""A date, a datetime with or without an offset, or None for ever since; see `instant`."""
Port: TypeAlias = Annotated[int, Field(ge=0, le=65_535)]
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

    bootstrap: Text = "127.0.0.1:9092"
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


class CloseFields(Section):
    """Which of the organisation's custom fields in Close, on leads or contacts, tells what; by their ids, `cf_...`."""

    owner: CustomField | None = None
    lead_source: CustomField | None = None
    origin: CustomField | None = None
    sales_region: CustomField | None = None
    segment: CustomField | None = None
    campaign: CustomField | None = None


class CloseSettings(Section):
    """What is the organisation's own in Close. Labels and words are taken in capitals or not.

    `reps` names users by their id; others go by the id. `stages` is by a lead status's label or id; other statuses say nothing
    of the stage. `outcomes` is by the outcome's id, `meeting_kinds` by a word of the title, `custom_activities`, which count as
    touches of a channel, by the id of their type. `signature_age` is how old a signature may be.
    """

    reps: dict[Text, GivenName] = {}
    stages: dict[Text, Stage] = {
        "Potential": "lead",
        "Qualified": "sql",
        "Customer": "customer",
        "Bad Fit": "disqualified",
        "Not Interested": "disqualified",
    }
    fields: CloseFields = CloseFields()
    outcomes: dict[Text, Literal["held", "no_show", "cancelled"]] = {}
    meeting_kinds: dict[Text, Text] = {"demo": "demo"}
    custom_activities: dict[Text, Channel] = {}
    signature_age: Target = Duration(5 * MINUTE)


def _for_close(close: CloseSettings | None, info: ValidationInfo) -> CloseSettings | None:
    if close is not None and info.data.get("provider") == "standard":
        raise ValueError('is for connections with provider = "close"')
    return close


class Connection(Section):
    """One CRM that sends webhooks: the token in its URL names it, any of its secrets signs for it.

    `email_key`, needed where people are known by e-mail address alone, makes their ids; it never changes.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    provider: Literal["standard", "close"] = "standard"
    token: Annotated[SecretStr, AfterValidator(_token)]
    secrets: Annotated[tuple[Annotated[SecretStr, AfterValidator(_signing_secret)], ...], Field(min_length=1, max_length=5)]
    email_key: Annotated[SecretStr | None, AfterValidator(_email_key), Field(validate_default=True)] = None
    close: Annotated[CloseSettings | None, AfterValidator(_for_close)] = None


class Organisation(Section):
    """Whose days and weeks count."""

    zone: Annotated[str, AfterValidator(_zone)] = "UTC"


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
    """What the exporter shows: the windows of the slices, and how many series at most."""

    board_windows: Annotated[tuple[WindowName, ...], Field(min_length=1)] = ("1h", "24h", "7d", "today", "month")
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
    meetings: MeetingSettings = MeetingSettings()
    rules_version: Positive = 1
    minimum_n: MinimumN = MinimumN()
    profile: Profile = Profile()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    def rules(self) -> Rules:
        """What the organisation has decided. Raises InvalidRulesError, which settings from `load` never do."""
        zone = self.organisation.zone
        rules = Rules(
            version=self.rules_version,
            zone=zone,
            roster=tuple(Membership(entry.rep, instant(entry.since, zone), entry.team) for entry in self.roster),
            sla=tuple(
                SlaPolicy(entry.target, instant(entry.since, zone), entry.team, entry.lead_source, entry.segment)
                for entry in self.sla
            ),
            lead_sources=self.lead_sources,
            meeting_grace_ms=self.meetings.grace,
            unmarked_meetings_count_as_held=self.meetings.unmarked == "held",
        )
        rules.check()
        return rules
