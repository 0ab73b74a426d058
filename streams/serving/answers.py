"""Answers in JSON, errors among them."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from models.errors import LeadbeatError
from streams.errors import Retry
from streams.serving.selection import InvalidQueryError

_encode = msgspec.json.Encoder().encode


def answer(content: Any, status: int = 200) -> Response:
    """A JSON response of anything msgspec can encode. It is true for this moment only."""
    return Response(_encode(content), status, {"cache-control": "no-store"}, "application/json")


def refusal(error: LeadbeatError, status: int) -> Response:
    """An error as {where, what, todo}."""
    return answer({"where": error.where, "what": error.what, "todo": error.todo}, status)


async def on_error(_: Request, error: Exception) -> Response:
    """The answer to a LeadbeatError that a handler raised: 400 for a wrong question, 503 for a passing fault, else 500."""
    if not isinstance(error, LeadbeatError):  # pragma: no cover - it is registered for these only
        raise error
    status = 400 if isinstance(error, InvalidQueryError) else 503 if isinstance(error, Retry) else 500
    return refusal(error, status)
