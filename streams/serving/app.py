"""The exporter's process: metrics, health and API under one roof."""

from starlette.applications import Starlette

from models.errors import LeadbeatError
from streams import telemetry
from streams.config import Settings
from streams.server import listen, serve
from streams.serving import api, exporter, health
from streams.serving.answers import on_error
from streams.serving.profile import Profile
from streams.serving.table import Table


def create(settings: Settings, table: Table) -> Starlette:
    """The application: /metrics, /livez, /readyz and /api/v1/*."""
    profile = Profile(settings.profile.board_windows, settings.profile.max_series)
    return Starlette(
        routes=[
            exporter.route(table, profile, settings.working_hours(), telemetry.registry()),
            *health.routes(table, ticks_are_wall=settings.ticks == "wall"),
            *api.routes(table),
        ],
        exception_handlers={LeadbeatError: on_error},
    )


async def run(settings: Settings, table: Table) -> None:
    """Serve until SIGTERM or SIGINT, then finish what has come in and return. Raises Fatal if the address cannot be had."""
    listener = listen(settings.exporter.host, settings.exporter.port)
    await serve(create(settings, table), listener)
