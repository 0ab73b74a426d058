"""What the service says about itself: logs, and the metrics of its own health.

A log line is an event name and fields. Secrets never reach it: values under telling keys are masked, secrets render as stars,
and tracebacks come without locals. The health metrics live in one registry a process, beside the KPIs, never among them.
"""

import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Literal, NamedTuple, TextIO

import structlog
from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from structlog.typing import EventDict, Processor, WrappedLogger

MASK = "**********"
TELLING = re.compile(r"token|secret|authorization|signature|password|cookie", re.IGNORECASE)

FLOORS = {
    "aiokafka": logging.INFO,
    "asyncio": logging.INFO,
    "faust": logging.INFO,
    "httpcore": logging.WARNING,
    "httpx": logging.WARNING,
    "kafka": logging.INFO,
    "mode": logging.INFO,
    "uvicorn": logging.INFO,
    "uvicorn.access": logging.WARNING,
}
"""What others may log at most: below, they write out keys, values, or URLs that hold a connection's token."""

REPEAT_S: Final = 30.0
"""How soon others may log the same line again."""

MOST_LINES: Final = 1_000
"""Lines of others that are remembered."""


@contextmanager
def silenced() -> Iterator[None]:
    """For commands that end: Kafka's client does not log what goes wrong, as the command says the same."""
    logger = logging.getLogger("aiokafka")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    style: Literal["json", "console"] = "json",
    stream: TextIO | None = None,
) -> None:
    """Send all logs of the process, ours and others', to a stream (standard output), one line each if as JSON."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask,
    ]
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(allow=["left_out"])],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(style)],
        )
    )
    handler.addFilter(above_floor)
    handler.addFilter(Repeats())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _rendering(style: str) -> list[Processor]:
    if style == "console":
        return [one_line, structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def above_floor(record: logging.LogRecord) -> bool:
    """Whether a record is at or above the floor of its logger or of the nearest parent that has one."""
    name = record.name
    while name and name not in FLOORS:
        name = name.rpartition(".")[0]
    return record.levelno >= FLOORS.get(name, logging.NOTSET)


class Repeats(logging.Filter):
    """Lets others log the same line once in 30 s; `left_out` of the next one is how often it came in between.

    While Kafka is away its client says so up to a hundred times a second, which would bury what we say.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, int, str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is ours, or nothing like it has been let through lately."""
        if isinstance(record.msg, Mapping):  # an event and its fields, as structlog hands them over
            return True
        line = (record.name, record.levelno, _said(record), repr(record.exc_info and record.exc_info[1]))
        now = self._monotonic()
        with self._lock:
            again_at, left_out = self._seen.pop(line, (now, 0))
            if now < again_at:
                self._seen[line] = again_at, left_out + 1
                return False
            self._seen[line] = now + REPEAT_S, 0
            if len(self._seen) > MOST_LINES:
                del self._seen[next(iter(self._seen))]
        if left_out:
            record.left_out = left_out
        return True


def _said(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # its arguments do not fit: logging itself tells of that
        return str(record.msg)


def mask(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A processor that hides what stands under a key that tells of a secret, at any depth; numbers stay."""
    return {key: _masked(key, value) for key, value in event.items()}


