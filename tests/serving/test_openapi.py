"""The API's description: valid, whole, and true of an exporter that runs."""

import asyncio
import json

import httpx
import pytest
from build import MINUTE, call
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from published import Shelf, at_noon, publish
from services import CHECKOUT
from starlette.routing import Route

from streams.config import Settings
from streams.serving import health
from streams.serving.app import create
from streams.serving.openapi import OPERATIONS, PATH, document
from streams.serving.selection import VALID
from streams.tables import connect

DOCUMENT = json.loads(json.dumps(document()))
PAGES = {"/", "/board/{name:path}"}
"""Routes for people."""


def test_it_is_valid_openapi():
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []
    broken = DOCUMENT | {"paths": {"/x": {"get": {"parameters": [{"name": "x", "in": "nowhere"}]}}}}
    assert list(OpenAPIV31SpecValidator(broken).iter_errors())


def test_the_copy_in_the_documentation_is_fresh(run):
    code, text, _ = run("openapi")
    assert (code, json.loads(text)) == (0, DOCUMENT)
    assert (CHECKOUT / "docs" / "openapi.json").read_text() == text, "make docs"


def test_every_route_is_described_and_nothing_else():
    routes = create(Settings(), Shelf(at_noon())).routes
    assert {route.path for route in routes if isinstance(route, Route)} - PAGES == DOCUMENT["paths"].keys()


def test_parameters_have_the_values_that_are_taken():
    found = {parameter["name"]: parameter for parameter in DOCUMENT["paths"]["/api/v1/kpis"]["get"]["parameters"]}
    for name, valid in VALID.items():
        schema = found[name]["schema"]
        assert schema.get("items", schema)["enum"] == list(valid)
    assert found.keys() == {*VALID, "slice"}


def schema_of(path: str, status: int, media: str) -> Draft202012Validator:
    """What checks an answer's content."""
    told = DOCUMENT["paths"][path]["get"]["responses"][str(status)]["content"][media]["schema"]
    return Draft202012Validator({"components": DOCUMENT["components"], "allOf": [told]})


def check(answer: httpx.Response, path: str) -> tuple[str, int, str]:
    """An answer is as described; says which it was."""
    media = answer.headers["content-type"].partition(";")[0]
    content = answer.json() if media == "application/json" else answer.text
    errors = [error.message for error in schema_of(path, answer.status_code, media).iter_errors(content)]
    assert errors == [], (path, answer.status_code, errors[:3])
    return path, answer.status_code, media


def store(redis_server, **strange: str) -> None:
    clock = health.wall()

    async def connected():
        async with connect(redis_server.url) as redis:
            await publish(redis, "lb", at_noon(call("c1", clock - MINUTE, rep="ana", changed_at=clock), clock=clock))
            if strange:
                await redis.hset("lb:{kpi}:1h", mapping=strange)

    asyncio.run(connected())


QUESTIONS = ("", "?text=1&kpi=calls", "?kpi=oldest_lead_waiting", "?format=csv&by=rep", "?window=2h", "?slice=nobody-at-all")


def test_every_described_answer_is_given_by_an_exporter_that_runs_as_it_is_described(redis_server, exporter):
    _, url = exporter
    seen = set()

    def ask_all() -> None:
        for path in DOCUMENT["paths"]:
            for question in QUESTIONS if path == "/api/v1/kpis" else ("",):
                seen.add(check(httpx.get(f"{url}{path}{question}", timeout=30), path))

    ask_all()
    store(redis_server)
    ask_all()
    store(redis_server, calls="no row")
    ask_all()
    described = {
        (operation.path, status, media)
        for operation in OPERATIONS
        for status, told in operation.answers.items()
        for media in told.content
    }
    assert seen == described
    assert httpx.get(f"{url}{PATH}").json() == DOCUMENT


@pytest.mark.parametrize(
    "change", [{"clock": "noon"}, {"kpis": [{}]}, {"exact": 1}, {"kpis": [{"id": "calls", "window": "2h", "state": "ok"}]}]
)
def test_an_answer_of_another_form_would_be_seen(change):
    content = {"clock": 1, "known_until": 1, "round": 1, "exact": True, "stale": False, "kpis": []}
    schema = schema_of("/api/v1/kpis", 200, "application/json")
    assert schema.is_valid(content)
    assert not schema.is_valid(content | change)
