"""The live page, in a real browser, over a real Redis."""

import httpx
import pytest
from browsing import opened
from build import HOUR, MINUTE, SECOND, call
from queued import clock, some_work

from streams.serving import health
from streams.serving.board import picture, stream

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def ask(url):
    """What the API answers."""
    async with httpx.AsyncClient() as client:
        return (await client.get(url)).json()


async def rows_of(query, url):
    """The rows that the API gives, by (id, slice)."""
    return {(row["id"], row["slice"]): row for row in (await ask(f"{url}api/v1/kpis?{query}"))["kpis"]}


async def shown(page):
    """Every value on the page as the machine reads it, by (figure, slice)."""
    found = await page.evaluate(
        """() => [...document.querySelectorAll("data[data-kpi]")].map((node) =>
             [node.dataset.kpi, node.closest("tr")?.dataset.name ?? "", node.value])"""
    )
    return {(figure, name): value for figure, name, value in found}


class TestAddresses:
    @pytest.mark.parametrize(("dim", "name"), [("team", "nobodys"), ("rep", "Ana")])
    async def test_who_does_not_exist_is_not_told_to_have_nobody_waiting(self, browser, floor, url, dim, name):
        now = health.wall()
        await floor.publish(*some_work(now))
        await floor.wait({clock("4711", now + HOUR): now})
        async with opened(browser, f"{url}?{dim}={name}") as seen:
            await seen.says("#stranger", f"There is no {dim} “{name}”. Choose whose leads to show in the list above.")
            assert not await seen.page.locator("#nobody").is_visible()
            assert await seen.text("#total") == "–"
            await seen.page.locator("#scope").select_option("")
            await seen.says("#total", "1")
            assert not await seen.page.locator("#stranger").is_visible()

    async def test_who_has_nobody_waiting_is_told_so(self, browser, floor, url):
        now = health.wall()
        await floor.publish(*some_work(now))
        await floor.wait({clock("4711", now + HOUR, rep="ana"): now})
        async with opened(browser, f"{url}?rep=ben") as seen:
            await seen.says("#total", "0")
            assert await seen.page.locator("#nobody").is_visible()
            assert not await seen.page.locator("#stranger").is_visible()

    async def test_a_window_that_does_not_exist_is_said_and_todays_figures_are_there(self, browser, floor, url):
        await floor.publish(*some_work(health.wall()))
        async with opened(browser, f"{url}?window=nope") as seen:
            await seen.says("#notice", "There is no window “nope”: these figures are of Today.")
            await seen.page.locator("#windows label", has_text="24 h").click()
            await seen.until("() => document.querySelector('#notice').hidden")
            assert seen.page.url.endswith("?window=24h")


