"""`leadbeat rules check|diff|apply FILE`."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from models.rules import Rules
from streams.config import Settings, load
from streams.errors import Fatal
from streams.local.replay_report import told_cell, told_rules
from streams.options import Config, named
from streams.rulebook.changes import changes
from streams.rulebook.movement import ALL, WINDOWS, Moved, Movement, move
from streams.rulebook.remarks import Checked, check
from streams.rulebook.standing import Standing, next_rules, partitions_of, revalued, standing
from streams.rulebook.standing import apply as put_in_force
from streams.tables import Redis, connect_to

EXIT_WRONG: Final = 1
"""What `check` ends with if the document has mistakes."""

USUAL_ROWS: Final = 40
WIDTH_OF_FILES: Final = 160

app = typer.Typer(help="The rules: roster, SLA, lead sources, meetings, zone.", no_args_is_help=True)

File: TypeAlias = Annotated[
    Path, typer.Argument(metavar="FILE", help="TOML with the rules of a settings file; a whole settings file will do.")
]


@app.command("check")
def check_file(file: File, config: Config = None) -> None:  # noqa: ARG001
    """List every mistake, and what was probably not meant. Ends with 1 if there is a mistake."""
    checked = check(file)
    for mistake in checked.mistakes:
        typer.echo(f"mistake  {mistake}")
    _warn(checked, err=False)
    if checked.mistakes:
        raise typer.Exit(EXIT_WRONG)
    typer.echo(f"ok       {told_rules(checked.rules(checked.version or 1))}")


@app.command()
def diff(
    context: typer.Context,
    file: File,
    *,
    sample: Annotated[int, typer.Option(min=1, max=ALL, metavar="PERCENT", help="Look at so many leads only.")] = ALL,
    every: Annotated[bool, typer.Option("--all", help="Every number that changes, not only the first.")] = False,
    config: Config = None,
) -> None:
    """Show what a file would change against the rules in force, and how the numbers would move. It changes nothing."""
    checked = _sound(file)
    asyncio.run(_diff(load(named(context, config)), checked, sample, every=every))


@app.command()
def apply(
    context: typer.Context,
    file: File,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="End when all numbers are of these rules.")] = False,
    config: Config = None,
) -> None:
    """Put the rules of a file in force, as the next version. Workers make the numbers anew while they run on."""
    checked = _sound(file)
    asyncio.run(_apply(load(named(context, config)), checked, wait=wait))


def _sound(file: Path) -> Checked:
    """A document without mistakes. Raises Fatal that lists all of them."""
    checked = check(file)
    if checked.mistakes:
        count = "a mistake" if len(checked.mistakes) == 1 else f"{len(checked.mistakes)} mistakes"
        lines = "\n  ".join(map(str, checked.mistakes))
        raise Fatal(str(file), f"{count}\n  {lines}", "nothing was changed")
    return checked


def _warn(checked: Checked, *, err: bool) -> None:
    for warning in checked.warnings:
        typer.echo(f"warning  {warning}", err=err)


async def _diff(settings: Settings, checked: Checked, percent: int, *, every: bool) -> None:
    _warn(checked, err=True)
    async with connect_to(settings.redis) as redis:
        now = await standing(redis, settings)
        _doubt(now)
        new = checked.rules(now.version + 1)
        found = list(changes(now.rules, new))
        typer.echo(f"against version {now.rules.version}: {told_rules(now.rules)}")
        for change in found:
            typer.echo(f"  {change}")
        if not found:
            typer.echo("  nothing differs")
            return
        moved = await _moved(redis, settings, (now.rules, new), percent)
    if moved is None:
        typer.echo("No lead is known yet.")
    else:
        _tell(moved, percent, now.rules.zone, every=every)


def _doubt(now: Standing) -> None:
    """Workers may go by the rules of a configuration that is not the one named here."""
    if now.version > now.rules.version:
        what = f"there are totals of version {now.version}; compared is with version {now.rules.version} of this configuration"
        typer.echo(f"warning  rules: {what} (name the settings file that the workers run with)", err=True)


async def _moved(redis: Redis, settings: Settings, rules: tuple[Rules, Rules], percent: int) -> Moved | None:
    with _progress("leads") as tell:
        return await move(redis, partitions_of(settings), *rules, percent, tell)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, where that is a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _tell(moved: Moved, percent: int, zone: str, *, every: bool) -> None:
    of = "" if percent == ALL else f" (a sample of {percent} %: totals are of these leads only)"
    typer.echo(f"{moved.changed:,} of {moved.leads:,} leads contribute otherwise{of}.")
    shown = moved.movements if every else moved.movements[:USUAL_ROWS]
    if not shown:
        typer.echo("No number of the last 24 hours, 7 or 30 days changes.")
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH_OF_FILES)
    console.print(_table(shown, zone))
    if len(shown) < len(moved.movements):
        typer.echo(f"{len(moved.movements) - len(shown):,} more numbers change: --all lists them.")


def _table(movements: Sequence[Movement], zone: str) -> Table:
    table = Table(box=None, header_style="bold")
    for heading in ("KPI", "of"):
        table.add_column(heading, overflow="fold")
    for window in WINDOWS:
        table.add_column(window, justify="right", no_wrap=True)
    for each in movements:
        whose = f"{each.dim} {each.name}" if each.dim else "all"
        table.add_row(*(Text(text) for text in (each.figure.key, whose, *(_moves(each, window, zone) for window in WINDOWS))))
    return table


def _moves(movement: Movement, window: str, zone: str) -> str:
    """What a window says now and then; nothing where it stays."""
    cells = movement.windows.get(window, ())
    return " → ".join("–" if cell is None else told_cell(movement.figure, cell, zone) for cell in cells)


async def _apply(settings: Settings, checked: Checked, *, wait: bool) -> None:
    _warn(checked, err=True)
    async with connect_to(settings.redis) as redis:
        now = await standing(redis, settings)
        rules = next_rules(now, checked)
        await put_in_force(redis, settings, rules)
        typer.echo(f"version {rules.version} of the rules is in force: {told_rules(rules)}")
        if not now.workers:
            typer.echo("No worker is here: the next to start makes the numbers anew.")
        elif not wait:
            typer.echo(
                "The workers make the numbers anew now, which are stale meanwhile; leadbeat doctor tells when they have."
            )
        if wait:
            with _progress("partitions") as tell:
                await revalued(redis, settings, rules.version, tell)
            typer.echo(f"All numbers are of version {rules.version}.")
