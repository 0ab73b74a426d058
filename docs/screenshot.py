"""Makes docs/page.png: the live page over the demo's sales floor.

Run as `.venv/bin/python docs/screenshot.py` with the development dependencies; it needs Chromium on the PATH.
"""

import asyncio
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from playwright.async_api import async_playwright
from rich.console import Console

from streams.local.demo import feed_history, live
from streams.local.stage import Options, running

PICTURE = Path(__file__).with_name("page.png")
SIZE = {"width": 1440, "height": 900}
WINDOW = "1h"
WARM_UP_S = 420
"""How long the floor lives before the picture: an hour's figures are those of the night until its day has begun."""


async def main(warm_up_s: float) -> None:
    """Run the demo, wait until its page shows figures, and take its picture."""
    async with running(Options(seconds=warm_up_s), Console(stderr=True)) as demo, async_playwright() as playwright:
        await feed_history(demo)
        await live(demo)
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = await browser.new_page(viewport=SIZE, color_scheme="light")
        await page.goto(f"{demo.exporter}/?window={WINDOW}")
        await page.wait_for_selector("#main[data-ready=true]")
        await page.evaluate("document.fonts.ready")
        await page.wait_for_selector("#freshness[data-state=live]")
        await page.screenshot(path=PICTURE)
        await browser.close()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else WARM_UP_S))
