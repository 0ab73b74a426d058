"""The gateway's description: OpenAPI 3.1 of its hooks, and of what it tells of itself."""

from collections.abc import Mapping
from typing import Any, Final

JSON: Final = "application/json"
TEXT: Final = "text/plain"

TITLE: Final = "Leadbeat's gateway"
ABOUT: Final = """\
Where a CRM posts its webhooks: see docs/providers.md for what they carry and how they are signed.
What is no HTTP is answered with 400 as text, too many headers with 431 and nothing, or the connection is closed."""

HEADERS: Final[Mapping[str, str]] = {
    "webhook-id": "Standard Webhooks: the delivery's id, the same when it is tried again.",
    "webhook-timestamp": "Standard Webhooks: when it was signed, in Unix seconds; each attempt anew.",
    "webhook-signature": "Standard Webhooks: `v1,` and the base64 of the HMAC-SHA256; up to five, with spaces between.",
    "close-sig-timestamp": "Close: when it was signed, in Unix seconds.",
    "close-sig-hash": "Close: the HMAC-SHA256 in hex digits.",
}
"""The headers that prove a sender, by its provider."""

ACCEPTED: Final = "It is safe: acknowledged by all replicas of Kafka, or synced in the spool. What it says is read later."

REFUSED: Final[Mapping[int, str]] = {
    400: "The body is incomplete, or its length is no number.",
    401: "It is not authentic, too old, or from the future.",
    404: "Nobody has this token.",
    408: "The body took too long.",
    413: "The body is too large.",
    415: "The body is encoded: send it as it is.",
    429: "There are too many: send it again, no sooner than `retry-after` says.",
    503: "It is not known to be safe: send it again, no sooner than `retry-after` says.",
}
"""Why a delivery is not accepted, by status."""


def document() -> dict[str, Any]:
    """The description as JSON has it."""
    accepted = {"type": "object", "properties": {"accepted": {"const": True}}, "required": ["accepted"]}
    refused = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    answers = {202: _told(ACCEPTED, JSON, accepted)} | {status: _told(text, JSON, refused) for status, text in REFUSED.items()}
    for status in (429, 503):
        answers[status]["headers"] = {"retry-after": RETRY_AFTER}
    parameters = [{"name": "token", "in": "path", "required": True, "schema": {"type": "string"}}]
    parameters += [{"name": name, "in": "header", "description": text, "schema": _STRING} for name, text in HEADERS.items()]
    hook = {
        "operationId": "deliver",
        "summary": "Deliver events, as the connection's provider signs them.",
        "parameters": parameters,
        "requestBody": {"required": True, "content": {JSON: {"schema": {}}}},
        "responses": {str(status): told for status, told in sorted(answers.items())},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": "1", "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": {
            "/hooks/{token}": {"post": hook},
            "/livez": _get("live", "Whether the process is alive.", {200: "ok"}),
            "/readyz": _get("ready", "Whether a delivery would be safe soon.", {200: "ok", 503: "Why not."}),
            "/metrics": _get("getMetrics", "What the process tells of itself.", {200: "Prometheus' text format."}),
        },
    }


RETRY_AFTER: Final = {"description": "Seconds.", "required": True, "schema": {"type": "integer"}}

_STRING: Final = {"type": "string"}


def _get(name: str, text: str, answers: Mapping[int, str]) -> dict[str, Any]:
    told = {str(status): _told(text, TEXT, _STRING) for status, text in answers.items()}
    return {"get": {"operationId": name, "summary": text, "responses": told}}


def _told(text: str, media: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {media: {"schema": schema}}}
