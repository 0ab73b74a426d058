"""What the default Prometheus profile shows of all that happened, at a clock."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from streams.local.truth_facts import Rules, midnight_ms

Slice = tuple[tuple[str, ...], tuple[str, ...]]
"""A dimension, or the two of a pair, and its values."""

Dims = dict[str, str]
Occurrences = list[tuple[int, int]]
"""The instants and amounts of one measure in one slice."""

WHOLE: Slice = ((), ())
"""The slice that holds everything."""

Key = tuple[str, frozenset[tuple[str, str]]]
"""A series: the metric's name, and its labels with their values."""

Value = float | tuple[float, float]
"""What a series must say: exactly, or within a relative tolerance."""

Gauges = dict[Key, Value]

WITHIN = 0.01
"""The relative tolerance of quantiles and maxima."""

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
ROLLING = {
    "5m": (5 * MINUTE, 10 * SECOND),
    "15m": (15 * MINUTE, 10 * SECOND),
    "1h": (HOUR, 10 * SECOND),
    "4h": (4 * HOUR, 5 * MINUTE),
    "24h": (DAY, 5 * MINUTE),
    "7d": (7 * DAY, HOUR),
}
"""Rolling windows: their length and the step in which they move."""

COUNTS = [
    "sla_breaches",
    "touches",
    "automated_touches",
    "calls",
    "emails",
    "messages",
    "calls_connected",
    "meetings_booked",
    "meetings_held",
    "meeting_no_shows",
    "meetings_cancelled",
    "meetings_unmarked",
    "demos_held",
    "leads_contacted",
    "leads_first_contacted",
    "replies",
    "bounces",
    "opt_outs",
    "follow_up_attempts",
]
WARNINGS = {"50": "sla_warnings_50", "80": "sla_warnings_80"}
DURATIONS = ["lead_response_time", "lead_contact_time", "routing_delay", "rep_delay", "time_to_first_meeting", "reply_time"]
RATIOS: dict[str, tuple[str, tuple[str, ...]]] = {
    "response_within_sla_ratio": ("responses_within_sla", ("clocks_ended",)),
    "leads_followed_up_ratio": ("leads_followed_up", ("leads_created",)),
    "never_contacted_ratio": ("leads_never_contacted", ("leads_judged",)),
    "call_connect_ratio": ("calls_connected", ("calls",)),
    "touches_connected_ratio": ("touches_connected", ("touches",)),
    "meeting_show_ratio": ("meetings_held", ("meetings_held", "meeting_no_shows")),
    "reply_ratio": ("leads_replied", ("leads_first_reached",)),
    "positive_reply_ratio": ("leads_replied_positive", ("leads_first_contacted",)),
    "negative_reply_ratio": ("leads_replied_negative", ("leads_first_contacted",)),
    "meeting_acceptance_ratio": ("meetings_booked", ("replies",)),
}
"""Numerator, and the measures whose sum is the denominator."""

MEANS = {"follow_up_attempts_mean": ("follow_up_attempts", ("follow_ups_ended",))}
LEVELS = ("leads_awaiting_response", "leads_overdue")
OLDEST = "oldest_lead_waiting"

QUANTILES = {"p50": 50, "p90": 90, "p95": 95, "max": 100}
WHOLE_STATISTICS = ("mean", "p50", "p90", "p95", "max")
SLICE_STATISTICS = ("mean", "p50", "p90")

BY_PEOPLE = [
    "lead_response_time",
    "lead_contact_time",
    "response_within_sla_ratio",
    "sla_breaches",
    "leads_awaiting_response",
    "leads_overdue",
    "oldest_lead_waiting",
    "leads_followed_up_ratio",
    "touches",
    "calls",
    "emails",
    "call_connect_ratio",
    "meetings_booked",
    "meeting_show_ratio",
    "reply_ratio",
    "positive_reply_ratio",
    "meeting_acceptance_ratio",
]
BY_SOURCE = [
    "lead_response_time",
    "response_within_sla_ratio",
    "reply_ratio",
    "positive_reply_ratio",
    "leads_first_contacted",
    "meetings_booked",
    "meeting_show_ratio",
]
WITH_CHANNEL = [
    "lead_response_time",
    "lead_contact_time",
    "reply_ratio",
    "positive_reply_ratio",
    "leads_first_contacted",
    "touches",
]
"""Of all these, what has a channel; nothing of it has a sentiment."""

BOARD = {
    "rep": BY_PEOPLE,
    "team": BY_PEOPLE,
    "lead_source": BY_SOURCE,
    "origin": BY_SOURCE,
    "segment": BY_SOURCE,
    "channel": [kpi for kpi in BY_SOURCE if kpi in WITH_CHANNEL],
}
"""What is shown by which dimension, in the board's windows."""

