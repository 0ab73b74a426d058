"""`leadbeat rebuild`."""

import asyncio
from typing import Annotated, Final

import typer

from streams.config import load
from streams.options import Config, named

EXIT_UNDONE: Final = 1
"""What it ends with if it only said what it would do."""


def rebuild(
    context: typer.Context,
    *,
    discard: Annotated[bool, typer.Option("--discard", help="Also if Redis holds numbers: delete them.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without it, only say what would be done.")] = False,
    config: Config = None,
) -> None:
    """Begin anew from what the events log still holds. Stop all workers first; started again, they read it from there."""
    from streams.rebuild import service  # noqa: PLC0415

    if not asyncio.run(service.rebuild(load(named(context, config)), typer.echo, discard=discard, yes=yes)):
        raise typer.Exit(EXIT_UNDONE)
