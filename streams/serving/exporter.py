"""The page that Prometheus scrapes: the profile's series of the round that stands, and the service's own."""

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from models.calendars import WorkingHours
from models.errors import LeadbeatError
from models.snapshot import State
from models.units import Millis, moment
from streams.serving.documented import Operation, Told
from streams.serving.exposition import gauges
from streams.serving.health import is_stale
from streams.serving.profile import WITHOUT_VALUE, Profile, Shown
from streams.serving.table import Round, Snapshot, Table

log = structlog.get_logger(__name__)

CLOCK: Final = "The log's clock: where windows end. Alert on its age, time() - this: it grows whatever stands still."
STALE: Final = (
    "1 while a publisher sees partitions too far apart, or of other rules, for a new round: a cause of an old clock. "
    "Alert on the clock's age instead: without a publisher this stays as it was."
)


KPIS_STALE: Final = (
    "1 if all KPIs are stale: their round says so of itself (leadbeat_round_stale), or its clock lies over 15 s behind."
)
WITHOUT_VALUE_TEXT: Final = (
    "1 for each KPI of the whole that has no value, which has no series then; state says why: no_traffic, insufficient, stale."
)


class Scrape(NamedTuple):
    """What one scrape has to show. Without a table `snapshot` is None, and no KPI is shown, old ones least of all."""

    profile: Profile
    hours: WorkingHours
    snapshot: Snapshot | None
    started_s: float
    stale: bool = False


def page(registry: CollectorRegistry, scrape: Scrape) -> bytes:
    """One scrape: the process's own vitals, the KPIs, and what is to be known of them."""
    profile, _, snapshot, _, stale = scrape
    vitals = generate_latest(registry)
    shown = profile.show(snapshot) if snapshot else Shown([], 0)
    without = profile.without_value(snapshot, State.STALE if stale else None) if snapshot else []
    kpis = gauges(profile.helps, shown.series) + gauges({WITHOUT_VALUE: WITHOUT_VALUE_TEXT}, without)
    return vitals + kpis.encode() + generate_latest(_About(scrape, shown))


class _About(Collector):
    """What is to be known of a scrape's KPIs."""

    def __init__(self, scrape: Scrape, shown: Shown) -> None:
        self._scrape = scrape
        self._shown = shown

    def collect(self) -> Iterator[Metric]:
        """The last metrics of the page."""
        _, hours, snapshot, started_s, stale = self._scrape
        if snapshot and snapshot.round:
            yield from _of_round(snapshot.round)
            yield _gauge("kpis_stale", KPIS_STALE, float(stale))
            yield from _of_hours(_local(hours, snapshot.round), snapshot.round.clock)
        yield _gauge("redis_up", "Whether the KPI table could be read.", float(snapshot is not None))
        yield _gauge("exporter_series", "KPI series on this page.", len(self._shown.series))
        yield _gauge("exporter_series_dropped", "KPI series left out because of profile.max_series.", self._shown.dropped)
        yield _gauge(
            "scrape_duration_seconds", "From the request to the last metric of this page.", time.monotonic() - started_s
        )


def _of_round(record: Round) -> Iterator[Metric]:
    yield _gauge("clock_timestamp_seconds", CLOCK, record.clock / 1000)
    yield _gauge("known_until_timestamp_seconds", "The due clock: deadlines up to it are judged.", record.known_until / 1000)
    yield _gauge("round", "The number of the published round.", record.number)
    yield _gauge("round_exact", "Whether all partitions stood at the same clock.", float(record.exact))
    yield _gauge("round_stale", STALE, float(record.stale))
    yield _gauge("spread_seconds", "How far the partitions' clocks lay apart.", record.spread_ms / 1000)
    yield _gauge("published_timestamp_seconds", "When the round was published.", record.published_at / 1000)
    yield _gauge("rules_version", "The version of the rules that the round goes by.", record.rules)


def _local(hours: WorkingHours, record: Round) -> WorkingHours:
    """Working hours in the zone of the rules in force, which may not be that of the settings."""
    return WorkingHours(record.zone, hours.shifts) if record.zone else hours


def _of_hours(hours: WorkingHours, clock: Millis) -> Iterator[Metric]:
    """By the log's clock, like all that stands beside them: whoever is behind is behind with the working hours, too."""
    began = hours.began(clock)
    yield _gauge("working_time", "Whether it is working time at the log's clock.", float(began is not None))
    if began is not None:
        text = "Since when it has been working time without a break; absent outside of it."
        yield _gauge("working_time_began_timestamp_seconds", text, began / 1000)
    ahead = moment(clock).astimezone(ZoneInfo(hours.zone)).utcoffset() or timedelta()
    text = "By how much the organisation's clocks are ahead of UTC at the log's clock."
    yield _gauge("utc_offset_seconds", text, ahead.total_seconds())


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"leadbeat_{name}", text, value=value)


OPERATION: Final = Operation(
    "/metrics",
    "getMetrics",
    "metrics",
    "The page that Prometheus scrapes.",
    {200: Told("Without Redis too, then without KPIs.", {"text/plain": "Prometheus' text format, version 0.0.4."})},
)


def route(
    table: Table,
    profile: Profile,
    hours: WorkingHours,
    registry: CollectorRegistry,
    now: Callable[[], Millis] | None = None,
) -> Route:
    """GET /metrics. It answers 200 also without Redis, so that a scrape tells of that, and Prometheus ends the KPIs' series.

    `now` is what the round's clock is held against; without it, its age says nothing.
    """

    async def metrics(_: Request) -> Response:
        started_s = time.monotonic()
        snapshot: Snapshot | None = None
        try:
            snapshot = await table.read()
        except LeadbeatError as error:
            log.warning("table_unreadable", where=error.where, what=error.what, todo=error.todo)
        stale = snapshot is not None and snapshot.round is not None and is_stale(snapshot.round, now() if now else None)
        # In a thread: a large page takes a while, in which health and API shall answer.
        content = await asyncio.to_thread(page, registry, Scrape(profile, hours, snapshot, started_s, stale))
        return Response(content, media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return Route("/metrics", metrics)
