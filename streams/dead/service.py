"""What the commands about dead letters do and print."""

import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import typer
from rich.console import Console

from models.units import Millis, millis
from streams.config import Settings, parse_duration
from streams.dead import showing
from streams.dead.listing import grouped, one_by_one
from streams.dead.reading import Choice, DeadLetters, Entry, dead_letters
from streams.dead.resending import Desk, Outcome
from streams.errors import Fatal
from streams.inspection.printing import USUAL_LIMIT, json_line, print_table, write_json
from streams.inspection.unpacking import Row

__all__ = ["Choice", "Form", "instant_of", "resend", "show", "tell_of"]

WIDTH_OF_FILES: Final = 160


class Form(NamedTuple):
    """How a list is told: each by itself or by kinds, as JSON or as a table, and so many rows at most (0: all)."""

    each: bool
    as_json: bool
    limit: int | None


async def tell_of(settings: Settings, choice: Choice, form: Form) -> None:
    """List those that are chosen."""
    async with dead_letters(settings) as found:
        entries = [entry for entry in found.entries.values() if choice.takes(entry)]
    rows = _one_after_another(one_by_one(entries) if form.each else grouped(entries))
    if form.as_json:
        await write_json(sys.stdout, rows, form.limit or 0)
    else:
        at_most = USUAL_LIMIT if form.limit is None else form.limit
        await print_table(_console(), rows, settings.organisation.zone, at_most)


async def show(settings: Settings, identity: str, *, as_json: bool) -> None:
    """Show one whole. Raises Fatal if there is none of this id."""
    async with dead_letters(settings) as found:
        letters = [letter async for letter in found.letters([_named(found, identity)])]
    if not letters:
        raise Fatal("dead letters", f"{identity} was taken out just now")
    if as_json:
        typer.echo(json_line(letters[0]))
    else:
        typer.echo("\n".join(showing.lines(letters[0], settings.organisation.zone)))


async def resend(settings: Settings, choice: Choice, identities: Iterable[str], *, check: bool, as_json: bool) -> bool:
    """Send those of these ids (none: all) again that are chosen and can be read, or only check; tell whether all can.

    Raises Fatal, before any is sent, if there is none of an id.
    """
    async with dead_letters(settings) as found:
        pool = [_named(found, each) for each in dict.fromkeys(identities)] or found.entries.values()
        chosen = [entry for entry in pool if choice.takes(entry)]
        desk = Desk(settings)
        outcomes = await (desk.check if check else desk.send)(found, chosen)
    if as_json:
        rows = [{"id": each.id, **each.kind._asdict(), "is_read": each.is_read, "what": each.what} for each in outcomes]
        await write_json(sys.stdout, _one_after_another(rows), 0)
    else:
        await _tell(outcomes, settings.organisation.zone, check=check)
    return all(outcome.is_read for outcome in outcomes)


def _named(found: DeadLetters, identity: str) -> Entry:
    entry = found.entries.get(identity)
    if entry is None:
        raise Fatal("dead letters", f"there is no {identity!r}", "`leadbeat dead list --each` has their ids")
    return entry


async def _tell(outcomes: Sequence[Outcome], zone: str, *, check: bool) -> None:
    """The outcomes by what they are, and how many there are of each."""
    counted = Counter((outcome.kind, outcome.is_read, outcome.what) for outcome in outcomes)
    rows: list[Row] = [
        {"letters": count, **kind._asdict(), "now": what if is_read else f"still dead: {what}"}
        for (kind, is_read, what), count in counted.most_common()
    ]
    await print_table(_console(), _one_after_another(rows), zone, 0)
    read = sum(outcome.is_read for outcome in outcomes)
    typer.echo(f"{'could be read' if check else 'sent again'}: {read}, still dead: {len(outcomes) - read}")


def instant_of(text: str | None, zone: str) -> Millis:
    """The instant that a text means: so long ago, or a time, local without an offset; without a text the first one of all.

    Raises Fatal.
    """
    if text is None:
        return Millis(0)
    with suppress(ValueError):
        return Millis(time.time_ns() // 1_000_000 - parse_duration(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Fatal("--since", f"{text!r} is no time", "write 2h, 1d, 2026-03-02T12:00Z, or local time") from None
    return millis(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone)))


async def _one_after_another(rows: Iterable[Row]) -> AsyncIterator[Row]:
    for row in rows:
        yield row


def _console() -> Console:
    """Standard output; a file has room for a whole table."""
    return Console(width=None if sys.stdout.isatty() else WIDTH_OF_FILES)
