"""The gateway's description: valid, whole, and true of a gateway."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from services import CHECKOUT
from starlette.routing import Route

from streams.config import Settings
from streams.errors import Retry
from streams.inbound import gateway
from streams.inbound.openapi import document
from streams.inbound.rates import BURST_S
from streams.local.deliveries import Batch, sign, wall

DOCUMENT = json.loads(json.dumps(document()))
TOKEN = "token_of_acme_0123456789"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SETTINGS = Settings.model_validate(
    {
        "gateway": {"body_limit": 1000, "read_timeout": "1s"},
        "connections": [{"name": "acme", "token": TOKEN, "secrets": [SECRET]}],
    }
)


class Kafka:
    """Is there, or not."""

    there = True

    async def append(self, value, headers):
        if not self.there:
            raise Retry("Kafka", "is not there")

    def unready(self):
        return None if self.there else "Kafka is not there"


def test_it_is_valid_openapi():
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


def test_the_copy_in_the_documentation_is_fresh(run):
    code, text, _ = run("openapi", "gateway")
    assert (code, json.loads(text)) == (0, DOCUMENT)
    assert (CHECKOUT / "docs" / "gateway.openapi.json").read_text() == text, "make docs"


def test_every_route_is_described_and_nothing_else():
    routes = gateway.create(SETTINGS, Kafka(), wall).routes
    found = {(route.path, method.lower()) for route in routes if isinstance(route, Route) for method in route.methods or ()}
    described = {(path, method) for path, operations in DOCUMENT["paths"].items() for method in operations}
    assert {each for each in found if each[1] != "head"} == described


async def test_every_described_answer_is_given_as_it_is_described():
    kafka, seen = Kafka(), set()
    async with client_of(kafka) as client:
        signed = sign(SECRET, Batch("msg_1", ({"type": "erased"},)), wall())
        body = b'{"type":"erased"}'

        async def ask(path: str, url: str = "", **request: object) -> None:
            method = next(iter(DOCUMENT["paths"][path]))
            seen.add(check(path, method, await client.request(method, url or path, **request)))

        async def ask_all() -> None:
            for path in DOCUMENT["paths"].keys() - {"/hooks/{token}"}:
                await ask(path)
            for token in (TOKEN, "nobodys"):
                await ask("/hooks/{token}", f"/hooks/{token}", content=body, headers=signed)

        await ask_all()
        for headers, content in (
            ({}, body),
            (signed | {"content-length": "many"}, body),
            (signed | {"content-encoding": "gzip"}, body),
            (signed, b" " * 2000),
            (signed, never()),
        ):
            await ask("/hooks/{token}", f"/hooks/{TOKEN}", content=content, headers=headers)
        kafka.there = False
        await ask_all()
    async with client_of(kafka, connection_rate=1) as client:
        for _ in range(BURST_S + 1):
            await ask("/hooks/{token}", f"/hooks/{TOKEN}", content=body)
    described = {
        (path, int(status))
        for path, operations in DOCUMENT["paths"].items()
        for operation in operations.values()
        for status in operation["responses"]
    }
    assert seen == described


def client_of(kafka: Kafka, **limits: int) -> httpx.AsyncClient:
    """Of a gateway, with further limits."""
    settings = SETTINGS.model_copy(update={"gateway": SETTINGS.gateway.model_copy(update=limits)})
    transport = httpx.ASGITransport(gateway.create(settings, kafka, wall))
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


def check(path: str, method: str, answer: httpx.Response) -> tuple[str, int]:
    """An answer is as described; says which it was."""
    told = DOCUMENT["paths"][path][method]["responses"][str(answer.status_code)]
    media = answer.headers["content-type"].partition(";")[0]
    content = answer.json() if media == "application/json" else answer.text
    assert list(Draft202012Validator(told["content"][media]["schema"]).iter_errors(content)) == []
    assert told.get("headers", {}).keys() == answer.headers.keys() & {"retry-after"}
    return path, answer.status_code


async def never() -> AsyncIterator[bytes]:
    """A body that does not go on."""
    yield b"{"
    await asyncio.Event().wait()


@pytest.mark.parametrize("content", [{}, {"error": 1}, {"accepted": True}])
def test_an_answer_of_another_form_would_be_seen(content):
    told = DOCUMENT["paths"]["/hooks/{token}"]["post"]["responses"]["401"]["content"]["application/json"]["schema"]
    schema = Draft202012Validator(told)
    assert schema.is_valid({"error": "not authentic"})
    assert not schema.is_valid(content)