class TestFigures:
    async def test_every_value_is_the_apis(self, browser, floor, url):
        now = health.wall()
        await floor.publish(*some_work(now))
        waiting = clock("4711", now + 3 * MINUTE), clock("4712", now - MINUTE), clock("4713", None, rep="unassigned")
        await floor.wait(dict.fromkeys(waiting, now - 2 * MINUTE))
        queue = await ask(f"{url}api/v1/waiting")
        async with opened(browser, f"{url}?window=24h") as seen:
            values = await shown(seen.page)
            whole = await rows_of("window=24h&by=whole", url)
            by_rep = await rows_of("window=24h&by=rep", url)
            assert len(values) > 20
            for (figure, name), value in values.items():
                if figure == "waiting":
                    assert int(value) == queue["by_rep"].get(name, {"waiting": 0})["waiting"]
                    continue
                row = (by_rep if name else whole).get((figure, name))
                expected = None if row is None else row["value"]
                assert (float(value) if value else None) == expected, (figure, name)
            assert await seen.text("#total") == str(queue["total"]) == "3"
            assert await seen.text("#count-late") == str(queue["overdue"]) == "1"
            assert seen.complaints == []

    async def test_what_it_rests_on_stands_beside_a_value_and_why_there_is_none(self, browser, floor, url):
        await floor.publish(*some_work(health.wall()))
        async with opened(browser, f"{url}?window=24h") as seen:
            card = '.card:has([data-kpi="{}"])'.format
            assert (await seen.text(card("call_connect_ratio"))).split("\n") == ["Calls connected", "33%", "4 of 12"]
            assert "too few: n\u00a01" in await seen.text(card("reply_ratio"))
            assert "no traffic" in await seen.text(card("meeting_show_ratio"))
            row = 'tr[data-name="ben"] td:has([data-kpi="{}"])'.format
            assert await seen.text(row("response_within_sla_ratio")) == "–\nno traffic"
            assert await seen.text(row("touches")) == "1"

    async def test_another_window_is_a_click_away_and_kept_in_the_address(self, browser, floor, url):
        now = health.wall()
        await floor.publish(call("c1", now - MINUTE, rep="ana"), call("c2", now - 3 * HOUR, rep="ana"))
        async with opened(browser, f"{url}?window=24h") as seen:
            await seen.says('.card [data-kpi="touches"]', "2")
            await seen.page.get_by_role("radio", name="1 h").check(force=True)
            await seen.says('.card [data-kpi="touches"]', "1")
            assert seen.page.url.endswith("?window=1h")
            await seen.page.keyboard.press("ArrowRight")
            await seen.says('.card [data-kpi="touches"]', "2")
            await seen.page.reload()
            await seen.until("() => document.querySelector('#windows input:checked')?.value === '24h'")

    async def test_the_whole_page_can_be_narrowed_to_a_rep_or_a_team(self, browser, floor, url):
        now = health.wall()
        await floor.publish(call("c1", now, rep="ana"), call("c2", now, rep="ben"), call("c3", now, rep="ben"))
        mine, theirs = clock("1", now + MINUTE, rep="ana", team="north"), clock("2", now + MINUTE, rep="ben", team="south")
        await floor.wait({mine: now, theirs: now})
        async with opened(browser, f"{url}?window=24h") as seen:
            await seen.page.get_by_role("button", name="ben").click()
            await seen.says("#total", "1")
            await seen.says("#ahead .id", "2")
            await seen.says('.card [data-kpi="touches"]', "2")
            assert seen.page.url.endswith("rep=ben")
            await seen.page.get_by_role("combobox").select_option("team=north")
            await seen.says("#ahead .id", "1")
            await seen.page.get_by_role("combobox").select_option("")
            await seen.says("#total", "2")

    async def test_people_are_sorted_by_any_column(self, browser, floor, url):
        now = health.wall()
        await floor.publish(call("c1", now, rep="ana"), call("c2", now, rep="ben"), call("c3", now, rep="ben"))
        async with opened(browser, f"{url}?window=24h") as seen:
            names = "[...document.querySelectorAll('#people tr')].map((row) => row.dataset.name)"
            before = await seen.page.evaluate(names)
            assert before == sorted(before)
            touches = seen.page.get_by_role("columnheader", name="Touches")
            await touches.get_by_role("button").click()
            assert (await seen.page.evaluate(names))[:2] == ["ben", "ana"]
            assert await touches.get_attribute("aria-sort") == "descending"
            await touches.get_by_role("button").press("Enter")
            assert (await seen.page.evaluate(names))[-2:] == ["ana", "ben"]
            await seen.page.get_by_role("radio", name="Teams").check(force=True)
            assert await seen.page.get_by_role("columnheader").first.inner_text() == "Team"


class TestQueue:
    async def test_a_lead_is_there_with_all_that_is_known_of_it(self, browser, floor, url):
        now = health.wall()
        await floor.publish()
        await floor.wait({clock("4711", now + HOUR, rep="unassigned", team="unassigned", lead_source="web"): now - 90 * SECOND})
        async with opened(browser, url) as seen:
            words = (await seen.text('[data-lead="4711"]')).split("\n")
            assert words[0].endswith("left")
            assert words[1] == "4711"
            assert words[2].split() == ["unassigned", "web"]
            assert words[-1] == "waiting"
            assert await seen.page.title() == "1 waiting · Leadbeat"

    async def test_who_comes_and_who_is_answered_shows_without_a_reload(self, browser, floor, url):
        now = health.wall()
        await floor.publish(call("c1", now, rep="ana"))
        await floor.wait()
        async with opened(browser, f"{url}?window=24h") as seen:
            assert await seen.text("#nobody") == "Nobody is waiting."
            await seen.page.evaluate("window.still = true")
            await floor.wait({clock("1", now + HOUR): now, clock("2", now + MINUTE): now})
            await seen.says("#total", "2")
            assert await seen.page.locator("#ahead .id").all_inner_texts() == ["2", "1"]
            await floor.wait({clock("1", now + HOUR): now})
            await seen.says("#total", "1")
            await floor.publish(call("c1", now, rep="ana"), call("c2", now, rep="ana"))
            await seen.says('.card [data-kpi="touches"]', "2")
            assert await seen.page.evaluate("window.still")
            assert seen.complaints == []

    async def test_its_clocks_tick_by_themselves_and_a_lead_becomes_overdue(self, browser, floor, url):
        now = health.wall()
        await floor.publish()
        await floor.wait({clock("1", now + 10 * MINUTE): now, clock("2", now + 6 * SECOND): now - MINUTE})
        async with opened(browser, url) as seen:
            left, waited = '[data-lead="1"] .left', '[data-lead="1"] .waited'
            for selector in (left, waited) * 2:
                await seen.until(
                    "([selector, text]) => document.querySelector(selector).innerText !== text",
                    [selector, await seen.text(selector)],
                )
            await seen.says("#missed .id", "2")
            await seen.says("#count-late", "1")
            assert (await seen.text('[data-lead="2"] .due')).endswith("over")
            assert await seen.page.title() == "(1) 2 waiting · Leadbeat"

    async def test_overdue_leads_stand_the_latest_first_and_none_is_lost_in_a_long_queue(self, browser, floor, url):
        now = health.wall()
        await floor.publish()
        late = {clock(f"late-{number}", now - number * MINUTE): now - HOUR for number in range(1, 151)}
        await floor.wait(late | {clock(f"next-{number}", now + HOUR + number * MINUTE): now for number in range(120)})
        async with opened(browser, url) as seen:
            assert await seen.text("#total") == "270"
            assert (await seen.page.locator("#missed .id").all_inner_texts())[:2] == ["late-1", "late-2"]
            assert (await seen.text("#missed .rest"), await seen.text("#ahead .rest")) == ("and 50 more", "and 20 more")


