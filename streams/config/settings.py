"""What can be set, its defaults and limits.

A settings object that is made by hand holds what it is given and reads nothing; `load` reads the file and the environment.
"""

from itertools import chain
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from models.calendars import WorkingHours
from models.kpis import MINIMUM_N, Formula
from models.money import Money, Rate
from models.rules import DealStage, KpiTarget, Leaderboard, Membership, Plan, Quota, Rules, SlaPolicy
from models.slices import Pair
from models.units import DAY, HOUR, SECOND, Duration
from streams.config.api_tokens import ApiToken
from streams.config.calendars import (
    AbsenceEntry,
    CalendarEntry,
    Entries,
    RepCalendarEntry,
    TeamCalendarEntry,
    with_worktime,
)
from streams.config.connections import Connection
from streams.config.tls import TlsSettings
from streams.config.values import (
    Amount,
    Brokers,
    Currency,
    FilePath,
    GivenName,
    Hours,
    Port,
    Positive,
    Promise,
    SecretUrl,
    Section,
    Share,
    Since,
    Span,
    Target,
    Text,
    WindowName,
    WindowOrNow,
    Worth,
    Zone,
    decimal_places,
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
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    username: Annotated[str, StringConstraints(max_length=200)] = ""
    password: SecretStr | None = None
    tls: TlsSettings = TlsSettings()


class RetentionSettings(Section):
    """How long Kafka keeps what it is given; of `deliveries` and `dead_letters` that is bodies as they came."""

    deliveries: Target = Duration(7 * DAY)
    events: Target = Duration(30 * DAY)
    dead_letters: Target = Duration(30 * DAY)
    alerts: Target = Duration(7 * DAY)


class RedisSettings(Section):
    """The tables. The URL may carry a password, so it is a secret as a whole; with TLS it begins with rediss."""

    url: SecretUrl = SecretStr("redis://127.0.0.1:6379/0")
    tls: TlsSettings = TlsSettings()
    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,50}$")] = "lb"


class GatewaySettings(Section):
    """Where webhooks come in. `body_limit` is in bytes; the senders' own patience is 5 s, so acknowledge within it.

    `spool`: the file in which deliveries wait while Kafka does not acknowledge; without one they are refused. `spool_limit` is
    in bytes. `rate` and `connection_rate` are requests a second, of all connections and of each.
    """

    host: Text = "127.0.0.1"
    port: Port = 8080
    body_limit: Annotated[int, Field(ge=1, le=16 * 2**20)] = 2**20
    read_timeout: Target = Duration(10 * SECOND)
    acknowledge_timeout: Target = Duration(4 * SECOND)
    spool: FilePath | None = None
    spool_limit: Annotated[int, Field(ge=2**25, le=2**40)] = 2**30
    rate: Positive = 3000
    connection_rate: Positive = 1000


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

    target: Promise
    since: Since = Field(default=None, alias="from")
    team: Text | None = None
    lead_source: Text | None = None
    segment: Text | None = None

    @property
    def attributes(self) -> tuple[str | None, str | None, str | None]:
        """Whom it is for."""
        return self.team, self.lead_source, self.segment


class MeetingSettings(Section):
    """When a meeting that nobody marked counts as `unmarked`, or, if so wished, as held."""

    grace: Span = HOUR
    unmarked: Literal["unmarked", "held"] = "unmarked"


class RateEntry(Section):
    """What one major unit of a currency is worth in the organisation's own, from an instant on."""

    currency: Currency
    rate: Worth
    since: Since = Field(default=None, alias="from")


class MoneySettings(Section):
    """The organisation's currency, the rates of the others in which deals are told, and what is left of the revenue."""

    currency: Currency = "EUR"
    rates: tuple[RateEntry, ...] = ()
    gross_margin_percent: Annotated[int, Field(ge=0, le=100)] | None = None


class DealStageEntry(Section):
    """A qualified stage of the pipeline, and how likely deals in it are won, in percent."""

    name: GivenName
    probability: Annotated[int, Field(ge=0, le=100)] = 0


class CustomerSettings(Section):
    """How many days after a purchase an account is a customer."""

    after_purchase_days: Annotated[int, Field(ge=1, le=3650)] = 365


class TargetEntry(Section):
    """What a KPI shall be in a window (`now` for levels) from an instant on, in the units it is told in. The latest holds."""

    kpi: GivenName
    value: Amount
    window: WindowOrNow
    since: Since = Field(default=None, alias="from")


class LeaderboardEntry(Section):
    """Reps are ranked by a KPI; those with the `highest` or the `lowest` value first."""

    kpi: GivenName
    best: Literal["highest", "lowest"] | None = None


class QuotaEntry(Section):
    """What a rep or a team shall sell a month, quarter or year, from an instant on; of a rep's first months `ramp` percent."""

    rep: GivenName | None = None
    team: GivenName | None = None
    amount: Amount
    per: Literal["month", "quarter", "year"]
    ramp: tuple[Annotated[int, Field(ge=0, le=100)], ...] = ()
    since: Since = Field(default=None, alias="from")


class PlanEntry(Section):
    """What a rep is paid, from an instant on: a share of what he sells, and on target so much a year, in major units."""

    rep: GivenName
    commission_percent: Share
    ote: Amount | None = None
    since: Since = Field(default=None, alias="from")


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