FURTHER = ("sales_region", "campaign")
"""What is shown by itself only if that is asked for."""

WITH_QUANTILES = ("rep", "team", "lead_source", "origin", "segment", "channel")
"""The dimensions in which durations have quantiles; pairs have none."""


@dataclass
class Ledger:
    """All that happened, by measure and slice, not yet looked at through any window."""

    pairs: list[tuple[str, str]] = field(default_factory=list)
    flows: dict[tuple[str, Slice], Occurrences] = field(default_factory=lambda: defaultdict(list))
    levels: Counter[tuple[str, Slice]] = field(default_factory=Counter)
    oldest: dict[Slice, tuple[int, float]] = field(default_factory=dict)

    def slices(self, dims: Dims) -> list[Slice]:
        """The whole, each dimension, and the pairs of which there are both."""
        pairs = [pair for pair in self.pairs if pair[0] in dims and pair[1] in dims]
        return [
            WHOLE,
            *(((dim,), (value,)) for dim, value in dims.items()),
            *((pair, (dims[pair[0]], dims[pair[1]])) for pair in pairs),
        ]

    def add(self, measure: str, at: int, dims: Dims, amount: int = 1) -> None:
        """Enter an occurrence into the whole and into the slices of its dimensions."""
        for key in self.slices(dims):
            self.flows[measure, key].append((at, amount))

    def stand(self, measure: str, dims: Dims) -> None:
        """Enter something that is the case now."""
        for key in self.slices(dims):
            self.levels[measure, key] += 1

    def wait(self, start: int, due: float, dims: Dims) -> None:
        """Enter an open clock; the oldest stays, of equally old ones the one that is due first (infinity: no due)."""
        for key in self.slices(dims):
            self.oldest[key] = min(self.oldest.get(key, (start, due)), (start, due))


def windows_at(clock: int, zone_rules: Rules) -> dict[str, tuple[int, int]]:
    """Each window's first instant and the first one after it, at a clock in ms."""
    windows = {}
    for name, (length, step) in ROLLING.items():
        end = clock // step * step + step
        windows[name] = (end - length, end)
    zone = zone_rules.zone
    today = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=clock)).astimezone(zone).date()
    end = midnight_ms(today + timedelta(days=1), zone)
    for name, first in first_days(today).items():
        windows[name] = (midnight_ms(first, zone), end)
    return windows


def first_days(today: date) -> dict[str, date]:
    """The first local day of each window that is made of local days; the last is today."""
    return {
        "30d": today - timedelta(days=29),
        "60d": today - timedelta(days=59),
        "90d": today - timedelta(days=89),
        "today": today,
        "week": today - timedelta(days=today.weekday()),
        "month": today.replace(day=1),
        "quarter": today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1),
        "year": today.replace(month=1, day=1),
    }


def gauges_of(ledger: Ledger, rules: Rules, clock: int) -> Gauges:
    """Every series of the default profile."""
    return Page(ledger, rules, clock).write()


