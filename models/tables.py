"""Tables of many leads' facts: columns in the order of leads, within a lead in the order of time, and how they are searched."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.codes import NEVER, Ints, Mask, key

AnyTable = TypeVar("AnyTable", bound="Table")


_ZEROS, _ONES = np.zeros(2**16, np.int64), np.ones(2**16, np.int64)
for _constant in (_ZEROS, _ONES):
    _constant.flags.writeable = False


def zeros(count: int) -> Ints:
    """So many zeros, to be read only."""
    return _ZEROS[:count] if count <= len(_ZEROS) else np.zeros(count, np.int64)


def ones(count: int) -> Ints:
    """So many ones, to be read only."""
    return _ONES[:count] if count <= len(_ONES) else np.ones(count, np.int64)


def ints(column: NDArray[Any]) -> Ints:
    """A column of rows as whole numbers that can be reckoned with."""
    return column.astype(np.int64)


def firsts(of: Ints) -> Mask:
    """Which rows are the first of those that are alike; they stand together."""
    first = np.ones(len(of), np.bool_)
    first[1:] = of[1:] != of[:-1]
    return first


@dataclass(eq=False)
class Table:
    """Rows of `leads` leads: `of` says whose each is (ascending), `at` when it was (ascending within a lead)."""

    leads: int
    of: Ints
    at: Ints

    columns: ClassVar[tuple[str, ...]] = ("of", "at")
    """The names of all columns."""

    def __init_subclass__(cls) -> None:
        """Know the columns of each kind of table."""
        cls.columns = (*cls.columns, *(name for name in cls.__annotations__))

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.of)

    @cached_property
    def key(self) -> Ints:
        """Lead and instant as one ascending number."""
        return key(self.of, self.at)

    @cached_property
    def starts(self) -> Ints:
        """Where each lead's rows start; one more, for the end of the last."""
        return self.of.searchsorted(np.arange(self.leads + 1))

    def where(self, chosen: Mask | Ints) -> Self:
        """Some of the rows."""
        if not len(self.of):
            return self
        return type(self)(self.leads, *[getattr(self, name)[chosen] for name in self.columns])

    def column(self, values: Ints, rows: Ints, missing: int) -> Ints:
        """A column's values in some rows; `missing` where the row is -1."""
        return np.where(rows >= 0, values[rows], missing) if len(self.of) else np.full(len(rows), missing, np.int64)

    def first(self) -> Ints:
        """The first row of each lead, -1 where it has none."""
        return np.where(self.starts[:-1] < self.starts[1:], self.starts[:-1], -1)

    def last(self) -> Ints:
        """The last row of each lead, -1 where it has none."""
        return np.where(self.starts[:-1] < self.starts[1:], self.starts[1:] - 1, -1)

    def last_until(self, of: Ints, at: Ints) -> Ints:
        """The last row of each of some leads at or before an instant, -1 where there is none."""
        found = self.key.searchsorted(key(of, at), side="right") - 1
        return np.where(found >= self.starts[of], found, -1)

    def first_from(self, of: Ints, at: Ints) -> Ints:
        """The first row of each of some leads at or after an instant, -1 where there is none."""
        found = self.key.searchsorted(key(of, at), side="left")
        return np.where(found < self.starts[of + 1], found, -1)

    def first_after(self, of: Ints, at: Ints) -> Ints:
        """The first row of each of some leads after an instant, -1 where there is none."""
        found = self.key.searchsorted(key(of, at), side="right")
        return np.where(found < self.starts[of + 1], found, -1)

    def instants(self, rows: Ints) -> Ints:
        """When some rows were; NEVER for the row -1."""
        return self.column(self.at, rows, NEVER)

    def counted_until(self, of: Ints, at: Ints) -> Ints:
        """How many rows of each of some leads lie at or before an instant."""
        return self.key.searchsorted(key(of, at), side="right") - self.starts[of]


@dataclass(eq=False)
class Spans(Table):
    """A timeline: from each instant on, a code."""

    value: Ints


@dataclass(eq=False)
class Touches(Table):
    """Touch objects by anybody."""

    rep: Ints
    channel: Ints
    automated: Mask
    connected: Mask
    delivered: Mask


@dataclass(eq=False)
class Replies(Table):
    """All that came back, of whatever kind; `answers` is the place of the touch that one names among its lead's, or -1."""

    answers: Ints
    channel: Ints
    kind: Ints
    sentiment: Ints


@dataclass(eq=False)
class Meetings(Table):
    """Meetings, in the order of their ids or of an instant that `at` tells."""

    booked_at: Ints
    scheduled_at: Ints
    rep: Ints
    demo: Mask
    outcome: Ints


@dataclass(eq=False)
class Clocks(Table):
    """Episodes: each starts at the first inquiry (`at`) after the last one was answered.

    `attempt` is the row of the first attempt, or -1; `answered_at` and `until` (the next episode's start) may be NEVER.
    `target` is the SLA in ms, of wall or business time, 0 where none applies; `half_at`, `most_at` and `due` are when 50, 80
    and 100 % of it have passed, or NEVER.
    """

    attempt: Ints
    answered_at: Ints
    until: Ints
    target: Ints
    half_at: Ints
    most_at: Ints
    due: Ints

    def after(self, percent: int) -> Ints:
        """When a share of each SLA has passed that is told; NEVER where none applies."""
        return {50: self.half_at, 80: self.most_at, 100: self.due}[percent]


@dataclass(eq=False)
class Attempts(Table):
    """What stops a clock."""

    rep: Ints
    channel: Ints


@dataclass(eq=False)
class Occurrences(Table):
    """Things that count, each with the codes of the dimensions that it counts under, and how much (1, an amount, or ms)."""

    rep: Ints
    team: Ints
    channel: Ints
    sentiment: Ints
    value: Ints

    def worth(self, value: Ints) -> "Occurrences":
        """The same with other values."""
        return replace(self, value=value)

    def of_those(self, leads: Mask) -> "Occurrences":
        """Those of some leads."""
        return self.where(leads[self.of])


def together(*parts: Occurrences) -> Occurrences:
    """Several tables of occurrences as one, by time."""
    columns = [np.concatenate([getattr(part, name) for part in parts]) for name in Occurrences.columns]
    return in_order(Occurrences(parts[0].leads, *columns))


def merged(*parts: tuple[Table, *tuple[Ints, ...]]) -> tuple[Table, list[Ints]]:
    """Several tables as one by time, equal instants in the order of the tables; each comes with as many columns of its own."""
    tables, *columns = zip(*parts, strict=True)
    of = np.concatenate([table.of for table in tables])
    at = np.concatenate([table.at for table in tables])
    order = np.argsort(key(of, at), kind="stable")
    return Table(tables[0].leads, of[order], at[order]), [np.concatenate(column)[order] for column in columns]


def in_order(table: AnyTable) -> AnyTable:
    """The same table with its rows by time."""
    return table.where(np.argsort(key(table.of, table.at), kind="stable"))


def summed(keys: Ints, amounts: Ints) -> tuple[Ints, Ints]:
    """The keys, ascending, and the sum of the amounts of each; there is at least one."""
    order = np.argsort(keys)
    keys = keys[order]
    first = runs(keys)
    return keys[first], np.add.reduceat(amounts[order], first)


def runs(values: Ints) -> Ints:
    """Where each run of equal values starts; there is at least one value."""
    return np.concatenate((_FIRST, (values[1:] != values[:-1]).nonzero()[0] + 1))


_FIRST = np.zeros(1, np.int64)
