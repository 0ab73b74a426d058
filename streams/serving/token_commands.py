"""`leadbeat token new NAME`."""

from enum import StrEnum
from typing import Annotated

import typer

from streams.errors import Fatal
from streams.options import Config
from streams.serving import tokens

app = typer.Typer(help="Tokens for the exporter's API.", no_args_is_help=True)


class Permitted(StrEnum):
    """What a token may be for."""

    METRICS = "metrics"
    KPIS = "kpis"
    LEADS = "leads"
    PAGE = "page"


@app.callback()
def group() -> None:
    """Keep `new` a command of a group, though it is alone."""


@app.command("new")
def new_token(
    name: Annotated[str, typer.Argument(help="Whose it is: letters, digits, _ and -.")],
    *,
    scope: Annotated[list[Permitted], typer.Option(help="What it is for; may be repeated.")],
    config: Config = None,  # noqa: ARG001
) -> None:
    """Make a token: it goes to standard output, this once, and to standard error what the settings need."""
    try:
        made = tokens.new(name, [each.value for each in scope])
    except ValueError:
        raise Fatal("NAME", f"{name!r} cannot be one", "1 to 64 letters, digits, _ and -") from None
    typer.echo(made.token)
    typer.echo(f"# Only its hash is kept: the token cannot be told again. For the settings:\n{made.settings}", err=True)
