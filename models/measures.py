"""What a measure is: a pure function from leads' stories to occurrences, with its kind and dimensions.

A measure is written as a function of a story, which is that of many leads at once, and declared by one of the decorators below.
Measures add and divide into KPI formulas: `won / (won + lost)`.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias

from models.slices import OF_LEADS
from models.story import Story
from models.tables import Occurrences

USUAL: Final = ("rep", "team", *OF_LEADS)
WITH_CHANNEL: Final = (*USUAL, "channel")
WITH_SENTIMENT: Final = (*WITH_CHANNEL, "sentiment")

SKETCHED: Final = ("rep", "team", "lead_source", "origin", "segment", "channel")
"""The dimensions in which durations have quantiles beside mean and count; a sketch is many series."""


class Kind(StrEnum):
    """How a measure's occurrences make a number."""

    FLOW = "flow"
    """In a window by its `at`; values add up."""
    DURATION = "duration"
    """As a flow, but the value is in ms: kept as sum, count and sketch."""
    DISTINCT = "distinct"
    """Once per lead and slice value, at the last occurrence within it."""
    LEVEL = "level"
    """Now; it has no window."""


Select: TypeAlias = Callable[[Story], Occurrences]


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
    """A named, declared measure. `dims` are the dimensions that it is sliced by beside the whole.

    `drill`: who is behind its number is kept, one member for each occurrence, so that it can be opened.
    """

    def __init__(self, select: Select, kind: Kind, dims: tuple[str, ...], *, drill: bool = False) -> None:
        self.id = getattr(select, "__name__", "")
        self.text = (getattr(select, "__doc__", None) or "").strip()
        self.select = select
        self.kind = kind
        self.dims = dims
        self.drill = drill

    def __repr__(self) -> str:
        """Its id and kind."""
        return f"<{self.kind} {self.id}>"

    def __add__(self, other: "Measure") -> Sum:
        """Two measures as one number."""
        return Sum((self, other))

    def __truediv__(self, other: "Measure | Sum") -> Quotient:
        """A ratio with this measure as its numerator."""
        return Sum((self,)) / other


def flow(dims: tuple[str, ...] = USUAL, *, drill: bool = False) -> Callable[[Select], Measure]:
    """Declare a flow. What can be drilled into counts 1 each time, and costs Redis some 145 bytes each time."""
    return lambda select: Measure(select, Kind.FLOW, dims, drill=drill)


def duration(dims: tuple[str, ...] = USUAL) -> Callable[[Select], Measure]:
    """Declare a duration in ms."""
    return lambda select: Measure(select, Kind.DURATION, dims)


def distinct(dims: tuple[str, ...] = USUAL) -> Callable[[Select], Measure]:
    """Declare a count of distinct leads."""
    return lambda select: Measure(select, Kind.DISTINCT, dims)


def level(dims: tuple[str, ...] = USUAL) -> Callable[[Select], Measure]:
    """Declare a level."""
    return lambda select: Measure(select, Kind.LEVEL, dims)
