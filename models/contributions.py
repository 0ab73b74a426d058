"""What leads add to the totals: a pure function of their facts, the rules and the due clock, for many leads at once."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple, TypeVar

import numpy as np

from models.catalogue import MEASURES
from models.codes import Codes, Ints, Mask
from models.measures import Kind, Measure
from models.rules import ALERT_PERCENTS
from models.slices import OF_LEADS, WHOLE, dims_of
from models.state.facts import NOTHING, Facts
from models.story import Story
from models.tables import Occurrences, ones
from models.units import Duration, Millis

ALERT_LIMIT = Duration(15 * 60_000)
"""A threshold that was passed longer ago than this is counted but no longer told (imports)."""


class Contributions(NamedTuple):
    """What a measure makes of some leads, in some of its slices (the whole, dimensions, pairs), in the order of leads and time.

    `by` has a row of codes for each of `dims`. In a difference `times` is 1 for what is added, -1 for what is taken away.
    """

    measure: int
    slices: tuple[str, ...]
    dims: tuple[str, ...]
    of: Ints
    at: Ints
    value: Ints
    by: Ints
    times: Ints


class Thresholds(NamedTuple):
    """Shares of SLAs that passed unanswered: when, which share, of which clock (its start and due time), whose.

    `answered_at` says when it was answered in the end, or NEVER.
    """

    of: Ints
    at: Ints
    percent: Ints
    start: Ints
    due: Ints
    rep: Ints
    team: Ints
    answered_at: Ints


class Waiting(NamedTuple):
    """Open clocks: since when, until when (or NEVER) each should be answered, and the codes that it counts under."""

    of: Ints
    since: Ints
    due: Ints
    rep: Ints
    team: Ints
    lead_source: Ints
    origin: Ints
    sales_region: Ints
    segment: Ints
    campaign: Ints


class Evaluation(NamedTuple):
    """All that some leads mean at one instant; `next_change` is NEVER for those that time alone does not change.

    From `ends_at` on, or NEVER, a lead is in no window any more, and in no level but those that its own record tells; `last_at`
    is the latest instant that is told of it.
    """

    contributions: list[Contributions]
    waiting: Waiting
    thresholds: Thresholds
    next_change: Ints
    ends_at: Ints
    last_at: Ints


def evaluate(facts: Sequence[Facts], codes: Codes, known_until: Millis) -> Evaluation:
    """What leads mean when the due clock stands at `known_until`.

    Law: between two instants with no `next_change` in between, the result is the same.
    """
    story = Story(facts, codes, known_until)
    found = _contributions(story, range(len(MEASURES)))
    return Evaluation([*found], _waiting(story), _thresholds(story), story.next_change, story.ends_at, story.last_at)


def evaluate_both(
    before: Sequence[Facts], after: Sequence[Facts], codes: Codes, then: Millis, now: Millis
) -> tuple[Evaluation, Evaluation]:
    """What leads meant then and what they mean now, as if evaluated twice; of few leads, at the cost of once.

    Contributions are left out on both sides where a measure reads nothing of a lead that has changed.
    """
    count = len(before)
    both = Story([*before, *after], codes, np.repeat((then, now), count))
    stories = {np.arange(count).tobytes(): both}
    parts = [_split(found, count) for found in _contributions(both, _ALWAYS)]
    changed = np.array([_changed_tables(*pair) for pair in zip(before, after, strict=True)], np.int64)
    touched = changed if then == now else changed | np.array([_tables_with_something(known) for known in after], np.int64)
    for (reads, timed), measures in _BY_READS.items():
        places = np.flatnonzero((touched if timed else changed) & reads)
        if not len(places):
            continue
        story = stories.get(places.tobytes())
        if story is None:
            sides = ([side[place] for place in places.tolist()] for side in (before, after))
            story = stories[places.tobytes()] = Story([*chain(*sides)], codes, np.repeat((then, now), len(places)))
        parts += [_placed(_split(found, len(places)), places) for found in _contributions(story, measures)]
    waiting, thresholds = _split_rows(_waiting(both), count), _split_rows(_thresholds(both), count)
    instants = (both.next_change, both.ends_at, both.last_at)
    old = Evaluation([old for old, _ in parts], waiting[0], thresholds[0], *(column[:count] for column in instants))
    new = Evaluation([new for _, new in parts], waiting[1], thresholds[1], *(column[count:] for column in instants))
    return old, new


_BITS = {name: 1 << place for place, name in enumerate(Facts._fields)}
"""Sets of a lead's tables are the bits of a number."""

_ALL_TABLES = sum(_BITS.values())
_ALWAYS = [number for number, measure in enumerate(MEASURES) if measure.reads is None]
_BY_READS = {
    (sum(_BITS[name] for name in reads), timed): [
        number for number, measure in enumerate(MEASURES) if (measure.reads, measure.timed) == (reads, timed)
    ]
    for reads, timed in dict.fromkeys((measure.reads, measure.timed) for measure in MEASURES)
    if reads is not None
}


def _changed_tables(old: Facts, new: Facts) -> int:
    """The tables of a lead that have changed: all of them if its own fields or owners have, as all measures read these."""
    return _ALL_TABLES if old[:2] != new[:2] else _differing(old, new)


def _tables_with_something(known: Facts) -> int:
    """The tables of a lead in which there is something."""
    return _differing(known, NOTHING)


def _differing(one: Facts, other: Facts) -> int:
    return sum(bit for bit, mine, theirs in zip(_BITS.values(), one, other, strict=True) if mine != theirs)


