"""docs/security.md: every threat names tests that there are."""

import ast
import re
from pathlib import Path

import pytest
from services import CHECKOUT

TEXT = (CHECKOUT / "docs" / "security.md").read_text()
HEADING = ["threat", "what stops it", "test", "what remains"]


def rows() -> list[list[str]]:
    """The cells of every row of every table, without headings."""
    lines = [line for line in TEXT.splitlines() if line.startswith("|") and not set(line) <= set("|-")]
    return [cells for cells in ([cell.strip() for cell in line.strip("|").split("|")] for line in lines) if cells != HEADING]


def names_in(path: Path) -> set[str]:
    """The names of a module's tests, those of a class behind its own."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            }
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
    return {name for name in found if name.rpartition("::")[2].startswith("test_")}


def missing(reference: str) -> bool:
    """Whether there is no such test, or module of tests."""
    module, _, name = reference.partition("::")
    path = CHECKOUT / "tests" / module
    return not path.exists() or (name not in names_in(path) if name else not names_in(path))


def test_each_threat_says_what_stops_it_and_which_test_shows_that():
    assert len(rows()) > 30
    for cells in rows():
        assert len(cells) == len(HEADING), cells
        threat, stops, tests, _ = cells
        assert threat, cells
        assert stops, threat
        assert re.fullmatch(r"(`[\w./:]+\.py(::\w+)*` ?)+", tests), (threat, tests)


def test_each_test_that_is_named_exists():
    named = {reference for cells in rows() for reference in re.findall(r"`([^`]+)`", cells[2])}
    assert {reference for reference in named if missing(reference)} == set()


@pytest.mark.parametrize(
    ("reference", "is_missing"),
    [
        ("test_security_docs.py", False),
        ("test_security_docs.py::test_each_test_that_is_named_exists", False),
        ("test_security_docs.py::missing", True),
        ("test_security.py::TestKafka::test_a_certificate_is_for_its_host", False),
        ("test_security.py::test_a_certificate_is_for_its_host", True),
        ("services.py", True),
        ("test_nothing.py", True),
    ],
)
def test_one_that_is_missing_would_be_seen(reference, is_missing):
    assert missing(reference) == is_missing
