"""The API's description: OpenAPI 3.1, made from the routes' own declarations and the types that they answer with."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from streams.serving import api, exporter, health, leads, waiting
from streams.serving.answers import JSON, answer
from streams.serving.board import stream
from streams.serving.documented import Operation, Parameter, Told

PATH: Final = "/api/v1/openapi.json"

OPERATIONS: Final[tuple[Operation, ...]] = (
    *api.OPERATIONS,
    leads.OPERATION,
    waiting.OPERATION,
    stream.OPERATION,
    Operation(PATH, "getDescription", "kpis", "This description.", {200: Told("OpenAPI 3.1.", {JSON: dict[str, Any]})}),
    exporter.OPERATION,
    *health.OPERATIONS,
)
"""Everything that is described."""

TEXT: Final = """\
Live KPIs for sales teams, by window and slice: the numbers of Prometheus and of the topic `leadbeat.kpis.v1`.
Instants are ms UTC unless their unit says otherwise. What is withheld is null, and `state` says why.
An exporter without API tokens lets everybody ask. Else a token needs the scope that stands under an operation's security."""

SCHEMES: Final = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of `leadbeat token new`."},
    "password": {"type": "http", "scheme": "basic", "description": "The same as a password, under any name: for browsers."},
}
"""The two ways to show a token."""


def document() -> dict[str, Any]:
    """The description as JSON has it."""
    types = list(dict.fromkeys(kind for kind in _types(OPERATIONS) if not isinstance(kind, str)))
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    known = dict(zip(types, schemas, strict=True))
    return {
        "openapi": "3.1.0",
        "info": {"title": "Leadbeat", "version": "1", "description": TEXT},
        "servers": [{"url": "/"}],
        "paths": {operation.path: {"get": _operation(operation, known)} for operation in OPERATIONS},
        "components": {"schemas": components, "securitySchemes": SCHEMES},
    }


def _types(operations: Iterable[Operation]) -> Iterable[Any]:
    return (kind for operation in operations for told in operation.every_answer().values() for kind in told.content.values())


def _operation(operation: Operation, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "operationId": operation.name,
        "summary": operation.text,
        "security": [{name: [operation.scope]} for name in SCHEMES] if operation.scope else [],
        "parameters": [_parameter(parameter) for parameter in operation.parameters],
        "responses": {str(status): _told(told, schemas) for status, told in sorted(operation.every_answer().items())},
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    one = _value(parameter)
    schema = {"type": "array", "items": one} if parameter.repeated else one
    place = "path" if parameter.path else "query"
    required = {"required": True} if parameter.required or parameter.path else {}
    return {"name": parameter.name, "in": place, "description": parameter.text} | required | {"schema": schema}


def _value(parameter: Parameter) -> dict[str, Any]:
    if parameter.highest is not None:
        return {"type": "integer", "minimum": parameter.lowest, "maximum": parameter.highest}
    if parameter.pattern:
        return {"type": "string", "anyOf": [{"enum": list(parameter.values)}, {"pattern": parameter.pattern}]}
    return {"type": "string", "enum": list(parameter.values)} if parameter.values else {"type": "string"}


def _told(told: Told, schemas: Mapping[Any, Any]) -> dict[str, Any]:
    content = {
        media: {"schema": {"type": "string", "description": kind} if isinstance(kind, str) else schemas[kind]}
        for media, kind in told.content.items()
    }
    return {"description": told.text, "content": content}


def route() -> Route:
    """GET /api/v1/openapi.json."""
    described = document()

    async def openapi(_: Request) -> Response:
        return answer(described)

    return Route(PATH, openapi)
