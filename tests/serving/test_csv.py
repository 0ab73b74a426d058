"""The KPI table as CSV: the same rows as in JSON, in columns that stay."""

import csv
import io

import pytest
from build import MINUTE, NOON, call, member
from published import at_noon, serving

from models.rules import Rules
from streams.errors import Retry
from streams.serving.api import COLUMNS

HOSTILE = ["=cmd|' /C calc'!A0", "-ana", 'be"n,', "cle\r\no", "'dora", "@e"]
RULES = Rules(roster=tuple(member(name, "north") for name in HOSTILE))
SNAPSHOT = at_noon(*(call(f"c{number}", NOON - MINUTE, rep=name) for number, name in enumerate(HOSTILE)), rules=RULES)


async def ask(query, snapshot=SNAPSHOT, **headers):
    async with serving(snapshot) as client:
        return await client.get(f"/api/v1/kpis?{query}", headers=headers)


def read(response):
    assert response.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    reader = csv.DictReader(io.StringIO(response.text, newline=""))
    return reader.fieldnames, list(reader)


async def test_the_rows_are_those_of_the_json():
    query = "kpi=calls&kpi=sla_warnings&kpi=call_connect_ratio&window=1h&text=1"
    content = (await ask(query)).json()
    heading, rows = read(await ask(f"{query}&format=csv"))
    assert tuple(heading) == COLUMNS
    assert len(rows) == len(content["kpis"]) > 10
    for row, expected in zip(rows, content["kpis"], strict=True):
        cells = expected | {name: content[name] for name in ("clock", "known_until", "round", "exact", "stale")}
        cells["labels"] = ",".join(f"{name}={text}" for name, text in expected["labels"].items())
        assert {name: text.removeprefix("'") for name, text in row.items()} == {
            name: told(cell) for name, cell in cells.items()
        }


def told(cell):
    """What a cell of the JSON is as text."""
    if cell is None:
        return ""
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


async def test_names_that_would_be_formulas_are_text():
    _, rows = read(await ask("kpi=calls&window=1h&by=rep&format=csv"))
    found = {row["slice"] for row in rows if row["value"] == "1.0"}
    assert found == {"'=cmd|' /C calc'!A0", "'-ana", 'be"n,', "cle\r\no", "''dora", "'@e"}


async def test_the_columns_do_not_depend_on_what_is_asked_for():
    for query in ("format=csv&kpi=calls", "format=csv&kpi=leads_overdue&text=1", "format=csv&window=1h&kpi=leads_overdue"):
        heading, rows = read(await ask(query))
        assert tuple(heading) == COLUMNS
    assert rows == []


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/csv", "text/csv"),
        ("TEXT/CSV; charset=utf-8", "text/csv"),
        ("text/*", "text/csv"),
        ("application/json;q=0.5, text/csv", "text/csv"),
        ("application/json;q=0.5, text/csv;q=0.9", "text/csv"),
        ("*/*;q=0.9, application/json;q=0.1", "text/csv"),
        ("text/csv, application/json", "application/json"),
        ("text/csv;q=0", "application/json"),
        ("text/csv;q=nan", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("", "application/json"),
        (";;,,=", "application/json"),
    ],
)
async def test_the_accept_header_decides_where_the_query_does_not(accept, expected):
    for query, wanted in (("kpi=calls&window=1h", expected), ("kpi=calls&format=json&format=", "application/json")):
        response = await ask(query, accept=accept)
        assert response.headers["content-type"].partition(";")[0] == wanted
    assert (await ask("kpi=calls&format=json&format=csv", accept=accept)).headers["content-type"].startswith("text/csv")


async def test_errors_are_json_whatever_was_asked_for():
    for response in (await ask("format=csv&window=2h"), await ask("format=csv", Retry("redis", "is away"))):
        assert response.headers["content-type"] == "application/json"
        assert response.json().keys() == {"where", "what", "todo"}
