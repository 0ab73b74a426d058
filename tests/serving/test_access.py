"""Who may ask the exporter for what."""

import asyncio
import base64
import hmac
import tomllib
from contextlib import aclosing
from typing import get_args

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from published import at_noon, shelves
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import StreamingResponse
from starlette.routing import Route

from streams.config import ApiToken, Settings
from streams.serving import tokens
from streams.serving.access import Access, Reason, guarded
from streams.serving.app import SCOPES, create
from streams.telemetry import AccessMetrics

SCOPE_NAMES = ("metrics", "kpis", "leads", "page")
MADE = {scope: tokens.new(scope, [scope]) for scope in SCOPE_NAMES}
TOKENS = tuple(ApiToken.model_validate(tomllib.loads(made.settings)["api_tokens"][0]) for made in MADE.values())
ADDRESSES = {
    "/board/{name:path}": "/board/main.js",
    "/api/v1/kpis/{kpi}/leads": "/api/v1/kpis/leads_created/leads?window=24h",
}
"""Where paths are asked at, if not at themselves."""


def asking(api_tokens=TOKENS) -> httpx.AsyncClient:
    """A client of the application with some tokens, whose streams end at once."""
    closing = asyncio.Event()
    closing.set()
    app = create(Settings(ticks="external", api_tokens=api_tokens), shelves(at_noon()), closing)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://exporter")


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def password(token: str, user: str = "") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()}


@pytest.mark.parametrize(("path", "needed"), SCOPES.items())
async def test_a_path_is_open_to_its_scope_and_to_no_other(path, needed):
    async with asking() as client:
        address = ADDRESSES.get(path, path)
        nobody = await client.get(address)
        for scope, made in MADE.items():
            for header in (bearer(made.token), password(made.token, "ana")):
                answer = await client.get(address, headers=header)
                assert answer.status_code == (200 if needed in {None, scope} else 403), (scope, answer.text)
    assert nobody.status_code == (200 if needed is None else 401)


def test_only_what_tells_whether_the_process_is_well_is_open_to_everybody():
    assert {path for path, scope in SCOPES.items() if scope is None} == {"/livez", "/readyz"}
    assert set(SCOPES.values()) == {None, *SCOPE_NAMES}


async def test_without_tokens_everybody_may_ask():
    async with asking(()) as client:
        statuses = {(await client.get(ADDRESSES.get(path, path))).status_code for path in SCOPES}
    assert statuses == {200}


async def test_who_may_not_ask_is_told_how_one_may():
    async with asking() as client:
        missing = await client.get("/api/v1/kpis")
        unknown = await client.get("/api/v1/kpis", headers=bearer("lbt_nobodys"))
        other = await client.get("/api/v1/kpis", headers=bearer(MADE["page"].token))
    basic = 'Basic realm="Leadbeat", charset="UTF-8"'
    assert missing.json() == {
        "where": "authorization",
        "what": "a token is missing",
        "todo": "send `Authorization: Bearer <token>`",
    }
    assert missing.headers.get_list("www-authenticate") == ['Bearer realm="Leadbeat"', basic]
    assert unknown.headers.get_list("www-authenticate") == ['Bearer realm="Leadbeat", error="invalid_token"', basic]
    assert (other.json()["what"], other.json()["todo"]) == ("the token 'page' is not for this", "give it the scope 'kpis'")
    assert other.headers.get_list("www-authenticate") == [
        'Bearer realm="Leadbeat", error="insufficient_scope", scope="kpis"'  # a browser does not ask again
    ]
    assert {answer.headers["cache-control"] for answer in (missing, unknown, other)} == {"no-store"}


TOKEN = MADE["kpis"].token
NOT_THE_TOKEN = [
    *("", "Bearer", "Bearer ", "Basic", "Basic !", "Basic YQ==", "Digest x"),
    *(TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN.upper()}", f"Token {TOKEN}", "Bearer \xe9"),
    f"Bearer {tomllib.loads(MADE['kpis'].settings)['api_tokens'][0]['hashes'][0]}",
    password("", TOKEN)["authorization"],
    "Basic " + base64.b64encode(b"\xff:" + TOKEN.encode()).decode(),
]


def judged(authorization: str, **more: str) -> int:
    """The status of the answer to a header; 0: let in."""
    access = Access(TOKENS, AccessMetrics(CollectorRegistry()))
    refused = access.refuse(Headers({"authorization": authorization, **more}), "kpis")
    return refused.status_code if refused else 0


@pytest.mark.parametrize("header", NOT_THE_TOKEN, ids=range(len(NOT_THE_TOKEN)))
def test_what_is_not_the_token_lets_nobody_in(header):
    assert judged(header) == 401


@given(st.characters(max_codepoint=255).map(str), st.text(st.characters(max_codepoint=255)))
def test_no_header_breaks_it(character, text):
    for header in (text, f"Bearer {text}", f"Basic {text}", f"Bearer {TOKEN}{character.strip() or 'x'}", f"Basic {character}"):
        assert judged(header) == 401


