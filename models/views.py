"""Many leads' facts as tables, and who is behind each: the owner, the rep who acted, their team."""

from collections.abc import Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from models.codes import NOBODY, Codes, Ints, rows_where
from models.slices import OF_LEADS, dims_of
from models.state import facts as rows
from models.state.accounts import NO_ACCOUNT
from models.state.campaigns import NO_CAMPAIGN
from models.state.facts import Facts
from models.state.reps import NO_REP
from models.tables import Meetings, Occurrences, Replies, Spans, Table, Touches, ints, ones, zeros
from models.units import Millis

Rows: TypeAlias = tuple[Ints, NDArray[Any]]
"""Whose the rows of a table are, and the rows."""


def _none(layout: "np.dtype[Any]") -> Rows:
    return zeros(0), np.empty(0, layout)


class Views:
    """The facts of some leads seen through the rules, at one instant or each at its own; each table is made at most once."""

    def __init__(self, facts: Sequence[Facts], codes: Codes, known_until: Millis | Ints) -> None:
        self.leads = len(facts)
        self.codes = codes
        self.known_until: Ints = np.full(self.leads, known_until, np.int64)
        self._facts = facts
        self._tables: dict[str, Rows] = {}
        lead = np.frombuffer(b"".join([each.lead for each in facts]), rows.LEAD)
        self.everyone = np.arange(self.leads)
        self.created_at = lead["created_at"].astype(np.int64)
        self.retired_until = lead["retired_until"].astype(np.int64)
        self.left_out = lead["left_out"].astype(np.int64)
        """How many touches by a person, until the leads' follow-up ended, are not among the facts."""
        self.of_leads = {dim: ints(lead[dim]) for dim in OF_LEADS}
        """The codes of the leads' own dimensions."""

    def _rows(self, table: str, layout: "np.dtype[Any]") -> Rows:
        """Whose the rows of a table are, and the rows; of what is no lead the kind stands before, as in `account.moves`."""
        found = self._tables.get(table)
        if found is None:
            kind, dot, _ = table.partition(".")
            found = self._tables[table] = self._joined(table, layout) if not dot or kind in self._others else _none(layout)
        return found

    def _joined(self, table: str, layout: "np.dtype[Any]") -> Rows:
        parts = list(map(attrgetter(table), self._facts))
        counts = np.array(list(map(len, parts)), np.int64) // layout.itemsize
        return np.repeat(self.everyone, counts), np.frombuffer(b"".join(parts), layout)

    @cached_property
    def _others(self) -> frozenset[str]:
        """The kinds of subjects that there are beside leads: most often none."""
        kinds = (("account", NO_ACCOUNT), ("rep", NO_REP), ("campaign", NO_CAMPAIGN))
        return frozenset(kind for kind, nothing in kinds if any(getattr(each, kind) != nothing for each in self._facts))

    def _known_rows(self, table: str, layout: "np.dtype[Any]", instant: str = "at") -> Rows:
        """Those rows of which the due clock has reached an instant."""
        of, found = self._rows(table, layout)
        reached = rows_where(found[instant] <= self.known_until[of])
        return of[reached], found[reached]

    # --- facts

    def _spans(self, table: str) -> Spans:
        of, found = self._rows(table, rows.SPAN)
        return Spans(self.leads, of, ints(found["at"]), ints(found["value"]))

    @cached_property
    def owners(self) -> Spans:
        """Who has owned the leads since when."""
        return self._spans("owners")

    @cached_property
    def stages(self) -> Spans:
        """In which stage the leads have been since when."""
        return self._spans("stages")

    @cached_property
    def inquiries(self) -> Table:
        """When the leads asked for something; their creation is an inquiry by itself."""
        of, found = self._rows("inquiries", rows.INQUIRY)
        return Table(self.leads, of, ints(found["at"]))

    @cached_property
    def all_touches(self) -> Touches:
        """Touch objects by anybody."""
        of, found = self._rows("touches", rows.TOUCH)
        flags = found["flags"]
        return Touches(
            self.leads,
            of,
            ints(found["at"]),
            ints(found["rep"]),
            ints(found["channel"]),
            (flags & rows.AUTOMATED) > 0,
            (flags & rows.CONNECTED) > 0,
            (flags & rows.DELIVERED) > 0,
        )

    @cached_property
    def all_replies(self) -> Replies:
        """All that came back, of whatever kind."""
        of, found = self._rows("replies", rows.REPLY)
        columns = (ints(found[name]) for name in ("at", "answers", "channel", "kind", "sentiment"))
        return Replies(self.leads, of, *columns)

    @cached_property
    def all_meetings(self) -> Meetings:
        """Meetings, whatever became of them, in the order of their ids."""
        of, found = self._rows("meetings", rows.MEETING)
        booked_at, scheduled_at = ints(found["booked_at"]), ints(found["scheduled_at"])
        rep, outcome = ints(found["rep"]), ints(found["outcome"])
        return Meetings(self.leads, of, booked_at, booked_at, scheduled_at, rep, found["demo"] > 0, outcome)

    def codes_of(self, found: Occurrences, dim: str) -> Ints:
        """The codes of a dimension or pair that occurrences count under: their own, or their leads'."""
        codes, *more = [self.of_leads[each][found.of] if each in OF_LEADS else getattr(found, each) for each in dims_of(dim)]
        for second in more:
            codes = codes * self.codes.width(dims_of(dim)[1]) + second
        return codes

    @cached_property
    def _kept_of_leads(self) -> Ints:
        """The codes of those of the leads' own dimensions that numbers are sliced by, a row for each."""
        return np.stack([self.of_leads[dim] for dim in self.codes.of_leads])

    def coded(self, found: Occurrences, dims: Sequence[str]) -> Ints:
        """The codes of dimensions and pairs that occurrences count under, a row for each."""
        rows = np.empty((len(dims), len(found.of)), np.int64)
        if not len(found.of):
            return rows
        of_leads = self.codes.of_leads
        start = end = 0
        if of_leads and of_leads[0] in dims:  # they stand together in every measure, and are looked up together
            start = dims.index(of_leads[0])
            end = start + len(of_leads)
            np.take(self._kept_of_leads, found.of, axis=1, out=rows[start:end], mode="clip")
        for row, dim in enumerate(dims):
            if not start <= row < end:
                rows[row] = self.codes_of(found, dim)
        return rows

    # --- who

    def owner_at(self, of: Ints, at: Ints) -> Ints:
        """Who owned each of some leads at an instant."""
        return self.owners.column(self.owners.value, self.owners.last_until(of, at), NOBODY)

    @cached_property
    def owner_now(self) -> Ints:
        """Who owns the leads as far as is known."""
        return self.owners.column(self.owners.value, self.owners.last(), NOBODY)

    def acted(self, table: Table, rep: Ints, channel: Ints | None = None) -> Occurrences:
        """What reps did; where nobody is named, the owner at that instant."""
        unnamed = rows_where(rep == NOBODY)
        if len(unnamed):
            rep = rep.copy()
            rep[unnamed] = self.owner_at(table.of[unnamed], table.at[unnamed])
        return self._by(table, rep, self.codes.teams(rep, table.at), channel)

    def owned(self, of: Ints, at: Ints, channel: Ints | None = None) -> Occurrences:
        """What nobody did: it is the owner's at that instant."""
        rep = self.owner_at(of, at)
        return self._by(Table(self.leads, of, at), rep, self.codes.teams(rep, at), channel)

    def _by(self, table: Table, rep: Ints, team: Ints, channel: Ints | None) -> Occurrences:
        count = len(table.of)
        none = zeros(count)
        return Occurrences(self.leads, table.of, table.at, rep, team, none if channel is None else channel, none, ones(count))

    @cached_property
    def _now(self) -> Occurrences:
        """Every lead as it is now."""
        teams = self.codes.teams(self.owner_now, self.known_until)
        return self._by(Table(self.leads, self.everyone, zeros(self.leads)), self.owner_now, teams, None)

    def now(self, of: Ints) -> Occurrences:
        """Some leads as they are now: levels have no instant."""
        return self._now.where(of)
