"""How the live page looks and what it lets happen, in a real browser: hostile names, themes, contrast, every size of screen."""

import pytest
import pytest_asyncio
from browsing import LAPTOP, PHONE, opened
from build import HOUR, MINUTE, SECOND, call, member
from queued import clock, some_work

from models.rules import Rules
from streams.serving import health

NASTY = '<img src=x onerror="window.struck=1"><script>window.struck=1</script>'

pytestmark = pytest.mark.asyncio(loop_scope="module")


class TestSafety:
    async def test_hostile_names_are_text(self, browser, floor, url):
        now = health.wall()
        names = [NASTY, "constructor", "__proto__", "quote\"'&amp;", "\u202eevil", "x" * 120]
        rules = Rules(roster=tuple(member(name, name) for name in [*names, "toString"]))
        await floor.publish(call("c1", now, rep="constructor"), rules=rules)
        await floor.wait(
            {
                clock(f"{name}-{number}", now + HOUR, rep=name, team=name, lead_source=name): now
                for number, name in enumerate(names)
            }
        )
        async with opened(browser, url) as seen:
            await seen.says("#total", str(len(names)))
            for name in names:
                assert await seen.page.locator("#people bdi", has_text=name).first.inner_text() == name
                await seen.page.get_by_role("combobox").select_option(f"rep={name}")
                await seen.says("#total", "1")
                assert await seen.text("#ahead .rep") == name
            idle = seen.page.locator("#people tr", has_text="toString").locator("data")
            assert await idle.all_inner_texts() == ["0", "–", "–", "0", "0", "0"]
            assert await seen.page.evaluate("window.struck") is None
            assert await seen.page.locator("script").count() == 1
            assert seen.complaints == []


class TestLooks:
    async def test_dark_and_light_are_the_machines_unless_chosen(self, browser, floor, url):
        await floor.publish()
        ground = "getComputedStyle(document.body).backgroundColor"
        async with opened(browser, url, color_scheme="light") as seen:
            light = await seen.page.evaluate(ground)
            await seen.page.get_by_role("button", name="Theme").click()
            dark = await seen.page.evaluate(ground)
            assert light != dark
            await seen.page.reload()
            assert await seen.page.evaluate(ground) == dark
        async with opened(browser, url, color_scheme="dark") as seen:
            assert await seen.page.evaluate(ground) == dark
        async with opened(browser, f"{url}?theme=light", color_scheme="dark") as seen:
            assert await seen.page.evaluate(ground) == light

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    async def test_text_stands_out_from_its_ground(self, browser, floor, url, scheme):
        now = health.wall()
        await floor.publish(*some_work(now))
        await floor.wait(
            {
                clock("1", now - HOUR): now - 2 * HOUR,
                clock("2", now + 20 * SECOND): now - HOUR,
                clock("3", now + HOUR, rep="unassigned"): now,
            }
        )
        async with opened(browser, url, color_scheme=scheme) as seen:
            assert await seen.page.evaluate(FAINT) == []

    @pytest.mark.parametrize("width", [320, 390, 700, 820, 1100, 1920])
    async def test_no_screen_scrolls_sideways(self, browser, floor, url, width):
        now = health.wall()
        await floor.publish(*some_work(now), call("c99", now, rep="x" * 120))
        await floor.wait(
            {clock("y" * 120, now + HOUR, rep="x" * 120, team="z" * 120): now, clock("2", now - 30 * HOUR): now - 31 * HOUR}
        )
        async with opened(browser, url, viewport={"width": width, "height": 844}) as seen:
            assert await seen.page.evaluate(WIDER) == []

    @pytest.mark.parametrize("width", [320, 390, 1100])
    async def test_how_long_a_lead_is_overdue_stands_beside_its_name_and_not_over_it(self, browser, floor, url, width):
        now = health.wall()
        await floor.publish()
        late = {"hours": 23 * HOUR + 59 * MINUTE, "days": 799 * 24 * HOUR + 23 * HOUR}
        await floor.wait({clock(name, now - over): now - over - HOUR for name, over in late.items()})
        async with opened(browser, url, viewport={"width": width, "height": 844}) as seen:
            assert await seen.page.locator("#missed .lead").count() == len(late)
            assert await seen.page.evaluate(SPILT) == []

    async def test_a_phone_shows_the_first_few_and_the_rest_when_asked(self, browser, floor, url):
        now = health.wall()
        await floor.publish()
        await floor.wait({clock(f"{number:02}", now + HOUR + number * MINUTE): now for number in range(9)})
        async with opened(browser, url, viewport=PHONE) as seen:
            leads = seen.page.locator("#ahead .lead:visible")
            assert await leads.count() == 6
            await seen.page.get_by_role("button", name="Show all 9").click()
            assert await leads.count() == 9

    async def test_a_laptop_and_a_wall_show_all_of_it_at_once(self, browser, floor, url):
        now = health.wall()
        await floor.publish(*some_work(now))
        await floor.wait({clock(f"{number:02}", now + HOUR + number * MINUTE): now for number in range(60)})
        for viewport in (LAPTOP, {"width": 1920, "height": 1080}):
            async with opened(browser, url, viewport=viewport) as seen:
                assert await seen.page.evaluate("document.documentElement.scrollHeight") == viewport["height"]
                assert await seen.page.locator("#people tr").first.is_visible()


