"""Rules of the house that no linter knows: they hold for every file of the checkout, and each is seen to catch its breach."""

import ast
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from services import CHECKOUT

NOT_OURS = {".git", ".venv", ".cache", "build", "node_modules", "__pycache__"}
HIDDEN_BUT_OURS = {".ci", ".github"}
LONGEST = 400

PURE = {
    *("models", "msgspec"),
    *("array", "bisect", "collections", "dataclasses", "datetime", "decimal", "enum", "fractions", "functools", "graphlib"),
    *("hashlib", "heapq", "itertools", "math", "operator", "re", "statistics", "string", "struct", "types"),
    *("typing", "zlib", "zoneinfo"),
}
"""What the core may import: itself, msgspec, and what of the standard library has no effect and knows no clock."""

NOT_NUMERIC = {"units.py", "errors.py", "events.py", "rules.py", "kpis.py", "calendars.py", "lead.py", "registers.py"}
"""The modules of the core that must not import numpy: what is said, decided, folded and defined is plain Python."""

CLOCKS = {("datetime", "now"), ("datetime", "today"), ("datetime", "utcnow"), ("date", "today")}

CLIENTS = {"httpx", "requests", "urllib.request", "urllib3", "aiohttp", "http.client"}
READS_CODE = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "yaml"}

THE_TRUTH_MAY_SHARE = {"models.errors", "models.units", "models.events"}
"""What the independent reckoning of the KPIs may have in common with the engine that it checks."""

SLEEP = re.compile(r"\bsleep\((?!0\))|wait_for\([\w.]*Event\(\)")  # sleep(0) only lets others run
LET_PASS = re.compile(r"\blet_pass\(")
PLACES_OF_ONE_MACHINE = re.compile(r"(?<![\w.~)}-])/(?:work|farm|root|home|Users)/")
REGISTRIES = re.compile(r"\b(?:pypi|pythonhosted|npmjs|crates|maven|maven\.apache|deb\.debian|golang)\.(?:org|com|io)\b")


def files(*suffixes: str) -> list[Path]:
    """Our own files with one of these endings; all of them if none is given."""
    return sorted(path for path in _walk() if not suffixes or path.as_posix().endswith(suffixes))


def _walk() -> Iterator[Path]:
    for folder, folders, names in os.walk(CHECKOUT):
        folders[:] = [name for name in folders if _is_ours(name)]
        yield from (Path(folder, name) for name in names if name not in NOT_OURS and not name.startswith(".coverage"))


def _is_ours(folder: str) -> bool:
    hidden = folder.startswith(".") and folder not in HIDDEN_BUT_OURS
    return not hidden and folder not in NOT_OURS and not folder.endswith(".egg-info")


def imports(code: str) -> set[str]:
    """The full names of the modules that some code imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def impurities(name: str, code: str) -> set[str]:
    """What a module of the core imports or calls that it must not."""
    allowed = PURE | (set() if name in NOT_NUMERIC else {"numpy", "numpy.typing"})
    strangers = {module for module in imports(code) if module.partition(".")[0] not in allowed}
    return strangers | {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (node.value.id, node.attr) in CLOCKS
    }


def confidences(text: str) -> list[str]:
    """What a text says of the machine it was written on, or of where packages come from."""
    return [found.group() for pattern in (PLACES_OF_ONE_MACHINE, REGISTRIES) for found in pattern.finditer(text)]


def breaches(paths: list[Path], rule: Callable[[Path], Any]) -> dict[str, Any]:
    """File → what a rule finds in it, for the files in which it finds anything."""
    found = {path.relative_to(CHECKOUT).as_posix(): rule(path) for path in paths}
    return {name: what for name, what in found.items() if what}


def test_no_file_is_too_long_to_read():
    code = files(".py", ".lua", ".js", ".css", ".html", ".sh", ".toml", "Makefile", ".ci/run")
    assert breaches(code, lambda path: max(0, len(path.read_text().splitlines()) - LONGEST)) == {}


def test_the_core_has_no_effects_and_no_clock():
    core = [path for path in files(".py") if path.is_relative_to(CHECKOUT / "models")]
    assert core
    assert breaches(core, lambda path: impurities(path.name, path.read_text())) == {}


def test_the_truth_shares_no_code_with_the_engine():
    truth = [path for path in files(".py") if path.name.startswith("truth")]
    itself = {f"streams.local.{path.stem}" for path in truth}

    def shared(path: Path) -> set[str]:
        ours = {module for module in imports(path.read_text()) if module.startswith(("models", "streams"))}
        return ours - itself - THE_TRUTH_MAY_SHARE

    assert truth
    assert breaches(truth, shared) == {}


def test_nothing_is_fetched_from_addresses_that_come_in():
    """Only what looks at our own services, and the simulator, which is somebody else's CRM, ask anything over HTTP."""
    asking = {
        path.relative_to(CHECKOUT).as_posix()
        for path in files(".py")
        if path.is_relative_to(CHECKOUT / "streams") and imports(path.read_text()) & CLIENTS
    }
    assert "streams/inspection/services.py" in asking
    assert {name for name in asking if not name.startswith("streams/local/")} == {"streams/inspection/services.py"}


def test_nothing_is_read_that_could_be_code():
    ours = [path for path in files(".py") if path.relative_to(CHECKOUT).parts[0] in {"models", "streams"}]
    assert breaches(ours, lambda path: imports(path.read_text()) & READS_CODE) == {}


def test_no_file_names_a_machine_or_a_registry():
    assert breaches(files(), lambda path: confidences(path.read_bytes().decode(errors="replace"))) == {}


def test_tests_wait_for_something_and_never_sleep():
    tests = [path for path in files(".py") if path.is_relative_to(CHECKOUT / "tests") and path.name != "services.py"]
    assert breaches(tests, lambda path: SLEEP.findall(path.read_text())) == {}
    plain = [path for path in tests if path.parent.name not in {"faults", "storm"}]  # there time itself is what befalls
    assert breaches(plain, lambda path: LET_PASS.findall(path.read_text())) == {}


def test_the_commit_hook_checks_what_make_check_does():
    hooks = re.findall(r"entry: \.venv/bin/(.+)", (CHECKOUT / ".pre-commit-config.yaml").read_text())
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    checks = re.findall(r"\$\(BIN\)/([^|\n]+?)(?: --quiet)?(?: \.)?\n", recipe[1])
    assert hooks == checks
    assert len(hooks) == 4


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import time", {"time"}),
        ("def late():\n    from random import random", {"random"}),
        ("import numpy.typing", {"numpy.typing"}),
        ("from datetime import datetime\nnow = datetime.now()", {"datetime.now"}),
        ("from datetime import date, datetime\nimport math", set()),
    ],
)
def test_a_clock_or_an_effect_in_the_core_would_be_seen(code, found):
    assert impurities("kpis.py", code) == found


def test_numpy_is_for_what_is_done_with_many_leads_or_series():
    assert impurities("rollup.py", "import numpy as np") == set()
    assert impurities("rules.py", "import numpy as np") == {"numpy"}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("see /" + "root/notes", True),
        ("cd /" + "work/main", True),
        ("$(HOME)/" + "home/x and https://example.com/" + "root/", False),
        ("index = https://py" + "pi.org/simple", True),
        ("/usr/bin/env and /tmp/x", False),
    ],
)
def test_a_confidence_would_be_seen(text, seen):
    assert bool(confidences(text)) == seen
