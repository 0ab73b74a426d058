"""What an evaluation says of each lead by itself: its open clock, what must be told of it, when to look again."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from models.codes import NEVER, Codes, Mask, key
from models.contributions import ALERT_LIMIT, Evaluation, Thresholds
from models.measures import USUAL
from models.rules import ALERT_PERCENTS, UNKNOWN
from models.slices import dims_of, join_values
from models.units import Millis


class Waiting(NamedTuple):
    """An open clock: since when, until when it should be answered, and the values that it counts under."""

    since: Millis
    due: Millis | None
    rep: str
    team: str
    lead_source: str
    origin: str = UNKNOWN
    sales_region: str = UNKNOWN
    segment: str = UNKNOWN
    campaign: str = UNKNOWN

    def slices(self, dims: tuple[str, ...]) -> tuple[str, ...]:
        """The names of the slices that it stands in, of the whole, dimensions and pairs that are sliced by."""
        return _slices(dims, self[2:])


@lru_cache(maxsize=65_536)
def _slices(dims: tuple[str, ...], values: tuple[str, ...]) -> tuple[str, ...]:
    named = dict(zip(USUAL, values, strict=True))
    return tuple(dim and f"{dim}={join_values([named[each] for each in dims_of(dim)])}" for dim in dims)


class Threshold(NamedTuple):
    """A share of an SLA that passed unanswered: when, and of which clock; when that was answered after all.

    `late` says that it was passed so long before the due clock that it is no longer told.
    """

    at: Millis
    percent: int
    clock: Millis
    due: Millis
    rep: str
    team: str
    answered_at: Millis | None
    late: bool


class Meaning(NamedTuple):
    """One lead: its open clock, its thresholds (of those long past only if asked for), its next change by time alone.

    From `ends_at` on its objects are in no number any more; `last_at` is the latest instant that is told of it.
    """

    waiting: Waiting | None
    thresholds: tuple[Threshold, ...]
    next_change: Millis | None
    ends_at: Millis | None
    last_at: Millis


def meanings(evaluation: Evaluation, codes: Codes, known_until: Millis, told: Sequence[bool] = ()) -> Iterator[Meaning]:
    """What an evaluation says of each of its leads, in turn; `told` says of which leads late thresholds are wanted too."""
    waiting = waiting_of(evaluation, codes)
    thresholds = thresholds_of(evaluation, codes, known_until, told)
    instants = (evaluation.next_change.tolist(), evaluation.ends_at.tolist(), evaluation.last_at.tolist())
    for place, (at, ends_at, last_at) in enumerate(zip(*instants, strict=True)):
        yield Meaning(waiting.get(place), thresholds.get(place, ()), _known(at), _known(ends_at), last_at)


def _known(at: int) -> Millis | None:
    return None if at == NEVER else Millis(at)


def waiting_of(evaluation: Evaluation, codes: Codes) -> dict[int, Waiting]:
    """The open clock of each lead that has one, by its place among the leads."""
    of, since, due, *values = (column.tolist() for column in evaluation.waiting)
    named = [[names[code] for code in column] for names, column in zip(map(codes.names, USUAL), values, strict=True)]
    due = [None if at == NEVER else at for at in due]
    return {lead: Waiting(*told) for lead, *told in zip(of, since, due, *named, strict=True)}


def thresholds_of(
    evaluation: Evaluation, codes: Codes, known_until: Millis, told: Sequence[bool] = ()
) -> dict[int, tuple[Threshold, ...]]:
    """The thresholds of each lead, by its place among the leads; late ones only of those that something was told of."""
    found, wanted_of = evaluation.thresholds, np.array(told, np.bool_)
    late = too_late(found, known_until)
    wanted = np.flatnonzero(~late | wanted_of[found.of] if len(told) else ~late)
    by_lead: dict[int, tuple[Threshold, ...]] = {}
    columns = (column[wanted].tolist() for column in (*found, late))
    for of, at, percent, start, due, rep, team, answered_at, is_late in zip(*columns, strict=True):
        answered = None if answered_at == NEVER else answered_at
        threshold = Threshold(at, percent, start, due, codes.rep.names[rep], codes.team.names[team], answered, is_late)
        by_lead[of] = (*by_lead.get(of, ()), threshold)
    return by_lead


def too_late(thresholds: Thresholds, known_until: Millis) -> Mask:
    """Which thresholds are so long past their due time that nobody is told (imports); they count all the same."""
    late: Mask = known_until - thresholds.due > ALERT_LIMIT
    return late


def count_appeared_late(new: Thresholds, old: Thresholds, known_until: Millis) -> int:
    """How many thresholds there are that were not there before and that nobody is told."""
    late = too_late(new, known_until)
    if not late.any():
        return 0
    count = 0
    for percent in ALERT_PERCENTS:
        mine, theirs = late & (new.percent == percent), old.percent == percent
        was_there = np.isin(key(new.of[mine], new.start[mine]), key(old.of[theirs], old.start[theirs]))
        count += int(np.count_nonzero(~was_there))
    return count
