"""The page's files and its stream, without a browser."""

import asyncio
import json
from hashlib import sha256

import httpx
import pytest
from build import HOUR, MINUTE, NOON, call
from published import at_noon, round_of, serving, shelves
from queued import clock
from services import CHECKOUT

from streams.config import Settings
from streams.errors import Retry
from streams.serving.app import create
from streams.serving.board import files, picture, stream
from streams.serving.queue import Queue, queue_of
from streams.serving.table import Snapshot
from streams.tables import OpenClocks

EVENTS = (call("c1", NOON - MINUTE, rep="ana"), call("c2", NOON - MINUTE, rep="stranger"))
QUEUE = queue_of([OpenClocks(NOON, [(clock("1", NOON - MINUTE), NOON - HOUR), (clock("2", NOON + HOUR), NOON)])], 1)


class TestFiles:
    async def test_the_page_and_its_parts_come_with_a_policy_that_lets_them_do_nothing_else(self):
        async with serving(at_noon()) as client:
            for path, kind in (
                ("/", "text/html"),
                ("/board/main.js", "text/javascript"),
                ("/board/fonts/inter-latin.woff2", "font/woff2"),
            ):
                response = await client.get(path)
                assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (200, kind)
                assert response.headers["x-content-type-options"] == "nosniff"
                policy = response.headers["content-security-policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy

    @pytest.mark.parametrize(
        "path", ["/board/", "/board/nothing.js", "/board/fonts/LICENSE", "/board/../app.py", "/board/%2e%2e/files.py"]
    )
    async def test_nothing_else_is_served(self, path):
        async with serving(at_noon()) as client:
            assert (await client.get(path)).status_code == 404

    async def test_what_has_not_changed_is_not_sent_again(self):
        async with serving(at_noon()) as client:
            etag = (await client.get("/board/main.js")).headers["etag"]
            again = await client.get("/board/main.js", headers={"if-none-match": etag})
            assert (again.status_code, again.content) == (304, b"")
            assert (await client.get("/board/main.js", headers={"if-none-match": '"old"'})).status_code == 200

    def test_all_parts_are_there_that_the_page_and_its_modules_name(self):
        page = files.load()
        for name, file in page.items():
            if name.endswith(".js"):
                lines = [line for line in file.content.decode().splitlines() if line.startswith("import ")]
                assert {line.split('"')[1].removeprefix("./") for line in lines} <= page.keys()
        index = page["index.html"].content.decode()
        assert {part.partition('"')[0] for part in index.split('"board/')[1:]} <= page.keys()
        assert " style=" not in index
        assert "<script>" not in index

    def test_another_file_is_another_build(self):
        page = files.load()
        changed = page | {"main.js": page["main.js"]._replace(etag='"other"')}
        assert files.build_of(page) == files.build_of(files.load()) != files.build_of(changed)

    def test_fonts_are_those_that_the_notice_names(self):
        folder = CHECKOUT / "streams" / "serving" / "board" / "page" / "fonts"
        notice = (folder / "NOTICE").read_text()
        fonts = [name for name in files.load() if name.startswith("fonts/")]
        assert len(fonts) == 2
        for name in fonts:
            assert f"{_sha256(folder.parent / name)}  {name.removeprefix('fonts/')}" in notice


def _sha256(path):
    return sha256(path.read_bytes()).hexdigest()


def parsed(raw):
    """The events of some bytes, as (name, content)."""
    found = []
    for block in raw.decode().removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


class Watch:
    """A page that watches: what it is told, next by next."""

    def __init__(self, sources, wanted=None, now=lambda: NOON + 1_000):
        self.closing = asyncio.Event()
        self.streams = stream.Streams(sources, stream.Page("b1", ("1h", "today")), now, self.closing)
        self._events = self.streams.watch(stream.Selection("1h", wanted or {}))
        self._read = []

    async def next(self, name):
        """The content of the next event of a name."""
        while True:
            while self._read:
                found, content = self._read.pop(0)
                if found == name:
                    return content
            async with asyncio.timeout(10):
                self._read = parsed(await anext(self._events))

    async def end(self):
        self.closing.set()
        async with asyncio.timeout(10):
            return [chunk async for chunk in self._events]


class TestStream:
    async def test_it_begins_with_all_that_there_is(self):
        watch = Watch(shelves(at_noon(*EVENTS), QUEUE))
        assert await watch.next("setup") == {
            "build": "b1",
            "window": "1h",
            "windows": ["1h", "today"],
            "stale_after_ms": 15_000,
            "warning_percents": [50, 80],
        }
        kpis = await watch.next("kpis")
        assert kpis["whole"]["calls"] == {"value": 2, "numerator": 2, "denominator": None, "state": "ok"}
        assert kpis["rep"]["ana"]["calls"]["value"] == kpis["rep"]["other"]["calls"]["value"] == 1
        assert set(kpis["team"]) >= {"north", "south"}
        queue = await watch.next("queue")
        assert (queue["total"], queue["overdue"], queue["since"]) == (2, 1, NOON - HOUR)
        assert [[lead["lead"] for lead in queue[part]] for part in ("missed", "ahead")] == [["1"], ["2"]]
        beat = await watch.next("beat")
        assert (beat["now"], beat["fault"]) == (NOON + 1_000, None)
        assert beat["round"] == {"number": 7, "clock": NOON, "spread_ms": 0, "exact": True, "stale": False}

    async def test_then_it_tells_what_has_changed_and_beats_meanwhile(self):
        sources = shelves(at_noon(*EVENTS), QUEUE)
        watch = Watch(sources)
        await watch.next("beat")
        sources.table.content = at_noon(EVENTS[0], number=8)
        assert (await watch.next("kpis"))["whole"]["calls"]["value"] == 1
        assert (await watch.next("beat"))["round"]["number"] == 8
        sources.queue.content = Queue(NOON, ())
        assert (await watch.next("queue"))["total"] == 0
        assert (await watch.next("beat"))["round"]["number"] == 8

    async def test_a_round_in_which_nothing_changed_is_a_beat_and_no_more(self):
        sources = shelves(at_noon(*EVENTS), QUEUE)
        watch = Watch(sources)
        await watch.next("beat")
        sources.table.content = at_noon(*EVENTS, number=8)
        assert parsed(await anext(watch._events)) == [("beat", {**(await _beat(8)), "now": NOON + 1_000})]

    async def test_what_cannot_be_read_is_a_fault_and_what_can_is_told(self):
        sources = shelves(Retry("redis", "is away", "wait"), QUEUE)
        watch = Watch(sources)
        beat = await watch.next("beat")
        assert beat["fault"] == {"where": "redis", "what": "is away", "todo": "wait"}
        assert beat["round"] is None
        sources.table.content = at_noon(*EVENTS)
        assert (await watch.next("kpis"))["window"] == "1h"
        assert (await watch.next("beat"))["fault"] is None
        sources.queue.content = Retry("queue", "is away", "wait")
        beat = await watch.next("beat")
        assert (beat["fault"]["where"], beat["round"]["number"]) == ("queue", 7)

    async def test_before_the_first_round_nothing_is_told_but_that(self):
        watch = Watch(shelves(Snapshot(None, {}), Queue(None, ())))
        await watch.next("setup")
        ((name, beat),) = parsed(await anext(watch._events))
        assert (name, beat["round"], beat["fault"]) == ("beat", None, None)

    @pytest.mark.parametrize(("now", "soon"), [(NOON + 48 * MINUTE - 1, 0), (NOON + 48 * MINUTE, 1), (NOON + HOUR, 0)])
    async def test_due_soon_is_who_has_passed_the_last_warning(self, now, soon):
        watch = Watch(shelves(at_noon(), QUEUE), now=lambda: now)
        assert (await watch.next("queue"))["soon"] == soon

    async def test_it_can_be_narrowed_to_the_leads_of_a_rep(self):
        watch = Watch(shelves(at_noon(), QUEUE), {"rep": "ben"})
        queue = await watch.next("queue")
        assert (queue["total"], queue["since"], queue["by_rep"]) == (0, None, {"ana": {"waiting": 2, "overdue": 1}})

    async def test_where_others_write_the_ticks_now_is_the_logs_clock(self):
        watch = Watch(shelves(at_noon(), QUEUE), now=None)
        assert (await watch.next("beat"))["now"] == NOON

    async def test_a_window_is_encoded_anew_only_where_it_may_show_something_else(self, monkeypatch):
        encoded = []
        kpis = picture.kpis
        monkeypatch.setattr(picture, "kpis", lambda *args: encoded.append(args) or kpis(*args))
        sources = shelves(at_noon(*EVENTS), QUEUE)
        watch = Watch(sources)
        await watch.next("beat")
        before = sources.table.content
        sources.table.content = before._replace(round=round_of(before.round.slices, number=8))
        assert (await watch.next("beat"))["round"]["number"] == 8
        assert len(encoded) == 1
        sources.table.content = before._replace(round=round_of({**before.round.slices, "rep": ["zoe"]}, number=9))
        assert "zoe" in (await watch.next("kpis"))["rep"]
        sources.table.content = at_noon(EVENTS[0], number=10)
        assert (await watch.next("kpis"))["whole"]["calls"]["value"] == 1

    async def test_it_ends_with_the_process_and_then_nobody_watches(self):
        watch = Watch(shelves(at_noon()))
        await watch.next("beat")
        assert watch.streams.watchers == 1
        await watch.end()
        assert watch.streams.watchers == 0


async def _beat(number):
    return json.loads(picture.beat(NOON, at_noon(number=number).round, None))


class TestAsking:
    @pytest.mark.parametrize(("windows", "usual"), [(("1h", "today"), "today"), (("7d", "month"), "7d")])
    def test_a_page_that_names_no_window_shows_today_if_it_is_offered(self, windows, usual):
        assert stream.Page("b1", windows).usual == usual

    async def test_it_is_a_stream_that_no_proxy_holds_back(self):
        closing = asyncio.Event()
        closing.set()
        transport = httpx.ASGITransport(app=create(Settings(), shelves(at_noon()), closing))
        async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
            response = await client.get("/api/v1/stream")
            assert response.headers["content-type"].startswith("text/event-stream")
            assert (response.headers["cache-control"], response.headers["x-accel-buffering"]) == ("no-store", "no")
            assert [name for name, _ in parsed(response.content)] == ["setup"]
            assert (await client.head("/api/v1/stream")).content == b""

    @pytest.mark.parametrize("query", ["what=1", "windows=1h"])
    async def test_a_question_that_cannot_be_meant_is_refused(self, query):
        async with serving(at_noon()) as client:
            response = await client.get(f"/api/v1/stream?{query}")
        assert response.status_code == 400

    async def test_too_many_are_refused(self, monkeypatch):
        monkeypatch.setattr(stream, "MOST_WATCHERS", 0)
        async with serving(at_noon()) as client:
            response = await client.get("/api/v1/stream")
        assert response.status_code == 503
        assert "watch already" in response.json()["what"]