class Page:
    """The series that are being written."""

    def __init__(self, ledger: Ledger, rules: Rules, clock: int) -> None:
        self.ledger = ledger
        self.rules = rules
        self.windows = windows_at(clock, rules)
        self.configured = rules.configured(clock)
        self.flows = {key: sorted(occurrences) for key, occurrences in ledger.flows.items()}
        self.gauges: Gauges = {}

    def write(self) -> Gauges:
        """The whole in all windows, then each dimension in those of the board."""
        everything = [*COUNTS, *DURATIONS, *RATIOS, *MEANS, *LEVELS, OLDEST]
        self.write_slice(WHOLE, everything, list(self.windows), WHOLE_STATISTICS)
        for window in self.windows:
            for percent, measure in WARNINGS.items():
                amount = float(sum(self.amounts(measure, WHOLE, window)))
                self.put("sla_warnings", WHOLE, amount, window=window, sla_percent=percent)
        for dims, kpis in self.boards():
            seen = {values for _, (names, values) in [*self.flows, *self.ledger.levels] if names == dims}
            always = {(value,) for value in self.configured[dims[0]]} if len(dims) == 1 else set()
            statistics = SLICE_STATISTICS if dims[0] in WITH_QUANTILES and len(dims) == 1 else ("mean",)
            for values in sorted(seen | always):
                self.write_slice((dims, values), kpis, list(self.rules.board_windows), statistics)
        return self.gauges

    def boards(self) -> Iterator[tuple[tuple[str, ...], list[str]]]:
        """What is sliced by, and the KPIs that are shown so: by a pair what is by one of its dimensions and has both."""
        shown = BOARD | dict.fromkeys(FURTHER, BY_SOURCE)
        hidden = {dim for dim in FURTHER if dim not in self.rules.also_by}
        yield from (((dim,), kpis) for dim, kpis in shown.items() if dim in self.configured and dim not in hidden)
        for pair in self.rules.pairs:
            either = dict.fromkeys(kpi for dim in pair for kpi in shown.get(dim, []))
            if "sentiment" not in pair:
                yield pair, [kpi for kpi in either if "channel" not in pair or kpi in WITH_CHANNEL]

    def write_slice(self, key: Slice, kpis: list[str], windows: list[str], statistics: tuple[str, ...]) -> None:
        """Some KPIs of one slice."""
        for kpi in kpis:
            if kpi in LEVELS:
                self.put_count(kpi, key, self.ledger.levels[kpi, key])
            elif kpi == OLDEST:
                self.put_oldest(key)
            else:
                for window in windows:
                    self.write_kpi(kpi, key, window, statistics)

    def write_kpi(self, kpi: str, key: Slice, window: str, statistics: tuple[str, ...]) -> None:
        """One KPI of one slice in one window, with its numerator and denominator."""
        if kpi in COUNTS:
            self.put_count(kpi, key, sum(self.amounts(kpi, key, window)), window=window)
        elif kpi in DURATIONS:
            self.put_duration(kpi, key, window, statistics)
        elif kpi in RATIOS:
            self.put_ratio(kpi, RATIOS[kpi], key, window, self.rules.minimum_n["ratio"])
        else:
            self.put_ratio(kpi, MEANS[kpi], key, window, self.rules.minimum_n["mean"])

    def amounts(self, measure: str, key: Slice, window: str) -> list[int]:
        """The amounts of what happened in a window."""
        occurrences = self.flows.get((measure, key), [])
        start, end = self.windows[window]
        first, last = (bisect_left(occurrences, instant, key=lambda occurrence: occurrence[0]) for instant in (start, end))
        return [amount for _, amount in occurrences[first:last]]

    def put(self, name: str, key: Slice, value: Value, **labels: str) -> None:
        """Write one series."""
        dims, values = key
        metric = f"leadbeat_{name}_by_{'_and_'.join(dims)}" if dims else f"leadbeat_{name}"
        self.gauges[metric, frozenset([*labels.items(), *zip(dims, values, strict=True)])] = value

    def put_count(self, name: str, key: Slice, count: int, **labels: str) -> None:
        """Write a count: 0 too where the slice is one that is configured."""
        dims, values = key
        if count or key == WHOLE or (len(dims) == 1 and values[0] in self.configured[dims[0]]):
            self.put(name, key, float(count), **labels)

    def put_ratio(self, name: str, parts: tuple[str, tuple[str, ...]], key: Slice, window: str, minimum: int) -> None:
        """Write a ratio's or a mean's parts, and itself if its denominator is large enough."""
        numerator, denominators = parts
        counts = {part: sum(self.amounts(part, key, window)) for part in (numerator, *denominators)}
        for part, count in counts.items():
            self.put_count(part, key, count, window=window)
        n = sum(counts[part] for part in denominators)
        if n > 0 and n >= minimum:
            self.put(name, key, counts[numerator] / n, window=window)

    def put_duration(self, name: str, key: Slice, window: str, statistics: tuple[str, ...]) -> None:
        """Write how many durations there are, and their statistics in seconds if there are enough."""
        spans = sorted(self.amounts(name, key, window))
        n = len(spans)
        self.put_count(f"{name}_samples", key, n, window=window)
        for statistic in statistics:
            if n == 0 or n < self.rules.minimum_n[statistic]:
                continue
            if statistic == "mean":
                self.put(f"{name}_mean_seconds", key, sum(spans) / (n * 1000), window=window)
            else:
                rank = -(-QUANTILES[statistic] * n // 100)
                self.put(f"{name}_{statistic}_seconds", key, (spans[rank - 1] / 1000, WITHIN), window=window)

    def put_oldest(self, key: Slice) -> None:
        """Write since when the oldest open clock runs, and until when it may."""
        if key not in self.ledger.oldest:
            return
        start, due = self.ledger.oldest[key]
        self.put(f"{OLDEST}_timestamp_seconds", key, start / 1000)
        if due != float("inf"):
            self.put(f"{OLDEST}_due_timestamp_seconds", key, due / 1000)
