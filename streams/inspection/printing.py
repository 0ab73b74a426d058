"""Rows on a terminal or as JSON."""

import re
from collections.abc import AsyncIterator
from typing import Any, Final, TextIO
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.units import Millis, moment
from streams.inspection.unpacking import Row

USUAL_LIMIT: Final = 100
"""How many rows a terminal is given unless it asks for more; a program gets all."""

INSTANTS: Final = frozenset({"at", "clock", "due", "known_until", "seen", "since", "start", "version"})
"""Columns that hold ms UTC, beside those that end in `_at`."""

FIRST_INSTANT: Final = 100_000_000_000
"""What is less is no instant: the version of a KPI row is a round."""

MANY_COLUMNS: Final = 9
"""From so many columns on, fewer rows than that are easier to read side by side."""

_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


async def write_json(out: TextIO, rows: AsyncIterator[Row], limit: int) -> None:
    """An array, one row a line; `limit` 0 is no limit."""
    before = "["
    async for number, row in _numbered(rows):
        if limit and number == limit:
            break
        out.write(f"{before}\n  {json_line(row)}")
        before = ","
    out.write("[]\n" if before == "[" else "\n]\n")


async def print_table(console: Console, rows: AsyncIterator[Row], zone: str, limit: int) -> None:
    """Rows for people, instants in local time: one below the other, or, few and long ones, side by side.

    So many rows at most; `limit` 0 is no limit.
    """
    shown: list[Row] = []
    more = False
    async for number, row in _numbered(rows):
        more = bool(limit) and number == limit
        if more:
            break
        shown.append(row)
    columns = list(shown[0]) if shown else []
    lines = [_line(row, ZoneInfo(zone)) for row in shown]
    if not shown:
        console.print("empty")
    elif len(columns) >= MANY_COLUMNS and len(shown) < MANY_COLUMNS:
        console.print(_table([""] * (len(lines) + 1), [[name, *told] for name, *told in zip(columns, *lines, strict=True)]))
    else:
        console.print(_table(columns, lines))
    if more:
        console.print(f"… and more: these are the first {limit} (--limit 0 shows all)")


async def _numbered(rows: AsyncIterator[Row]) -> AsyncIterator[tuple[int, Row]]:
    number = 0
    async for row in rows:
        yield number, row
        number += 1


def _table(headings: list[str], lines: list[list[str]]) -> Table:
    table = Table(box=None, header_style="bold", show_header=any(headings))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for line in lines:
        table.add_row(*(Text(text) for text in line))
    return table


def _line(row: Row, zone: ZoneInfo) -> list[str]:
    # Of a lead's fields it is the field that says whether its value is an instant.
    return [_told(row["field"] if name == "value" and "field" in row else name, value, zone) for name, value in row.items()]


def _told(name: str, value: Any, zone: ZoneInfo) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case int() if (name in INSTANTS or name.endswith("_at")) and value >= FIRST_INSTANT:
            return moment(Millis(value)).astimezone(zone).isoformat(" ", "milliseconds")
        case dict() | list():
            return printable(msgspec.json.encode(value).decode())
        case _:
            return printable(str(value))


def json_line(content: Any) -> str:
    """JSON in a line that does not steer a terminal either."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", msgspec.json.encode(content).decode())


def printable(text: str) -> str:
    r"""Text that a terminal takes for nothing but text: what would steer it is spelled out, such as `\x1b`."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
