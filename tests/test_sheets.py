"""CSV that any reader takes, and that no spreadsheet acts upon."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.sheets import STEERING, harmless, labels, write


def written(*rows, heading=("a", "b")):
    out = io.StringIO()
    write(out, heading, rows)
    return out.getvalue()


def test_lines_end_as_the_standard_has_it_and_the_heading_is_always_there():
    assert written() == "a,b\r\n"
    assert written([1, "x"], [None, 'q"uote,d']) == 'a,b\r\n1,x\r\n,"q""uote,d"\r\n'


def test_numbers_stay_numbers_and_bools_are_words():
    assert written([-1.5, 0], [True, False]) == "a,b\r\n-1.5,0\r\ntrue,false\r\n"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1", "'"])
def test_text_that_would_be_a_formula_is_text(text):
    assert harmless(text) == f"'{text}"


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=2, max_size=2)))
def test_what_is_written_is_read_again_and_nothing_of_it_is_a_formula(rows):
    heading, *found = list(csv.reader(io.StringIO(written(*rows), newline="")))
    assert heading == ["a", "b"]
    assert [[cell.removeprefix("'") for cell in row] for row in found] == rows
    assert not [cell for row in found for cell in row if cell.startswith(STEERING[:-1])]


def test_labels_are_one_cell():
    assert labels([("sla_percent", "50"), ("x", "y")]) == "sla_percent=50,x=y"
