"""What a KPI is: a figure, which is a formula over measures with a unit, a definition and the places it is shown in.

Figures are data. A duration measure makes several (samples, mean, p50, p90, p95, max); every other formula makes one.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntFlag, StrEnum
from math import gcd
from typing import NamedTuple

from models.givens import Given
from models.measures import PREVIOUS, SKETCHED, Kind, Measure, Quotient, Sum, Term, previous, summed
from models.slices import dims_of
from models.windows import DAILY, NOW, WINDOWS


class Formula(StrEnum):
    """How a figure's value comes from its measures."""

    COUNT = "count"
    RATIO = "ratio"
    MEAN = "mean"
    SAMPLES = "samples"
    MEAN_TIME = "mean_time"
    P50 = "p50"
    P90 = "p90"
    P95 = "p95"
    MAX = "max"
    LEVEL = "level"
    OLDEST = "oldest"
    DERIVED = "derived"
    ATTAINMENT = "attainment"
    PLACE = "place"


QUANTILES = {Formula.P50: 0.5, Formula.P90: 0.9, Formula.P95: 0.95}
"""The share of samples that lie at or below each quantile formula."""

MINIMUM_N = {
    Formula.MEAN: 1,
    Formula.MEAN_TIME: 1,
    Formula.RATIO: 10,
    Formula.P50: 1,
    Formula.P90: 20,
    Formula.P95: 30,
    Formula.MAX: 1,
}
"""How many a figure must stand on before its value is told; configurable."""


class board(IntFlag):  # noqa: N801 - reads as a word in the catalogue: board.REPS
    """Where the default profile shows a figure beside the whole."""

    NONE = 0
    REPS = 1
    """By rep and by team."""
    SOURCES = 2
    """By where leads come from, and by channel."""


class Remaining(NamedTuple):
    """What is left to a given number in a window, once measures are taken away; never below 0."""

    given: Given
    done: Sum
    window: str


class Reached(NamedTuple):
    """The share of reps who reached what is given to each, by measures in the window; of those to whom something is."""

    done: Sum
    aim: Given


class Product(NamedTuple):
    """Figures and other numbers that are multiplied, and those that this is divided by.

    `inner`: which of those that are multiplied something that it is divided by is itself divided by.
    """

    times: "tuple[Figure | Given | Remaining | Reached | int, ...]"
    per: "tuple[Figure | Given | Remaining | Reached | int, ...]"
    inner: "tuple[Figure | Given | Remaining | Reached | int, ...]" = ()