@pytest.mark.parametrize(
    "header", [f"bearer {TOKEN}", f"BEARER  {TOKEN} ", password(TOKEN, "a")["authorization"]], ids=["lower", "upper", "basic"]
)
def test_the_scheme_is_read_as_http_has_it(header):
    assert judged(header) == 0


def test_every_hash_is_compared_whichever_the_token_is(monkeypatch):
    compared = []
    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda one, other: compared.append(one) or compare(one, other))
    for header in (f"Bearer {MADE['metrics'].token}", f"Bearer {MADE['page'].token}", "Bearer nobodys"):
        compared.clear()
        judged(header)
        assert compared == [bytes.fromhex(token.hashes[0]) for token in TOKENS]


async def test_of_several_hashes_each_lets_in_so_that_a_token_can_be_exchanged():
    first, second = MADE["page"].token, MADE["kpis"].token
    both = ApiToken(name="both", scopes=("kpis",), hashes=(TOKENS[3].hashes[0], TOKENS[1].hashes[0]))
    async with asking((both,)) as client:
        for token in (first, second):
            assert (await client.get("/api/v1/catalogue", headers=bearer(token))).status_code == 200


@pytest.mark.parametrize(
    ("site", "mode", "status"),
    [
        ("same-origin", "cors", 0),
        ("none", "navigate", 0),
        ("cross-site", "navigate", 0),  # a link to the page
        ("cross-site", "no-cors", 403),
        ("cross-site", "cors", 403),
        ("same-site", "cors", 403),
    ],
)
def test_the_page_of_another_site_asks_for_nothing_though_the_browser_knows_the_password(site, mode, status):
    headers = {"sec-fetch-site": site, "sec-fetch-mode": mode}
    assert judged(f"Bearer {TOKEN}", **headers) == status
    access = Access((), AccessMetrics(CollectorRegistry()))
    refused = access.refuse(Headers(headers), "kpis")
    assert (refused.status_code if refused else 0) == status


def test_refusals_are_counted_by_reason_from_zero_on():
    registry = CollectorRegistry()
    access = Access(TOKENS, AccessMetrics(registry))

    def counts() -> dict[str, float | None]:
        return {
            reason: registry.get_sample_value("leadbeat_api_refused_total", {"reason": reason}) for reason in get_args(Reason)
        }

    assert counts() == dict.fromkeys(get_args(Reason), 0)
    access.refuse(Headers(), "kpis")
    access.refuse(Headers(bearer("nobodys")), "kpis")
    access.refuse(Headers(bearer(TOKEN)), "page")
    access.refuse(Headers({"sec-fetch-site": "cross-site"}), "page")
    assert counts() == dict.fromkeys(get_args(Reason), 1)


async def test_a_stream_ends_when_other_tokens_come_to_hold():
    access = Access(TOKENS, AccessMetrics(CollectorRegistry()))
    closed = asyncio.Event()

    async def beats():
        try:
            while True:
                yield b"beat"
        finally:
            closed.set()

    async with aclosing(access.lasting(beats(), access.edition)) as stream:
        assert await anext(stream) == b"beat"
        access.use(TOKENS[1:])
        assert [part async for part in stream] == []
    assert closed.is_set()


async def test_a_stream_that_was_asked_for_with_what_does_not_hold_any_more_does_not_begin():
    access = Access(TOKENS, AccessMetrics(CollectorRegistry()))

    async def exchanging(_):
        access.use(TOKENS[1:])
        return StreamingResponse(beats())

    async def beats():
        yield b"beat"

    route = guarded(Route("/stream", exchanging), access, "metrics")
    transport = httpx.ASGITransport(app=Starlette(routes=[route]))
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        assert (await client.get("/stream", headers=bearer(MADE["metrics"].token))).content == b""


class TestNewToken:
    def test_it_is_of_32_random_bytes_and_only_its_hash_is_kept(self):
        made = [tokens.new("grafana", ["kpis"]) for _ in range(100)]
        assert len({each.token for each in made}) == 100
        for each in made:
            prefix, _, random = each.token.partition("_")
            assert (prefix, len(base64.urlsafe_b64decode(random + "="))) == ("lbt", 32)
            assert random not in each.settings

    def test_the_command_tells_the_token_apart_from_what_the_settings_need(self, run, write):
        code, out, err = run("token", "new", "grafana", "--scope", "kpis", "--scope", "page", "--scope", "kpis")
        assert (code, out.count("\n")) == (0, 1)
        (token,) = tomllib.loads(err)["api_tokens"]
        assert (token["name"], token["scopes"]) == ("grafana", ["kpis", "page"])
        assert judged_by(ApiToken.model_validate(token), out.strip())
        assert run("kpis", "--config", write(err))[0] == 0

    @pytest.mark.parametrize("name", ["", "a b", "x" * 65, 'a"'])
    def test_a_name_that_cannot_be_is_refused(self, run, name):
        code, out, err = run("token", "new", name, "--scope", "kpis")
        assert (code, out) == (2, "")
        assert "1 to 64 letters, digits, _ and -" in err


def judged_by(known: ApiToken, token: str) -> bool:
    return Access((known,), AccessMetrics(CollectorRegistry())).refuse(Headers(bearer(token)), known.scopes[0]) is None
