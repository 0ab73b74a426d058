"""Rules: who is where when, how soon an answer is due, and what contradicts itself."""

import build
import numpy as np
import pytest
from build import DAY, HOUR, MINUTE, NOON, ROSTER, RULES, SECOND, member, sla
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from models.calendars import WorkCalendar
from models.codes import NEVER, Codes
from models.errors import InvalidRulesError
from models.rules import OTHER, UNASSIGNED, UNKNOWN, Absence, CalendarUse, Rules
from models.units import Millis

INSTANTS = st.integers(0, 5).map(lambda number: Millis(NOON + number * MINUTE))
NAMES = st.sampled_from((None, "north", "north", "south"))
POLICIES = st.lists(
    st.builds(
        lambda target, since, team, source, segment: build.sla(target, since, team=team, lead_source=source, segment=segment),
        st.integers(1, 100),
        INSTANTS,
        NAMES,
        NAMES,
        NAMES,
    ),
    max_size=6,
)
ENTRIES = st.lists(
    st.builds(member, st.sampled_from(("ana", "ben")), NAMES, INSTANTS),
    max_size=6,
    unique_by=lambda entry: (entry.rep, entry.valid_from),
)


OFFICE = WorkCalendar("office", "Europe/Berlin")


def team_of(rules, rep, at):
    codes = Codes(rules)
    (found,) = codes.teams(np.array([codes.rep.code(rep)]), np.array([at])).tolist()
    return codes.team.names[found]


def team_changes(rules, rep, at):
    codes = Codes(rules)
    (change,) = codes.next_team_changes(np.array([codes.rep.code(rep)]), at).tolist()
    return None if change == NEVER else change


def target_of(rules, at, team, source=None, segment=None):
    codes = Codes(rules)
    named = {UNASSIGNED: 0, OTHER: 1}.get(team, codes.team.code(team))
    asked = (at, named, codes.lead_source.code(source), codes.segment.code(segment))
    (policy,) = codes.sla_policies(*(np.array([each]) for each in asked)).tolist()
    return int(codes.sla[policy]) or None


@given(POLICIES, INSTANTS, NAMES.filter(bool), NAMES, NAMES)
def test_the_most_specific_then_latest_then_last_written_policy_applies(policies, at, team, source, segment):
    best = None
    for number, policy in enumerate(policies):
        wanted = [(policy.team, team), (policy.lead_source, source), (policy.segment, segment)]
        if policy.valid_from <= at and all(name is None or name == actual for name, actual in wanted):
            rank = (sum(name is not None for name, _ in wanted), policy.valid_from, number)
            best = max(best or (rank, policy.target_ms), (rank, policy.target_ms))
    assert target_of(Rules(sla=tuple(policies)), at, team, source, segment) == (best and best[1])


@given(ENTRIES, INSTANTS, st.sampled_from(("ana", "ben", "zoe")))
def test_a_reps_team_is_that_of_the_latest_entry_up_to_then(entries, at, rep):
    before = [entry for entry in entries if entry.rep == rep and entry.valid_from <= at]
    latest = max(before, key=lambda entry: entry.valid_from, default=None)
    rules = Rules(roster=tuple(entries))
    assert rules.team(rep, at) == team_of(rules, rep, at) == ((latest and latest.team) or OTHER)


@given(ENTRIES, INSTANTS, st.sampled_from(("ana", "ben", "zoe")))
def test_a_team_does_not_change_before_the_roster_says_so(entries, at, rep):
    rules = Rules(roster=tuple(entries))
    change = team_changes(rules, rep, at)
    assert change is None or change > at
    assert rules.team(rep, Millis((change or NOON + DAY) - 1)) == rules.team(rep, at)
    assert change in {None, *(entry.valid_from for entry in entries if entry.rep == rep)}


def test_a_rep_is_named_unassigned_or_other():
    codes = Codes(RULES)
    assert [codes.rep.names[codes.rep.code(rep)] for rep in (None, "ana", "cleo", "dora", "stranger")] == [
        UNASSIGNED,
        "ana",
        "cleo",
        "dora",
        OTHER,
    ]


@pytest.mark.parametrize(
    ("rep", "at", "team"),
    [
        (None, NOON, UNASSIGNED),
        ("stranger", NOON, OTHER),
        ("ana", NOON, "north"),
        ("ben", NOON + 10 * MINUTE - 1, "north"),
        ("ben", NOON + 10 * MINUTE, "south"),
        ("cleo", NOON - 31 * DAY, OTHER),
        ("cleo", NOON, "south"),
        ("cleo", NOON + 20 * MINUTE, OTHER),
        ("dora", NOON, OTHER),
    ],
)
def test_a_team_is_the_rosters_at_the_time(rep, at, team):
    assert RULES.team(rep, at) == team_of(RULES, rep, at) == team


def test_nobodys_team_never_changes():
    assert team_changes(RULES, None, 0) is None


