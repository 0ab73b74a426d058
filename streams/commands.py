"""All commands. Services are imported when one is started: the other commands do without Kafka and Faust."""

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
import typer
from rich.console import Console

from models.events import schema as schema_of_events
from models.snapshot import slices
from models.units import SECOND, Millis, millis
from streams import telemetry
from streams.audit.command import audit
from streams.config import Settings, load, parse_duration
from streams.dead import commands as dead
from streams.errors import Fatal
from streams.local import replay_report, sender, simulator
from streams.local.files import PIPE, reading, writing
from streams.local.floor import demo_rules_toml
from streams.local.recording import Mistake
from streams.local.replay import AsOf
from streams.local.replay import replay as work_out
from streams.options import Config, OwnKpis, Supervised, named
from streams.rebuild.command import rebuild
from streams.rulebook import commands as rulebook
from streams.serving import dashboards
from streams.serving import token_commands as tokens
from streams.serving.catalogue import describe
from streams.serving.listing import markdown, table
from streams.serving.selection import check_sliced, choose

MISTAKES_TOLD: Final = 20
WIDTH_OF_FILES: Final = 160

app = typer.Typer(
    help="Event-driven streaming KPIs for sales teams: webhooks in, exact rolling numbers out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Listing(StrEnum):
    """Forms of a list of KPIs."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


class Report(StrEnum):
    """Forms of values."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Described(StrEnum):
    """What is described as OpenAPI."""

    EXPORTER = "exporter"
    GATEWAY = "gateway"


class Part(StrEnum):
    """The two processes of a worker."""

    NORMALISER = "normaliser"
    PROCESSOR = "processor"


def _tell_version(asked: bool) -> None:  # noqa: FBT001 - an option's value
    if asked:
        typer.echo(f"leadbeat {version('leadbeat')}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    *,
    config: Config = None,
    told: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the settings file also where it is named before the command."""
    context.obj = config


topics = typer.Typer(help="Kafka's topics.", no_args_is_help=True)
app.add_typer(topics, name="topics")
app.add_typer(tokens.app, name="token")
app.add_typer(rulebook.app, name="rules")
app.add_typer(dead.app, name="dead")
app.command()(dead.erase)
app.command()(audit)
app.command()(rebuild)


@app.command("kpis")
def list_kpis(
    form: Annotated[Listing, typer.Option("--format")] = Listing.TABLE,
    *,
    kpis: OwnKpis = None,  # noqa: ARG001
    config: Config = None,  # noqa: ARG001
) -> None:
    """List every KPI with its definition."""
    match form:
        case Listing.TABLE:
            _console().print(table(describe()))
        case Listing.JSON:
            _print_json(describe())
        case Listing.MARKDOWN:
            typer.echo(markdown(describe()), nl=False)


@app.command()
def dashboard(
    name: Annotated[dashboards.Name, typer.Argument()] = dashboards.Name.SPEED_TO_LEAD,
    *,
    kpis: OwnKpis = None,  # noqa: ARG001
    config: Config = None,  # noqa: ARG001
) -> None:
    """Print a Grafana dashboard as JSON: *Speed to lead*, or *Every KPI*."""
    typer.echo(dashboards.render(name), nl=False)


@app.command()
def schema(config: Config = None) -> None:  # noqa: ARG001
    """Print the JSON Schema of what a webhook may carry."""
    _print_json(schema_of_events())


@app.command()
def openapi(
    of: Annotated[Described, typer.Argument()] = Described.EXPORTER,
    *,
    config: Config = None,  # noqa: ARG001
) -> None:
    """Print the description of the exporter's HTTP API, or of the gateway: OpenAPI 3.1."""
    if of is Described.GATEWAY:
        from streams.inbound.openapi import document  # noqa: PLC0415
    else:
        from streams.serving.openapi import document  # noqa: PLC0415
    _print_json(document())


def _console() -> Console:
    """Standard output; a file has room for a whole table."""
    return Console(width=None if sys.stdout.isatty() else WIDTH_OF_FILES)


def _print_json(content: Any) -> None:
    typer.echo(msgspec.json.format(msgspec.json.encode(content)).decode())


@app.command()
def replay(  # noqa: PLR0913 - options
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="Events or recorded deliveries, one JSON object a line; - reads standard input.")
    ],
    *,
    as_of: Annotated[
        str | None, typer.Option(metavar="TIME", help="Where the clock stands, by default at the last receipt.")
    ] = None,
    known_later: Annotated[bool, typer.Option("--known-later", help="With what was received after that time.")] = False,
    kpi: Annotated[list[str] | None, typer.Option(help="Only this KPI; may be repeated.")] = None,
    window: Annotated[list[str] | None, typer.Option(help="Only this window; may be repeated.")] = None,
    by: Annotated[
        str | None, typer.Option(help="By this dimension or pair (rep, team,lead_source ...), not the whole.")
    ] = None,
    form: Annotated[Report, typer.Option("--format")] = Report.TABLE,
    kpis: OwnKpis = None,  # noqa: ARG001
    config: Config = None,
) -> None:
    """Work out the KPIs of recorded facts by the core alone: no Kafka, no Redis."""
    settings = load(named(context, config))
    zone = settings.organisation.zone
    chosen = choose({"kpi": kpi or [], "window": window or [], "by": [by] if by else []})
    choice = replay_report.Choice(chosen.keys, chosen.windows, next(iter(chosen.by or ("",))))
    as_of_clock = AsOf(None if as_of is None else _instant(as_of, zone), known_later=known_later)
    rules = settings.rules()
    check_sliced(chosen.by or (), slices(rules, Millis(0)))
    connections = {connection.name: connection for connection in settings.connections}
    with reading(file) as lines:
        result = work_out(lines, rules, settings.minimum_n.by_formula(), as_of_clock, connections)
    if named(context, config) is None:
        whose = "the default rules" if rules == Settings().rules() else "rules of the environment"
        typer.echo(f"without --config: {whose} ({replay_report.told_rules(rules)})", err=True)
    _tell_mistakes(result.recorded.mistakes)
    if later := result.recorded.later:
        typer.echo(f"{later} later event{'s' if later > 1 else ''} left out", err=True)
    match form:
        case Report.TABLE:
            replay_report.print_tables(_console(), result, choice, zone)
        case Report.JSON:
            replay_report.write_json(sys.stdout, result, choice)
        case Report.CSV:
            replay_report.write_csv(sys.stdout, result, choice)


