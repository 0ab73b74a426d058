"""What the page's policy lets a browser do: were a text to become markup after all, it would run and load nothing."""

import pytest
import pytest_asyncio
from browsing import opened
from build import call

from streams.serving import health

pytestmark = pytest.mark.asyncio(loop_scope="module")

VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.effectiveDirective));
"""

ATTEMPTS = {
    "markup out of text": "document.body.innerHTML = '<img src=x onerror=window.xss=1>'",
    "a handler out of text": "document.body.setAttribute('onclick', 'window.xss = 1')",
    "a script out of text": "document.createElement('script').textContent = 'window.xss = 1'",
    "code out of text": "eval('window.xss = 1')",
    "a function out of text": "new Function('window.xss = 1')()",
    "a late function out of text": "setTimeout('window.xss = 1')",
    "a document out of text": "document.write('<script>window.xss = 1</script>')",
}
"""What the policy forbids at once."""

LATER = """() => new Promise((resolve) => setTimeout(() => {
  try { %s; resolve(""); } catch (error) { resolve(`${error}`); }
}))"""
"""Try it as the page's own code would: what a debugger runs at once may do more."""

PLACED = {
    "an inline script": ("script", {}, "window.xss = 1", "script-src-elem"),
    "another's script": ("script", {"src": "https://example.com/x.js"}, "", "script-src-elem"),
    "a script of data": ("script", {"src": "data:text/javascript,window.xss=1"}, "", "script-src-elem"),
    "another's image": ("img", {"src": "https://example.com/x.png"}, "", "img-src"),
    "an inline style": ("style", {}, "body { display: none }", "style-src-elem"),
    "a frame": ("iframe", {"src": "https://example.com/"}, "", "frame-src"),
    "a plug-in": ("object", {"data": "https://example.com/"}, "", "object-src"),
}
"""What is kept from doing anything where it is placed: an element, its attributes and text, and the directive that does it."""

PLACE = """([name, attributes, text]) => {
  const made = document.createElementNS("http://www.w3.org/1999/xhtml", name);
  try {
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(text);
    document.body.append(made);
  } catch (error) {
    window.violations.push("require-trusted-types-for");
  }
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def seen(browser, floor, url):
    """The page with figures on it."""
    await floor.publish(call("c1", health.wall(), rep="ana"))
    async with opened(browser, url) as seen:
        await seen.page.evaluate(VIOLATIONS)
        yield seen


async def test_the_page_itself_needs_nothing_that_is_forbidden(browser, floor, url):
    await floor.publish(call("c1", health.wall(), rep="ana"))
    async with opened(browser, url, script=VIOLATIONS) as seen:
        await seen.page.get_by_role("button", name="Theme").click()
        await seen.page.get_by_role("radio", name="1 h").check(force=True)
        assert await seen.page.evaluate("window.violations") == []
        assert [address for address in seen.asked if not address.startswith(url)] == []
        assert seen.complaints == []


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
async def test_text_becomes_neither_markup_nor_code(seen, attempt):
    assert await seen.page.evaluate(LATER % attempt)
    assert await seen.page.evaluate("window.xss") is None


@pytest.mark.parametrize(("name", "attributes", "text", "directive"), PLACED.values(), ids=PLACED)
async def test_what_is_placed_on_the_page_runs_and_loads_nothing(seen, name, attributes, text, directive):
    await seen.page.evaluate(PLACE, [name, attributes, text])
    await seen.until("() => window.violations.length")
    assert set(await seen.page.evaluate("window.violations")) <= {directive, "require-trusted-types-for"}
    assert await seen.page.evaluate("window.xss") is None


INJECTED = """<script>window.xss=1</script><script src="data:text/javascript,window.xss=1"></script>
<img src="x" onerror="window.xss=1"><style>body { display: none }</style><p style="color: red">"""


async def test_what_stands_in_the_page_itself_and_is_not_ours_does_not_run(seen, url):
    async def injected(route):
        answer = await route.fetch()
        await route.fulfill(response=answer, body=(await answer.text()).replace("</body>", INJECTED))

    await seen.page.route(url, injected)
    await seen.page.add_init_script(VIOLATIONS)
    await seen.page.reload()
    await seen.until("() => window.violations.length >= 5")
    found = await seen.page.evaluate("window.violations.toSorted()")
    assert found == ["script-src-attr", "script-src-elem", "script-src-elem", "style-src-attr", "style-src-elem"]
    assert await seen.page.evaluate("window.xss") is None


async def test_it_talks_to_nobody_else(seen):
    refused = await seen.page.evaluate("fetch('https://example.com/').then(() => '', (error) => `${error}`)")
    assert "Failed to fetch" in refused
    assert await seen.page.evaluate("window.violations") == ["connect-src"]
