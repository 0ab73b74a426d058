"""The rules as numbers: every dimension value has a code, and roster and service levels can be asked about many at once.

In every dimension code 0 is what the facts do not tell (`unknown`, of reps and teams `unassigned`) and 1 is what the rules do
not know (`other`), so that no cap depends on the order in which values appear.
"""

from collections.abc import Iterable
from fractions import Fraction
from math import prod
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.money import Converter
from models.rules import CHANNELS, LISTS, OTHER, OUTBOUND, SENTIMENTS, UNASSIGNED, UNKNOWN, Rules
from models.slices import OF_LEADS, WHOLE, dims_of, join_values, pair_name
from models.windows import LocalDays
from models.worktime import UNREACHED, Leave, Term, Worktime, always

Ints: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

NOBODY: Final = 0
"""The code of what the facts do not tell."""

WHOLE_SHARE: Final = 10**6
"""All of an amount, in the unit that commissions are kept in: a ten-thousandth of a percent."""

AT_BITS: Final = 42
"""Bits of an instant in ms: until the year 2109."""

_TEAMS: Final = {UNASSIGNED: NOBODY, OTHER: 1}
"""What a policy may call the team of those who have none."""

NEVER: Final = UNREACHED
"""Stands for an instant that there is none of; later than all."""


WALL: Final = "wall"
"""What the targets of most policies are of: all of the time."""


def key(group: Ints, at: Ints) -> Ints:
    """One number to search and sort by: first the group (below 2^21), then the instant."""
    return (group << AT_BITS) | at


def rows_where(mask: Mask) -> Ints:
    """The rows in which a mask holds: `numpy.flatnonzero` without its overhead, which is most of it for few rows."""
    return mask.nonzero()[0]


class Dimension:
    """The values of a dimension: `names` by code, and codes by value. Values that are not `shown` are told as `other`."""

    def __init__(self, nothing: str, shown: Iterable[str], hidden: Iterable[str] = ()) -> None:
        shown = list(dict.fromkeys(shown))
        extra = sorted(set(hidden).difference(shown))
        self.names = [nothing, OTHER, *shown, *(OTHER for _ in extra)]
        self._codes: dict[str | None, int] = {None: NOBODY}
        self._codes.update((name, code) for code, name in enumerate([*shown, *extra], 2))

    def code(self, value: str | None) -> int:
        """The code of a value as the facts tell it."""
        return self._codes.get(value, 1)