def _instant(text: str, zone: str) -> Millis:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Fatal(
            "--as-of", f"{text!r} is not a time", "write 2026-03-02T12:00:00Z, or 2026-03-02T12:00 in local time"
        ) from None
    return millis(moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone)))


def _tell_mistakes(mistakes: Sequence[Mistake]) -> None:
    if not mistakes:
        return
    for mistake in mistakes[:MISTAKES_TOLD]:
        typer.echo(str(mistake), err=True)
    more = f", the first {MISTAKES_TOLD} of them above" if len(mistakes) > MISTAKES_TOLD else ""
    typer.echo(f"could not be read and left out: {len(mistakes)}{more}", err=True)


@app.command("table")
def print_table(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Such as applied, window:1h, lead:crm:4711, or a key of Redis.")] = None,
    *,
    partition: Annotated[int | None, typer.Option(min=0, help="Only this partition.")] = None,
    limit: Annotated[int | None, typer.Option(min=0, help="So many rows; 0 is all, as usual with --json.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: an array of rows, instants in ms.")] = False,
    config: Config = None,
) -> None:
    """Print a table of Redis, unpacked; without a name, which tables there are."""
    from streams.inspection import tables  # noqa: PLC0415

    if name is None:
        tables.list_tables(_console())
    else:
        question = tables.Question(name, partition, limit, as_json)
        asyncio.run(tables.show(load(named(context, config)), question, _console()))


@app.command()
def doctor(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    config: Config = None,
) -> None:
    """Find out what is wrong, and what to do. Ends with 1 if something is broken."""
    from streams.inspection import doctor  # noqa: PLC0415

    findings = asyncio.run(doctor.examine(lambda: load(named(context, config))))
    typer.echo(doctor.in_json(findings) if as_json else "\n".join(doctor.lines(findings)))
    if not doctor.healthy(findings):
        raise typer.Exit(1)


