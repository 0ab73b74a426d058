"""Rules: what the organisation has decided, as one immutable, versioned document.

Every entry is valid from an instant, so that changing a rule does not rewrite the past unless it is backdated on purpose.
Nothing here is folded into state; contributions read it, and its hash is part of the valuation.
"""

from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from operator import attrgetter
from typing import Final, Literal

from msgspec import Struct

from models.calendars import WorkCalendar
from models.errors import InvalidRulesError
from models.money import Money
from models.slices import Pair, pair_faults
from models.units import DAY, HOUR, MINUTE, Duration, Millis

UNASSIGNED = "unassigned"
"""The rep and team of what nobody owns."""

OTHER = "other"
"""A dimension value that the rules do not know."""

UNKNOWN = "unknown"
"""A dimension value that the facts do not tell."""

OUTBOUND: Final = "outbound"
"""The source of leads that were approached, and did not ask."""

CHANNELS: Final = ("call", "email", "message", "meeting")
SENTIMENTS: Final = ("positive", "neutral", "negative")

LISTS: Final = {
    "lead_source": "lead_sources",
    "origin": "origins",
    "sales_region": "sales_regions",
    "segment": "segments",
    "campaign": "campaigns",
    "product": "products",
    "competitor": "competitors",
    "loss_reason": "loss_reasons",
    "nurture_track": "nurture_tracks",
}
"""By dimension, where the rules list its values. Numbers are not sliced by a dimension whose list is empty."""

WARNING_PERCENTS = (50, 80)
"""The shares of an SLA at which a lead that still waits is warned about."""

BREACH_PERCENT = 100
"""The share of an SLA at which it is breached: its due time."""

ALERT_PERCENTS = (*WARNING_PERCENTS, BREACH_PERCENT)
"""The shares of an SLA that a lead must not pass unanswered without somebody being told."""


