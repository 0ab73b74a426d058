"""What a measure is: a pure function from a lead's story to occurrences, with its kind and dimensions.

A measure is written as a function of a story and one item of it (a touch, a reply, a clock ...), and declared by one of the
decorators below. It tells at most one occurrence an item. Measures add and divide into KPI formulas: `won / (won + lost)`.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from models.story import Dims, Story
from models.units import Millis

REP_TEAM_SOURCE = ("rep", "team", "lead_source")
WITH_CHANNEL = (*REP_TEAM_SOURCE, "channel")
WITH_SENTIMENT = (*WITH_CHANNEL, "sentiment")


class Kind(StrEnum):
    """How a measure's occurrences make a number."""

    FLOW = "flow"
    """In a window by its `at`; values add up."""
    DURATION = "duration"
    """As a flow, but the value is in ms: kept as sum, count and sketch."""
    DISTINCT = "distinct"
    """Once per slice value, at the last occurrence within it before the horizon."""
    LEVEL = "level"
    """Now; it has no window."""


class Occurrence(NamedTuple):
    """One thing that counts: when, how much (1, an amount, or ms), and under which dimensions. Levels have `at` 0."""

    at: Millis
    value: int
    dims: Dims


Items: TypeAlias = Callable[[Story], Iterable[Any]]
Select: TypeAlias = Callable[[Story, Any], Occurrence | None]


class Sum(NamedTuple):
    """Measures added up, as a numerator or denominator."""

    measures: tuple["Measure", ...]

    def __truediv__(self, other: "Measure | Sum") -> "Quotient":
        """A ratio of two sums."""
        return Quotient(self, other if isinstance(other, Sum) else Sum((other,)))


class Quotient(NamedTuple):
    """One sum of measures over another; it has no value where the denominator is 0."""

    numerator: Sum
    denominator: Sum


class Measure:
    """A named, declared measure. `dims` are the dimensions that it is sliced by beside the whole."""

    def __init__(self, select: Select, kind: Kind, of: Items, dims: tuple[str, ...]) -> None:
        self.id = getattr(select, "__name__", "")
        self.text = (getattr(select, "__doc__", None) or "").strip()
        self.select = select
        self.kind = kind
        self.of = of
        self.dims = dims

    def __repr__(self) -> str:
        """Its id and kind."""
        return f"<{self.kind} {self.id}>"

    def __add__(self, other: "Measure") -> Sum:
        """Two measures as one number."""
        return Sum((self, other))

    def __truediv__(self, other: "Measure | Sum") -> Quotient:
        """A ratio with this measure as its numerator."""
        return Sum((self,)) / other

    def occurrences(self, story: Story) -> Iterable[Occurrence]:
        """All that this measure sees in a story."""
        select = self.select
        found = (select(story, item) for item in self.of(story))
        return [occurrence for occurrence in found if occurrence is not None]


def flow(of: Items, dims: tuple[str, ...] = REP_TEAM_SOURCE) -> Callable[[Select], Measure]:
    """Declare a flow."""
    return lambda select: Measure(select, Kind.FLOW, of, dims)


def duration(of: Items, dims: tuple[str, ...] = REP_TEAM_SOURCE) -> Callable[[Select], Measure]:
    """Declare a duration in ms."""
    return lambda select: Measure(select, Kind.DURATION, of, dims)


def distinct(of: Items, dims: tuple[str, ...] = REP_TEAM_SOURCE) -> Callable[[Select], Measure]:
    """Declare a count of distinct leads."""
    return lambda select: Measure(select, Kind.DISTINCT, of, dims)


def level(of: Items, dims: tuple[str, ...] = REP_TEAM_SOURCE) -> Callable[[Select], Measure]:
    """Declare a level."""
    return lambda select: Measure(select, Kind.LEVEL, of, dims)


def the_lead(story: Story) -> tuple[Story]:
    """The lead itself, once."""
    return (story,)


def clocks(story: Story) -> Iterable[Any]:
    """Its episodes."""
    return story.clocks


def answered_clocks(story: Story) -> Iterable[Any]:
    """Its episodes that were answered, each with its attempt."""
    return [(clock, clock.attempt) for clock in story.clocks if clock.attempt is not None]


def touches(story: Story) -> Iterable[Any]:
    """Touches by a person, held meetings among them."""
    return story.touches


def automated_touches(story: Story) -> Iterable[Any]:
    """Sequence steps and auto-replies."""
    return [touch for touch in story.facts.touches if touch.automated]


def replies(story: Story) -> Iterable[Any]:
    """All that came back, of whatever kind."""
    return story.facts.replies


def meetings(story: Story) -> Iterable[Any]:
    """Meetings, whatever became of them."""
    return story.facts.meetings
