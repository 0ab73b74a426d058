"""An organisation's own measures and KPIs: the place where they wait for the catalogue, and all that can be wrong with them.

Whoever starts a process says where they come from before anybody asks for the catalogue, which then takes them in once.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple, TypeGuard

from models.codes import Codes
from models.compared import ATTAINMENT, RANK
from models.errors import InvalidKpisError
from models.kpis import Figure, Formula
from models.measures import Kind, Measure
from models.rules import Rules
from models.slices import DIMS
from models.state.facts import NOTHING, Facts
from models.story import Story
from models.tables import Occurrences
from models.units import Millis

RESERVED: Final = (
    *(
        "alerts_",
        "api_",
        "audit_",
        "checkpoint",
        "clock_",
        "dead_letters",
        "deliveries_",
        "delivery_",
        "events_",
        "exporter_",
        "gateway_",
        "known_until_",
        "kpi_",
        "kpis_",
        "lag_",
    ),
    *("late_contributions", "open_clocks", "published_", "redis_", "revaluations", "round", "rules_", "saved_", "scrape_"),
    *("secrets_", "spread_", "ticks_", "utc_offset_", "working_time"),
)
"""What no id begins with: Leadbeat's metrics of itself do."""

_ID: Final = re.compile("[a-z][a-z0-9_]*")
_BY: Final = re.compile(f"_by_({'|'.join(DIMS)})(_and_|$)")
_TABLES: Final = tuple(name for name in Facts._fields if name not in {"lead", "owners"})
_LABELS: Final = frozenset((*DIMS, "window", "kpi", "of", "state"))

_KINDS: Final = {
    Formula.SAMPLES: {Kind.DURATION},
    Formula.MEAN_TIME: {Kind.DURATION},
    Formula.P50: {Kind.DURATION},
    Formula.P90: {Kind.DURATION},
    Formula.P95: {Kind.DURATION},
    Formula.MAX: {Kind.DURATION},
    Formula.LEVEL: {Kind.LEVEL},
    Formula.DERIVED: set(Kind),
}
"""The kinds of measure that a formula may be of, where it is not all but durations."""


class Module(NamedTuple):
    """A module of somebody's: its name, what it defines, and the code that it was made of."""

    name: str
    defines: Mapping[str, object]
    source: bytes


class Own(NamedTuple):
    """What an organisation adds to the catalogue; `version` counts up when it changes a definition."""

    name: str = ""
    version: int = 0
    source: bytes = b""
    measures: tuple[Measure, ...] = ()
    kpis: tuple[Figure, ...] = ()


_waiting: list[Callable[[], Module]] = []


def enlist(give: Callable[[], Module] | None) -> None:
    """Say where the catalogue shall get an organisation's own KPIs; None: there are none."""
    _waiting[:] = [] if give is None else [give]


def own(measures: Sequence[Measure], kpis: Sequence[Figure]) -> Own:
    """What was enlisted, beside the measures and KPIs that there are. Raises InvalidKpisError, which lists all mistakes."""
    return read(_waiting[0](), measures, kpis) if _waiting else Own()


def read(module: Module, measures: Sequence[Measure], kpis: Sequence[Figure]) -> Own:
    """A module's measures and KPIs. Raises InvalidKpisError, which lists all mistakes."""
    mistakes = list(_misshapen(module.defines))
    mine = [each for each in _listed(module.defines, "MEASURES") if isinstance(each, Measure)]
    figures = [each for each in _listed(module.defines, "KPIS") if isinstance(each, Figure)]
    mistakes += _twins([each.id for each in measures], [each.id for each in mine], "measure")
    mistakes += _twins([each.key for each in kpis], [each.key for each in figures], "KPI")
    mistakes += [f"{each.key}: Leadbeat has a KPI of this id already" for each in figures if each.id in {ATTAINMENT, RANK}]
    mistakes += chain.from_iterable(map(_wrong_measure, mine))
    named = {each.id for each in (*measures, *mine)}
    known = {*measures, *mine}
    for figure in figures:
        mistakes += _wrong_figure(figure, known)
        if figure.id in named and not figure.tells:
            mistakes.append(f"{figure.key}: a measure has this name, whose number is another one: name the KPI differently")
    mistakes = list(dict.fromkeys(mistakes))
    if mistakes:
        count = "a mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise InvalidKpisError(module.name, f"{count}\n  " + "\n  ".join(mistakes), "see docs/own_kpis.md")
    version = module.defines.get("VERSION", 0)
    return Own(module.name, version if isinstance(version, int) else 0, module.source, tuple(mine), tuple(figures))


def _listed(defines: Mapping[str, object], name: str) -> Sequence[object]:
    found = defines.get(name, ())
    return found if _is_list(found) else ()


def _is_list(found: object) -> TypeGuard[Sequence[object]]:
    """Whether it is a tuple or list, and not a figure, which is a tuple of its own."""
    return isinstance(found, (tuple, list)) and not isinstance(found, Figure)


