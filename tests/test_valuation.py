"""By which code totals were made: nothing that decides a contribution may change unseen."""

import ast
from collections.abc import Iterator
from pathlib import Path

import models
from models.money import Money
from models.rules import Rules
from streams.valuation import SOURCES, valuation_of

CORE = Path(models.__file__).parent
ENTRANCES = ("contributions.py", "members.py", "neighbourhood.py", "rollup.py", "state/absorption.py", "state/rows.py")
"""Where contributions are made, narrowed down, handed over and summed."""

DECIDES_NOTHING = {
    *("__init__.py", "state/__init__.py", "errors.py", "units.py"),
    # What comes in is folded into states, which stay as they are; alerts are no totals.
    *("events.py", "belief.py", "state/told.py", "data/refs.py", "data/fields.py"),
    *(f"data/{kind}.py" for kind in ("leads", "accounts", "reps", "campaigns")),
    # How totals are kept and told, not what is in them.
    *("compared.py", "givens.py", "kpis.py", "panes.py", "quotas.py", "sums.py"),
}


def needed(name: str) -> Iterator[str]:
    """The modules of the core that one of them imports, as files."""
    for node in ast.walk(ast.parse((CORE / name).read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("models"):
            whole = (node.module or "").removeprefix("models").replace(".", "/").removeprefix("/")
            places = [whole, *(f"{whole}/{alias.name}" if whole else alias.name for alias in node.names)]
            yield from (f"{place}.py" for place in places if (CORE / f"{place}.py").is_file())
            if (CORE / whole / "__init__.py").is_file():
                yield f"{whole}/__init__.py" if whole else "__init__.py"


def test_the_valuation_has_all_code_that_contributions_are_made_by():
    found: set[str] = set()
    waiting = [*ENTRANCES]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needed(name)
    assert {f"catalogue/{path.name}" for path in (CORE / "catalogue").glob("*.py")} <= found
    assert sorted(found - DECIDES_NOTHING) == sorted(SOURCES)


def test_other_rules_and_their_money_are_another_valuation():
    euros = valuation_of(Rules())
    assert euros == valuation_of(Rules())
    assert euros.digest != valuation_of(Rules(money=Money("CHF"))).digest