def _split(both: Contributions, count: int) -> tuple[Contributions, Contributions]:
    """Those of the first leads, and those of the others."""
    measure, slices, dims, of, at, value, by, times = both
    if not len(of):
        return both, both
    end = int(np.searchsorted(of, count))
    old = Contributions(measure, slices, dims, of[:end], at[:end], value[:end], by[:, :end], times[:end])
    return old, Contributions(measure, slices, dims, of[end:] - count, at[end:], value[end:], by[:, end:], times[end:])


def _placed(parts: tuple[Contributions, Contributions], places: Ints) -> tuple[Contributions, Contributions]:
    """Contributions of some leads, by the places of those among all."""
    old, new = parts
    return old._replace(of=places[old.of]), new._replace(of=places[new.of])


_Rows = TypeVar("_Rows", Waiting, Thresholds)


def _split_rows(both: _Rows, count: int) -> tuple[_Rows, _Rows]:
    """Rows of the first leads, and those of the others."""
    first, rest = both.of < count, both.of >= count
    old, new = (type(both)(*(column[side] for column in both)) for side in (first, rest))
    return old, new._replace(of=new.of - count)


def _contributions(story: Story, measures: Iterable[int]) -> Iterator[Contributions]:
    """What some measures, by their numbers, make of a story."""
    return (found for number in measures for found in _contributed(story, number, MEASURES[number]))


def _contributed(story: Story, number: int, measure: Measure) -> Iterator[Contributions]:
    occurrences = measure.select(story)
    slices = story.codes.slices(measure.dims)
    if measure.kind is not Kind.DISTINCT:
        yield _counted(story, number, slices, occurrences)
        return
    settled = tuple(each for each in slices if set(dims_of(each)) <= _OF_LEADS)
    yield _counted(story, number, settled, _last_in(story, WHOLE, occurrences))
    for each in slices:
        if each not in settled:
            yield _counted(story, number, (each,), _last_in(story, each, occurrences))


_OF_LEADS = frozenset(OF_LEADS)
"""In slices of these, and in the whole, all occurrences of a lead count under the same value."""


def _counted(story: Story, number: int, slices: tuple[str, ...], found: Occurrences) -> Contributions:
    dims = slices[1:] if slices[0] == WHOLE else slices
    return Contributions(number, slices, dims, found.of, found.at, found.value, story.coded(found, dims), ones(len(found.of)))


def _last_in(story: Story, each: str, found: Occurrences) -> Occurrences:
    """The last occurrence of each lead within each value of a slice."""
    if each == WHOLE:
        last = found.last()
        return found.where(last[last >= 0])
    if not len(found):
        return found
    codes = story.codes_of(found, each)
    group = found.of * (codes.max() + 1) + codes
    order = np.argsort(group, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(group[order])), len(order) - 1)
    return found.where(order[ends])


def _waiting(story: Story) -> Waiting:
    clocks = story.open_clocks
    now = story.now(clocks.of)
    own = (story.of_leads[dim][clocks.of] for dim in OF_LEADS)
    return Waiting(clocks.of, clocks.at, clocks.due, now.rep, now.team, *own)


def _thresholds(story: Story) -> Thresholds:
    parts = []
    for percent in ALERT_PERCENTS:
        clocks, moments = story.misses[percent]
        share = np.full(len(clocks), percent, np.int64)
        parts.append((moments.of, moments.at, share, clocks.at, clocks.due, moments.rep, moments.team, clocks.answered_at))
    return Thresholds(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def difference(new: Evaluation, old: Evaluation) -> list[Contributions]:
    """What must be added to the totals to turn leads' contributions into others; both are of the same leads in turn."""
    pairs = zip(new.contributions, old.contributions, strict=True)
    return [_changed(mine, theirs) for mine, theirs in pairs if not _alike(mine, theirs)]


def _alike(new: Contributions, old: Contributions) -> bool:
    return len(new.of) == len(old.of) and all(
        mine.tobytes() == theirs.tobytes() for mine, theirs in zip(new[3:7], old[3:7], strict=True)
    )


def _changed(new: Contributions, old: Contributions) -> Contributions:
    """Rows that stand at the same place of the same lead and are equal cancel out; what else is equal does so in the totals."""
    if not len(old.of):
        return new
    same_new, same_old = _equal(new, old)
    return Contributions(
        new.measure,
        new.slices,
        new.dims,
        np.concatenate((new.of[~same_new], old.of[~same_old])),
        np.concatenate((new.at[~same_new], old.at[~same_old])),
        np.concatenate((new.value[~same_new], old.value[~same_old])),
        np.concatenate((new.by[:, ~same_new], old.by[:, ~same_old]), axis=1),
        np.concatenate((new.times[~same_new], -old.times[~same_old])),
    )


def _equal(new: Contributions, old: Contributions) -> tuple[Mask, Mask]:
    """Which rows of each have an equal one in the other."""
    same_new, same_old = np.zeros(len(new.of), np.bool_), np.zeros(len(old.of), np.bool_)
    if not len(new.of):
        return same_new, same_old
    mine, theirs = _places(new.of), _places(old.of)
    found = np.minimum(np.searchsorted(theirs, mine), len(theirs) - 1)
    equal = (theirs[found] == mine) & (old.at[found] == new.at) & (old.value[found] == new.value)
    equal &= (old.by[:, found] == new.by).all(axis=0)
    same_new[equal] = True
    same_old[found[equal]] = True
    return same_new, same_old


_PLACE_BITS = 32


def _places(of: Ints) -> Ints:
    """Each row's lead and place among that lead's rows, as one ascending number."""
    return (of << _PLACE_BITS) | (np.arange(len(of)) - np.searchsorted(of, of))
