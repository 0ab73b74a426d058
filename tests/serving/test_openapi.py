"""The API's description: valid, whole, and true of an exporter that runs."""

import asyncio
import json
import tomllib
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from build import MINUTE, call, lead
from jsonschema import Draft202012Validator
from kept import Floor
from openapi_spec_validator import OpenAPIV31SpecValidator
from published import at_noon, publish, shelves
from queued import Partitions, clock
from services import CHECKOUT, until_sync
from starlette.routing import Route

from streams.config import Settings
from streams.serving import health
from streams.serving.app import create
from streams.serving.board import stream
from streams.serving.leads import PARAMETERS as LEADS_PARAMETERS
from streams.serving.openapi import OPERATIONS, PATH, document
from streams.serving.selection import VALID
from streams.serving.tokens import new
from streams.serving.waiting import HIGHEST_LIMIT, PARAMETERS
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
    routes = create(Settings(), shelves(at_noon())).routes
    assert {route.path for route in routes if isinstance(route, Route)} - PAGES == DOCUMENT["paths"].keys()


def parameters_of(path: str) -> dict[str, dict[str, Any]]:
    """The schema of each parameter."""
    return {parameter["name"]: parameter["schema"] for parameter in DOCUMENT["paths"][path]["get"]["parameters"]}


def test_parameters_have_the_values_that_are_taken():
    found = parameters_of("/api/v1/kpis")
    for name, valid in VALID.items():
        schema = found[name].get("items", found[name])
        assert schema.get("anyOf", [schema])[0]["enum"] == list(valid)
    by = Draft202012Validator(found["by"]["items"])
    assert [by.is_valid(value) for value in ("rep", "team,lead_source", "team,weather", "rep,")] == [True, True, False, False]
    assert found.keys() == {*VALID, "slice"}
    waiting = {
        parameter["name"]: parameter["schema"] for parameter in DOCUMENT["paths"]["/api/v1/waiting"]["get"]["parameters"]
    }
    assert waiting["limit"] == {"type": "integer", "minimum": 0, "maximum": HIGHEST_LIMIT}
    assert tuple(waiting) == PARAMETERS
    leads = parameters_of("/api/v1/kpis/{kpi}/leads")
    assert set(leads) == {"kpi", *LEADS_PARAMETERS}
    assert leads["limit"]["minimum"] == 1
    assert "sla_breaches" in leads["kpi"]["enum"]
    assert "calls" not in leads["kpi"]["enum"]


def schema_of(path: str, status: int, media: str) -> Draft202012Validator:
    """What checks an answer's content."""
    told = DOCUMENT["paths"][path]["get"]["responses"][str(status)]["content"][media]["schema"]
    return Draft202012Validator({"components": DOCUMENT["components"], "allOf": [told]})


def check(answer: httpx.Response, path: str, text: str | None = None) -> tuple[str, int, str]:
    """An answer is as described; says which it was."""
    media = answer.headers["content-type"].partition(";")[0]
    if text is None:
        text = answer.text
    content = json.loads(text) if media == "application/json" else text
    errors = [error.message for error in schema_of(path, answer.status_code, media).iter_errors(content)]
    assert errors == [], (path, answer.status_code, errors[:3])
    return path, answer.status_code, media


def store(redis_server, **strange: str) -> None:
    """A round and a lead that waits; if so wished, with strange rows and a strange partition."""
    now = health.wall()

    async def connected():
        async with connect(redis_server.url) as redis:
            await publish(redis, "lb", at_noon(call("c1", now - MINUTE, rep="ana", changed_at=now), clock=now))
            partitions = await Partitions.claimed(redis)
            await partitions.show(now, {clock("lead-1", now): now - MINUTE, clock("lead-2", None): now})
            if not strange:
                floor = await Floor.claimed(redis, Settings().rules())
                await floor.tell([lead(created_at=now - MINUTE, changed_at=now)], now)
            else:
                await redis.hset("lb:{kpi}:1h", mapping=strange)
                await redis.hset("lb:{0}:applied", "generation", "none")

    asyncio.run(connected())


