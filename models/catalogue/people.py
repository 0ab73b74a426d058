"""People: who is employed, how they spend their time, what they think of their employer. Sections 6 and 2 of the catalogue."""

from models.kpis import Figure, count, level_now, mean, ratio
from models.measures import Measure, Options, flow, level
from models.story import Story
from models.tables import Occurrences

PROMOTERS, DETRACTORS, SCORES = (9, 10), (0, 6), (0, 10)

OF_REPS = ("rep", "team")
REPS: Options = {"daily": True, "reads": ("rep",)}
LOGGED: Options = {**REPS, "seconds": True}
EMPLOYED: Options = {"reads": ("rep",), "timed": True}
MOVED: Options = {**EMPLOYED, "daily": True}


@level(("team",), **EMPLOYED)
def reps_employed(story: Story) -> Occurrences:
    """Reps who are employed, now."""
    return story.employed_now()


TENURE: Options = {**EMPLOYED, "seconds": True, "ages": reps_employed}


@level(("team",), **TENURE)
def rep_tenure_total(story: Story) -> Occurrences:
    """How long reps who are employed have been so, added up, now."""
    return story.employed_now(since=True)


@flow((), **MOVED)
def reps_joined(story: Story) -> Occurrences:
    """Reps when their employment begins."""
    return story.joined()


@flow((), **MOVED)
def reps_left(story: Story) -> Occurrences:
    """Reps when their employment ends."""
    return story.left_employment()


@flow(OF_REPS, **LOGGED)
def selling_time(story: Story) -> Occurrences:
    """Time that reps logged as spent on selling."""
    return story.time_logged("selling_ms")


@flow(OF_REPS, **LOGGED)
def time_worked(story: Story) -> Occurrences:
    """Time that reps logged as worked."""
    return story.time_logged("working_ms")


@flow(OF_REPS, **REPS)
def selling_dates(story: Story) -> Occurrences:
    """Local days of reps with an entry in the time log, at the first entry."""
    return story.days_logged()


@flow(OF_REPS, **REPS)
def enps_answers(story: Story) -> Occurrences:
    """Answers of reps on how likely they would recommend their employer, 0 to 10."""
    return story.answered_survey(*SCORES)


@flow(OF_REPS, **REPS)
def enps_promoters(story: Story) -> Occurrences:
    """Answers of reps who would recommend their employer: 9 or 10."""
    return story.answered_survey(*PROMOTERS)


@flow(OF_REPS, **REPS)
def enps_detractors(story: Story) -> Occurrences:
    """Answers of reps who would not recommend their employer: 0 to 6."""
    return story.answered_survey(*DETRACTORS)


MEASURES: tuple[Measure, ...] = (
    reps_employed,
    rep_tenure_total,
    reps_joined,
    reps_left,
    selling_time,
    time_worked,
    selling_dates,
    enps_answers,
    enps_promoters,
    enps_detractors,
)

_TWICE_MEAN = 2 * reps_employed - reps_joined + reps_left
"""Reps at the window's start and at its end."""

KPIS: tuple[Figure, ...] = (
    level_now(reps_employed),
    level_now(rep_tenure_total),
    mean("rep_tenure_mean", rep_tenure_total / reps_employed),
    *map(count, MEASURES[2:]),
    ratio("rep_turnover_ratio", 2 * reps_left / _TWICE_MEAN),
    ratio("rep_retention_ratio", (_TWICE_MEAN - 2 * reps_left) / _TWICE_MEAN),
    ratio("selling_time_ratio", selling_time / time_worked),
    mean("average_selling_time_mean", selling_time / selling_dates),
    ratio("enps", 100 * (enps_promoters - enps_detractors) / enps_answers),
)
