"""`leadbeat dead list|show|resend`, and `leadbeat erase`."""

import asyncio
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

import typer

from streams.config import load
from streams.errors import Fatal
from streams.options import Config, named

EXIT_STILL_DEAD: Final = 1
"""What `resend` ends with if some cannot be read yet."""

app = typer.Typer(help="What could not be read: why, and sending it again.", no_args_is_help=True)

Of: TypeAlias = Annotated[str | None, typer.Option("--connection", help="Only of this connection.")]
About: TypeAlias = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Only with this in reason or place.")]
Since: TypeAlias = Annotated[
    str | None, typer.Option("--since", metavar="TIME", help="Only what was received since: 2h, 1d, or 2026-03-02T12:00.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="For programs: instants in ms.")]


class Subject(StrEnum):
    """Of whom facts are."""

    LEAD = "lead"
    ACCOUNT = "account"
    REP = "rep"
    CAMPAIGN = "campaign"


@app.command("list")
def list_letters(  # noqa: PLR0913 - options
    context: typer.Context,
    *,
    connection: Of = None,
    reason: About = None,
    since: Since = None,
    waiting: Annotated[bool, typer.Option("--waiting", help="Only those not read yet.")] = False,
    each: Annotated[bool, typer.Option("--each", help="One by one, not by their kinds.")] = False,
    limit: Annotated[int | None, typer.Option(min=0, help="So many rows; 0 is all, as usual with --json.")] = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List dead letters by connection, place and reason; never what they hold."""
    from streams.dead import service  # noqa: PLC0415

    settings = load(named(context, config))
    choice = service.Choice(connection, reason, service.instant_of(since, settings.organisation.zone), waiting)
    asyncio.run(service.tell_of(settings, choice, service.Form(each, as_json, limit)))


@app.command()
def show(
    context: typer.Context,
    identity: Annotated[str, typer.Argument(metavar="ID")],
    *,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Show a dead letter whole, with its body, which may hold personal data."""
    from streams.dead import service  # noqa: PLC0415

    asyncio.run(service.show(load(named(context, config)), identity, as_json=as_json))


@app.command()
def resend(  # noqa: PLR0913 - options
    context: typer.Context,
    identities: Annotated[list[str] | None, typer.Argument(metavar="ID...")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="All that wait, or those of them that the options name.")] = False,
    connection: Of = None,
    reason: About = None,
    since: Since = None,
    check: Annotated[bool, typer.Option("--check", help="Say what would come of them; send nothing.")] = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Send dead letters again that can be read now. Ends with 1 if some cannot."""
    from streams.dead import service  # noqa: PLC0415

    if everything == bool(identities):
        raise Fatal("leadbeat dead resend", "needs to know which", "name their ids, or --all; `leadbeat dead list` has them")
    settings = load(named(context, config))
    choice = service.Choice(connection, reason, service.instant_of(since, settings.organisation.zone), waiting=everything)
    if not asyncio.run(service.resend(settings, choice, identities or (), check=check, as_json=as_json)):
        raise typer.Exit(EXIT_STILL_DEAD)


def erase(  # noqa: PLR0913 - options
    context: typer.Context,
    connection: Annotated[str, typer.Argument(help="The connection whose CRM knows the person.")],
    identities: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="The person's ids there.")] = None,
    *,
    address: Annotated[list[str] | None, typer.Option(help="An e-mail address of the person; may be repeated.")] = None,
    kind: Annotated[Subject, typer.Option(help="What the ids are of.")] = Subject.LEAD,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = None,
) -> None:
    """Erase a person, for good, where the CRM sends no `erased`."""
    from streams.dead import erasing  # noqa: PLC0415

    settings = load(named(context, config))
    subjects = erasing.subjects_of(settings, connection, erasing.Named(kind.value, identities or (), address or ()))
    told = ", ".join(subject.id for subject in subjects)
    if not yes:
        typer.confirm(f"Erase {told} for good?", abort=True, err=True)
    asyncio.run(erasing.erase(settings, subjects))
    typer.echo(f"told to erase: {told}")