def test_those_are_present_who_are_in_a_team_then():
    assert RULES.present(NOON) == (["ana", "ben", "cleo"], ["north", "south"])
    assert RULES.present(Millis(NOON + 20 * MINUTE)) == (["ana", "ben"], ["north", "south"])
    assert RULES.present(Millis(NOON + DAY)) == (["ana", "ben", "dora"], ["east", "north", "south"])
    assert Rules().present(NOON) == ([], [])


def test_a_lead_source_is_unknown_known_or_other():
    sources = Codes(replace(RULES, sla=(sla(HOUR, lead_source="partner"),))).lead_source
    assert [sources.names[sources.code(value)] for value in (None, "inbound", "outbound", "partner")] == [
        UNKNOWN,
        "inbound",
        "outbound",
        OTHER,
    ]


def test_an_older_policy_that_names_more_applies_before_a_newer_one_that_names_less():
    rules = Rules(sla=(sla(HOUR, segment="smb", team="north"), sla(MINUTE, NOON - DAY, team="north")))
    assert target_of(rules, NOON, "north", None, "smb") == HOUR
    assert target_of(rules, NOON, "north", None, None) == MINUTE


def test_an_answer_is_due_in_five_minutes_unless_said_otherwise():
    assert target_of(Rules(), NOON, OTHER, None, None) == 5 * MINUTE
    assert target_of(Rules(sla=()), NOON, OTHER, None, None) is None


def test_a_policy_may_name_what_the_rest_of_the_rules_does_not_know():
    named = sla(HOUR, lead_source="partner"), sla(MINUTE, lead_source=OTHER), sla(SECOND, team=OTHER), sla(DAY, team=UNASSIGNED)
    rules = Rules(sla=named, roster=ROSTER)
    assert [target_of(rules, NOON, "north", source) for source in ("partner", OTHER, "stranger")] == [HOUR, MINUTE, None]
    assert [target_of(rules, NOON, team) for team in (OTHER, UNASSIGNED)] == [SECOND, DAY]
    assert target_of(Rules(sla=(sla(HOUR, team="ghosts"),)), NOON, OTHER) is None


def test_a_policy_that_names_something_does_not_match_what_is_not_known():
    rules = Rules(sla=(sla(MINUTE, segment="smb"),))
    assert target_of(rules, NOON, "north", None, None) is None


def test_a_changed_copy_looks_up_anew():
    assert RULES.team("ben", NOON) == "north"
    moved = replace(RULES, roster=(member("ben", "south"),))
    assert moved.team("ben", NOON) == "south"
    assert target_of(RULES, NOON, "north", None, None) == 5 * MINUTE
    assert target_of(replace(RULES, sla=(sla(HOUR),)), NOON, "north", None, None) == HOUR


def test_sound_rules_pass():
    Rules().check()
    RULES.check()
    uses = (CalendarUse("ana", "office"), CalendarUse("ana", None, NOON))
    away = (Absence("ana", NOON, Millis(NOON + 1)), Absence("ben", NOON, Millis(NOON + 1)))
    replace(RULES, calendars=(OFFICE,), team_calendars=uses, rep_calendars=uses, absences=away).check()


@pytest.mark.parametrize(
    ("rules", "where", "what"),
    [
        (Rules(roster=(*ROSTER, member("ana", "south"))), "roster", "two entries"),
        (Rules(roster=(member("unassigned", "north"),)), "roster", "reserved"),
        (Rules(roster=(member("ana", "other"),)), "roster", "reserved"),
        (Rules(roster=(member("unknown"),)), "roster", "reserved"),
        (Rules(roster=(member("", "north"),)), "roster", "reserved"),
        (Rules(roster=(member("ana", ""),)), "roster", "reserved"),
        (Rules(sla=(sla(5 * SECOND), sla(0))), "sla", "not positive"),
        (Rules(sla=(sla(-1),)), "sla", "not positive"),
        (Rules(pairs=(("rep", "channel"), ("segment", "rep"))), "pairs[1]", "no value of segment"),
        (Rules(calendars=(OFFICE, replace(OFFICE, zone="UTC"))), "calendars", "one name"),
        (Rules(team_calendars=(CalendarUse("north", "office"),)), "team_calendars", "no calendar 'office'"),
        (Rules(rep_calendars=(CalendarUse("ana"), CalendarUse("ana"))), "rep_calendars", "from the same instant"),
        (Rules(absences=(Absence("ana", NOON, NOON),)), "absences", "back before"),
    ],
)
def test_rules_that_contradict_themselves_are_told(rules, where, what):
    with pytest.raises(InvalidRulesError, match=what) as caught:
        rules.check()
    assert caught.value.where == where


def test_reps_and_teams_can_be_paired_before_there_is_a_roster():
    Rules(pairs=(("rep", "channel"), ("team", "sentiment"))).check()


def test_a_rep_may_have_entries_from_different_instants_and_different_reps_from_one():
    Rules(roster=(member("ana", "north"), member("ana", None, NOON), member("ben", "north"))).check()