class Figure(NamedTuple):
    """One published number: its id and labels, formula, what it is made of, and where it is shown.

    `only`: the windows that it is told in, if these are not all that it has. `product`: what a derived figure is made of.
    `of`: which figure it compares, with a target or between reps.
    """

    id: str
    formula: Formula
    over: Sum
    under: Sum | None
    text: str
    shown: board = board.NONE
    labels: tuple[tuple[str, str], ...] = ()
    only: tuple[str, ...] = ()
    product: Product | None = None
    of: "Figure | None" = None

    @property
    def numerator(self) -> tuple[Measure, ...]:
        """The measures in its numerator."""
        return self.over.measures

    @property
    def denominator(self) -> tuple[Measure, ...]:
        """The measures in its denominator; none if it has no denominator."""
        return self.under.measures if self.under else ()

    @property
    def terms(self) -> tuple[Term, ...]:
        """All terms of its formula."""
        return self.over.terms + (self.under.terms if self.under else ())

    @property
    def tells(self) -> Measure | None:
        """The measure that it tells as it is; None if it is a formula or a statistic."""
        alone = self.formula in {Formula.COUNT, Formula.LEVEL} and self.over.plain and len(self.over.terms) == 1
        return self.numerator[0] if alone else None

    @property
    def composed(self) -> bool:
        """Whether it is a formula over measures, which are published beside it."""
        return self.under is not None or (self.formula in {Formula.COUNT, Formula.LEVEL} and self.tells is None)

    @property
    def of_sums(self) -> bool:
        """Whether it says the same as long as the sums of its measures do: neither clock nor rules have a part in it."""
        aged = any(term.measure.ages is not None for term in self.terms)
        return self.product is None and self.of is None and self.formula is not Formula.OLDEST and not aged

    @property
    def measures(self) -> tuple[Measure, ...]:
        """All measures in the formula."""
        return tuple(dict.fromkeys(self.numerator + self.denominator))

    @property
    def dims(self) -> tuple[str, ...]:
        """The dimensions that all its measures have; of quantiles, those that sketches are kept for."""
        if self.of is not None:
            return ("rep",) if self.formula is Formula.PLACE else ()
        first, *others = (*(measure.dims for measure in self.measures), *_given_by(self.product))
        shared = tuple(dim for dim in first if all(dim in dims for dims in others))
        return tuple(dim for dim in shared if dim in SKETCHED) if self.sketched else shared

    @property
    def sketched(self) -> bool:
        """Whether its value comes from a sketch."""
        return self.formula in QUANTILES or self.formula is Formula.MAX

    def has(self, dim: str) -> bool:
        """Whether it can be sliced by a dimension, or a pair of them; pairs have no sketches, and nothing given."""
        dims = dims_of(dim)
        alone = self.sketched or self.of is not None or any(_given_by(self.product))
        return set(dims) <= set(self.dims) and (len(dims) == 1 or not alone)

    @property
    def money(self) -> bool:
        """Whether its value is an amount of money; its numerator is in minor units then."""
        if self.of is not None:
            return False
        if self.product is not None:
            return sum(map(_is_money, self.product.times)) > sum(map(_is_money, self.product.per))
        per_money = any(measure.money for measure in self.denominator)
        return self.numerator[0].money and not per_money and self.formula is not Formula.RATIO

    @property
    def seconds(self) -> bool:
        """Whether its value is in seconds, and its numerator in ms: of measures that are told so."""
        return self.product is None and self.of is None and self.numerator[0].seconds and self.formula is not Formula.RATIO

    @property
    def unit(self) -> str:
        """`seconds`, `ratio`, `points` (of a ratio times 100), `timestamp_seconds`, `money` or empty for counts."""
        if self.money or self.seconds:
            return "money" if self.money else "seconds"
        match self.formula:
            case Formula.MEAN_TIME | Formula.P50 | Formula.P90 | Formula.P95 | Formula.MAX:
                return "seconds"
            case Formula.RATIO:
                return "ratio" if self.share else "points"
            case Formula.OLDEST:
                return "timestamp_seconds"
            case Formula.DERIVED | Formula.ATTAINMENT if self.id.endswith("_ratio"):
                return "ratio"
            case _:
                return ""

    @property
    def share(self) -> bool:
        """Whether it is a ratio that is not multiplied by anything: 1 is as much as its denominator."""
        return self.formula is Formula.RATIO and gcd(*(term.times for term in self.over.terms)) == 1

    @property
    def windowed(self) -> bool:
        """Whether it has windows; what is made of levels alone is now, unless it is said to be of some."""
        return bool(self.only) or any(measure.kind is not Kind.LEVEL for measure in self.measures)

    @property
    def windows(self) -> tuple[str, ...]:
        """The names of the windows that it is told in; that of levels is `now`."""
        if not self.windowed:
            return (NOW,)
        daily = any(term.measure.daily or term.part == PREVIOUS for term in self.terms)
        names = (window.name for window in (DAILY if daily else WINDOWS))
        return tuple(name for name in names if name in self.only or not self.only)

    @property
    def common_text(self) -> str:
        """The definition shared with all that differ in their labels only: `*lead_stage*` stands for the value of a label."""
        text = self.text
        for name, value in self.labels:
            text = re.sub(rf"\b{re.escape(value)}\b", f"*{name}*", text)
        return text

    @property
    def key(self) -> str:
        """Id and labels, as in `sla_warnings{sla_percent=50}`: unique in the catalogue."""
        labels = ",".join(f"{name}={value}" for name, value in self.labels)
        return f"{self.id}{{{labels}}}" if labels else self.id


def _given_by(product: Product | None) -> Iterator[tuple[str, ...]]:
    """The dimensions of what is given in a product."""
    for part in (*product.times, *product.per) if product else ():
        given = _given_in(part)
        if isinstance(given, Given) and given.dims is not None:
            yield given.dims


def _is_money(part: Figure | Given | Remaining | Reached | int) -> bool:
    given = _given_in(part)
    return not isinstance(part, Reached) and not isinstance(given, int) and given.money


def _given_in(part: Figure | Given | Remaining | Reached | int) -> Figure | Given | int:
    match part:
        case Remaining():
            return part.given
        case Reached():
            return part.aim
        case _:
            return part


def count(measure: Measure, shown: board = board.NONE) -> Figure:
    """A measure as it is."""
    return Figure(measure.id, Formula.COUNT, summed(measure), None, measure.text, shown)


def total(name: str, formula: Sum, shown: board = board.NONE) -> Figure:
    """Measures added up: as in windows as soon as one of them is, else now."""
    figure = Figure(name, Formula.COUNT, formula, None, "", shown)
    figure = figure._replace(text=formula_of(figure, _id))
    return figure if figure.windowed else figure._replace(formula=Formula.LEVEL)


def labelled(figures: Iterable[Figure], name: str, **labels: str) -> tuple[Figure, ...]:
    """Figures that are some of several under common names: they begin with `name` where they began with their measure's."""
    named = ((figure, figure.id.removeprefix(figure.numerator[0].id)) for figure in figures)
    return tuple(figure._replace(id=f"{name}{rest}", labels=tuple(labels.items())) for figure, rest in named)


def ratio(name: str, quotient: Quotient, shown: board = board.NONE, **labels: str) -> Figure:
    """A share; told from 10 up."""
    return _quotient(name, Formula.RATIO, quotient, shown)._replace(labels=tuple(labels.items()))


def growth(name: str, measure: Measure, shown: board = board.NONE) -> Figure:
    """How much more a measure is than in the window before, as a share of what it was then; told from 10 up."""
    return ratio(name, (measure - previous(measure)) / previous(measure), shown)