STREAM = "/api/v1/stream"
ADDRESSES = {
    "/api/v1/kpis": (
        "/api/v1/kpis",
        "/api/v1/kpis?text=1&kpi=calls",
        "/api/v1/kpis?kpi=oldest_lead_waiting",
        "/api/v1/kpis?format=csv&by=rep",
        "/api/v1/kpis?window=2h",
        "/api/v1/kpis?slice=nobody-at-all",
    ),
    "/api/v1/kpis/{kpi}/leads": (
        "/api/v1/kpis/leads_created/leads?window=24h",
        "/api/v1/kpis/leads_created/leads?window=24h&format=csv",
        "/api/v1/kpis/leads_created/leads",
        "/api/v1/kpis/weather/leads?window=24h",
    ),
    "/api/v1/waiting": (
        "/api/v1/waiting",
        "/api/v1/waiting?overdue=0&limit=1",
        "/api/v1/waiting?rep=ana&team=north&lead_source=inbound",
        "/api/v1/waiting?limit=many",
    ),
}
"""Where described paths are asked at, if not at themselves."""

PATHS_OF = {
    scope: [operation.path for operation in OPERATIONS if operation.scope == scope]
    for scope in ("metrics", "kpis", "leads", "page")
}


def test_every_described_answer_is_given_by_an_exporter_that_runs_as_it_is_described(redis_server, exporter):
    _, url = exporter
    seen = set()

    def ask_all() -> set[tuple[str, int, str]]:
        paths = DOCUMENT["paths"].keys() - {STREAM}
        asked = [(path, address) for path in paths for address in ADDRESSES.get(path, (path,))]
        found = {check(httpx.get(f"{url}{address}", timeout=30), path) for path, address in asked}
        seen.update(found)
        return found

    def all_answer(status: int) -> None:
        """An answer of Redis is taken for the present for a moment, each kind for its own."""
        until_sync(
            lambda: {path for path, given, _ in ask_all() if given == status} >= ADDRESSES.keys(), 20, f"they answer {status}"
        )

    ask_all()
    store(redis_server)
    all_answer(200)
    seen |= asyncio.run(watched(f"{url}{STREAM}"))
    store(redis_server, calls="no row")
    all_answer(500)
    seen |= asyncio.run(turned_away())
    described = {
        (operation.path, status, media)
        for operation in OPERATIONS
        for status, told in operation.every_answer().items()
        for media in told.content
    }
    assert seen == described
    assert httpx.get(f"{url}{PATH}").json() == DOCUMENT


async def watched(url: str) -> set[tuple[str, int, str]]:
    """Open streams until no more are let in."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(limits=httpx.Limits(max_connections=None), timeout=30))
        seen = {check(await client.get(url, params={"what": "1"}), STREAM)}
        open_streams = []
        for _ in range(stream.MOST_WATCHERS + 1):
            answer = await stack.enter_async_context(client.stream("GET", url, params={"rep": "ana"}))
            open_streams.append(answer.aiter_text())  # one that is forgotten is closed
            seen.add(check(answer, STREAM, await anext(open_streams[-1])))
        return seen


async def turned_away() -> set[tuple[str, int, str]]:
    """Ask an exporter that has tokens, without one and with one that may nothing that is asked."""
    found = set()
    for scope, paths in PATHS_OF.items():
        other = new("other", [next(name for name in PATHS_OF if name != scope)])
        settings = Settings(api_tokens=[tomllib.loads(other.settings)["api_tokens"][0]])
        transport = httpx.ASGITransport(app=create(settings, shelves(at_noon())))
        async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
            for path in paths:
                found.add(check(await client.get(path), path))
                found.add(check(await client.get(path, headers={"authorization": f"Bearer {other.token}"}), path))
    return found


def test_each_scope_stands_under_the_operations_that_need_it():
    said = {path: told["get"]["security"] for path, told in DOCUMENT["paths"].items()}
    assert said == {
        operation.path: [{"token": [operation.scope]}, {"password": [operation.scope]}] if operation.scope else []
        for operation in OPERATIONS
    }
    assert DOCUMENT["components"]["securitySchemes"].keys() == {"token", "password"}


@pytest.mark.parametrize(
    "change", [{"clock": "noon"}, {"kpis": [{}]}, {"exact": 1}, {"kpis": [{"id": "calls", "window": "2h", "state": "ok"}]}]
)
def test_an_answer_of_another_form_would_be_seen(change):
    content = {"clock": 1, "known_until": 1, "round": 1, "exact": True, "stale": False, "kpis": []}
    schema = schema_of("/api/v1/kpis", 200, "application/json")
    assert schema.is_valid(content)
    assert not schema.is_valid(content | change)
