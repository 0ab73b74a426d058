"""What the gateway answers, and why a request was not accepted."""

from typing import Literal, TypeAlias

from starlette.responses import Response

CLOSE = {"connection": "close"}

Reason: TypeAlias = Literal[
    "disconnected",
    "encoded",
    "malformed",
    "not_acknowledged",
    "overloaded",
    "spool_full",
    "too_large",
    "too_many",
    "too_slow",
    "unauthentic",
    "unknown_token",
]


class Refused(Exception):
    """A request that is not accepted. The reason is for us; what the sender is told gives nothing away."""

    def __init__(self, status: int, told: str, reason: Reason, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, told, reason)
        self.reason = reason
        self.answer = answer(status, b'{"error":"%s"}' % told.encode(), headers)


def answer(status: int, body: bytes, headers: dict[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(body, status, headers, media_type="application/json")


def later(seconds: int) -> dict[str, str]:
    """The header that says how soon a sender may try again."""
    return {"retry-after": str(seconds)}
