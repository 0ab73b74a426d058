"""Whatever a CRM's user writes into whatever field: on the page, in the API, its CSV and on /metrics it is text."""

import csv
import io
import json
from urllib.parse import quote

import pytest
from browsing import browsing, opened
from filled import filled
from histories import inquiry, lead
from prometheus_client.parser import text_string_to_metric_families

from models.units import MINUTE

RUNS = "window.xss=1"
HOSTILE = (
    f"<script>{RUNS}</script>",
    f"<img src=x onerror={RUNS}>",
    f'"><svg/onload={RUNS}>',
    f"' autofocus onfocus={RUNS} '",
    f"javascript:{RUNS}//",
    f"</script></style></title><script>{RUNS}</script>",
    f"<iframe srcdoc='<script>parent.{RUNS}</script>'>",
    f"{{{{constructor.constructor('{RUNS}')()}}}}",
    f"data: x\n\nevent: setup\ndata: {RUNS}",
    "__proto__",
    "constructor",
    '=HYPERLINK("http://example.com/","x")',
    "\u2028\u202e<b>",
)
LISTS = (
    *("lead_sources", "origins", "sales_regions", "segments", "campaigns", "products", "competitors", "loss_reasons"),
    *("nurture_tracks", "referral_origins"),
)
TEXTS = json.dumps(HOSTILE, ensure_ascii=False)
ROSTER = ", ".join(f"{{ rep = {name}, team = {name} }}" for name in (json.dumps(text, ensure_ascii=False) for text in HOSTILE))
RULES = "\n".join(
    [
        *(f"{name} = {TEXTS}" for name in LISTS),
        'pairs = [["team", "lead_source"]]',
        f"roster = [{ROSTER}]",
        'organisation.zone = "UTC"',
        'profile.also_by = ["sales_region", "campaign"]',
        f"deal_stages = [{', '.join(f'{{ name = {json.dumps(text, ensure_ascii=False)} }}' for text in HOSTILE)}]",
        "",
    ]
)

WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.blockedURI));
"""
ODD = "img, iframe, object, embed, base, form, style, script:not([src='board/main.js'])"
"""What the page has none of, so that it would have come out of a text."""


@pytest.fixture
async def exporter(system, now):
    """The address of an exporter that shows what came of a webhook of each kind, and of a lead that waits, for each text."""
    config = system.configure(RULES)
    for name in ("gateway", "worker", "exporter"):
        system.start(name, config)
    await system.accepting()
    for text in HOSTILE:
        waiting = f"{text}?"
        told = lead(waiting, version=now - MINUTE, created_at=now - MINUTE, owner=text, lead_source=text, segment=text)
        await system.post([*filled(text, now - MINUTE), told, inquiry("i", waiting, at=now - MINUTE)])
    await system.tick(now)
    await system.round(now)
    assert await system.letters() == []
    return f"http://127.0.0.1:{system.exporter_port}"


async def test_a_text_is_a_text_wherever_it_is_shown(system, exporter, chromium):
    await _on_metrics(system, exporter)
    await _in_the_api(system, exporter)
    await _on_the_page(chromium, exporter)


async def _on_metrics(system, exporter) -> None:
    page = (await system.client.get(f"{exporter}/metrics")).text
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    shown = {text.replace("\n", "\ufffd000a").replace("\u2028", "\ufffd2028") for text in HOSTILE}
    for label in ("rep", "team", "lead_source", "sales_region", "campaign", "segment", "origin"):
        assert shown <= {sample.labels.get(label) for sample in samples}, label


async def _in_the_api(system, exporter) -> None:
    async def get(path: str, kind: str, **query: str):
        answer = await system.client.get(f"{exporter}/api/v1/{path}", params=query)
        assert answer.headers["content-type"].partition(";")[0] == kind, answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        return answer

    for dim in ("rep", "team", "lead_source", "product"):
        rows = (await get("kpis", "application/json", window="24h", by=dim)).json()["kpis"]
        assert set(HOSTILE) <= {row["slice"] for row in rows}, dim
    text = (await get("kpis", "text/csv", window="24h", by="rep", format="csv")).text
    sheet = list(csv.DictReader(io.StringIO(text, newline="")))
    assert {f"'{text}" if text[0] in "=+-@'" else text for text in HOSTILE} <= {row["slice"] for row in sheet}
    waiting = (await get("waiting", "application/json")).json()["waiting"]
    assert sorted(each["lead"] for each in waiting) == sorted(f"{text}?" for text in HOSTILE)
    for text in HOSTILE:
        created = {"window": "24h", "by": "rep", "slice": text}
        leads = (await get("kpis/leads_created/leads", "application/json", **created)).json()["leads"]
        assert text in {each["lead"] for each in leads}
        assert (await get("kpis", "application/json", kpi=text)).status_code == 400


async def _on_the_page(chromium, exporter) -> None:
    addresses = ["/?window=24h"]
    for text in map(quote, HOSTILE):
        addresses += [f"/?window=24h&rep={text}", f"/?team={text}&window={text}&theme={text}"]
    async with browsing(chromium) as browser:
        for address in addresses:
            await _shows_text(browser, exporter, address)


async def _shows_text(browser, exporter, address) -> None:
    async with opened(browser, exporter + address, script=WATCH) as seen:
        await seen.until("() => document.querySelectorAll('#people tr').length")
        scopes = await seen.page.evaluate("[...document.querySelectorAll('#scope option')].map((option) => option.value)")
        leads = await seen.page.evaluate("[...document.querySelectorAll('[data-lead]')].map((row) => row.dataset.lead)")
        assert await seen.page.evaluate("[window.xss ?? null, window.violations]") == [None, []]
        assert await seen.page.locator(ODD).count() == 0
        assert seen.complaints == []
        assert [url for url in seen.asked if not url.startswith(exporter)] == []
        assert {f"{dim}={text}" for dim in ("rep", "team") for text in HOSTILE} <= set(scopes)
        assert set(leads) <= {f"{text}?" for text in HOSTILE}
        assert leads