class TestFreshness:
    async def test_before_the_first_round_it_says_that_it_waits(self, browser, floor, url):
        async with opened(browser, url, ready=False) as seen:
            await seen.says("#freshness-word", "Starting")
            assert "Waiting for the first figures" in await seen.text("#notice")
            await floor.publish()
            await seen.says("#freshness-word", "Live")
            assert await seen.page.locator("#notice").is_hidden()

    async def test_a_clock_that_stands_is_stale_and_so_are_partitions_that_lie_apart(self, browser, floor, url):
        await floor.publish(clock=health.wall() - MINUTE)
        async with opened(browser, url) as seen:
            await seen.says("#freshness-word", "Stale")
            await floor.publish(stale=True, spread_ms=42_000, exact=False)
            await seen.until("() => document.querySelector('#notice').innerText.includes('42 s apart')")
            await floor.publish()
            await seen.says("#freshness-word", "Live")
            assert "exact" in await seen.text("#freshness-detail")

    async def test_without_redis_it_says_so_and_keeps_what_it_has(self, browser, floor, exporter):
        server, url = exporter
        await floor.publish(call("c1", health.wall(), rep="ana"))
        async with opened(browser, f"{url}?window=24h") as seen:
            server.command[-1] = _elsewhere(server)
            server.kill()
            server.start()
            await seen.says("#freshness-word", "No data")
            assert "does not answer" in await seen.text("#notice")
            assert await seen.text('.card [data-kpi="touches"]') == "1"

    async def test_it_says_that_it_is_disconnected_and_comes_back_by_itself(self, browser, floor, exporter):
        server, url = exporter
        now = health.wall()
        await floor.publish(call("c1", now, rep="ana"))
        await floor.wait({clock("1", now + HOUR): now})
        async with opened(browser, f"{url}?window=24h") as seen:
            server.kill()
            await seen.says("#freshness-word", "Disconnected")
            assert "Trying again" in await seen.text("#notice")
            left = await seen.text('[data-lead="1"] .left')
            await seen.until("(text) => document.querySelector('[data-lead=\"1\"] .left').innerText !== text", left)
            await floor.publish(call("c1", now, rep="ana"), call("c2", now, rep="ana"))
            server.start()
            await seen.says("#freshness-word", "Live")
            await seen.says('.card [data-kpi="touches"]', "2")

    async def test_a_page_of_other_files_than_the_exporters_loads_itself_anew(self, browser, floor, url):
        await floor.publish()
        builds = iter(["old", "new"])
        async with opened(browser, url, ready=False) as seen:

            async def answer(route):
                setup = picture.setup(next(builds, "new"), "1h", ("1h",))
                await route.fulfill(content_type="text/event-stream", body=stream.event("setup", setup))

            await seen.page.route("**/api/v1/stream*", answer)
            await seen.page.reload()
            await seen.page.evaluate("window.still = true")
            await seen.until("() => !window.still")

    async def test_an_end_in_order_does_not_wait_for_those_who_watch(self, browser, floor, exporter):
        server, url = exporter
        await floor.publish()
        async with opened(browser, url):
            process = server.process
            process.terminate()
            assert process.wait(10) == 0


def _elsewhere(server):
    """The exporter's settings, but with a Redis that is not there."""
    config = server.folder / "elsewhere.toml"
    text = (server.folder / "leadbeat.toml").read_text()
    config.write_text(
        "\n".join('url = "redis://127.0.0.1:1/0"' if line.startswith("url") else line for line in text.splitlines())
    )
    return str(config)
