"""The live page, and Prometheus, where the exporter has tokens."""

from hashlib import sha256

import httpx
import pytest
from browsing import opened
from build import HOUR, call
from queued import clock
from services import until_sync

from streams.serving import health
from streams.serving.tokens import new

PAGE, METRICS = new("floor", ["page"]), new("prometheus", ["metrics"])


@pytest.fixture
def url(exporter_with):
    """The page of an exporter that asks for tokens."""
    _, url = exporter_with(f"{PAGE.settings}\n{METRICS.settings}\n")
    return f"{url}/"


def credentials(token):
    return {"http_credentials": {"username": "ana", "password": token}}


@pytest.mark.asyncio(loop_scope="module")
class TestInABrowser:
    async def test_the_token_is_the_password_at_which_the_browser_asks_and_all_of_the_page_comes(self, browser, floor, url):
        now = health.wall()
        await floor.publish(call("c1", now, rep="ana"))
        await floor.wait({clock("4711", now + HOUR): now})
        async with opened(browser, f"{url}?window=24h", **credentials(PAGE.token)) as seen:
            await seen.says("#freshness-word", "Live")
            await seen.says("#total", "1")
            await seen.says('.card [data-kpi="touches"]', "1")
            assert await seen.page.evaluate("document.fonts.check('16px Inter')")
            assert await seen.page.evaluate("document.cookie") == ""
            assert seen.complaints == []

    async def test_a_wall_may_have_it_in_its_address(self, browser, floor, url):
        await floor.publish(call("c1", health.wall(), rep="ana"))
        async with opened(browser, url.replace("://", f"://wall:{PAGE.token}@") + "?window=24h") as seen:
            await seen.says("#freshness-word", "Live")
            await seen.says('.card [data-kpi="touches"]', "1")
            assert seen.complaints == []

    async def test_an_open_page_is_told_nothing_more_once_its_token_has_been_exchanged(
        self, browser, floor, exporter_with, tmp_path
    ):
        file = tmp_path / "floor.sha256"
        file.write_text(sha256(PAGE.token.encode()).hexdigest())
        _, url = exporter_with('[[api_tokens]]\nname = "floor"\nscopes = ["page"]\nhash_files = ["floor.sha256"]\n')
        await floor.publish()
        async with opened(browser, url, **credentials(PAGE.token)) as seen:
            await seen.says("#freshness-word", "Live")
            file.write_text(sha256(b"another").hexdigest())
            await seen.says("#freshness-word", "Disconnected")
            await floor.publish(call("c1", health.wall(), rep="ana"))
            assert (await seen.page.reload()).status == 401

    @pytest.mark.parametrize("token", ["", METRICS.token, "lbt_guessed"], ids=["none", "of another scope", "guessed"])
    async def test_nobody_else_gets_any_of_it(self, browser, floor, url, token):
        await floor.publish()
        async with await browser.new_context(**credentials(token)) as context:
            page = await context.new_page()
            answer = await page.goto(url)
            assert answer.status == (403 if token == METRICS.token else 401)
            assert await page.locator("#main").count() == 0


def test_prometheus_scrapes_with_a_token_from_a_file(url, prometheus, tmp_path):
    token = tmp_path / "prometheus-token"
    token.write_text(METRICS.token)
    target = url.removeprefix("http://").removesuffix("/")
    jobs = [
        {"job_name": name, "scrape_interval": "1s", "static_configs": [{"targets": [target]}], **more}
        for name, more in (("with", {"authorization": {"credentials_file": str(token)}}), ("without", {}))
    ]
    running = prometheus({"scrape_configs": jobs})
    until_sync(lambda: running.query('up{job="with"} == 1'), 20, "Prometheus has scraped the page")
    until_sync(lambda: running.query('up{job="without"} == 0'), 20, "Prometheus was turned away")
    assert httpx.get(f"{url}metrics").status_code == 401
