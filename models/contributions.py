"""What a lead adds to the totals: a pure function of its state, the rules and the due clock."""

from collections import Counter
from typing import NamedTuple, TypeAlias

from models.catalogue import MEASURES
from models.measures import Kind, Measure, Occurrence
from models.rules import ALERT_PERCENTS, Rules
from models.state.facts import facts
from models.state.lead import Lead
from models.story import Story, slices_of
from models.units import Duration, Millis

Contribution: TypeAlias = tuple[int, tuple[str, ...], int, int]
"""A measure's number, the slices it counts in, `at` (0 for levels), and the value (1, an amount, or ms)."""

Contributions: TypeAlias = dict[Contribution, int]
"""How often each contribution counts; in a difference, it may be negative."""

ALERT_LIMIT = Duration(15 * 60_000)
"""A threshold that was passed longer ago than this is counted but no longer told (imports)."""


class Waiting(NamedTuple):
    """An open clock: since when, until when it should be answered, and the slices it stands in."""

    since: Millis
    due: Millis | None
    slices: tuple[str, ...]


class Threshold(NamedTuple):
    """A share of an SLA that passed unanswered."""

    at: Millis
    percent: int
    clock: Millis
    due: Millis
    rep: str
    team: str


class Evaluation(NamedTuple):
    """All that one lead means at one instant."""

    contributions: Contributions
    waiting: Waiting | None
    thresholds: tuple[Threshold, ...]
    next_change: Millis | None


NOTHING = Evaluation({}, None, (), None)
"""A lead of which nothing is known, or that is deleted or erased."""


def evaluate(lead: Lead, rules: Rules, known_until: Millis) -> Evaluation:
    """What a lead means when the due clock stands at `known_until`.

    Law: between two instants with no `next_change` in between, the result is the same.
    """
    known = facts(lead)
    if known is None:
        return NOTHING
    story = Story(known, rules, known_until)
    contributions: Contributions = Counter()
    for number, measure in enumerate(MEASURES):
        if measure.kind is Kind.DISTINCT:
            _add_distinct(contributions, number, measure, story)
            continue
        for at, value, dims in measure.occurrences(story):
            contributions[(number, slices_of(measure.dims, dims), at, value)] += 1
    return Evaluation(contributions, _waiting(story), tuple(_thresholds(story)), story.next_change())


def _add_distinct(contributions: Contributions, number: int, measure: Measure, story: Story) -> None:
    last: dict[str, Millis] = {}
    occurrence: Occurrence
    for occurrence in measure.occurrences(story):
        for name in slices_of(measure.dims, occurrence.dims):
            last[name] = max(occurrence.at, last.get(name, occurrence.at))
    for name, at in last.items():
        contributions[(number, (name,), at, 1)] += 1


def _waiting(story: Story) -> Waiting | None:
    clock = story.waiting
    if clock is None:
        return None
    return Waiting(clock.start, clock.due, slices_of(("rep", "team", "lead_source"), story.level()))


def _thresholds(story: Story) -> list[Threshold]:
    found = []
    for clock in story.clocks:
        due = clock.due
        for percent in ALERT_PERCENTS:
            at = clock.after(percent)
            if at is None or due is None or at > story.known_until or clock.answered_by(at):
                continue
            dims = story.owned(at)
            found.append(Threshold(at, percent, clock.start, due, dims.rep, dims.team))
    return found


def difference(new: Contributions, old: Contributions) -> Contributions:
    """What must be added to the totals to turn one lead's contributions into others."""
    changes = {key: times - old.get(key, 0) for key, times in new.items() if times != old.get(key, 0)}
    changes.update((key, -times) for key, times in old.items() if key not in new)
    return changes
