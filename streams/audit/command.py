"""`leadbeat audit`."""

import asyncio
import re
from enum import StrEnum
from typing import Annotated, Final

import typer

from models.errors import LeadbeatError
from models.units import SECOND
from streams import telemetry
from streams.config import Settings, load, parse_duration
from streams.errors import Fatal
from streams.options import Config, named

EXIT_DIFFERENT: Final = 1
"""What it ends with if something differs."""

EXIT_UNAUDITED: Final = 2
"""What it ends with if something could not be audited, and nothing differs."""

USUAL_PORT: Final = 9111


class Form(StrEnum):
    """Forms of a report."""

    TEXT = "text"
    JSON = "json"


def audit(
    context: typer.Context,
    *,
    every: Annotated[
        str | None, typer.Option(metavar="SPAN", help="Again and again (1h), until SIGTERM, and serve /metrics.")
    ] = None,
    partition: Annotated[int | None, typer.Option(min=0, help="Only this partition.")] = None,
    form: Annotated[Form, typer.Option("--format")] = Form.TEXT,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where /metrics is served, with --every.")
    ] = f"127.0.0.1:{USUAL_PORT}",
    config: Config = None,
) -> None:
    """Make every total anew from the log and compare. Ends with 1 if something differs, 2 if it could not be audited."""
    try:
        settings = load(named(context, config))
        if partition is not None and partition >= settings.kafka.partitions:
            raise Fatal("--partition", f"there are {settings.kafka.partitions} partitions, from 0 on")
        if every is None:
            _once(settings, partition, form)
        else:
            _on_schedule(settings, partition, form, every, listen)
    except LeadbeatError as fault:
        typer.echo(f"leadbeat: {fault}", err=True)
        raise typer.Exit(EXIT_UNAUDITED) from None


def _once(settings: Settings, partition: int | None, form: Form) -> None:
    from streams.audit import service, telling  # noqa: PLC0415

    report = asyncio.run(service.once(settings, partition))
    typer.echo(telling.in_json(report) if form is Form.JSON else "\n".join(telling.lines(report)))
    if report.differences:
        raise typer.Exit(EXIT_DIFFERENT)
    if report.failed:
        raise typer.Exit(EXIT_UNAUDITED)


def _on_schedule(settings: Settings, partition: int | None, form: Form, every: str, listen: str) -> None:
    from streams.audit import service, telling  # noqa: PLC0415
    from streams.audit.findings import Report  # noqa: PLC0415

    host, _, port = listen.rpartition(":")
    if not host or not re.fullmatch("[0-9]{1,5}", port):
        raise Fatal("--listen", f"{listen!r} is not HOST:PORT")
    try:
        span = parse_duration(every)
    except ValueError as error:
        raise Fatal("--every", f"{every!r} {error}") from None
    telemetry.configure(settings.log_level, settings.log_format)

    def show(report: Report) -> None:
        if form is Form.JSON:
            typer.echo(telling.in_json(report))
        else:
            typer.echo("\n".join(telling.lines(report)))

    asyncio.run(service.again_and_again(settings, partition, service.Schedule(span / SECOND, host, int(port)), show))
