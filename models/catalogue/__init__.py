"""The catalogue: every measure and every figure that Leadbeat keeps, one theme a file."""

from collections.abc import Mapping

from models.catalogue import activity, customers, dealings, deals, funnel, marketing, people, replies, speed
from models.compared import comparisons
from models.extension import Own, own
from models.kpis import Figure, fitted, parts
from models.measures import Measure

VERSION = 8
"""Counts up whenever a definition changes, so that an older worker knows that it is older."""

_THEMES = {
    "Speed to lead": speed,
    "Activity": activity,
    "Replies": replies,
    "Leads and funnel": funnel,
    "Deals": deals,
    "People": people,
    "Customers and recurring revenue": customers,
    "Marketing and market": marketing,
    "Products, proposals, demos and costs": dealings,
}

_MEASURES: tuple[Measure, ...] = tuple(measure for theme in _THEMES.values() for measure in theme.MEASURES)
_KPIS: tuple[Figure, ...] = tuple(figure for theme in _THEMES.values() for figure in theme.KPIS)

OWN: Own = own(_MEASURES, _KPIS)
"""What the organisation adds."""

MEASURES: tuple[Measure, ...] = _MEASURES + OWN.measures
"""All measures; a measure's place is its number in packed keys of one process only."""

THEMES: Mapping[str, tuple[Figure, ...]] = {
    **{heading: theme.KPIS for heading, theme in _THEMES.items()},
    **({"Your own": OWN.kpis} if OWN.kpis else {}),
}
"""What belongs together, under its heading; figures are as their themes make them."""

_FITTED: tuple[Figure, ...] = fitted(_KPIS + OWN.kpis)

KPIS: tuple[Figure, ...] = _FITTED + comparisons(_FITTED)
"""All KPIs of the catalogue, as figures."""

FIGURES: tuple[Figure, ...] = KPIS + parts(KPIS)
"""All that is published: the KPIs, and the numerators and denominators of their ratios."""