def _masked(key: object, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {inner: _masked(inner, item) for inner, item in value.items()}
    if isinstance(key, str) and TELLING.search(key) and not isinstance(value, int | float | None):
        return MASK
    if isinstance(value, list | tuple):
        return [_masked(None, item) for item in value]
    return value


def one_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A processor that keeps line breaks of what others said from looking like log lines of their own."""
    event["event"] = str(event.get("event", "")).replace("\r", "\\r").replace("\n", "\\n")
    return event


def registry() -> CollectorRegistry:
    """A new registry with the process's own vitals; each process has one."""
    registry = CollectorRegistry()
    for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
        registry.register(collector)
    return registry


class GatewayMetrics:
    """What the gateway counts. Connections are configured names; a request that names none has an empty one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.accepted = Counter(
            "leadbeat_deliveries_accepted",
            "Deliveries that Kafka has acknowledged, or that are synced in the spool.",
            ["connection"],
            registry=registry,
        )
        self.refused = Counter(
            "leadbeat_deliveries_refused",
            "Requests that were not accepted, by reason.",
            ["connection", "reason"],
            registry=registry,
        )
        self.seconds = Histogram(
            "leadbeat_delivery_seconds", "From a request's headers to its answer, for deliveries accepted.", registry=registry
        )

    def expect(self, connections: Iterable[str], reasons: Iterable[str]) -> None:
        """Begin at 0: to Prometheus, a count that is first seen at 1 has not increased."""
        for connection in connections:
            self.accepted.labels(connection)
            for reason in reasons:
                self.refused.labels(connection, reason)


SPOOL: Final = "leadbeat_gateway_spool"
"""What the names of a spool's gauges begin with."""


class SpoolState(NamedTuple):
    """What a gateway's spool holds. Sizes are in bytes, the oldest receipt in seconds since the epoch."""

    deliveries: int
    used: int
    limit: int
    room: int
    oldest_receipt: float | None


class SpoolCollector(Collector):
    """What a gateway's spool holds, as it is when Prometheus asks."""

    def __init__(self, look: Callable[[], SpoolState]) -> None:
        self._look = look

    def collect(self) -> Iterable[Metric]:
        """The gauges of the moment."""
        state = self._look()
        told: dict[str, tuple[str, float | None]] = {
            "deliveries": ("Accepted deliveries that wait in the spool for Kafka.", state.deliveries),
            "bytes": ("Bytes of the spool that are in use.", state.used),
            "limit_bytes": ("Bytes that the spool may use.", state.limit),
            "room_bytes": ("Bytes that the spool has room for, by its limit and its disk.", state.room),
            "oldest_receipt_timestamp_seconds": ("When the oldest delivery of the spool was accepted.", state.oldest_receipt),
        }
        for name, (text, value) in told.items():
            if value is not None:
                yield GaugeMetricFamily(f"{SPOOL}_{name}", text, value)


class NormaliserMetrics:
    """What the normaliser counts. Elements = normalised + unknown + dead, one by one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.normalised = Counter(
            "leadbeat_events_normalised", "Events passed on in canonical form.", ["connection"], registry=registry
        )
        self.unknown = Counter(
            "leadbeat_events_unknown", "Events of a type that Leadbeat does not know.", ["connection"], registry=registry
        )
        self.dead = Counter("leadbeat_dead_letters", "Events that could not be read.", ["connection"], registry=registry)
        self.ticks_refused = Counter(
            "leadbeat_ticks_refused", "Ticks too far ahead of this process's own time.", registry=registry
        )

    def expect(self, connections: Iterable[str]) -> None:
        """Begin at 0, also for what is of no connection: to Prometheus, a count that is first seen at 1 has not increased."""
        for connection in ("", *connections):
            for counter in (self.normalised, self.unknown, self.dead):
                counter.labels(connection)


class ProcessorMetrics:
    """What the processor and publisher count and measure."""

    def __init__(self, registry: CollectorRegistry) -> None:
        by_partition = ["partition"]
        self.checkpoints = Counter(
            "leadbeat_checkpoints", "Checkpoints, by their answer.", [*by_partition, "answer"], registry=registry
        )
        self.checkpoint_seconds = Histogram(
            "leadbeat_checkpoint_seconds", "From sending a checkpoint to its answer.", registry=registry
        )
        self.offset = Gauge("leadbeat_saved_offset", "The offset saved last.", by_partition, registry=registry)
        self.lag = Gauge("leadbeat_lag_events", "Events in the log that are not applied yet.", by_partition, registry=registry)
        self.late = Gauge(
            "leadbeat_late_contributions",
            "What facts came to that lie before the oldest pane, and so in no window; since the partition was loaded.",
            by_partition,
            registry=registry,
        )
        self.unchanging = Gauge(
            "leadbeat_events_unchanging",
            "Events that told nothing new (repeated, or overtaken by a later version) since the partition was loaded.",
            by_partition,
            registry=registry,
        )
        self.lost = Counter(
            "leadbeat_events_lost", "Events that Kafka dropped before they were applied.", by_partition, registry=registry
        )
        self.waiting = Gauge("leadbeat_open_clocks", "Leads that wait for an answer.", by_partition, registry=registry)
        self.dead = Counter("leadbeat_events_undecodable", "Event records that are dead letters now.", registry=registry)
        self.round_seconds = Histogram(
            "leadbeat_round_seconds",
            "From reading what partitions have changed until a round is in the KPI table.",
            registry=registry,
        )
        self.round_rows = Counter("leadbeat_round_rows", "Rows of the KPI table that rounds have written.", registry=registry)
        self.revaluations = Counter("leadbeat_revaluations", "Re-valuations carried through.", registry=registry)
        self.alerts_withheld = Gauge(
            "leadbeat_alerts_withheld", "Alerts not sent because their instant was long past.", by_partition, registry=registry
        )


class AccessMetrics:
    """Whom the exporter has turned away."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.refused = Counter(
            "leadbeat_api_refused", "Requests to the exporter that were not allowed, by reason.", ["reason"], registry=registry
        )

    def expect(self, reasons: Iterable[str]) -> None:
        """Begin at 0: to Prometheus, a count that is first seen at 1 has not increased."""
        for reason in reasons:
            self.refused.labels(reason)


class RotationMetrics:
    """What became of secrets whose files have changed."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.taken = Counter("leadbeat_secrets_taken", "Times that changed files of secrets were taken.", registry=registry)
        self.refused = Gauge(
            "leadbeat_secrets_refused", "1 while files of secrets cannot be used, and the old secrets hold.", registry=registry
        )


class AuditMetrics:
    """What an audit tells. Before the first one is completed there is nothing to be told: 0 would say that nothing differs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._told = False
        self.mismatches = Gauge(
            "leadbeat_audit_mismatch_series",
            "Series, KPI rows, leads and open clocks that are not what the log says.",
            registry=None,
        )
        self.series = Gauge("leadbeat_audit_series", "Series and KPI rows that the last audit compared.", registry=None)
        self.completed = Gauge(
            "leadbeat_audit_completed_timestamp_seconds", "When the last audit was completed.", registry=None
        )
        self.seconds = Gauge("leadbeat_audit_seconds", "How long the last audit took.", registry=None)

    def tell(self, mismatches: int, series: int, completed: float, seconds: float) -> None:
        """An audit of all that was to be audited is completed."""
        for gauge, value in (
            (self.mismatches, mismatches),
            (self.series, series),
            (self.completed, completed),
            (self.seconds, seconds),
        ):
            gauge.set(value)
            if not self._told:
                self._registry.register(gauge)
        self._told = True