def _misshapen(defines: Mapping[str, object]) -> Iterator[str]:
    """What is no list of measures, of KPIs, no version."""
    if not isinstance(defines.get("VERSION", 0), int):
        yield "VERSION: is not a whole number"
    if not (defines.get("MEASURES") or defines.get("KPIS")):
        yield "it defines neither MEASURES nor KPIS, tuples of both"
    for name in ("MEASURES", "KPIS"):
        if not _is_list(defines.get(name, ())):
            yield f"{name}: is not a tuple; of a single one, too, a comma stands behind it: (one,)"
    for place, each in enumerate(_listed(defines, "MEASURES")):
        if not isinstance(each, Measure):
            told = f"{each.__name__}, which has no decorator such as @flow()" if hasattr(each, "__name__") else repr(each)
            yield f"MEASURES[{place}]: is not a measure: {told}"
    for place, each in enumerate(_listed(defines, "KPIS")):
        if _is_list(each):
            yield f"KPIS[{place}]: is several KPIs: put a * before it, as in *latency(...)"
        elif not isinstance(each, Figure):
            yield f"KPIS[{place}]: is not a KPI: {each!r}; write count(...), ratio(...), ..."


def _twins(known: Sequence[str], mine: Sequence[str], what: str) -> Iterator[str]:
    for place, each in enumerate(mine):
        if each in known:
            yield f"{each}: Leadbeat has a {what} of this id already"
        elif each in mine[:place]:
            yield f"{each}: there are two {what}s of this id"


def _wrong_id(name: str) -> Iterator[str]:
    stem = next((stem for stem in RESERVED if name.startswith(stem)), None)
    if not _ID.fullmatch(name):
        yield f"{name}: is no id: use small letters, digits and _, and begin with a letter"
    elif stem:
        yield f"{name}: begins with {stem}, which is reserved for metrics of Leadbeat itself"
    elif _BY.search(name):
        yield f"{name}: names a dimension behind _by_, as metrics of slices do"


def _wrong_measure(measure: Measure) -> Iterator[str]:
    name = measure.id
    yield from _wrong_id(name)
    if not measure.text:
        yield f"{name}: has no text: its docstring is the definition that people read"
    for dim in measure.dims:
        if dim not in DIMS:
            yield f"{name}: {dim!r} is not a dimension: use {', '.join(DIMS)}"
    if len(set(measure.dims)) < len(measure.dims):
        yield f"{name}: has a dimension twice"
    if measure.drill and (measure.kind is not Kind.FLOW or measure.money or measure.seconds):
        yield f"{name}: drill is for flows that count 1 each time, and this is {_worth(measure)}"
    for table in measure.reads or ():
        if table not in _TABLES:
            yield f"{name}: reads {table!r}, which there is not: use {', '.join(_TABLES)}"
    if measure.timed and measure.reads is None:
        yield f"{name}: timed is for measures that say what they read"
    yield from _wrong_code(measure)


def _worth(measure: Measure) -> str:
    return f"a {measure.kind}" if measure.kind is not Kind.FLOW else "an amount of money" if measure.money else "a time"


def _wrong_code(measure: Measure) -> Iterator[str]:
    """What comes up as it is tried on a lead of which nothing is known."""
    story = Story([NOTHING], Codes(Rules()), Millis(0))
    try:
        found: object = measure.select(story)
        if isinstance(found, Occurrences):
            story.coded(found, tuple(dim for dim in measure.dims if dim in DIMS))
            return
    except Exception as error:  # noqa: BLE001 - whatever somebody else's code raises
        yield f"{measure.id}: fails on a lead without facts: {type(error).__name__}: {error}"
        return
    yield f"{measure.id}: gives {type(found).__name__} instead of occurrences, as story.acted(...) does"


def _wrong_figure(figure: Figure, known: set[Measure]) -> Iterator[str]:
    key = figure.key
    yield from _wrong_id(figure.id)
    if not figure.text.strip():
        yield f"{key}: has no text"
    for name, _ in figure.labels:
        if not _ID.fullmatch(name) or name in _LABELS:
            yield f"{key}: {name!r} cannot be a label's name"
    for measure in figure.measures:
        if measure not in known:
            yield f"{key}: uses {measure.id}, which is not listed in MEASURES"
    yield from _wrong_formula(figure)


def _wrong_formula(figure: Figure) -> Iterator[str]:
    key = figure.key
    if figure.formula is Formula.OLDEST:
        yield f"{key}: oldest(...) is of leads that await a response, whatever it is given: use oldest_lead_waiting"
        return
    allowed = _KINDS.get(figure.formula, set(Kind) - {Kind.DURATION})
    for measure in figure.measures:
        if measure.kind not in allowed:
            yield f"{key}: {measure.id} is a {measure.kind}, of which there is no {figure.formula}"
    if not figure.windows:
        yield f"{key}: is told in no window"
    dims = [set(measure.dims) for measure in figure.measures]
    if len(dims) > 1 and all(dims) and not set.intersection(*dims):
        yield f"{key}: its measures have no dimension in common, so it can be sliced by nothing"
