"""An audit's report, for people and for programs."""

from collections.abc import Iterator

import msgspec

from models.units import Millis, isoformat
from streams.audit.findings import Difference, Report


def in_json(report: Report) -> str:
    """One JSON object, on one line."""
    return msgspec.json.encode({**msgspec.to_builtins(report), "series": report.series}).decode()


def lines(report: Report) -> Iterator[str]:
    """What was audited and how, the differences, and what came of it."""
    for each in report.audited:
        clock = "no clock" if each.clock is None else f"clock {isoformat(Millis(each.clock))}"
        yield (
            f"partition {each.partition}: {each.source}, up to offset {each.offset}, {clock}:"
            f" {each.leads} leads, {each.series} series"
        )
    if report.kpi_rows:
        yield f"KPI table: {report.kpi_rows} rows of an exact round"
    yield from report.notes
    if report.shown:
        yield from _table(report.shown)
    if report.differences > len(report.shown):
        yield f"and {report.differences - len(report.shown)} more"
    for fault in report.failed:
        yield f"could not be audited: {fault}"
    yield _conclusion(report)


def _conclusion(report: Report) -> str:
    took = f"{report.series} series compared in {report.seconds:.1f} s"
    if report.differences:
        return f"{report.differences} differences, in {report.differing} series; {took}"
    if report.failed:
        return f"no differences in what could be audited; {took}"
    return f"no differences; {took}"


def _table(differences: list[Difference]) -> Iterator[str]:
    rows = [("partition", "series", "window", "stored", "derived")]
    rows += [
        ("all" if each.partition is None else str(each.partition), each.series, each.window, each.stored, each.derived)
        for each in differences
    ]
    printable = [tuple(cell if cell.isprintable() else ascii(cell) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*printable, strict=True)]
    for row in printable:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
