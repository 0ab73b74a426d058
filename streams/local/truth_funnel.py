"""The oracle's reading of section 4 of the catalogue: how far leads come, and how long each stage takes."""

from collections.abc import Iterator
from itertools import pairwise

from streams.local.truth_facts import Lead
from streams.local.truth_section import Section

LADDER = ["subscriber", "lead", "mql", "sal", "sql", "opportunity", "customer"]
STAGES = [*LADDER, "disqualified"]

CONVERSIONS = [
    ("lead", "mql"),
    ("mql", "sql"),
    ("sql", "opportunity"),
    ("sql", "customer"),
    ("mql", "customer"),
    ("lead", "opportunity"),
    ("lead", "customer"),
]

_COUNTS = [
    "leads_created",
    *(f"stage_entries{{lead_stage={stage}}}" for stage in STAGES),
    *(f"leads_lost_in_stage{{lead_stage={stage}}}" for stage in LADDER[:-1]),
]
_LEVELS = ["leads_known", *(f"leads_in_stage{{lead_stage={stage}}}" for stage in STAGES)]
_LEVEL_RATIOS = {
    f"leads_in_stage_ratio{{lead_stage={stage}}}": (f"leads_in_stage{{lead_stage={stage}}}", "leads_known") for stage in STAGES
}
_DURATIONS = [f"time_in_stage{{lead_stage={stage}}}" for stage in STAGES]
_RATIOS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{
        f"{early}_to_{late}_ratio": (f"{early}_to_{late}", (f"stage_entries{{lead_stage={early}}}",))
        for early, late in CONVERSIONS
    },
    **{
        f"funnel_leakage_ratio{label}": (f"leads_lost_in_stage{label}", (f"stage_entries{label}",))
        for label in (f"{{lead_stage={stage}}}" for stage in LADDER[:-1])
    },
    "qualified_lead_ratio": ("leads_qualified", ("leads_created",)),
    "client_acquisition_ratio": ("leads_acquired", ("leads_first_contacted",)),
}
FUNNEL = Section(
    counts=_COUNTS,
    durations=_DURATIONS,
    ratios=_RATIOS,
    growths={"lead_growth_ratio": "leads_created"},
    levels=_LEVELS,
    level_ratios=_LEVEL_RATIOS,
    daily={*_COUNTS[1:], *_DURATIONS, *_RATIOS, "lead_growth_ratio"},
)


def reached_at(lead: Lead, stage: str) -> int | None:
    """When a lead first reached a stage: the first time that it was in it or in one beyond it.

    One that was never a subscriber has been a lead since its creation at the latest.
    """
    counting = LADDER[LADDER.index(stage) :] if stage in LADDER else [stage]
    instants = [since for since, value in lead.stages if value in counting]
    subscribed = any(value == "subscriber" for _, value in lead.stages)
    if "lead" in counting and not subscribed and lead.created_at is not None:
        instants.append(lead.created_at)
    return min(instants, default=None)


def stays(lead: Lead) -> list[tuple[str, int, int]]:
    """The stages that a lead has left again: which, since when, until when. To be put where one is already is no change."""
    found: list[tuple[str, int, int]] = []
    present: tuple[str, int] | None = None
    for since, value in lead.stages:
        if present is not None and value != present[0]:
            found.append((*present, since))
        if value is None:
            present = None
        elif present is None or value != present[0]:
            present = (value, since)
    return found


def told_by_stages(lead: Lead) -> Iterator[tuple[str, int, int]]:
    """What counts, when, and how much."""
    reached = {stage: at for stage in STAGES if (at := reached_at(lead, stage)) is not None}
    for stage, at in reached.items():
        yield f"stage_entries{{lead_stage={stage}}}", at, 1
    for early, late in CONVERSIONS:
        if early in reached and late in reached:
            yield f"{early}_to_{late}", reached[early], 1
    for stage, following in pairwise(LADDER):
        if stage in reached and following not in reached:
            yield f"leads_lost_in_stage{{lead_stage={stage}}}", reached[stage], 1
    if lead.created_at is not None and "mql" in reached:
        yield "leads_qualified", lead.created_at, 1
    for stage, since, until in stays(lead):
        yield f"time_in_stage{{lead_stage={stage}}}", until, until - since


def standing(lead: Lead) -> Iterator[str]:
    """The levels that a lead stands in."""
    present = lead.stages[-1][1] if lead.stages else None
    if present is not None:
        yield f"leads_in_stage{{lead_stage={present}}}"
    if present is not None or lead.created_at is not None:
        yield "leads_known"
