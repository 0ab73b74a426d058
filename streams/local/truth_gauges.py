"""What the default Prometheus profile shows of all that happened, at a clock."""

from bisect import bisect_left
from collections.abc import Iterator
from fractions import Fraction
from functools import partial

from streams.local.truth_compared import Result, attained, places
from streams.local.truth_derived import DERIVED, DERIVED_NOW, ONLY, Asked
from streams.local.truth_facts import Rules
from streams.local.truth_funnel import FUNNEL
from streams.local.truth_ledger import WHOLE, Ledger, Slice
from streams.local.truth_sections import MORE
from streams.local.truth_shown import (
    BOARD,
    BY_SOURCE,
    COUNTS,
    DAILY,
    DURATIONS,
    FURTHER,
    GROWTHS,
    LEVELS,
    MEANS,
    MONEY,
    OLDEST,
    QUANTILES,
    RATIOS,
    RESULTS,
    SHORT,
    SLICE_STATISTICS,
    WARNINGS,
    WHOLE_STATISTICS,
    WITH_FURTHER,
    WITH_QUANTILES,
    WITHOUT_PAIRS,
    WITHOUT_PEOPLE,
)
from streams.local.truth_windows import windows_at, windows_before

Key = tuple[str, frozenset[tuple[str, str]]]
"""A series: the metric's name, and its labels with their values."""

Value = float | tuple[float, float]
"""What a series must say: exactly, or within a relative tolerance."""

Gauges = dict[Key, Value]

WITHIN = 0.01
"""The relative tolerance of quantiles and maxima."""


def gauges_of(ledger: Ledger, rules: Rules, clock: int) -> Gauges:
    """Every series of the default profile."""
    return Page(ledger, rules, clock).write()


