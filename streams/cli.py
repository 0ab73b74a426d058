"""The command `leadbeat`: the organisation's own KPIs take their places, then a command does its work.

The commands are imported no sooner, as they know all KPIs that there are.
"""

import sys
from collections.abc import Iterator
from typing import Final

import typer

from models.errors import LeadbeatError
from streams import own_kpis
from streams.errors import Retry

EXIT_REFUSED: Final = 2
"""What a command ends with that cannot do what it was asked to; why stands on standard error."""

EXIT_LATER: Final = 75
"""EX_TEMPFAIL: what a command ends with that something passing was in the way of; the same may succeed later."""


def main() -> None:
    """The entry point. What cannot be done is told in a line, without a traceback."""
    faults: list[LeadbeatError] = []
    try:
        own_kpis.enlist(own_kpis.asked_for(sys.argv[1:]))
        from streams.commands import app  # noqa: PLC0415

        app(prog_name="leadbeat")
    except* LeadbeatError as group:
        faults = list(_leaves(group))
    for fault in faults:
        typer.echo(f"leadbeat: {fault}", err=True)
    if faults:
        sys.exit(EXIT_LATER if all(isinstance(fault, Retry) for fault in faults) else EXIT_REFUSED)


def _leaves(group: BaseExceptionGroup[LeadbeatError]) -> Iterator[LeadbeatError]:
    for each in group.exceptions:
        if isinstance(each, BaseExceptionGroup):
            yield from _leaves(each)
        else:
            yield each


if __name__ == "__main__":
    main()
