"""Who may ask for what: by the token in the header, which a browser sends as a password."""

import base64
import binascii
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, Literal, TypeAlias, cast, get_args

import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from models.errors import LeadbeatError
from streams.config import ApiToken, Scope
from streams.hashing import holder_of
from streams.serving.answers import refusal
from streams.telemetry import AccessMetrics

log = structlog.get_logger(__name__)

OURSELVES: Final = frozenset({"", "same-origin", "none"})
"""What browsers say of a request that no other site's page makes; other clients say nothing."""

Reason: TypeAlias = Literal["missing", "unknown", "scope", "cross_site"]

BEARER: Final = 'Bearer realm="Leadbeat"'
BASIC: Final = 'Basic realm="Leadbeat", charset="UTF-8"'
ANSWERS: Final[Mapping[Reason, tuple[int, Sequence[str]]]] = {
    "missing": (401, (BEARER, BASIC)),
    "unknown": (401, (f'{BEARER}, error="invalid_token"', BASIC)),
    "scope": (403, (f'{BEARER}, error="insufficient_scope", scope="{{scope}}"',)),
    "cross_site": (403, ()),
}
"""The status of an answer, and its challenges (RFC 6750): for programs, and the one at which browsers ask for a password."""

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]


class Access:
    """Who may ask. Without tokens everybody may; `edition` rises whenever somebody may not any more, or may now."""

    def __init__(self, tokens: Sequence[ApiToken], metrics: AccessMetrics) -> None:
        metrics.expect(get_args(Reason))
        self._metrics = metrics
        self.edition = 0
        self.use(tokens)

    def use(self, tokens: Sequence[ApiToken]) -> None:
        """Go by these tokens from now on."""
        self._tokens = [(bytes.fromhex(digest), token) for token in tokens for digest in token.hashes]
        self.edition += 1

    def refuse(self, headers: Headers, scope: Scope) -> Response | None:
        """The answer to who may not ask for what lies in a scope; None: they may."""
        if headers.get("sec-fetch-site", "") not in OURSELVES and headers.get("sec-fetch-mode") != "navigate":
            return self._refusal("cross_site", scope, "asked by the page of another site", "open Leadbeat itself")
        if not self._tokens:
            return None
        given = _token_of(headers.get("authorization", ""))
        if not given:
            return self._refusal("missing", scope, "a token is missing", "send `Authorization: Bearer <token>`")
        token = holder_of(given, self._tokens)
        if token is None:
            return self._refusal("unknown", scope, "there is no such token", "`leadbeat token new` makes one")
        if scope not in token.scopes:
            return self._refusal("scope", scope, f"the token {token.name!r} is not for this", f"give it the scope {scope!r}")
        return None

    async def lasting(self, stream: AsyncGenerator[Any, None], edition: int) -> AsyncIterator[Any]:
        """A stream, asked for at an edition, that ends at the next one: whoever may see it still will ask for it again."""
        async with aclosing(stream) as parts:
            async for part in parts:
                if self.edition != edition:
                    return
                yield part

    def _refusal(self, reason: Reason, scope: Scope, what: str, todo: str) -> Response:
        self._metrics.refused.labels(reason).inc()
        if reason != "missing":  # so begins each browser
            log.debug("api_refused", reason=reason, scope=scope)
        status, challenges = ANSWERS[reason]
        response = refusal(LeadbeatError("authorization", what, todo), status)
        for challenge in challenges:
            response.headers.append("www-authenticate", challenge.format(scope=scope))
        return response


def _token_of(header: str) -> str:
    """The token of a Bearer or Basic header (whatever the name of the user is); empty if there is none."""
    scheme, _, value = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            try:
                return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
            except (binascii.Error, ValueError):
                return ""
    return ""


def guarded(route: Route, access: Access, scope: Scope) -> Route:
    """A route for those who have a scope."""
    endpoint: Endpoint = route.endpoint

    async def asked(request: Request) -> Response:
        if refused := access.refuse(request.headers, scope):
            return refused
        edition = access.edition
        response = await endpoint(request)
        if isinstance(response, StreamingResponse):
            response.body_iterator = access.lasting(cast("AsyncGenerator[Any, None]", response.body_iterator), edition)
        return response

    return Route(route.path, asked)