class TestWords:
    @pytest.mark.parametrize(
        ("call", "words"),
        [
            ("running(0)", "0:00"),
            ("running(252_999)", "4:12"),
            ("running(3_599_999)", "59:59"),
            ("running(3_840_000)", "1 h 04 m"),
            ("running(273_600_000)", "3 d 4 h"),
            ("spanText(0)", "0 s"),
            ("spanText(59.4)", "59 s"),
            ("spanText(59.6)", "1 min"),
            ("spanText(185)", "3 min 05 s"),
            ("spanText(3599.7)", "1 h"),
            ("spanText(5040)", "1 h 24 min"),
            ("spanText(172_800)", "2 d"),
            ("spanText(183_600)", "2 d 3 h"),
            ("percent(0.857)", "86%"),
            ("percent(0.999)", "99%"),
            ("percent(1)", "100%"),
            ("percent(0.001)", "1%"),
            ("percent(0)", "0%"),
            ("count(1204)", "1,204"),
            ("windowName('7d')", "7 days"),
            ("windowName('15m')", "15 min"),
            ("windowName('quarter')", "Quarter"),
        ],
    )
    async def test_numbers_and_times_in_words(self, words_of, call, words):
        assert await words_of(call) == words


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def words_of(browser, shared_exporter):
    """What the page's own words say to a call."""
    async with opened(browser, f"{shared_exporter}/", ready=False) as seen:
        yield lambda call: seen.page.evaluate(f"async () => (await import('/board/words.js')).{call}")


WIDER = """() => [...document.querySelectorAll("html, .rows, .scroll")]
  .filter((node) => node.checkVisibility() && node.scrollWidth > node.clientWidth)
  .map((node) => `${node.tagName}.${node.className} ${node.scrollWidth} > ${node.clientWidth}`)"""
"""Everything that could be scrolled sideways."""

SPILT = """() => [...document.querySelectorAll(".lead .due")].filter((node) => node.scrollWidth > node.clientWidth)
  .map((node) => `${node.textContent} ${node.scrollWidth} > ${node.clientWidth}`)"""
"""Times that run out of their column."""

FAINT = """() => {
  const channel = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => {
    const [red, green, blue] = rgb(text).map(channel);
    return 0.05 + 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (node) => {
    const colour = getComputedStyle(node).backgroundColor;
    return rgb(colour)[3] === 0 ? ground(node.parentElement) : colour;
  };
  const says = (node) => [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.data.trim());
  const seen = (node) => node.checkVisibility() && !node.closest(".unseen, svg, option");
  return [...document.querySelectorAll("body *")].filter((node) => says(node) && seen(node)).map((node) => {
    const pair = [light(getComputedStyle(node).color), light(ground(node))];
    return [node.textContent, Math.max(...pair) / Math.min(...pair)];
  }).filter(([, contrast]) => contrast < 4.5);
}"""
"""Every text that stands out less than WCAG's 4.5 from what is behind it."""
