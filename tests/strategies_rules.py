"""Generated rules of a small organisation: its roster, its targets in time, its lists, its money, its hours."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import build
from build import DAY, HOUR, MINUTE, NOON, SECOND, sla
from hypothesis import strategies as st
from strategies_aims import LEADERBOARDS, PLANS, QUOTAS, TARGETS

from models.calendars import Hours, OwnDay, Shift, WorkCalendar
from models.money import Money, Rate
from models.rules import Absence, CalendarUse, DealStage, Membership, Rules
from models.units import Duration, Millis

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/Havana",  # its clocks go forward at midnight
    "Australia/Lord_Howe",  # by half an hour
    "Asia/Kathmandu",
    "Pacific/Apia",
)

ROSTERS = (build.ROSTER, (), (*build.ROSTER, build.member("stranger", "west", NOON + DAY)))
POLICIES = (
    (sla(5 * MINUTE),),
    (),
    (
        sla(5 * MINUTE),
        sla(7 * MINUTE, NOON + 10 * MINUTE),
        sla(90 * SECOND, NOON - HOUR, team="north"),
        sla(2 * MINUTE, NOON - DAY, lead_source="inbound"),
        sla(4 * MINUTE, NOON - HOUR, team="south"),
        sla(MINUTE, team="south", segment="enterprise"),
        sla(2 * HOUR, lead_source="partner"),
    ),
)

BUSINESS_POLICIES = (
    (sla(5 * MINUTE, time="business"),),
    (
        sla(8 * MINUTE, time="business"),
        sla(DAY, NOON - 2 * DAY, lead_source="inbound", time="business_days"),
        sla(3 * DAY, team="south", time="business_days"),
        sla(4 * MINUTE, NOON + 5 * MINUTE, team="north"),
        sla(9 * HOUR, lead_source="partner", time="business"),
    ),
)


LISTED: tuple[dict[str, Any], ...] = (
    {"lead_sources": ("inbound", "outbound")},
    {"lead_sources": ("inbound",), "segments": ("smb",), "pairs": (("rep", "channel"), ("segment", "lead_source"))},
    {
        "lead_sources": ("inbound", "outbound"),
        "origins": ("webinar", "fair, spring"),
        "sales_regions": ("dach",),
        "segments": ("enterprise", "smb"),
        "campaigns": ("launch", "guide"),
        "products": ("basic", "pro"),
        "competitors": ("acme",),
        "referral_origins": ("webinar",),
        "customer_ms": Duration(10 * DAY),
        "pairs": (("team", "origin"), ("channel", "sentiment"), ("sales_region", "campaign")),
    },
    {"lead_sources": (), "campaigns": ("guide",), "pairs": (("campaign", "channel"),)},
)
"""What is sliced by, from little to all."""


MONEY = (
    Money(
        rates=(
            Rate("USD", 2, "0.9"),
            Rate("USD", 2, "0.5", Millis(NOON + 10 * MINUTE)),
            Rate("JPY", 0, "0.00615", Millis(NOON + 20 * MINUTE)),
            Rate("JPY", 0, "0.0061", Millis(NOON - HOUR)),
        )
    ),
    Money(),
)
"""The own currency, with rates of others that change, some told late first or from a while ago only; without any."""

PIPELINES = (
    (DealStage("qualified", 20), DealStage("proposal", 55), DealStage("contract", 90)),
    (),
    (DealStage("proposal", 33),),
)


BUSY = WorkCalendar(
    "busy",
    "UTC",
    tuple(
        Shift(weekday, *hours) for weekday in range(7) for hours in ((480, 722), (724, 727), (731, 736), (741, 745), (749, 790))
    ),
    (OwnDay(date(2026, 3, 3)), OwnDay(date(2026, 3, 9), (Hours(715, 735),))),
)
"""Its breaks are where most things happen."""

NIGHTS = WorkCalendar(
    "nights",
    "Australia/Lord_Howe",
    tuple(Shift(weekday, 22 * 60, 29 * 60 + 90 * (weekday % 2)) for weekday in range(5)),
    (OwnDay(date(2026, 3, 2), (Hours(600, 700), Hours(1380, 1388))),),
)
"""Noon is at half past ten in the evening there."""

OFFICE = WorkCalendar("office", "Europe/Berlin", tuple(Shift(weekday, 9 * 60, 18 * 60) for weekday in range(5)))

EVERYBODY = ("north", "south", "east", "other", "unassigned")
WORKTIMES: tuple[dict[str, Any], ...] = (
    {},
    {"calendars": (OFFICE,), "team_calendars": (CalendarUse("north", "office"), CalendarUse("unassigned", "office"))},
    {
        "calendars": (BUSY, NIGHTS),
        "team_calendars": (
            CalendarUse("north", "busy"),
            CalendarUse("south", "nights"),
            CalendarUse("south", "busy", Millis(NOON + 8 * MINUTE)),
            CalendarUse("unassigned", "nights", Millis(NOON + MINUTE)),
        ),
        "rep_calendars": (
            CalendarUse("ana", "nights", Millis(NOON + 4 * MINUTE)),
            CalendarUse("ana", None, Millis(NOON + 13 * MINUTE)),
        ),
        "absences": (
            Absence("ana", Millis(NOON + 3 * MINUTE), Millis(NOON + 6 * MINUTE)),
            Absence("ben", Millis(NOON - DAY), Millis(NOON + 2 * MINUTE)),
            Absence("cleo", Millis(NOON + MINUTE), Millis(NOON + 7 * DAY)),
        ),
    },
    {
        "calendars": (BUSY, NIGHTS),
        "team_calendars": tuple(CalendarUse(team, "busy") for team in EVERYBODY),
        "rep_calendars": (CalendarUse("ana", "nights"), CalendarUse("ben", "nights")),
        "absences": (Absence("cleo", Millis(NOON + 11 * MINUTE), Millis(NOON + 17 * MINUTE)),),
    },
    {"calendars": (BUSY,), "team_calendars": tuple(CalendarUse(team, "busy") for team in EVERYBODY)},
)
"""Who works when, from all of the time to hardly ever."""


def _fitting(worktime: dict[str, Any], roster: Sequence[Membership]) -> dict[str, Any]:
    """What is said of reps' hours and absences, but for those that the roster does not have: settings refuse these."""
    known = {entry.rep for entry in roster}
    uses = tuple(use for use in worktime.get("rep_calendars", ()) if use.name in known)
    absences = tuple(each for each in worktime.get("absences", ()) if each.rep in known)
    return worktime | {"rep_calendars": uses, "absences": absences}


def rules(zones: Sequence[str] = ZONES) -> st.SearchStrategy[Rules]:
    """Rules of a small organisation, its zone and its strictness."""
    return st.builds(
        lambda listed, worktime, **others: Rules(**listed, **_fitting(worktime, others["roster"]), **others),
        st.sampled_from(LISTED),
        st.sampled_from(WORKTIMES),
        zone=st.sampled_from(zones),
        roster=st.sampled_from(ROSTERS),
        sla=st.sampled_from((*POLICIES, *BUSINESS_POLICIES)),
        meeting_grace_ms=st.sampled_from((HOUR, 0, 10 * MINUTE)),
        unmarked_meetings_count_as_held=st.booleans(),
        money=st.sampled_from(MONEY),
        deal_stages=st.sampled_from(PIPELINES),
        quotas=st.sampled_from(QUOTAS),
        plans=st.sampled_from(PLANS),
        targets=st.sampled_from(TARGETS),
        leaderboards=st.sampled_from(LEADERBOARDS),
        gross_margin_percent=st.sampled_from((None, 80)),
    )