def mean(name: str, quotient: Quotient, shown: board = board.NONE) -> Figure:
    """An amount per one; told from 1 up."""
    return _quotient(name, Formula.MEAN, quotient, shown)


def _quotient(name: str, formula: Formula, quotient: Quotient, shown: board) -> Figure:
    figure = Figure(name, formula, quotient.numerator, quotient.denominator, "", shown)
    return figure._replace(text=formula_of(figure, _id))


def derived(
    name: str,
    text: str,
    times: Sequence[Figure | Given | Remaining | Reached | int],
    per: Sequence[Figure | Given | Remaining | Reached | int] = (),
    only: Sequence[str] = (),
    shown: board = board.NONE,
) -> Figure:
    """A product of figures and other numbers, over another one; told where all of them are, and nothing is divided by 0.

    A figure that is itself derived stands for what it is made of. Where money is divided by no money, it is money.
    """
    product = Product((), ())
    for part in times:
        product = _and(product, part)
    for part in per:
        turned = _and(Product((), ()), part)
        product = Product(product.times + turned.per, product.per + turned.times, product.inner + turned.per)
    terms = tuple(term for part in (*product.times, *product.per) for term in _terms(part))
    return Figure(name, Formula.DERIVED, Sum(terms), None, text, shown, only=tuple(only), product=product)


def _and(product: Product, part: Figure | Given | Remaining | Reached | int) -> Product:
    """A product times something more."""
    more = part.product if isinstance(part, Figure) and part.product else Product((part,), ())
    return Product(product.times + more.times, product.per + more.per, product.inner + more.inner)


def _terms(part: Figure | Given | Remaining | Reached | int) -> tuple[Term, ...]:
    """The measures that a part of a product is made of."""
    match part:
        case Figure():
            return part.terms
        case Remaining() | Reached():
            return part.done.terms
        case _:
            return ()


def formula_of(figure: Figure, name: Callable[[Measure], str]) -> str:
    """The formula of a figure that is composed of measures, by what each of them is called."""
    if figure.under is None:
        return figure.over.told(name)
    return f"{figure.over.in_brackets(name)} ÷ {figure.under.in_brackets(name)}"


def _id(measure: Measure) -> str:
    return measure.id


def fitted(figures: Sequence[Figure]) -> tuple[Figure, ...]:
    """Figures of a catalogue: formulas name their parts as these are published; parts that have labels are shown with them."""
    single = {each.tells: each for each in figures if each.tells}
    shown = {each.key: each.shown for each in figures}
    for figure in figures:
        for part in figure.measures if figure.composed else ():
            if part in single and single[part].labels:
                shown[single[part].key] |= figure.shown

    def name(measure: Measure) -> str:
        return single[measure].key if measure in single else measure.id

    texts = {each.key: formula_of(each, name) for each in figures if each.composed}
    return tuple(each._replace(text=texts.get(each.key, each.text), shown=shown[each.key]) for each in figures)


def latency(measure: Measure, shown: board = board.NONE) -> tuple[Figure, ...]:
    """A duration: samples and mean (exact), p50, p90, p95 and max (within 1 %). Slices show samples, mean, p50 and p90."""
    formulas = {
        "samples": (Formula.SAMPLES, shown, "how many"),
        "mean": (Formula.MEAN_TIME, shown, "mean"),
        "p50": (Formula.P50, shown, "median"),
        "p90": (Formula.P90, shown, "90th percentile"),
        "p95": (Formula.P95, board.NONE, "95th percentile"),
        "max": (Formula.MAX, board.NONE, "longest"),
    }
    return tuple(
        Figure(f"{measure.id}_{suffix}", formula, summed(measure), None, f"{measure.text} ({words})", where)
        for suffix, (formula, where, words) in formulas.items()
    )


def level_now(measure: Measure, shown: board = board.NONE) -> Figure:
    """A level."""
    return Figure(measure.id, Formula.LEVEL, summed(measure), None, measure.text, shown)


def oldest(name: str, measure: Measure, shown: board = board.NONE) -> Figure:
    """The inquiry and due time of the oldest of those that a level counts."""
    text = "Inquiry time and due time of the lead that has waited longest."
    return Figure(name, Formula.OLDEST, summed(measure), None, text, shown)


def parts(figures: tuple[Figure, ...]) -> tuple[Figure, ...]:
    """The measures that stand in formulas of a catalogue and have no figure of their own, as counts and levels.

    They are shown wherever a figure that they stand in is shown.
    """
    own = {figure.tells for figure in figures}
    found: dict[Measure, Figure] = {}
    for figure in figures:
        for measure in figure.measures if figure.composed else ():
            if measure not in own and measure.kind in {Kind.FLOW, Kind.LEVEL}:
                made = level_now(measure) if measure.kind is Kind.LEVEL else count(measure)
                known = found.get(measure, made)
                found[measure] = known._replace(shown=known.shown | figure.shown)
    return tuple(found.values())
