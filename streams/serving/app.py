"""The exporter's process: metrics, health, API and the live page under one roof."""

import asyncio
from collections.abc import Mapping
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from models.errors import LeadbeatError
from models.slices import pair_name
from streams import telemetry
from streams.config import Scope, SecretFiles, Settings
from streams.rotation import rotating
from streams.server import listen, serve
from streams.serving import api, exporter, health, leads, openapi, waiting
from streams.serving.access import Access, guarded
from streams.serving.answers import on_error, on_unforeseen
from streams.serving.board import files, stream
from streams.serving.headers import WithHeaders
from streams.serving.profile import Profile
from streams.serving.sources import Sources
from streams.serving.table import follow

SCOPES: Final[Mapping[str, Scope | None]] = {
    **{operation.path: operation.scope for operation in openapi.OPERATIONS},
    **dict.fromkeys(files.PATHS, "page"),
}
"""What each path asks for; None: nothing."""


def create(settings: Settings, sources: Sources, closing: asyncio.Event | None = None) -> Starlette:
    """The application: the page, /metrics, /livez, /readyz and /api/v1/*. Streams end when `closing` is set."""
    windows = settings.profile.board_windows
    ticks_are_wall = settings.ticks == "wall"
    page = files.load()
    now = health.wall if ticks_are_wall else None
    registry = telemetry.registry()
    access = Access(settings.api_tokens, telemetry.AccessMetrics(registry))
    streams = stream.Streams(sources, stream.Page(files.build_of(page), windows), now, closing or asyncio.Event())
    routes = [
        *files.routes(page),
        exporter.route(sources.table, profile_of(settings), settings.working_hours(), registry, now),
        *health.routes(sources.table, ticks_are_wall=ticks_are_wall),
        *api.routes(sources.table, settings.money.currency, now),
        leads.route(sources.leads),
        openapi.route(),
        waiting.route(sources.queue),
        stream.route(streams),
    ]
    app = Starlette(
        routes=[_guarded(route, access) for route in routes],
        middleware=[Middleware(WithHeaders)],
        exception_handlers={LeadbeatError: on_error, Exception: on_unforeseen},
    )
    app.state.access, app.state.registry = access, registry
    return app


def _guarded(route: Route, access: Access) -> Route:
    """A route that lets in whom its scope does; one of which no scope is declared is a mistake of ours."""
    scope = SCOPES[route.path]
    return route if scope is None else guarded(route, access, scope)


def profile_of(settings: Settings) -> Profile:
    """What Prometheus gets, as the settings say."""
    pairs = [pair_name(pair) for pair in settings.pairs]
    shown = settings.profile
    return Profile(shown.board_windows, shown.max_series, (*shown.also_by, *pairs), currency=settings.money.currency)


async def run(settings: Settings, sources: Sources, secrets: SecretFiles | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then finish what has come in and return. Raises Fatal if the address cannot be had."""
    listener = listen(settings.exporter.host, settings.exporter.port)
    closing = asyncio.Event()
    following = asyncio.create_task(follow(sources.table))
    app = create(settings, sources, closing)
    access: Access = app.state.access
    try:
        async with rotating(secrets, lambda read: access.use(read.api_tokens), app.state.registry):
            await serve(app, listener, closing)
    finally:
        following.cancel()
