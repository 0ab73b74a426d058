"""Rows as CSV (RFC 4180), with no cell that a spreadsheet would take for a formula."""

import csv
from collections.abc import Iterable, Sequence
from typing import Final, TextIO

STEERING: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
"""What a text begins with that a spreadsheet would act upon, and the apostrophe that takes that away."""


def harmless(cell: object) -> object:
    """A cell as it is written: text that could steer a spreadsheet has an apostrophe before it, None is empty, bools are words.

    To get the text back, leave out one leading apostrophe.
    """
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case str() if cell.startswith(STEERING):
            return f"'{cell}"
    return cell


def write(out: TextIO, heading: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """A heading, always, and the rows under it."""
    writer = csv.writer(out)
    writer.writerow(heading)
    writer.writerows(map(harmless, row) for row in rows)


def labels(named: Iterable[tuple[str, str]]) -> str:
    """Labels as one cell."""
    return ",".join(f"{name}={value}" for name, value in named)
