"""What is said of a rules document before anything goes by it."""

import pytest
from crowd import RULES

from streams.errors import Fatal
from streams.rulebook.remarks import check


@pytest.fixture
def said(tmp_path):
    """The mistakes and the warnings about a document, as text."""

    def saying(text):
        file = tmp_path / "rules.toml"
        file.write_text(text)
        checked = check(file)
        return list(map(str, checked.mistakes)), list(map(str, checked.warnings))

    return saying


def test_nothing_is_said_of_good_rules_nor_of_what_else_stands_in_a_settings_file(said):
    assert said(RULES) == ([], [])
    assert said(f'checkpoint_ms = 50\n{RULES}\n[kafka]\nbootstrap = "nowhere"\n') == ([], [])


def test_the_environment_is_no_part_of_a_document(said, monkeypatch):
    monkeypatch.setenv("LEADBEAT_ROSTER", "nonsense")
    assert said(RULES) == ([], [])


def test_all_mistakes_are_told_with_where_what_and_what_to_do(said):
    mistakes, warnings = said(
        """
        colour = "red"
        roster = [{ rep = "ana", from = "yesterday" }, { team = "south" }]
        sla = [{ target = "5m", team = "north", speed = 1 }]
        lead_sources = ["other"]
        organisation.zone = "Atlantis"
        """
    )
    assert warnings == []
    assert sorted(mistakes) == sorted(
        [
            "colour: is not a setting (docs/leadbeat.example.toml shows how)",
            "organisation.zone: is not a time zone (use a name of the IANA database, such as Europe/Berlin)",
            "roster[0].from: is not a date (write 2026-01-31, or an instant as 2026-01-31T09:00:00+01:00)",
            "roster[1].rep: is missing (write it)",
            "sla[0].speed: is not a setting (docs/leadbeat.example.toml shows how)",
            "lead_sources[0]: 'other' is a name that Leadbeat gives itself (choose another)",
        ]
    )


def test_what_no_value_shows_by_itself_is_a_mistake_too(said):
    mistakes, _ = said(
        """
        roster = [{ rep = "ana", team = "north" }, { rep = "ana", team = "south" }]
        sla = [{ target = "5m", team = "nroth" }, { target = "5m", lead_source = "fair" }]
        """
    )
    assert mistakes == [
        "roster[1].from: is the same as in roster[0] (keep one of the two)",
        "sla[0].team: 'nroth' is not a team of the roster (put somebody into it in the roster, or correct its name)",
        "sla[1].lead_source: 'fair' is not among lead_sources (add it to lead_sources, or correct its name)",
    ]


ROSTER = 'roster = [{ rep = "ana", team = "north" }, { rep = "ana", from = 2026-03-01 }, { rep = "bo", team = "south" }]\n'


@pytest.mark.parametrize(
    ("text", "where", "part"),
    [
        ("", "roster", "is empty: every rep counts as other"),
        (ROSTER + "sla = []", "sla", "is empty: no lead is ever overdue"),
        ('roster = [{ rep = "ana" }]', "roster[0]", "ana leaves without having been in a team"),
        (
            'roster = [{ rep = "ana", team = "n", from = 2026-02-01 }, { rep = "ana", team = "n" }]',
            "roster[0]",
            "ana is in n by roster[1] already",
        ),
        (ROSTER + 'sla = [{ target = "5m" }, { target = "9m" }]', "sla[0]", "never applies: sla[1] is for the same leads"),
        (
            ROSTER + 'sla = [{ target = "5m" }, { target = "9m", team = "north", from = 2026-03-02 }]',
            "sla[1]",
            "never applies: nobody is in north from its beginning on",
        ),
        ('roster = [{ rep = "ana", team = "n" }, { rep = "Ana", team = "n" }]', "rep", "are two names to Leadbeat"),
        (ROSTER + 'calendars = [{ name = "a", hours = {} }]', "calendars[0]", "a is nobody's calendar"),
        (ROSTER + 'sla = [{ target = "5bm" }]', "sla[0].target", "nobody has a calendar"),
        (ROSTER + 'lead_sources = ["web", "web"]', "lead_sources", "'web' is there twice"),
    ],
)
def test_what_was_probably_not_meant_is_warned_of(said, text, where, part):
    mistakes, (warning,) = said(text)
    assert mistakes == []
    assert warning.startswith(f"{where}: ")
    assert part in warning


def test_a_policy_for_a_team_that_somebody_joins_later_is_meant(said):
    later = ROSTER.replace("]", ', { rep = "bo", team = "north", from = 2027-01-01 }]')
    assert said(later + 'sla = [{ target = "5m" }, { target = "9m", team = "north", from = 2026-03-02 }]') == ([], [])


def test_what_is_no_toml_is_refused(said):
    with pytest.raises(Fatal, match="is not TOML"):
        said("roster = [")