@app.command()
def simulate(  # noqa: PLR0913 - options
    context: typer.Context,
    *,
    output: Annotated[
        Path, typer.Option("--out", help="Where the deliveries go, one JSON object a line; - is standard output.")
    ] = PIPE,
    rules: Annotated[Path | None, typer.Option(help="Where the floor's settings go: roster, SLA, zone, as TOML.")] = None,
    post: Annotated[
        str | None, typer.Option(metavar="URL", help="Deliver to the gateway there, history first, until stopped.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed and time give the same floor; by default 1, with --post a new one.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="The end of the history, by default now.")] = None,
    zone: Annotated[str, typer.Option(help="Where the floor is.")] = "Europe/Berlin",
    connection: Annotated[str, typer.Option(help="The connection that the deliveries come in by.")] = "demo",
    config: Config = None,
) -> None:
    """Write the recorded deliveries of a made-up sales floor, or be the CRM of one that lives."""
    if post is not None:
        _live(load(named(context, config)), post, connection, seed)
        return
    now = Millis(time.time_ns() // 1_000_000) if until is None else _instant(until, zone)
    if rules is not None:
        with writing(rules) as out:
            out.write(demo_rules_toml(now, zone).encode())
    with writing(output) as out:
        simulator.write(out, 1 if seed is None else seed, now, zone, connection)


def _live(settings: Settings, gateway: str, connection: str, seed: int | None) -> None:
    """Simulate into a running installation. Each start has a floor of its own: another one's leads stay as they are."""
    telemetry.configure(settings.log_level, settings.log_format)
    with suppress(KeyboardInterrupt):
        asyncio.run(sender.simulate(settings, gateway, connection, int(time.time()) if seed is None else seed))


@topics.command("create")
def create_topics(context: typer.Context, config: Config = None) -> None:
    """Make the topics that are missing, check the others, and end. Services do so, too, when they start."""
    from streams import bootstrap  # noqa: PLC0415

    bootstrap.make_topics(named(context, config))


@app.command()
def exporter(context: typer.Context, *, supervised: Supervised = False, config: Config = None) -> None:
    """Serve the KPIs to Prometheus and over the API, until SIGTERM."""
    from streams import bootstrap  # noqa: PLC0415

    if supervised:
        bootstrap.stop_with_parent()
    bootstrap.run_exporter(named(context, config))


@app.command()
def gateway(context: typer.Context, *, supervised: Supervised = False, config: Config = None) -> None:
    """Take webhooks in, until SIGTERM."""
    from streams import bootstrap  # noqa: PLC0415

    if supervised:
        bootstrap.stop_with_parent()
    bootstrap.run_gateway(named(context, config))


@app.command()
def worker(
    context: typer.Context,
    *,
    part: Annotated[Part | None, typer.Option(help="Only this part of it, by default both, kept alive.")] = None,
    supervised: Supervised = False,
    config: Config = None,
) -> None:
    """Turn deliveries into events and events into KPIs, until SIGTERM."""
    from streams import bootstrap  # noqa: PLC0415

    if supervised:
        bootstrap.stop_with_parent()
    bootstrap.run_worker(named(context, config), None if part is None else part.value)


@app.command()
def demo(
    run_for: Annotated[
        str | None, typer.Option("--for", metavar="SPAN", help="End after so long (60s, 5m) with a comparison of every gauge.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same floor.")] = 7,
    record: Annotated[
        Path | None, typer.Option(help="Record the deliveries here, and the rules beside it, for `leadbeat replay`.")
    ] = None,
    config: Config = None,  # noqa: ARG001
) -> None:
    """Run all of it on this machine with a made-up sales floor. It keeps nothing."""
    from streams.local.demo import run  # noqa: PLC0415
    from streams.local.stage import Options  # noqa: PLC0415

    seconds = None if run_for is None else _span_s(run_for)
    console = Console()
    try:
        proven = asyncio.run(run(Options(seconds, seed, record), console))
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Stopped; nothing is left running.")
        return
    if not proven:
        raise typer.Exit(1)


def _span_s(text: str) -> float:
    try:
        return parse_duration(text) / SECOND
    except ValueError as error:
        raise Fatal("--for", f"{text!r} {error}") from None
