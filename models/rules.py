"""Rules: what the organisation has decided, as one immutable, versioned document.

Every entry is valid from an instant, so that changing a rule does not rewrite the past unless it is backdated on purpose.
Nothing here is folded into state; contributions read it, and its hash is part of the valuation.
"""

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from typing import Final

from msgspec import Struct

from models.errors import InvalidRulesError
from models.slices import Pair, pair_faults
from models.units import HOUR, MINUTE, Duration, Millis

UNASSIGNED = "unassigned"
"""The rep and team of what nobody owns."""

OTHER = "other"
"""A dimension value that the rules do not know."""

UNKNOWN = "unknown"
"""A dimension value that the facts do not tell."""

CHANNELS: Final = ("call", "email", "message", "meeting")
SENTIMENTS: Final = ("positive", "neutral", "negative")

LISTS: Final = {
    "lead_source": "lead_sources",
    "origin": "origins",
    "sales_region": "sales_regions",
    "segment": "segments",
    "campaign": "campaigns",
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
    """How soon an inquiry must be answered, wall time, from `valid_from` on; None matches anything."""

    target_ms: Duration
    valid_from: Millis = Millis(0)
    team: str | None = None
    lead_source: str | None = None
    segment: str | None = None

    @property
    def specificity(self) -> int:
        """How many attributes the policy names; the most specific one that matches applies."""
        return sum(name is not None for name in (self.team, self.lead_source, self.segment))


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
    pairs: tuple[Pair, ...] = ()
    meeting_grace_ms: Duration = HOUR
    unmarked_meetings_count_as_held: bool = False

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

    def present(self, at: Millis) -> tuple[list[str], list[str]]:
        """The reps and the teams that the roster has at an instant, sorted."""
        teams = {rep: self.team(rep, at) for rep in self._terms}
        reps = sorted(rep for rep, team in teams.items() if team != OTHER)
        return reps, sorted({teams[rep] for rep in reps})

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

        Two entries of one rep at one instant, a reserved name, an SLA that is not positive, a pair that cannot be sliced by.
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