class Codes:
    """The codes of some rules."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        teams = sorted(_named(entry.team for entry in rules.roster))
        self.rep = Dimension(UNASSIGNED, sorted({entry.rep for entry in rules.roster}))
        self.team = Dimension(UNASSIGNED, teams, _named(policy.team for policy in rules.sla))
        sources = _named(policy.lead_source for policy in rules.sla)
        self.lead_source = Dimension(UNKNOWN, rules.lead_sources, [*sources, OUTBOUND])
        self.origin = Dimension(UNKNOWN, rules.origins, rules.referral_origins)
        self.sales_region = Dimension(UNKNOWN, rules.sales_regions)
        self.segment = Dimension(UNKNOWN, rules.segments, _named(policy.segment for policy in rules.sla))
        self.campaign = Dimension(UNKNOWN, rules.campaigns)
        self.channel = Dimension(UNKNOWN, CHANNELS)
        self.sentiment = Dimension(UNKNOWN, SENTIMENTS)
        self.product = Dimension(UNKNOWN, rules.products)
        self.competitor = Dimension(UNKNOWN, rules.competitors)
        self.loss_reason = Dimension(UNKNOWN, rules.loss_reasons)
        self.nurture_track = Dimension(UNKNOWN, rules.nurture_tracks)
        self.days = LocalDays(rules.zone)
        """The organisation's local days."""
        self.money = Converter(rules.money)
        self.deal_stages = {stage.name: number for number, stage in enumerate(rules.deal_stages, 1)}
        """The numbers of the pipeline's qualified stages, from 1."""
        self.of_leads = tuple(dim for dim in OF_LEADS if rules.listed(dim))
        """The dimensions of leads that numbers are sliced by."""
        self.outbound = self.lead_source.code(OUTBOUND)
        self.from_referral = np.array(sorted({self.origin.code(name) for name in rules.referral_origins}), np.int64)
        """The codes of the origins of leads that somebody recommended the organisation to."""
        self.sla = np.array([*(policy.target_ms for policy in rules.policies), 0], np.int64)
        """The targets in ms by the numbers of policies; 0 for none, which is -1."""
        self.sla_time = np.array([*(policy.time for policy in rules.policies), WALL])
        """What the targets are of, likewise."""
        self.has_business_time = bool((self.sla_time != WALL).any())
        self._worktimes: dict[object, Worktime] = {}
        self._slices: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._read_roster()
        plans = [(self.rep.code(plan.rep), max(0, plan.valid_from), _share(plan.commission_percent)) for plan in rules.plans]
        self._plans = np.array(sorted((rep, since, share) for rep, since, share in plans if rep > 1), np.int64).reshape(-1, 3)

    def slices(self, dims: tuple[str, ...]) -> tuple[str, ...]:
        """What something that has dimensions is sliced by: the whole, dimensions whose values are known, pairs."""
        found = self._slices.get(dims)
        if found is None:
            kept = [dim for dim in dims if dim not in LISTS or self.rules.listed(dim)]
            pairs = [pair_name(pair) for pair in self.rules.pairs if set(pair) <= set(kept)]
            found = self._slices[dims] = (WHOLE, *kept, *pairs)
        return found

    def names(self, dim: str) -> list[str]:
        """The names of a dimension's codes."""
        dimension: Dimension = getattr(self, dim)
        return dimension.names

    def width(self, dim: str) -> int:
        """How many codes a dimension has, or a pair: first times second, the first one's counting more."""
        return prod(len(self.names(each)) for each in dims_of(dim))

    def name(self, dim: str, code: int) -> str:
        """The name of a code of a dimension or pair; that of the whole is empty."""
        values: list[str] = []
        for each in reversed(dims_of(dim)):
            code, own = divmod(code, len(self.names(each)))
            values.insert(0, self.names(each)[own])
        return join_values(values) if values else WHOLE

    def _read_roster(self) -> None:
        entries = sorted((self.rep.code(entry.rep), max(0, entry.valid_from), entry.team) for entry in self.rules.roster)
        reps = np.array([rep for rep, _, _ in entries], np.int64)
        self._since = np.array([since for _, since, _ in entries], np.int64)
        self._terms = key(reps, self._since)
        self._term_reps = reps
        self._teams = np.array([1 if team is None else self.team.code(team) for _, _, team in entries], np.int64)
        self._settled = self._forever() if all(since == 0 for _, since, _ in entries) else None

    def _forever(self) -> Ints:
        """The team of each rep, where nobody ever changes his."""
        teams = np.ones(len(self.rep.names), np.int64)
        teams[NOBODY] = NOBODY
        teams[self._term_reps] = self._teams
        return teams

    def teams(self, reps: Ints, at: Ints) -> Ints:
        """The reps' teams at instants: `other` before, after or outside the roster."""
        if self._settled is not None:
            return self._settled[reps]
        found = np.searchsorted(self._terms, key(reps, at), side="right") - 1
        teams = np.ones(len(reps), np.int64)
        known = np.flatnonzero((found >= 0) & (reps > 1))
        known = known[self._term_reps[found[known]] == reps[known]]
        teams[known] = self._teams[found[known]]
        teams[reps == NOBODY] = NOBODY
        return teams

    def next_team_changes(self, reps: Ints, after: Ints) -> Ints:
        """When the roster next has an entry for each rep, strictly after an instant; NEVER if it has none."""
        changes = np.full(len(reps), NEVER, np.int64)
        found = np.searchsorted(self._terms, key(reps, after), side="right")
        within = np.flatnonzero(found < len(self._terms))
        within = within[self._term_reps[found[within]] == reps[within]]
        changes[within] = self._since[found[within]]
        return changes

    def commissions(self, reps: Ints, at: Ints) -> Ints:
        """What reps are paid of what they sell at instants, as shares of WHOLE_SHARE; 0 for those without a plan."""
        of, since, share = self._plans.T
        found = np.searchsorted(key(of, since), key(reps, at), side="right") - 1
        shares = np.zeros(len(reps), np.int64)
        known = np.flatnonzero(found >= 0)
        known = known[of[found[known]] == reps[known]]
        shares[known] = share[found[known]]
        return shares

    def worktime(self, rep: int) -> Worktime:
        """The working time of a rep, or of nobody, by the code."""
        found = self._worktimes.get(rep)
        if found is None:
            name = None if rep == NOBODY else self.rep.names[rep]
            zone, terms = self.rules.zone, self.rules.calendar_terms(name)
            absences = tuple(Leave(each.start, each.end) for each in self.rules.absences if each.rep == name)
            alike = (*((since, calendar and calendar.name) for since, calendar in terms), absences)
            found = self._worktimes.get(alike)
            if found is None:
                found = Worktime([Term(since, calendar or always(zone)) for since, calendar in terms], absences)
            self._worktimes[alike] = self._worktimes[rep] = found
        return found

    def sla_policies(self, start: Ints, team: Ints, lead_source: Ints, segment: Ints) -> Ints:
        """The numbers of the best policies in force when clocks start; -1 where there is none."""
        policies = np.full(len(start), -1, np.int64)
        for number, policy in reversed([*enumerate(self.rules.policies)]):
            applies = start >= policy.valid_from
            if policy.team is not None:
                applies &= team == _TEAMS.get(policy.team, self.team.code(policy.team))
            if policy.lead_source is not None:
                applies &= lead_source == self.lead_source.code(policy.lead_source)
            if policy.segment is not None:
                applies &= segment == self.segment.code(policy.segment)
            policies[applies] = number
        return policies


def _share(percent: str) -> int:
    return int(Fraction(percent) * WHOLE_SHARE / 100)


def _named(values: Iterable[str | None]) -> list[str]:
    return [value for value in values if value is not None]
