"""What changes from some rules to others, entry by entry."""

import tomllib

from crowd import RULES

from streams.config import Settings
from streams.rulebook.changes import changes


def rules(text):
    return Settings.model_validate(tomllib.loads(text)).rules()


def told(old, new):
    return list(map(str, changes(rules(old), rules(new))))


def test_rules_do_not_differ_from_themselves_under_another_version_and_in_another_order():
    assert told(RULES, f"rules_version = 7\n{RULES}") == []


def test_every_kind_of_entry_is_told():
    new = """
    lead_sources = ["inbound", "partner"]
    segments = ["small", "large"]
    pairs = [["team", "segment"]]
    organisation.zone = "Europe/Berlin"
    sla = [
        { target = "10m" },
        { target = "2h", lead_source = "outbound", from = 2026-03-01 },
        { target = "5m", team = "north" },
    ]
    roster = [
        { rep = "ana", team = "south" },
        { rep = "ana", from = 2026-03-01T12:00:00 },
        { rep = "ben", team = "north" },
        { rep = "cleo", team = "south" },
    ]
    meetings = { grace = "2h", unmarked = "held" }
    """
    assert told(RULES, new) == [
        "~ roster: ana in north → in south",
        "+ roster: ana from 2026-03-01T12:00:00+01:00 has left",
        "- roster: dora from 2020-01-01 in south",
        "+ sla: lead_source outbound from 2026-03-01 2h00m",
        "~ sla: team north 4m00s → 5m00s",
        "- sla: lead_source outbound 1h00m",
        "+ lead_sources: partner",
        "- lead_sources: outbound, which counts as other",
        "+ segments: small",
        "+ segments: large",
        "+ pairs: team × segment",
        "~ meetings.grace: 1h00m → 2h00m",
        "~ meetings.unmarked: unmarked → held",
    ]


def test_another_zone_moves_what_is_given_by_days():
    assert told(RULES, RULES.replace("Europe/Berlin", "UTC")) == [
        "~ zone: Europe/Berlin → UTC",
        "+ roster: dora from 2020-01-01 in south",
        "- roster: dora from 2019-12-31T23:00:00+00:00 in south",
    ]
