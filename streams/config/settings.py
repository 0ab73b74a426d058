"""What can be set, its defaults and limits.

A settings object that is made by hand holds what it is given and reads nothing; `load` reads the file and the environment.
"""

from itertools import chain
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from models.calendars import WorkingHours
from models.kpis import MINIMUM_N, Formula
from models.rules import Membership, Rules, SlaPolicy
from models.slices import Pair
from models.units import HOUR, SECOND, Duration
from streams.config.connections import Connection
from streams.config.values import (
    Brokers,
    GivenName,
    Hours,
    Port,
    Positive,
    Section,
    Since,
    Span,
    Target,
    Text,
    WindowName,
    Zone,
    instant,
    secret_key,
    shifts,
)


class KafkaSettings(Section):
    """The log. `partitions` holds for deliveries and events alike and never changes for a running system."""

    bootstrap: Brokers = "127.0.0.1:9092"
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
    `subject_key`: what the ids of leads are hashed with that were erased; it never changes.
    """

    host: Text = "127.0.0.1"
    normaliser_port: Port = 0
    processor_port: Port = 0
    skip_lost_events: bool = False
    subject_key: Annotated[SecretStr | None, AfterValidator(secret_key)] = None

    def hashing_key(self) -> bytes:
        """The subject key's bytes; none without one."""
        return b"" if self.subject_key is None else bytes.fromhex(self.subject_key.get_secret_value())


class Organisation(Section):
    """Whose days and weeks count, and when somebody is there to be alerted; no number depends on the working hours."""

    zone: Zone = "UTC"
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
        return WorkingHours(organisation.zone, tuple(chain.from_iterable(map(shifts, organisation.working_hours))))
