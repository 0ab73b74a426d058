"""Leads and funnel: how far leads come, how many are lost on the way, how long each stage takes. Section 4 of the catalogue."""

from itertools import chain, pairwise

from models.catalogue.replies import leads_first_contacted
from models.catalogue.speed import leads_created
from models.codes import NEVER
from models.kpis import Figure, board, count, growth, labelled, latency, level_now, ratio
from models.measures import WITH_CHANNEL, Measure, duration, flow, level, named
from models.stages import CUSTOMER, LADDER
from models.state.facts import STAGES
from models.story import Story
from models.tables import Occurrences

MQL = STAGES.index("mql")
STAGES_ONLY = ("stages",)

CONVERSIONS = (
    ("lead", "mql"),
    ("mql", "sql"),
    ("sql", "opportunity"),
    ("sql", "customer"),
    ("mql", "customer"),
    ("lead", "opportunity"),
    ("lead", "customer"),
)
"""The stages between which conversion is told, earlier and later."""


def _entries(stage: str) -> Measure:
    text = f"Leads that reached the stage {stage}, at the first time; a stage that was skipped is reached with the next one."
    number = STAGES.index(stage)
    return flow(drill=True, daily=True, reads=STAGES_ONLY)(
        named(f"stage_entries_{stage}", text, lambda story: story.entries(number))
    )


def _converted(earlier: str, later: str) -> Measure:
    text = f"Leads that reached the stage {later}, at the instant at which they reached {earlier}."
    first, second = STAGES.index(earlier), STAGES.index(later)
    name = f"{earlier}_to_{later}"
    return flow(drill=True, daily=True, reads=STAGES_ONLY)(
        named(name, text, lambda story: story.entries(first).of_those(story.reached(second)))
    )


def _leaked(earlier: str, later: str) -> Measure:
    text = f"Leads that reached the stage {earlier} and have not reached the next one, at the instant at which they did."
    first, second = STAGES.index(earlier), STAGES.index(later)
    name = f"leads_lost_in_stage_{earlier}"
    return flow(drill=True, daily=True, reads=STAGES_ONLY)(
        named(name, text, lambda story: story.entries(first).of_those(~story.reached(second)))
    )


def _in_stage(stage: str) -> Measure:
    number = STAGES.index(stage)

    def select(story: Story) -> Occurrences:
        return story.now((story.stage_now == number).nonzero()[0])

    return level()(named(f"leads_in_stage_{stage}", f"Leads that are in the stage {stage}, now.", select))


def _time_in(stage: str) -> Measure:
    text = f"How long leads stayed in the stage {stage}, when they leave it."
    number = STAGES.index(stage)
    return duration(daily=True, reads=STAGES_ONLY)(named(f"time_in_stage_{stage}", text, lambda story: story.left(number)))


@level()
def leads_known(story: Story) -> Occurrences:
    """Leads that were created, or are in a stage, now."""
    return story.now(story.known.nonzero()[0])


@flow(drill=True, daily=True, reads=STAGES_ONLY)
def leads_qualified(story: Story) -> Occurrences:
    """Leads that reached the stage mql or one beyond it, at their creation."""
    return story.created.of_those(story.reached(MQL))


@flow(WITH_CHANNEL, drill=True, daily=True)
def leads_acquired(story: Story) -> Occurrences:
    """Leads that became customers after they were first touched, at that touch."""
    first = story.first_touches
    customer_at = story.reached_at[CUSTOMER][first.of]
    return first.where((customer_at != NEVER) & (customer_at >= first.at))


STAGE_ENTRIES = {stage: _entries(stage) for stage in STAGES}
CONVERTED = {pair: _converted(*pair) for pair in CONVERSIONS}
LEAKED = {earlier: _leaked(earlier, later) for earlier, later in pairwise(LADDER)}
IN_STAGE = {stage: _in_stage(stage) for stage in STAGES}
TIME_IN_STAGE = {stage: _time_in(stage) for stage in STAGES}

MEASURES: tuple[Measure, ...] = (
    *STAGE_ENTRIES.values(),
    *CONVERTED.values(),
    *LEAKED.values(),
    leads_known,
    *IN_STAGE.values(),
    *TIME_IN_STAGE.values(),
    leads_qualified,
    leads_acquired,
)


def _by_stage() -> tuple[Figure, ...]:
    """Figures that there are for each stage."""
    lost = [labelled([count(measure)], "leads_lost_in_stage", lead_stage=stage) for stage, measure in LEAKED.items()]
    entries = [labelled([count(measure)], "stage_entries", lead_stage=stage) for stage, measure in STAGE_ENTRIES.items()]
    levels = [labelled([level_now(measure)], "leads_in_stage", lead_stage=stage) for stage, measure in IN_STAGE.items()]
    times = [labelled(latency(measure), "time_in_stage", lead_stage=stage) for stage, measure in TIME_IN_STAGE.items()]
    shares = [ratio("leads_in_stage_ratio", measure / leads_known, lead_stage=stage) for stage, measure in IN_STAGE.items()]
    leaks = [ratio("funnel_leakage_ratio", LEAKED[stage] / STAGE_ENTRIES[stage], lead_stage=stage) for stage in LEAKED]
    by_statistic = zip(*times, strict=True)
    return (*chain.from_iterable((*entries, *lost, *levels, *by_statistic)), *shares, *leaks)


_ON_BOARD = {("lead", "opportunity"), ("lead", "customer")}

KPIS: tuple[Figure, ...] = (
    count(leads_created, board.REPS | board.SOURCES),
    growth("lead_growth_ratio", leads_created),
    level_now(leads_known),
    *_by_stage(),
    *(
        ratio(f"{measure.id}_ratio", measure / STAGE_ENTRIES[earlier], board.SOURCES if pair in _ON_BOARD else board.NONE)
        for pair, measure in CONVERTED.items()
        for earlier in pair[:1]
    ),
    ratio("qualified_lead_ratio", leads_qualified / leads_created),
    ratio("client_acquisition_ratio", leads_acquired / leads_first_contacted, board.SOURCES),
)
