"""Numbers that rules and clock give, rather than sums: constants, lengths of time, targets. Figures are made with them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from fractions import Fraction
from typing import Final, NamedTuple, TypeAlias

from models.quotas import earnings, quotas, sellers
from models.rules import PER_YEAR, Rules
from models.slices import join_values
from models.units import Millis
from models.windows import DAILY, DUE_LAG, NOW, WINDOWS, Calendar, Pane, Window

PERCENT: Final = 100


class Given(NamedTuple):
    """A number that there is by window. `dims`: what it is given by beside the whole; None if it is the same everywhere."""

    id: str
    text: str
    dims: tuple[str, ...] | None = None
    money: bool = False


_AHEAD: Final = {"highest": 1, "lowest": -1, None: 0}

Givens: TypeAlias = Mapping[tuple[str, str, str], Fraction]
"""Numbers by the id of what is given, window, and slice, such as `rep=ana`; money is in minor units.

The slice is empty for the whole, and for what is the same in all slices.
"""

known_until = Given("known_until", "The due clock: all that happened before it is known, in ms.")
elapsed_days = Given("elapsed_days", "The local days of the window so far, today included.")
gross_margin = Given("gross_margin", "The configured share of the revenue that is left after what is sold was paid for.")
revenue_target = Given("revenue_target", "The configured target of the revenue for the month, quarter or year.", (), money=True)

quota = Given("quota", "The configured quota for the month, quarter or year.", ("rep", "team"), money=True)
quota_due = Given(
    "quota_due", "The share of the quota that is due by the end of today, in working days.", ("rep", "team"), money=True
)

ote = Given("ote", "What reps who have a quota earn a year on target.", ("rep", "team"), money=True)
quota_now = Given("quota_now", "What the quotas of these reps come to a year.", ("rep", "team"), money=True)

rep_quota = Given("rep_quota", "The quota of each rep, by team and rep.", ("team",), money=True)
reps_with_quota = Given("reps_with_quota", "How many reps have a quota.", ("team",))


def target_of(kpi: str) -> Given:
    """What a KPI shall be, in the units in which it is told."""
    return Given(f"target of {kpi}", "The configured target of the KPI.")


def ahead_of(kpi: str) -> Given:
    """Which reps are ahead on the leaderboard of a KPI."""
    return Given(f"leaderboard of {kpi}", "1: those with most; -1: those with least; 0: the quickest, else those with most.")


def givens(rules: Rules, clock: Millis) -> Givens:
    """All numbers that are given at an instant."""
    return dict(_found(rules, clock))


_One: TypeAlias = tuple[tuple[str, str, str], Fraction]


def _found(rules: Rules, clock: Millis) -> Iterator[_One]:
    yield from _time(rules, clock)
    yield from _aims(rules, clock)
    yield from _quotas(rules, clock)


def _time(rules: Rules, clock: Millis) -> Iterator[_One]:
    """Where the clock stands."""
    calendar = Calendar(rules.zone)
    yield (known_until.id, NOW, ""), Fraction(clock - DUE_LAG)
    for window in DAILY:
        yield (elapsed_days.id, window.name, ""), Fraction(_days(calendar, window, clock))


def _aims(rules: Rules, clock: Millis) -> Iterator[_One]:
    """What is set for the organisation as a whole."""
    if rules.gross_margin_percent is not None:
        for name in (*(window.name for window in WINDOWS), NOW):
            yield (gross_margin.id, name, ""), Fraction(rules.gross_margin_percent, PERCENT)
    yearly = rules.yearly_revenue_target(clock)
    if yearly is not None:
        for name, times in PER_YEAR.items():
            yield (revenue_target.id, name, ""), yearly * rules.money.minor_units / times
    for (kpi, period), aim in rules.targets_at(clock).items():
        yield (target_of(kpi).id, period, ""), aim
    for board in rules.leaderboards:
        yield (ahead_of(board.kpi).id, NOW, ""), Fraction(_AHEAD[board.best])


def _quotas(rules: Rules, clock: Millis) -> Iterator[_One]:
    """What is set for reps and teams."""
    for due in quotas(rules, clock):
        yield (quota.id, due.window, due.slice), due.amount * rules.money.minor_units
        yield (quota_due.id, due.window, due.slice), due.by_now * rules.money.minor_units
    reps: Counter[tuple[str, str]] = Counter()
    for sold in sellers(rules, clock):
        yield (
            (rep_quota.id, sold.window, f"team,rep={join_values((sold.team, sold.rep))}"),
            sold.amount * rules.money.minor_units,
        )
        reps.update([(sold.window, ""), (sold.window, f"team={sold.team}")])
    for (period, name), count in reps.items():
        yield (reps_with_quota.id, period, name), Fraction(count)
    for earned in earnings(rules, clock):
        yield (ote.id, NOW, earned.slice), earned.ote * rules.money.minor_units
        yield (quota_now.id, NOW, earned.slice), earned.quota * rules.money.minor_units


def _days(calendar: Calendar, window: Window, clock: Millis) -> int:
    span = calendar.span(window, clock)
    if window.pane is not Pane.DAY:
        return timedelta(milliseconds=span.end - span.start).days
    first, last = (calendar.days.date_of(at) for at in (span.start, clock))
    return (last - first).days + 1