class Membership(Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """`rep` belongs to `team` from `valid_from` on; a team of None means that the rep has left."""

    rep: str
    valid_from: Millis
    team: str | None = None


class SlaPolicy(Struct, frozen=True, forbid_unknown_fields=True):
    """How soon an inquiry must be answered, from `valid_from` on; None matches anything.

    `time` says what the target is of: wall time, business time, or whole business days. Of these one is a DAY: it is due when
    the so-manieth working day after that of the inquiry is over.
    """

    target_ms: Duration
    valid_from: Millis = Millis(0)
    team: str | None = None
    lead_source: str | None = None
    segment: str | None = None
    time: Literal["wall", "business", "business_days"] = "wall"

    @property
    def specificity(self) -> int:
        """How many attributes the policy names; the most specific one that matches applies."""
        return sum(name is not None for name in (self.team, self.lead_source, self.segment))


class CalendarUse(Struct, frozen=True, forbid_unknown_fields=True):
    """A team, or a rep, works by a calendar from `valid_from` on; by none of its own where that is None."""

    name: str
    calendar: str | None = None
    valid_from: Millis = Millis(0)


class Absence(Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """`rep` does not work in [start, end)."""

    rep: str
    start: Millis
    end: Millis


class DealStage(Struct, frozen=True, forbid_unknown_fields=True):
    """A qualified stage of the pipeline, and how likely a deal in it is won, in percent."""

    name: str
    probability: int = 0


PER_YEAR: Final = {"month": 12, "quarter": 4, "year": 1}
"""How often a year has each period that targets of the revenue are set for."""


class KpiTarget(Struct, frozen=True, forbid_unknown_fields=True):
    """What a KPI shall be in a window (`now` for levels), from `valid_from` on, in the units in which it is told, as text."""

    kpi: str
    value: str
    window: str
    valid_from: Millis = Millis(0)


class Leaderboard(Struct, frozen=True, forbid_unknown_fields=True):
    """Reps are ranked by a KPI, the `highest` or `lowest` first; without a word of it the quickest, or else the highest."""

    kpi: str
    best: Literal["highest", "lowest"] | None = None


class Quota(Struct, frozen=True, forbid_unknown_fields=True):
    """What a rep or a team shall sell a month, quarter or year from `valid_from` on, in major units, as a decimal number.

    `ramp`: how much of it, in percent, in each of a rep's first months.
    """

    amount: str
    per: str
    rep: str | None = None
    team: str | None = None
    ramp: tuple[int, ...] = ()
    valid_from: Millis = Millis(0)


class Plan(Struct, frozen=True, forbid_unknown_fields=True):
    """What a rep is paid from `valid_from` on: so many percent of what he sells, and `ote` a year where he sells his quota.

    Both are decimal numbers, `ote` in major units.
    """

    rep: str
    commission_percent: str
    ote: str | None = None
    valid_from: Millis = Millis(0)


class Rules(Struct, frozen=True, dict=True, forbid_unknown_fields=True):
    """All that contributions depend on beside the facts. Build a changed copy with `msgspec.structs.replace`."""

    version: int = 1
    zone: str = "UTC"
    roster: tuple[Membership, ...] = ()
    sla: tuple[SlaPolicy, ...] = (SlaPolicy(Duration(5 * MINUTE)),)
    lead_sources: tuple[str, ...] = ("inbound", "outbound")
    origins: tuple[str, ...] = ()
    sales_regions: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    campaigns: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    competitors: tuple[str, ...] = ()
    loss_reasons: tuple[str, ...] = ()
    nurture_tracks: tuple[str, ...] = ()
    referral_origins: tuple[str, ...] = ("referral",)
    """The origins of leads that somebody recommended the organisation to."""
    pairs: tuple[Pair, ...] = ()
    customer_ms: Duration = Duration(365 * DAY)
    """How long an account that bought something once is a customer."""
    meeting_grace_ms: Duration = HOUR
    unmarked_meetings_count_as_held: bool = False
    money: Money = Money()
    deal_stages: tuple[DealStage, ...] = ()
    """The pipeline's qualified stages, in order: the first two are the stages one and two of the catalogue."""
    targets: tuple[KpiTarget, ...] = ()
    leaderboards: tuple[Leaderboard, ...] = ()
    quotas: tuple[Quota, ...] = ()
    plans: tuple[Plan, ...] = ()
    gross_margin_percent: int | None = None
    """The share of the revenue that is left after what is sold was paid for."""
    calendars: tuple[WorkCalendar, ...] = ()
    team_calendars: tuple[CalendarUse, ...] = ()
    rep_calendars: tuple[CalendarUse, ...] = ()
    """A rep's own calendar comes before the team's."""
    absences: tuple[Absence, ...] = ()

    @cached_property
    def _terms(self) -> dict[str, tuple[list[Millis], list[str | None]]]:
        terms: dict[str, tuple[list[Millis], list[str | None]]] = {}
        for entry in sorted(self.roster, key=lambda entry: (entry.rep, entry.valid_from)):
            starts, teams = terms.setdefault(entry.rep, ([], []))
            starts.append(entry.valid_from)
            teams.append(entry.team)
        return terms

    @cached_property
    def policies(self) -> list[SlaPolicy]:
        """The SLA policies, best first: most specific, then latest, then last written."""
        numbered = sorted(enumerate(self.sla), key=lambda item: (item[1].specificity, item[1].valid_from, item[0]))
        return [policy for _, policy in reversed(numbered)]

    def team(self, rep: str | None, at: Millis) -> str:
        """The rep's team at an instant: `unassigned` for no rep, `other` before, after or outside the roster."""
        if rep is None:
            return UNASSIGNED
        starts, teams = self._terms.get(rep, ([], []))
        index = bisect_right(starts, at) - 1
        return (teams[index] if index >= 0 else None) or OTHER

    def joined(self, rep: str) -> Millis:
        """When a rep of the roster was first in it."""
        return self._terms[rep][0][0]

    def calendar(self, rep: str | None, at: Millis) -> WorkCalendar | None:
        """The calendar that a rep works by at an instant, or the leads of nobody; None for all of the time."""
        named = _in_use(self.rep_calendars, rep, at) or _in_use(self.team_calendars, self.team(rep, at), at)
        return next((calendar for calendar in self.calendars if calendar.name == named), None)

    def calendar_terms(self, rep: str | None) -> list[tuple[Millis, WorkCalendar | None]]:
        """By which calendar a rep works since when, from the beginning on."""
        moves = [entry.valid_from for entry in self.roster if entry.rep == rep]
        uses = [use.valid_from for use in (*self.team_calendars, *self.rep_calendars)]
        terms: list[tuple[Millis, WorkCalendar | None]] = []
        for since in sorted({Millis(0), *(at for at in moves + uses if at > 0)}):
            calendar = self.calendar(rep, since)
            if not terms or terms[-1][1] != calendar:
                terms.append((since, calendar))
        return terms

    def present(self, at: Millis) -> tuple[list[str], list[str]]:
        """The reps and the teams that the roster has at an instant, sorted."""
        teams = {rep: self.team(rep, at) for rep in self._terms}
        reps = sorted(rep for rep, team in teams.items() if team != OTHER)
        return reps, sorted({teams[rep] for rep in reps})

    def yearly_revenue_target(self, at: Millis) -> Fraction | None:
        """The target of the revenue at an instant, for a whole year, in major units: that which was set last.

        Of those that were set at once it is that of the longest period.
        """
        periods = [target for target in self.targets if target.kpi == "revenue" and target.window in PER_YEAR]
        valid = [target for target in periods if target.valid_from <= at]
        if not valid:
            return None
        latest = max(valid, key=lambda target: (target.valid_from, -PER_YEAR[target.window]))
        return Fraction(latest.value) * PER_YEAR[latest.window]

    def targets_at(self, at: Millis) -> dict[tuple[str, str], Fraction]:
        """The targets at an instant, by KPI and window: those that were set last."""
        valid = sorted((target for target in self.targets if target.valid_from <= at), key=attrgetter("valid_from"))
        return {(target.kpi, target.window): Fraction(target.value) for target in valid}

    def listed(self, dim: str) -> tuple[str, ...]:
        """The values of a dimension of LISTS that are known; others are told as `other`."""
        values: tuple[str, ...] = getattr(self, LISTS[dim])
        return values

    def pair_faults(self) -> Iterator[tuple[int, str]]:
        """What is wrong with the pairs, each by its place."""
        reps, teams = {entry.rep for entry in self.roster}, {entry.team for entry in self.roster}
        sizes = {dim: len(self.listed(dim)) for dim in LISTS} | {"channel": len(CHANNELS), "sentiment": len(SENTIMENTS)}
        return pair_faults(self.pairs, sizes | {"rep": len(reps) or 1, "team": len(teams) or 1})

    def check(self) -> None:
        """Raise InvalidRulesError for what cannot be meant.

        Two entries of one rep at one instant, a reserved name, an SLA that is not positive, a pair that cannot be sliced by, a
        calendar that there is not or is twice, an absence that ends before it begins.
        """
        seen: set[tuple[str, Millis]] = set()
        for entry in self.roster:
            if (entry.rep, entry.valid_from) in seen:
                raise InvalidRulesError("roster", f"{entry.rep} has two entries from the same instant", "keep one")
            if {entry.rep, entry.team} & {UNASSIGNED, OTHER, UNKNOWN, ""}:
                raise InvalidRulesError("roster", f"{entry.rep!r} in {entry.team!r} uses a reserved name", "rename it")
            seen.add((entry.rep, entry.valid_from))
        for policy in self.sla:
            if policy.target_ms <= 0:
                raise InvalidRulesError("sla", f"a target of {policy.target_ms} ms is not positive", "give it as 5m or 2h")
        for place, what in self.pair_faults():
            raise InvalidRulesError(f"pairs[{place}]", what, "pair two dimensions that have values")
        self._check_calendars()

    def _check_calendars(self) -> None:
        names = [calendar.name for calendar in self.calendars]
        if len(set(names)) < len(names):
            raise InvalidRulesError("calendars", "two of them have one name", "rename one")
        for where, uses in (("team_calendars", self.team_calendars), ("rep_calendars", self.rep_calendars)):
            if len({(use.name, use.valid_from) for use in uses}) < len(uses):
                raise InvalidRulesError(where, "there are two entries from the same instant", "keep one")
            for use in uses:
                if use.calendar not in (None, *names):
                    raise InvalidRulesError(where, f"there is no calendar {use.calendar!r}", "add it, or correct its name")
        for absence in self.absences:
            if absence.end <= absence.start:
                raise InvalidRulesError("absences", f"{absence.rep} is back before it begins", "correct from or until")


def _in_use(uses: tuple[CalendarUse, ...], name: str | None, at: Millis) -> str | None:
    """The name of the calendar that a team or rep has by the latest entry up to an instant."""
    found = [(use.valid_from, use.calendar) for use in uses if use.name == name and use.valid_from <= at]
    return max(found, key=lambda entry: entry[0], default=(0, None))[1]
