"""A replay as people and programs read it: a table for a terminal, JSON, CSV."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TextIO
from zoneinfo import ZoneInfo

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.kpis import Figure, Formula
from models.rules import Rules, SlaPolicy
from models.snapshot import Cell, Line, State
from models.units import DAY, SECOND, Millis, moment
from models.windows import NOW, WINDOWS
from streams import sheets
from streams.local.replay import Replay

USUAL_WINDOWS: Final = ("1h", "24h", "7d", "today", "month")
"""What a table shows unless it is told otherwise; all windows would not fit."""

MINUTE_S: Final = 60
HOUR_S: Final = 3600


class Choice(NamedTuple):
    """What is wanted: figures by key and windows (None: any), and one dimension (empty: the whole)."""

    keys: Collection[str] | None = None
    windows: Collection[str] | None = None
    by: str = ""

    def lines(self, replay: Replay) -> Iterator[Line]:
        """The lines that are wanted."""
        for line in replay.lines:
            if line.dim == self.by and (self.keys is None or line.figure.key in self.keys):
                yield line


class Row(NamedTuple):
    """One value. Of an oldest lead, numerator and denominator are inquiry and due time in ms; times are in ms there, too."""

    id: str
    labels: Mapping[str, str]
    window: str
    by: str
    slice: str
    value: float | None
    numerator: int
    denominator: int | None
    state: str
    unit: str


def rows(replay: Replay, choice: Choice) -> Iterator[Row]:
    """The values that are wanted; levels have the window `now`, which is always wanted."""
    for line in choice.lines(replay):
        figure = line.figure
        for window, cell in zip(line.windows, line.cells, strict=True):
            if choice.windows is None or window in (*choice.windows, NOW):
                yield Row(figure.id, dict(figure.labels), window, line.dim, line.name, *cell[:3], str(cell.state), figure.unit)


def write_json(out: TextIO, replay: Replay, choice: Choice) -> None:
    """As the API has it: instants are ms UTC."""
    recorded = replay.recorded
    content = {
        "clock": replay.clock,
        "known_until": replay.known_until,
        "leads": len(recorded.leads),
        "events": recorded.events,
        "later": recorded.later,
        "unknown": recorded.unknown,
        "mistakes": [str(mistake) for mistake in recorded.mistakes],
        "kpis": [row._asdict() for row in rows(replay, choice)],
    }
    out.write(msgspec.json.format(msgspec.json.encode(content)).decode() + "\n")


def write_csv(out: TextIO, replay: Replay, choice: Choice) -> None:
    """One value a line, with a heading; labels as `name=value`."""
    cells = (row._replace(labels=sheets.labels(row.labels.items())) for row in rows(replay, choice))  # type: ignore[arg-type]
    sheets.write(out, Row._fields, cells)


def print_tables(console: Console, replay: Replay, choice: Choice, zone: str) -> None:
    """What is now, then what is in windows: a line for each figure and slice, a column for each window."""
    wanted = choice.windows or USUAL_WINDOWS
    console.print(Text(f"As of {_local(replay.clock, zone)} ({zone})", style="bold"))
    for names in ([NOW], [window.name for window in WINDOWS if window.name in wanted]):
        lines = [line for line in choice.lines(replay) if set(names) & set(line.windows)]
        if lines:
            console.print(_table(lines, names, choice.by, zone))


def told_rules(rules: Rules) -> str:
    """The rules in a few words: whose days, how soon leads must be answered, how many reps are known."""
    match rules.sla:
        case ():
            sla = "no SLA"
        case (only,) if not only.specificity:
            sla = f"SLA {told_target(only)}"
        case policies:
            sla = f"SLA policies: {len(policies)}"
    reps = len({entry.rep for entry in rules.roster})
    return f"zone {rules.zone}, {sla}, {f'reps: {reps}' if reps else 'no roster'}"


def told_target(policy: SlaPolicy) -> str:
    """How soon an inquiry must be answered, and by which time."""
    match policy.time:
        case "wall":
            return span(policy.target_ms / SECOND)
        case "business":
            return f"{span(policy.target_ms / SECOND)} of business time"
        case "business_days":
            days = policy.target_ms // DAY
            return f"{days} business {'day' if days == 1 else 'days'}"


def _table(lines: Sequence[Line], windows: Sequence[str], by: str, zone: str) -> Table:
    table = Table(box=None, header_style="bold")
    for heading in ("KPI", by) if by else ("KPI",):
        table.add_column(heading, overflow="fold")
    for window in windows:
        table.add_column(window, justify="right", no_wrap=True)
    for line in lines:
        cells = dict(zip(line.windows, line.cells, strict=True))
        told = [told_cell(line.figure, cells[window], zone) if window in cells else "" for window in windows]
        table.add_row(*(Text(text) for text in (line.figure.key, *([line.name] if by else []), *told)))
    return table


def _local(at: Millis, zone: str) -> str:
    return moment(at).astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")


def told_cell(figure: Figure, cell: Cell, zone: str) -> str:
    """A value for people: a dash where there is nothing to divide by, n in brackets where it is too small."""
    if cell.value is None:
        return "–" if cell.state is State.NO_TRAFFIC else f"(n={_n(cell)})"
    match figure.unit:
        case "seconds":
            return span(cell.value)
        case "ratio":
            return f"{cell.value:.1%}"
        case "timestamp_seconds":
            return _local(Millis(cell.numerator), zone)
        case "money":
            return f"{cell.value:,.2f}"
        case _:
            return f"{cell.value:.2f}" if figure.formula in {Formula.MEAN, Formula.DERIVED} else f"{cell.value:,.0f}"


def _n(cell: Cell) -> int:
    return cell.numerator if cell.denominator is None else cell.denominator


def span(seconds: float) -> str:
    """A time for people: 4.2s, 4m12s, 3h05m."""
    if seconds < MINUTE_S:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < HOUR_S:
        return f"{whole // MINUTE_S}m{whole % MINUTE_S:02d}s"
    return f"{whole // HOUR_S:,}h{whole % HOUR_S // MINUTE_S:02d}m"
