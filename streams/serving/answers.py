"""Answers in JSON, errors among them, and as CSV."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from models.errors import LeadbeatError
from streams.errors import Retry
from streams.serving.headers import HEADERS
from streams.serving.selection import InvalidQueryError, NotThereError

JSON: Final = "application/json"
CSV: Final = "text/csv"

_encode = msgspec.json.Encoder().encode
_WEIGHT = re.compile(r"q=([01](?:\.\d{0,3})?)")
_FULL = _WEIGHT.fullmatch("q=1")


def answer(content: Any, status: int = 200) -> Response:
    """A JSON response of anything msgspec can encode."""
    return Response(_encode(content), status, media_type=JSON)


class Refusal(Struct, frozen=True):
    """Why there is no answer: where the fault is (a parameter, say), what it is, and what to do about it."""

    where: str
    what: str
    todo: str


def refusal(error: LeadbeatError, status: int) -> Response:
    """An error as JSON."""
    return answer(Refusal(error.where, error.what, error.todo), status)


def sheet(content: bytes, name: str) -> Response:
    """A CSV file with a heading."""
    headers = {"content-disposition": f'attachment; filename="{name}"', "vary": "accept"}
    return Response(content, headers={**headers, "content-type": f"{CSV}; charset=utf-8; header=present"})


def wants_csv(request: Request) -> bool:
    """Whether CSV is asked for rather than JSON: by the last `format` of the query, else by the Accept header."""
    named = [form for form in request.query_params.getlist("format") if form]
    if named:
        return named[-1] == "csv"
    accept = ",".join(request.headers.getlist("accept"))
    return _quality(accept, CSV) > _quality(accept, JSON)


def _quality(accept: str, media: str) -> float:
    """How welcome a media type is, 0 to 1, by the most specific range that it is in (RFC 9110, section 12.5.1)."""
    specificity = {"*/*": 0, f"{media.partition('/')[0]}/*": 1, media: 2}
    found = (-1, 0.0)
    for each in accept.lower().split(","):
        name, *parameters = (part.strip() for part in each.split(";"))
        if name in specificity:
            weight = next((_WEIGHT.fullmatch(part) for part in parameters if part.startswith("q=")), _FULL)
            found = max(found, (specificity[name], float(weight[1]) if weight else 0.0))
    return found[1]


async def on_error(_: Request, error: Exception) -> Response:
    """The answer to a LeadbeatError that a handler raised.

    400 for a wrong question, 404 for what does not exist, 503 for a passing fault, else 500.
    """
    if not isinstance(error, LeadbeatError):  # pragma: no cover - it is registered for these only
        raise error
    return refusal(error, next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500))


async def on_unforeseen(_: Request, __: Exception) -> Response:
    """The answer when a handler has failed as nobody has foreseen; the server logs the error."""
    fault = Refusal("leadbeat", "failed unexpectedly", "report it, with what the exporter's log says")
    return Response(_encode(fault), 500, HEADERS, JSON)


_STATUS: Final[Mapping[type[LeadbeatError], int]] = {InvalidQueryError: 400, NotThereError: 404, Retry: 503}
