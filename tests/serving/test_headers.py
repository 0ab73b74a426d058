"""What browsers are told about every answer."""

import asyncio

import httpx
from published import Shelf, at_noon, shelves

from streams.config import ApiToken, Settings
from streams.errors import Retry
from streams.serving.app import SCOPES, create

ALWAYS = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
NOTHING = {"default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"}
"""The policy of what is no page."""

ITSELF = {
    *(f"{kind}-src 'self'" for kind in ("script", "style", "font", "img", "connect")),
    *("require-trusted-types-for 'script'", "trusted-types 'none'"),
}
"""What the page may do beyond that."""

TOKEN = ApiToken(name="other", scopes=("metrics",), hashes=("ab" * 32,))


def asking(settings: Settings, sources=None) -> httpx.AsyncClient:
    """A client of the application; streams end at once, and what fails is answered as a server would."""
    closing = asyncio.Event()
    closing.set()
    app = create(settings, sources or shelves(at_noon()), closing)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://exporter")


def policy_of(answer: httpx.Response) -> set[str]:
    (policy,) = answer.headers.get_list("content-security-policy")
    return set(policy.split("; "))


async def all_answers() -> list[httpx.Response]:
    """Of every path, well and not so: without a token or Redis, wrongly asked, by another method, and what is not there."""
    paths = [path.replace("{name:path}", "main.js").replace("{kpi}", "leads_created") for path in SCOPES]
    gone = Shelf(Retry("redis", "does not answer"))
    broken = shelves(at_noon())._replace(table=Broken())
    found = []
    async with asking(Settings()) as client, asking(Settings(api_tokens=(TOKEN,))) as locked:
        for path in [*paths, "/nothing", "/board/nothing.js"]:
            found += [await each.get(path, params=query) for each in (client, locked) for query in ({}, {"x": "<script>"})]
            found += [await client.post(path), await client.head(path)]
    for sources in (shelves(at_noon())._replace(table=gone), broken):
        async with asking(Settings(), sources) as client:
            found += [await client.get(path) for path in ("/metrics", "/api/v1/kpis", "/readyz")]
    return found


class Broken:
    """A table that fails as nobody has foreseen."""

    async def read(self):
        raise ZeroDivisionError


async def test_every_answer_has_them_whatever_it_is():
    answers = await all_answers()
    assert {answer.status_code for answer in answers} >= {200, 400, 401, 404, 405, 500, 503}
    for answer in answers:
        assert {name: answer.headers.get_list(name) for name in ALWAYS} == {name: [value] for name, value in ALWAYS.items()}
        page = answer.url.path == "/" or answer.url.path.startswith("/board/")
        assert policy_of(answer) == (NOTHING | ITSELF if page and answer.status_code == 200 else NOTHING)
        kept = {answer.headers["cache-control"]}
        assert kept == ({"no-cache"} if page and answer.status_code == 200 else {"no-store"})
        assert not {"server", "x-powered-by", "access-control-allow-origin"} & answer.headers.keys()


async def test_what_nobody_has_foreseen_is_told_as_every_other_fault_and_without_its_cause():
    async with asking(Settings(), shelves(at_noon())._replace(table=Broken())) as client:
        answer = await client.get("/api/v1/kpis")
    assert answer.json() == {
        "where": "leadbeat",
        "what": "failed unexpectedly",
        "todo": "report it, with what the exporter's log says",
    }
