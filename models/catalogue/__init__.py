"""The catalogue: every measure and every figure that Leadbeat keeps, one theme a file."""

from models.catalogue import activity, replies, speed
from models.kpis import Figure, parts
from models.measures import Measure

VERSION = 2
"""Counts up whenever a definition changes, so that an older worker knows that it is older."""

_THEMES = (speed, activity, replies)

MEASURES: tuple[Measure, ...] = tuple(measure for theme in _THEMES for measure in theme.MEASURES)
"""All measures; a measure's place is its number in packed keys of one process only."""

KPIS: tuple[Figure, ...] = tuple(figure for theme in _THEMES for figure in theme.KPIS)
"""All KPIs of the catalogue, as figures."""

FIGURES: tuple[Figure, ...] = KPIS + parts(KPIS)
"""All that is published: the KPIs, and the numerators and denominators of their ratios."""
