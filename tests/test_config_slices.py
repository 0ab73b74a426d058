"""Settings of what numbers are sliced by."""

import pytest
from mistaken import mistakes

from models.errors import InvalidRulesError
from models.rules import Rules
from streams.config import Settings, load

LISTS = """
lead_sources = ["web"]
origins = ["fair", "search"]
sales_regions = ["dach"]
segments = ["smb"]
campaigns = ["launch"]
"""


def test_rules_slice_by_what_is_listed_and_paired(write):
    assert load(write(LISTS + 'pairs = [["team", "lead_source"], ["segment", "rep"]]')).rules() == Rules(
        lead_sources=("web",),
        origins=("fair", "search"),
        sales_regions=("dach",),
        segments=("smb",),
        campaigns=("launch",),
        pairs=(("team", "lead_source"), ("segment", "rep")),
    )


def test_a_pair_that_cannot_be_sliced_by_is_a_mistake(write):
    pairs = '["team", "lead_source"], ["lead_source", "team"], ["rep", "colour"], ["rep", "rep"], ["segment", "team"]'
    found = mistakes(write(f"pairs = [{pairs}]"))
    assert [line.partition(": ")[0] for line in found] == [f"pairs[{place}]" for place in (1, 2, 3, 4)]
    assert found[-1] == "pairs[4]: no value of segment is listed, so nothing is sliced by it: list them"
    with pytest.raises(InvalidRulesError, match=r"pairs\[0\]: rep cannot be paired with itself"):
        Settings.model_validate({"pairs": [["rep", "rep"]]}).rules()


def test_what_is_no_pair_or_no_list_is_a_mistake(write):
    assert mistakes(write('pairs = [["rep"], 3]')) == ["pairs[0][1]: is missing", "pairs[1]: is not a list"]
    assert mistakes(write('origins = ["other"]')) == [
        "origins[0]: 'other' is a name that Leadbeat gives itself: choose another"
    ]


def test_a_pair_is_not_held_against_a_list_that_is_broken(write):
    assert mistakes(write('segments = [1]\npairs = [["segment", "rep"]]')) == ["segments[0]: is not text"]


def test_prometheus_is_asked_to_show_what_it_may(write):
    assert load(write('[profile]\nalso_by = ["campaign"]')).profile.also_by == ("campaign",)
    (found,) = mistakes(write('[profile]\nalso_by = ["rep"]'))
    assert found.startswith("profile.also_by[0]: ")