class KpiSettings(Section):
    """The module with the organisation's own measures and KPIs, as Python imports it; none by default."""

    module: Annotated[str, StringConstraints(pattern=r"^([A-Za-z_]\w*(\.[A-Za-z_]\w*)*)?$")] = ""


class Settings(Section):
    """All of it."""

    kafka: KafkaSettings = KafkaSettings()
    retention: RetentionSettings = RetentionSettings()
    redis: RedisSettings = RedisSettings()
    gateway: GatewaySettings = GatewaySettings()
    worker: WorkerSettings = WorkerSettings()
    exporter: ExporterSettings = ExporterSettings()
    ticks: Literal["wall", "external"] = "wall"
    checkpoint_ms: Annotated[int, Field(ge=10, le=60_000)] = 500
    connections: tuple[Connection, ...] = ()
    api_tokens: tuple[ApiToken, ...] = ()
    organisation: Organisation = Organisation()
    roster: tuple[RosterEntry, ...] = ()
    sla: tuple[SlaEntry, ...] = (SlaEntry.model_validate({"target": "5m"}),)
    lead_sources: tuple[GivenName, ...] = ("inbound", "outbound")
    origins: tuple[GivenName, ...] = ()
    sales_regions: tuple[GivenName, ...] = ()
    segments: tuple[GivenName, ...] = ()
    campaigns: tuple[GivenName, ...] = ()
    products: tuple[GivenName, ...] = ()
    competitors: tuple[GivenName, ...] = ()
    loss_reasons: tuple[GivenName, ...] = ()
    nurture_tracks: tuple[GivenName, ...] = ()
    referral_origins: tuple[GivenName, ...] = ("referral",)
    pairs: tuple[Pair, ...] = ()
    meetings: MeetingSettings = MeetingSettings()
    customers: CustomerSettings = CustomerSettings()
    money: MoneySettings = MoneySettings()
    deal_stages: tuple[DealStageEntry, ...] = ()
    targets: tuple[TargetEntry, ...] = ()
    leaderboards: tuple[LeaderboardEntry, ...] = ()
    quotas: tuple[QuotaEntry, ...] = ()
    plans: tuple[PlanEntry, ...] = ()
    calendars: tuple[CalendarEntry, ...] = ()
    team_calendars: tuple[TeamCalendarEntry, ...] = ()
    rep_calendars: tuple[RepCalendarEntry, ...] = ()
    absences: tuple[AbsenceEntry, ...] = ()
    rules_version: Positive = 1
    minimum_n: MinimumN = MinimumN()
    profile: Profile = Profile()
    kpis: KpiSettings = KpiSettings()
    require_security: bool = False
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
        rules = Rules(
            version=self.rules_version,
            zone=zone,
            roster=tuple(Membership(entry.rep, instant(entry.since, zone), entry.team) for entry in self.roster),
            sla=tuple(
                SlaPolicy(each.target.target_ms, instant(each.since, zone), *each.attributes, each.target.time)
                for each in self.sla
            ),
            lead_sources=self.lead_sources,
            origins=self.origins,
            sales_regions=self.sales_regions,
            segments=self.segments,
            campaigns=self.campaigns,
            products=self.products,
            competitors=self.competitors,
            loss_reasons=self.loss_reasons,
            nurture_tracks=self.nurture_tracks,
            referral_origins=self.referral_origins,
            customer_ms=Duration(self.customers.after_purchase_days * DAY),
            pairs=self.pairs,
            meeting_grace_ms=self.meetings.grace,
            unmarked_meetings_count_as_held=self.meetings.unmarked == "held",
            money=self._money(),
            deal_stages=tuple(DealStage(entry.name, entry.probability) for entry in self.deal_stages),
            targets=tuple(
                KpiTarget(entry.kpi, entry.value, entry.window, instant(entry.since, zone)) for entry in self.targets
            ),
            leaderboards=tuple(Leaderboard(entry.kpi, entry.best) for entry in self.leaderboards),
            quotas=tuple(
                Quota(entry.amount, entry.per, entry.rep, entry.team, entry.ramp, instant(entry.since, zone))
                for entry in self.quotas
            ),
            plans=tuple(
                Plan(entry.rep, entry.commission_percent, entry.ote, instant(entry.since, zone)) for entry in self.plans
            ),
            gross_margin_percent=self.money.gross_margin_percent,
        )
        return with_worktime(rules, self.worktime())

    def worktime(self) -> Entries:
        """All that is said of who works when."""
        return Entries(self.calendars, self.team_calendars, self.rep_calendars, self.absences)

    def _money(self) -> Money:
        zone, own = self.organisation.zone, self.money.currency
        rates = (
            Rate(entry.currency, decimal_places(entry.currency), entry.rate, instant(entry.since, zone))
            for entry in self.money.rates
        )
        return Money(own, decimal_places(own), tuple(rates))

    def working_hours(self) -> WorkingHours:
        """When somebody is there to be alerted."""
        organisation = self.organisation
        return WorkingHours(organisation.zone, tuple(chain.from_iterable(map(shifts, organisation.working_hours))))
