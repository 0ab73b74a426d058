"""What commands have in common: the settings file, named before the command or behind it; and whom a service ends with."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Config: TypeAlias = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings as TOML; else the file that LEADBEAT_CONFIG names.")
]

OwnKpis: TypeAlias = Annotated[
    str | None, typer.Option("--kpis", metavar="MODULE", help="With the KPIs of this Python module; else that of kpis.module.")
]
"""What `cli` looks for itself, as it comes before all commands."""

Supervised: TypeAlias = Annotated[bool, typer.Option("--supervised", hidden=True, help="Stop when standard input closes.")]


def named(context: typer.Context, config: Path | None) -> Path | None:
    """The settings file that somebody named; the nearer name counts."""
    before: Path | None = context.find_root().obj
    return config or before
