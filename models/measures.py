"""What a measure is: a pure function from leads' stories to occurrences, with its kind and dimensions.

A measure is written as a function of a story, which is that of many leads at once, and declared by one of the decorators below.
Measures add, subtract, multiply and divide into KPI formulas: `won / (won + lost)`, `100 * (promoters - detractors) / answers`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import gcd
from typing import Final, NamedTuple, TypeAlias, TypedDict, Unpack

from models.slices import OF_LEADS
from models.story import Story
from models.tables import Occurrences

USUAL: Final = ("rep", "team", *OF_LEADS)
WITH_CHANNEL: Final = (*USUAL, "channel")
OF_ACCOUNTS: Final = OF_LEADS
OF_CAMPAIGNS: Final = (*OF_LEADS, "channel")
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


PREVIOUS: Final = "previous"
"""The part of a measure that is what it was in the window before."""

Select: TypeAlias = Callable[[Story], Occurrences]


class Term(NamedTuple):
    """A measure in a sum, so many times; or a part of it."""

    measure: "Measure"
    times: int = 1
    part: str = ""


@dataclass(frozen=True, slots=True)
class Sum:
    """Measures added up, each so many times, as a numerator or denominator. In a window a level stands for what it is now."""

    terms: tuple[Term, ...]

    @property
    def measures(self) -> tuple["Measure", ...]:
        """What is added up, each measure once."""
        return tuple(dict.fromkeys(term.measure for term in self.terms))

    @property
    def plain(self) -> bool:
        """Whether each of its measures counts once."""
        return all(term == Term(term.measure) for term in self.terms)

    def __add__(self, other: "Measure | Sum") -> "Sum":
        """Both together."""
        return Sum(self.terms + summed(other).terms)

    def __sub__(self, other: "Measure | Sum") -> "Sum":
        """What this is more than the other."""
        return self + -1 * summed(other)

    def __rmul__(self, times: int) -> "Sum":
        """So many times as much."""
        return Sum(tuple(term._replace(times=times * term.times) for term in self.terms))

    def __truediv__(self, other: "Measure | Sum") -> "Quotient":
        """A ratio of two sums."""
        return Quotient(self, summed(other))

    def told(self, name: Callable[["Measure"], str], times: str = " × ") -> str:
        """The formula with the measures' names: `a - b`, `12 × a`, or `100 × (a - b)`."""
        common = gcd(*(term.times for term in self.terms))
        if common > 1 and len(self.terms) > 1:
            rest = Sum(tuple(term._replace(times=term.times // common) for term in self.terms))
            return f"{common}{times}({rest.told(name, times)})"
        told = "".join(_signed(term, name(term.measure), times) for term in self.terms)
        return told.removeprefix(" + ").lstrip()

    def in_brackets(self, name: Callable[["Measure"], str]) -> str:
        """The formula as a part of another one."""
        told = self.told(name)
        return f"({told})" if len(self.terms) > 1 and " × (" not in told else told


def _signed(term: Term, name: str, times: str) -> str:
    """A term behind others: ` - 2 × a`."""
    many = "" if abs(term.times) == 1 else f"{abs(term.times)}{times}"
    return f" {'-' if term.times < 0 else '+'} {many}{f'{term.part}({name})' if term.part else name}"


@dataclass(frozen=True, slots=True)
class Quotient:
    """One sum of measures over another; it has no value where the denominator is 0 or less."""

    numerator: Sum
    denominator: Sum


class Options(TypedDict, total=False):
    """What a measure may be declared with beside its kind and dimensions.

    `drill`: who is behind its number is kept, one member for each occurrence, so that it can be opened; it counts 1 each time
    then, and costs Redis some 145 bytes each time. `daily`: it is kept in windows of a day and longer only. `money`: its values
    are minor units of the own currency. `seconds`: its values are ms, and it is told in seconds. `grows`: it is kept of the
    windows before those of a day and longer, too. `reads`: all that it reads of leads beside their own fields and owners, where
    that is no more than some tables of facts, and not the clock; it is evaluated only for leads of which one has changed.
    `timed`: it reads the due clock, too; it is evaluated also for those who have something there when that has moved.
    `ages`: its values are instants of what another level counts, and it is told as the time since then, added up.
    """

    drill: bool
    daily: bool
    money: bool
    seconds: bool
    grows: bool
    reads: tuple[str, ...]
    timed: bool
    ages: "Measure"


class Measure:
    """A named, declared measure. `dims` are the dimensions that it is sliced by beside the whole."""

    def __init__(self, select: Select, kind: Kind, dims: tuple[str, ...], **options: Unpack[Options]) -> None:
        """As the decorators below declare it."""
        self.id = getattr(select, "__name__", "")
        self.text = (getattr(select, "__doc__", None) or "").strip()
        self.select = select
        self.kind = kind
        self.dims = dims
        self.drill = options.get("drill", False)
        self.daily = options.get("daily", False)
        self.money = options.get("money", False)
        self.seconds = options.get("seconds", False)
        self.grows = options.get("grows", False)
        self.reads = options.get("reads")
        self.timed = options.get("timed", False)
        self.ages = options.get("ages")

    def __repr__(self) -> str:
        """Its id and kind."""
        return f"<{self.kind} {self.id}>"

    def __add__(self, other: "Measure | Sum") -> Sum:
        """Two measures as one number."""
        return summed(self) + other

    def __sub__(self, other: "Measure | Sum") -> Sum:
        """What this measure is more than another."""
        return summed(self) - other

    def __rmul__(self, times: int) -> Sum:
        """So many times as much."""
        return times * summed(self)

    def __truediv__(self, other: "Measure | Sum") -> Quotient:
        """A ratio with this measure as its numerator."""
        return summed(self) / other


def summed(what: Measure | Sum) -> Sum:
    """A measure as a sum of itself alone."""
    return what if isinstance(what, Sum) else Sum((Term(what),))


def previous(measure: Measure) -> Sum:
    """A flow that grows, in the window before."""
    if not measure.grows or measure.kind is not Kind.FLOW:
        message = f"{measure.id} is not kept of the windows before: declare it as a flow with grows=True"
        raise ValueError(message)
    return Sum((Term(measure, part=PREVIOUS),))


def flow(dims: tuple[str, ...] = USUAL, **options: Unpack[Options]) -> Callable[[Select], Measure]:
    """Declare a flow."""
    return lambda select: Measure(select, Kind.FLOW, dims, **options)


def named(name: str, text: str, select: Select) -> Select:
    """A function that is one of several of a kind, under a name and with a definition of its own."""
    select.__name__, select.__doc__ = name, text
    return select


def duration(dims: tuple[str, ...] = USUAL, **options: Unpack[Options]) -> Callable[[Select], Measure]:
    """Declare a duration in ms."""
    return lambda select: Measure(select, Kind.DURATION, dims, **options)


def distinct(dims: tuple[str, ...] = USUAL, **options: Unpack[Options]) -> Callable[[Select], Measure]:
    """Declare a count of distinct leads."""
    return lambda select: Measure(select, Kind.DISTINCT, dims, **options)


def level(dims: tuple[str, ...] = USUAL, **options: Unpack[Options]) -> Callable[[Select], Measure]:
    """Declare a level."""
    return lambda select: Measure(select, Kind.LEVEL, dims, **options)
