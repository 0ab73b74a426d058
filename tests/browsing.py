"""The live page in a real browser: opened as somebody would have it, with all that the browser has to say against it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, Page, async_playwright
from services import Chromium

LIMIT_MS = 20_000
"""How long to wait for what should come at once, on a machine that is busy with something else."""

LAPTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


@asynccontextmanager
async def browsing(chromium: Chromium) -> AsyncIterator[Browser]:
    """A connection to the browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(chromium.url)
        yield browser
        await browser.close()


@dataclass
class Seen:
    """A page that is open, and what the browser complained of: the console's errors and warnings, and what was thrown.

    `asked` are the addresses that it has asked for anything.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def text(self, selector: str) -> str:
        """The text of an element as it is shown."""
        return await self.page.locator(selector).inner_text()

    async def says(self, selector: str, text: str) -> None:
        """Wait until an element says something, and nothing else."""
        await self.until("([selector, text]) => document.querySelector(selector)?.innerText.trim() === text", [selector, text])

    async def until(self, condition: str, argument: Any = None) -> None:
        """Wait until a function of the page is true."""
        await self.page.wait_for_function(condition, arg=argument, timeout=LIMIT_MS)


@asynccontextmanager
async def opened(browser: Browser, url: str, *, ready: bool = True, script: str = "", **context: Any) -> AsyncIterator[Seen]:
    """The page in a context of its own (`color_scheme`, `viewport` …), with figures on it unless it is not to be `ready`.

    The `script` runs before all that is the page's.
    """
    async with await browser.new_context(**({"viewport": LAPTOP} | context)) as private:
        page = await private.new_page()
        seen = Seen(page)
        page.on("console", lambda said: seen.complaints.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("request", lambda request: seen.asked.append(request.url))
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        if script:
            await page.add_init_script(script)
        await page.goto(url)
        if ready:
            await page.wait_for_selector("#main[data-ready=true]", timeout=LIMIT_MS)
        yield seen