class Page:
    """The series that are being written."""

    def __init__(self, ledger: Ledger, rules: Rules, clock: int) -> None:
        self.ledger = ledger
        self.rules = rules
        self.windows = windows_at(clock, rules)
        self.clock = clock
        self.before = windows_before(clock, rules)
        self.configured = rules.configured(clock)
        self.flows = {key: sorted(occurrences) for key, occurrences in ledger.flows.items()}
        self.gauges: Gauges = {}

    def write(self) -> Gauges:
        """The whole in all windows, then each dimension in those of the board."""
        everything = [
            *COUNTS,
            *DURATIONS,
            *RATIOS,
            *MEANS,
            *GROWTHS,
            *DERIVED,
            *DERIVED_NOW,
            *LEVELS,
            *FUNNEL.level_ratios,
            OLDEST,
        ]
        self.write_slice(WHOLE, everything, list(self.windows), WHOLE_STATISTICS)
        self.write_formulas()
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
        self.write_comparisons()
        return self.gauges

    def write_comparisons(self) -> None:
        """How much of their targets KPIs reach, and the places of reps by others."""
        for kpi, window, value in list(attained(self.gauges, self.rules, self.clock)):
            self.put("target_attainment_ratio", WHOLE, value, kpi=kpi, **({} if window == "now" else {"window": window}))
        for kpi, best in self.rules.leaderboards:
            lowest_first = (best or ("lowest" if kpi.removesuffix("_mean") in DURATIONS else "highest")) == "lowest"
            for window in [""] if kpi in LEVELS else self.rules.board_windows:
                results = [found for rep in self.configured["rep"] if (found := self.result(kpi, rep, window)) is not None]
                for rep, place in places(results, lowest_first=lowest_first).items():
                    labels = {"kpi": kpi, **({"window": window} if window else {})}
                    self.put("rank", (("rep",), (rep,)), float(place), **labels)

    def result(self, kpi: str, rep: str, window: str) -> Result | None:
        """What a rep has of a count, a level, a ratio or a mean; None without a value."""
        key = (("rep",), (rep,))
        if kpi in LEVELS:
            return Result(rep, Fraction(self.ledger.levels[kpi, key]))
        if window in SHORT and kpi in DAILY:
            return None
        if kpi in COUNTS:
            return Result(rep, Fraction(sum(self.amounts(kpi, key, window))))
        if kpi in RATIOS:
            part, wholes = RATIOS[kpi]
            n, found = sum(sum(self.amounts(whole, key, window)) for whole in wholes), sum(self.amounts(part, key, window))
            return Result(rep, Fraction(found), n) if n > 0 and (found <= n or n >= self.rules.minimum_n["ratio"]) else None
        spans = self.amounts(kpi.removesuffix("_mean"), key, window)
        return Result(rep, Fraction(sum(spans), len(spans))) if spans and len(spans) >= self.rules.minimum_n["mean"] else None

    def boards(self) -> Iterator[tuple[tuple[str, ...], list[str]]]:
        """What is sliced by, and the KPIs that are shown so: by a pair what is by one of its dimensions and has both."""
        shown = BOARD | dict.fromkeys(FURTHER, BY_SOURCE)
        hidden = {dim for dim in FURTHER if dim not in self.rules.also_by}
        yield from (((dim,), kpis) for dim, kpis in shown.items() if dim in self.configured and dim not in hidden)
        for pair in self.rules.pairs:
            either = dict.fromkeys(kpi for dim in pair for kpi in shown.get(dim, []))
            shared = [kpi for kpi in either if all(kpi in WITH_FURTHER.get(dim, either) for dim in pair)]
            fit = [kpi for kpi in shared if kpi not in WITHOUT_PEOPLE or not {"rep", "team"} & {*pair}]
            yield pair, [kpi for kpi in fit if kpi not in WITHOUT_PAIRS]

    def write_slice(self, key: Slice, kpis: list[str], windows: list[str], statistics: tuple[str, ...]) -> None:
        """Some KPIs of one slice."""
        for kpi in kpis:
            if kpi in LEVELS:
                self.put_count(kpi, key, self.ledger.levels[kpi, key])
            elif kpi in DERIVED_NOW:
                self.put_derived(kpi, key, "")
            elif kpi in FUNNEL.level_ratios:
                self.put_share(kpi, key)
            elif kpi == OLDEST:
                self.put_oldest(key)
            else:
                for window in windows:
                    if window not in SHORT or kpi not in DAILY:
                        self.write_kpi(kpi, key, window, statistics)

    def write_formulas(self) -> None:
        """Figures of sums of measures, of the whole; their measures are shown as counts."""
        for name, formula in MORE.formulas.items():
            for window in [""] if formula.is_level else [window for window in self.windows if window not in SHORT]:
                value = formula.value(partial(self.amount, window), self.units(name), self.rules.minimum_n)
                if value is not None:
                    self.put(self.in_currency(name), WHOLE, value, **({"window": window} if window else {}))

    def amount(self, window: str, measure: str) -> int:
        """How much there is of a level now, or of what happened in a window, in the whole."""
        return self.ledger.levels[measure, WHOLE] if measure in LEVELS else sum(self.amounts(measure, WHOLE, window))

    def write_kpi(self, kpi: str, key: Slice, window: str, statistics: tuple[str, ...]) -> None:
        """One KPI of one slice in one window, with its numerator and denominator."""
        if kpi in COUNTS:
            self.put_count(kpi, key, sum(self.amounts(kpi, key, window)), window=window)
        elif kpi in DURATIONS:
            self.put_duration(kpi, key, window, statistics)
        elif kpi in RATIOS:
            self.put_ratio(kpi, RATIOS[kpi], key, window, self.rules.minimum_n["ratio"])
        elif kpi in GROWTHS:
            self.put_growth(kpi, key, window)
        elif kpi in DERIVED:
            if self.is_shown(kpi, key):
                self.put_derived(kpi, key, window)
        else:
            self.put_ratio(kpi, MEANS[kpi], key, window, self.rules.minimum_n["mean"])

    def is_shown(self, kpi: str, key: Slice) -> bool:
        """Whether a KPI is shown in a slice: one that is configured, or of which a result is told."""
        dims, values = key
        configured = len(dims) == 1 and values[0] in self.configured[dims[0]]
        results = [RESULTS[kpi]] if kpi in RESULTS else []
        told = (sum(self.amounts(result, key, window)) for result in results for window in self.windows)
        return key == WHOLE or configured or not results or any(told)

    def put_derived(self, kpi: str, key: Slice, window: str) -> None:
        """Write what is made of several KPIs, if it has a value in this window."""
        asked = Asked(
            lambda measure, other=window: self.amounts(measure, key, other),
            lambda measure: self.ledger.levels[measure, key],
            self.rules,
            self.clock,
            window,
            key,
            lambda measure, rep: sum(self.amounts(measure, (("rep",), (rep,)), window)),
        )
        value = (DERIVED | DERIVED_NOW)[kpi](asked) if window in ONLY.get(kpi, {window}) else None
        if value is not None:
            self.put(self.in_currency(kpi), key, float(value / self.units(kpi)), **({"window": window} if window else {}))

    def amounts(self, measure: str, key: Slice, window: str) -> list[int]:
        """The amounts of what happened in a window."""
        return self.within(measure, key, self.windows[window])

    def within(self, measure: str, key: Slice, span: tuple[int, int]) -> list[int]:
        """The amounts of what happened between two instants."""
        occurrences, (start, end) = self.flows.get((measure, key), []), span
        first, last = (bisect_left(occurrences, instant, key=lambda occurrence: occurrence[0]) for instant in (start, end))
        return [amount for _, amount in occurrences[first:last]]

    def put(self, name: str, key: Slice, value: Value, **labels: str) -> None:
        """Write one series; its name may have a label, as in `stage_entries{lead_stage=mql}`."""
        dims, values = key
        name, _, rest = name.partition("{")
        label, _, rest = rest.partition("=")
        text, _, statistic = rest.partition("}")
        name, labels = f"{name}{statistic}", labels | ({label: text} if label else {})
        metric = f"leadbeat_{name}_by_{'_and_'.join(dims)}" if dims else f"leadbeat_{name}"
        self.gauges[metric, frozenset([*labels.items(), *zip(dims, values, strict=True)])] = value

    def put_count(self, name: str, key: Slice, count: int, **labels: str) -> None:
        """Write a count or an amount: 0 too where the slice is one that is configured."""
        dims, values = key
        if count or key == WHOLE or (len(dims) == 1 and values[0] in self.configured[dims[0]]):
            self.put(self.in_currency(name), key, count / self.units(name), **labels)

    def in_currency(self, name: str) -> str:
        """The name of something that is shown; of an amount with its currency, of a span with its unit."""
        if name in MORE.seconds:
            return f"{name}_seconds"
        return f"{name}_{self.rules.money.currency.lower()}" if name in MONEY else name

    def units(self, name: str) -> int:
        """How many of what it is reckoned in make one of what it is shown in."""
        if name in MORE.seconds:
            return 1000
        return self.rules.money.minor_units if name in MONEY else 1

    def put_ratio(self, name: str, parts: tuple[str, tuple[str, ...]], key: Slice, window: str, minimum: int) -> None:
        """Write a ratio's or a mean's parts, and itself if its denominator is large enough."""
        numerator, denominators = parts
        counts = {part: sum(self.amounts(part, key, window)) for part in (numerator, *denominators)}
        for part, count in counts.items():
            self.put_count(part, key, count, window=window)
        n = sum(counts[part] for part in denominators)
        if n > 0 and n >= minimum:
            self.put(self.in_currency(name), key, counts[numerator] / (n * self.units(name)), window=window)

    def put_growth(self, name: str, key: Slice, window: str) -> None:
        """Write how much more something is than in the window before, as a share of what it was."""
        was = sum(self.within(GROWTHS[name], key, self.before[window]))
        if was > 0 and was >= self.rules.minimum_n["ratio"]:
            self.put(name, key, (sum(self.amounts(GROWTHS[name], key, window)) - was) / was, window=window)

    def put_share(self, name: str, key: Slice) -> None:
        """Write the share that one level has in another."""
        part, whole = (self.ledger.levels[measure, key] for measure in FUNNEL.level_ratios[name])
        if whole > 0 and whole >= self.rules.minimum_n["ratio"]:
            self.put(name, key, part / whole)

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
