"""What the terminal shows while a demo runs: where to look, and the headline KPIs ticking."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

WINDOWS = ("1h", "today", "7d", "30d")

HEADLINES = (
    ("leads_created", "Leads created"),
    ("lead_response_time_p50", "Response time, median"),
    ("lead_response_time_p90", "Response time, p90"),
    ("response_within_sla_ratio", "Answered within SLA"),
    ("sla_breaches", "SLA breaches"),
    ("touches", "Touches"),
    ("call_connect_ratio", "Calls connected"),
    ("reply_ratio", "Reply rate"),
    ("positive_reply_ratio", "Positive replies"),
    ("meetings_booked", "Meetings booked"),
    ("meeting_show_ratio", "Meetings held of due"),
)

LEVELS = (("leads_awaiting_response", "waiting"), ("leads_overdue", "overdue"))


class Status(NamedTuple):
    """What is to be told beside the numbers."""

    links: Sequence[tuple[str, str]]
    posted: int
    line: str


def screen(status: Status, kpis: Mapping[tuple[str, str], Mapping[str, Any]]) -> RenderableType:
    """The whole screen. `kpis` are rows of the API by (id, window)."""
    links = Table.grid(padding=(0, 2))
    for link, where in status.links:
        links.add_row(Text(link, style="dim"), Text(where, style="cyan"))
    table = Table(box=None, padding=(0, 2), header_style="dim")
    table.add_column("")
    for window in WINDOWS:
        table.add_column(window, justify="right")
    for name, words in HEADLINES:
        table.add_row(words, *(told(kpis.get((name, window))) for window in WINDOWS))
    now = ", ".join(f"{told(kpis.get((name, 'now')))} {word}" for name, word in LEVELS)
    title = Text("♥ Leadbeat", style="bold red")
    posted = Text(f"Leads now: {now}    Events delivered: {status.posted:,}", style="bold")
    return Group(title, links, Text(), table, Text(), posted, Text(status.line, style="dim"))


def told(row: Mapping[str, Any] | None) -> str:
    """A value for people: a time, a share, a count, or a dash where there is none."""
    value = None if row is None else row.get("value")
    if row is None or value is None:
        return "–"
    if row.get("unit") == "seconds":
        return _span(value)
    return f"{value:.0%}" if row.get("unit") == "ratio" else f"{value:,.0f}"


def _span(seconds: float) -> str:
    if seconds < 60:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    if seconds < 3600:  # noqa: PLR2004
        return f"{seconds // 60:.0f} min {seconds % 60:02.0f} s"
    return f"{seconds / 3600:.1f} h"
