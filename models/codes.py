"""The rules as numbers: every dimension value has a code, and roster and service levels can be asked about many at once.

In every dimension code 0 is what the facts do not tell (`unknown`, of reps and teams `unassigned`) and 1 is what the rules do
not know (`other`), so that no cap depends on the order in which values appear.
"""

from collections.abc import Iterable
from math import prod
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.rules import CHANNELS, LISTS, OTHER, SENTIMENTS, UNASSIGNED, UNKNOWN, Rules
from models.slices import OF_LEADS, WHOLE, dims_of, join_values, pair_name

Ints: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

NOBODY: Final = 0
"""The code of what the facts do not tell."""

AT_BITS: Final = 42
"""Bits of an instant in ms: until the year 2109."""

_TEAMS: Final = {UNASSIGNED: NOBODY, OTHER: 1}
"""What a policy may call the team of those who have none."""

NEVER: Final = 2**AT_BITS - 1
"""Stands for an instant that there is none of; later than all."""


def key(group: Ints, at: Ints) -> Ints:
    """One number to search and sort by: first the group (below 2^21), then the instant."""
    return (group << AT_BITS) | at


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
        self.lead_source = Dimension(UNKNOWN, rules.lead_sources, _named(policy.lead_source for policy in rules.sla))
        self.origin = Dimension(UNKNOWN, rules.origins)
        self.sales_region = Dimension(UNKNOWN, rules.sales_regions)
        self.segment = Dimension(UNKNOWN, rules.segments, _named(policy.segment for policy in rules.sla))
        self.campaign = Dimension(UNKNOWN, rules.campaigns)
        self.channel = Dimension(UNKNOWN, CHANNELS)
        self.sentiment = Dimension(UNKNOWN, SENTIMENTS)
        self.of_leads = tuple(dim for dim in OF_LEADS if rules.listed(dim))
        """The dimensions of leads that numbers are sliced by."""
        self._slices: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._read_roster()

    def slices(self, dims: tuple[str, ...]) -> tuple[str, ...]:
        """What something that has dimensions is sliced by: the whole, dimensions whose values are known, pairs."""
        found = self._slices.get(dims)
        if found is None:
            kept = [dim for dim in dims if dim not in LISTS or dim in self.of_leads]
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

    def sla_targets(self, start: Ints, team: Ints, lead_source: Ints, segment: Ints) -> Ints:
        """The SLA in ms of clocks that start at instants: that of the best policy in force then; 0 where there is none."""
        targets = np.zeros(len(start), np.int64)
        for policy in reversed(self.rules.policies):
            applies = start >= policy.valid_from
            if policy.team is not None:
                applies &= team == _TEAMS.get(policy.team, self.team.code(policy.team))
            if policy.lead_source is not None:
                applies &= lead_source == self.lead_source.code(policy.lead_source)
            if policy.segment is not None:
                applies &= segment == self.segment.code(policy.segment)
            targets[applies] = policy.target_ms
        return targets


def _named(values: Iterable[str | None]) -> list[str]:
    return [value for value in values if value is not None]
