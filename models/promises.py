"""What was promised to those who wait: until when their inquiries must be answered, and business time under changing owners."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from models.codes import NEVER, NOBODY, WALL, Ints, Mask, rows_where
from models.rules import ALERT_PERCENTS
from models.tables import Clocks, zeros
from models.units import DAY
from models.views import Views
from models.worktime import Worktime


class Promise(NamedTuple):
    """The SLAs of some clocks: the targets in ms, 0 for none, and when 50, 80 and 100 % of each have passed, or NEVER."""

    target: Ints
    half_at: Ints
    most_at: Ints
    due: Ints


class _Turns(NamedTuple):
    """Who owned what in turn: which rows, by whom, and [since, until) when; the last turn of each lasts until NEVER."""

    rows: Ints
    rep: Ints
    since: Ints
    until: Ints


class Promises(Views):
    """SLAs by the policies in force when clocks start. Business time is that of each owner for as long as they own the lead."""

    def promised(self, of: Ints, start: Ints) -> Promise:
        """The SLAs of clocks of some leads that start at instants."""
        reps = self.owner_at(of, start)
        own = (self.of_leads[dim][of] for dim in ("lead_source", "segment"))
        policy = self.codes.sla_policies(start, self.codes.teams(reps, start), *own)
        target = self.codes.sla[policy]
        promise = Promise(target, *(np.where(target > 0, start + _share(target, each), NEVER) for each in ALERT_PERCENTS))
        if self.codes.has_business_time:
            time = self.codes.sla_time[policy]
            days = rows_where(time == "business_days")
            target[days] = self._days_worth(reps[days], start[days], target[days] // DAY)
            rows = rows_where(time != WALL)
            for moments, found in zip(promise[1:], self._reached(of[rows], start[rows], target[rows]), strict=True):
                moments[rows] = found
        return promise

    def _days_worth(self, rep: Ints, start: Ints, days: Ints) -> Ints:
        """How much working time reps have until the so-manieth working day after that of an instant is over, or NEVER."""

        def worth(work: Worktime, rows: Ints) -> Ints:
            close = work.close(start[rows], days[rows])
            ends = close < NEVER
            return np.where(ends, work.elapsed(start[rows], np.where(ends, close, start[rows])), NEVER)

        return self._asked(rep, worth)

    def _reached(self, of: Ints, start: Ints, target: Ints) -> Ints:
        """When shares of targets in business time have passed, a row for each share; NEVER if the last never does."""
        left = np.stack([_share(target, percent) for percent in ALERT_PERCENTS])
        at = np.full(left.shape, NEVER, np.int64)
        for rows, rep, since, until in self._turns(of, start):
            passed = np.where(until < NEVER, self._elapsed(rep, since, until), NEVER)
            for share, moments in zip(left, at, strict=True):
                within = (share[rows] >= 0) & (share[rows] <= passed)
                moments[rows[within]] = self._deadline(rep[within], since[within], share[rows[within]])
                share[rows] = np.where(within, -1, share[rows] - passed)
        return np.where(at[-1] < NEVER, at, NEVER)

    def worked(self, of: Ints, start: Ints, end: Ints) -> Ints:
        """How much of the time between instants was working time of those who owned the leads then."""
        found = np.zeros(len(of), np.int64)
        for rows, rep, since, until in self._turns(of, start):
            last = np.minimum(until, end[rows])
            found[rows] += np.where(since < last, self._elapsed(rep, np.minimum(since, last), last), 0)
        return found

    def in_hours(self, of: Ints, at: Ints) -> Mask:
        """Whether instants lie in working time of those who owned the leads then."""
        return self._asked(self.owner_at(of, at), lambda work, rows: work.is_open(at[rows]).astype(np.int64)) > 0

    def last_due(self, clocks: Clocks) -> Ints:
        """The latest due time of each lead that business time has put off, else 0."""
        if not self.codes.has_business_time:
            return zeros(self.leads)
        latest = np.zeros(self.leads, np.int64)
        ends = rows_where(clocks.due < NEVER)
        np.maximum.at(latest, clocks.of[ends], clocks.due[ends])
        return latest

    def _turns(self, of: Ints, start: Ints) -> Iterator[_Turns]:
        """The owners of leads from instants on, one after another."""
        rows, since, row = np.arange(len(of)), start, self.owners.last_until(of, start)
        while len(rows):
            following = self.owners.first_after(of[rows], since)
            until = self.owners.instants(following)
            yield _Turns(rows, self.owners.column(self.owners.value, row, NOBODY), since, until)
            more = following >= 0
            rows, since, row = rows[more], until[more], following[more]

    def _elapsed(self, rep: Ints, since: Ints, until: Ints) -> Ints:
        known = np.where(until < NEVER, until, since)
        return self._asked(rep, lambda work, rows: work.elapsed(since[rows], known[rows]))

    def _deadline(self, rep: Ints, since: Ints, amount: Ints) -> Ints:
        return self._asked(rep, lambda work, rows: work.deadline(since[rows], amount[rows]))

    def _asked(self, rep: Ints, ask: Callable[[Worktime, Ints], Ints]) -> Ints:
        """What the working time of each rep says of those rows that are theirs."""
        found = np.empty(len(rep), np.int64)
        for each in np.unique(rep).tolist():
            rows = rows_where(rep == each)
            found[rows] = ask(self.codes.worktime(each), rows)
        return found


def _share(target: Ints, percent: int) -> Ints:
    return target * percent // 100
