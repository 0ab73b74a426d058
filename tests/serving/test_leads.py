"""The leads behind numbers: read out of a real Redis, as they stand, and told over HTTP."""

import csv
import io
from collections import Counter

import behind
import httpx
import msgspec
import pytest
from build import DAY, HOUR, MINUTE, NOON, RULES, SECOND, erased
from leads_asked import CLOCK, SOME, a_lead, ask, floor_of
from told_rules import tables

from models.catalogue import FIGURES
from models.events import decode, encode
from models.rules import Rules
from models.slices import join_values, pair_name
from models.state.facts import STAGES
from models.units import Millis
from streams.config import Settings
from streams.local.simulator import Floor as Simulated
from streams.local.truth_facts import rules_of
from streams.local.truth_gauges import WHOLE
from streams.serving import behind as reading
from streams.serving.catalogue import opened
from streams.serving.leads import HIGHEST_LIMIT, LABELS
from streams.tables import Keys, bucket_of
from streams.tables.rules import RulesDocument, put_in_force


async def all_of(client, kpi, **query):
    """Who is behind a number, over all pages; each tells the same of it."""
    leads, cursor = [], ""
    while cursor is not None:
        page = await ask(client, kpi, **query, cursor=cursor)
        assert page["exact"]
        leads += page["leads"]
        cursor = page["next"]
    return leads


async def test_a_lead_is_named_with_the_instant_and_the_values_that_it_counts_under(client, redis):
    await floor_of(redis, RULES, SOME)
    answer = await ask(client, "replies", by="channel", slice="email")
    assert answer == {
        "clock": CLOCK,
        "known_until": CLOCK - 2 * SECOND,
        "exact": True,
        "kpi": "replies",
        "labels": {},
        "window": "24h",
        "by": "channel",
        "slice": "email",
        "of": "numerator",
        "leads": [
            {
                "connection": "crm",
                "lead": "1",
                "at": NOON + HOUR,
                "measure": "replies",
                "rep": "ana",
                "team": "north",
                "lead_source": "inbound",
                **dict.fromkeys(("origin", "sales_region", "segment", "campaign"), "unknown"),
                "channel": "email",
                "sentiment": "positive",
                **dict.fromkeys(("product", "competitor", "loss_reason", "nurture_track")),
            }
        ],
        "next": None,
    }
    (booked,) = (await ask(client, "meetings_booked"))["leads"]
    assert (booked["lead"], booked["rep"], booked["team"], booked["channel"]) == ("3", "ben", "south", None)


@pytest.mark.parametrize(
    ("kpi", "query", "leads"),
    [
        ("sla_breaches", {}, ["3", "2"]),
        ("sla_breaches", {"by": "whole", "window": "1h"}, []),
        ("sla_breaches", {"by": "rep", "slice": "ana"}, ["3"]),
        ("sla_breaches", {"by": "team", "slice": "south"}, ["2"]),
        ("sla_warnings", {"sla_percent": "50", "by": "lead_source", "slice": "outbound"}, ["2"]),
        ("response_within_sla_ratio", {}, ["1"]),
        ("response_within_sla_ratio", {"of": "denominator"}, ["3", "2", "1"]),
        ("meeting_show_ratio", {"of": "denominator"}, ["3"]),
        ("replies", {}, ["1", "1"]),
        ("replies", {"by": "sentiment", "slice": "negative"}, ["1"]),
        ("leads_created", {"by": "team,lead_source", "slice": "north,inbound"}, ["3", "1"]),
        ("never_contacted_ratio", {"window": "today"}, []),
    ],
)
async def test_a_number_is_opened_by_window_slice_and_part(client, redis, kpi, query, leads):
    rules = msgspec.structs.replace(RULES, pairs=(("team", "lead_source"),))
    await floor_of(redis, rules, SOME)
    assert [each["lead"] for each in (await ask(client, kpi, **query))["leads"]] == leads


@pytest.mark.timeout(600)
async def test_behind_every_number_of_a_floor_are_as_many_as_it_says_and_those_whom_the_oracle_names(client, redis):
    rules, clock = busy_rules(), Millis(NOON + 5 * HOUR)
    facts = list(_of_connection(Simulated(3, rules.zone).history(clock)))
    events = [decode(msgspec.json.encode(event)) for event in facts]
    await floor_of(redis, rules, events, clock)
    told = behind.told([msgspec.json.decode(encode(event)) for event in events], rules_of(tables(rules)), clock)
    assert len(told) > 1000
    asked = 0
    for figure in FIGURES:
        for of in opened(figure):
            measures = [measure.id for measure in getattr(figure, of)]
            places = {(window, slice_) for measure, window, slice_ in told if measure in measures}
            for window, slice_ in sorted(places, key=repr):
                sliced = slice_ == WHOLE or (window == "90d" and figure.has(pair_name(slice_[0])))
                if window not in figure.windows or not sliced:
                    continue
                query = dict(figure.labels) | {"window": window, "of": of, "limit": HIGHEST_LIMIT} | asked_by(slice_)
                expected = sum((told.get((measure, window, slice_), Counter()) for measure in measures), Counter())
                found = await all_of(client, figure.id, **query)
                assert Counter(f"{each['connection']}:{each['lead']}" for each in found) == expected, (figure.key, query)
                asked += 1
    assert asked > 500


def _of_connection(events):
    """Without merges: parts that are handed on take a partition's outbox, which the whole installation's test has."""
    for event in (each for each in events if each["type"] != "merged"):
        yield event | {"subject": event["subject"] | {"id": f"crm:{event['subject']['id']}"}}


def busy_rules() -> Rules:
    return Settings(
        organisation={"zone": "Europe/Berlin"},
        roster=[{"rep": rep, "team": team} for rep, team in (("ana", "north"), ("ben", "north"), ("cleo", "south"))],
        pairs=[("team", "lead_source")],
    ).rules()


def asked_by(slice_):
    """How a slice of the oracle's is asked for."""
    dims, values = slice_
    return {"by": pair_name(dims), "slice": join_values(values)} if dims else {}


async def test_a_long_list_comes_in_pages_in_one_order_though_many_are_of_one_instant(client, redis, monkeypatch):
    monkeypatch.setattr(reading, "MOST_LOOKED_AT", 7)
    events = [a_lead(str(number), NOON + number // 25 * MINUTE, owner="ana" if number % 9 else "ben") for number in range(100)]
    await floor_of(redis, RULES, events)
    whole = await all_of(client, "leads_created", limit=1000)
    assert len(whole) == 100
    assert [each["at"] for each in whole] == sorted((each["at"] for each in whole), reverse=True)
    assert await all_of(client, "leads_created", limit=7) == whole
    of_ben = [each for each in whole if each["rep"] == "ben"]
    assert len(of_ben) == 12
    for limit in (1, 3, 1000):
        assert await all_of(client, "leads_created", by="rep", slice="ben", limit=limit) == of_ben


async def test_as_csv_it_is_a_file_with_the_address_of_the_next_page(client, redis):
    await floor_of(redis, RULES, [*SOME, a_lead("=1+1", NOON)])
    query = {"window": "24h", "by": "rep", "slice": "ana", "limit": "2"}
    first = await client.get("/api/v1/kpis/leads_created/leads", params=query, headers={"accept": "text/csv"})
    assert "leadbeat-leads_created-leads.csv" in first.headers["content-disposition"]
    second = await client.get(
        first.links["next"]["url"], params={"format": "csv"} | dict(httpx.URL(first.links["next"]["url"]).params)
    )
    assert "link" not in second.headers
    rows = [row for page in (first, second) for row in csv.DictReader(io.StringIO(page.text))]
    assert sorted(row["lead"] for row in rows) == ["'=1+1", "1", "3"]
    assert rows[0].keys() == (await ask(client, "leads_created"))["leads"][0].keys()


class TestRefusals:
    @pytest.fixture(autouse=True)
    async def stored(self, redis):
        return await floor_of(redis, RULES, SOME)

    @pytest.mark.parametrize(
        ("kpi", "query", "where", "hint"),
        [
            ("weather", {}, "kpi", "sla_breaches"),
            ("rank", {}, "kpi", "sla_breaches"),
            ("calls", {}, "kpi", "these can be opened"),
            ("lead_response_time_p50", {}, "kpi", "these can be opened"),
            ("leads_overdue", {"window": "now"}, "kpi", "/api/v1/waiting"),
            ("never_contacted_ratio", {"of": "denominator"}, "kpi", "these can be opened"),
            ("sla_breaches", {"of": "denominator"}, "of", "leave"),
        ],
    )
    async def test_what_does_not_exist(self, client, kpi, query, where, hint):
        answer = await ask(client, kpi, 404, **query)
        assert answer["where"] == where
        assert hint in answer["todo"]

    @pytest.mark.parametrize(
        ("kpi", "query", "where"),
        [
            ("replies", {"window": ""}, "window"),
            ("replies", {"window": "2h"}, "window"),
            ("stage_entries", {"window": "1h", "lead_stage": "mql"}, "window"),
            ("stage_entries", {}, "lead_stage"),
            ("replies", {"window": "now"}, "window"),
            ("replies", {"who": "ana"}, "query"),
            ("replies", {"by": "weather", "slice": "rain"}, "by"),
            ("replies", {"by": "segment", "slice": "unknown"}, "by"),
            ("replies", {"by": "team,lead_source", "slice": "north,inbound"}, "by"),
            ("meetings_held", {"by": "channel", "slice": "call"}, "by"),
            ("replies", {"by": "rep"}, "slice"),
            ("replies", {"slice": "ana"}, "slice"),
            ("replies", {"by": "rep", "slice": "nobody"}, "slice"),
            ("replies", {"of": "both"}, "of"),
            ("replies", {"format": "xml"}, "format"),
            ("replies", {"limit": "0"}, "limit"),
            ("replies", {"limit": "1001"}, "limit"),
            ("replies", {"limit": "many"}, "limit"),
            ("replies", {"cursor": "é"}, "cursor"),
            ("replies", {"cursor": "bm8"}, "cursor"),
            ("replies", {"sla_percent": "50"}, "query"),
            ("sla_warnings", {}, "sla_percent"),
            ("sla_warnings", {"sla_percent": "51"}, "sla_percent"),
        ],
    )
    async def test_a_question_that_cannot_be_meant(self, client, kpi, query, where):
        assert (await ask(client, kpi, 400, **query))["where"] == where

    async def test_a_pair_takes_one_value_of_each(self, client, redis):
        await floor_of(redis, msgspec.structs.replace(RULES, version=2, pairs=(("team", "lead_source"),)), [])
        answer = await ask(client, "replies", 400, by="team,lead_source", slice="north")
        assert answer["where"] == "slice"

    async def test_numbers_by_other_rules_than_ours_are_not_opened(self, client, redis):
        await put_in_force(redis, "lb", RulesDocument(msgspec.structs.replace(RULES, version=7), Millis(0), "test"))
        answer = await ask(client, "replies", 503)
        assert "rules version 1" in answer["what"]
        assert "rules version 7" in answer["what"]

    async def test_what_are_no_members_is_refused(self, client, redis):
        await redis.zadd("lb:{0}:1:members:replies", {"somebody": NOON})
        assert (await ask(client, "replies", 500))["where"] == "lb:{0}:1:members:replies"

    async def test_what_is_no_state_is_refused(self, client, redis):
        for partition in range(4):
            await redis.hset(Keys("lb", partition).state(bucket_of("crm:1")), "crm:1", b"\x91" * 5_000)
        assert "not what this version packs" in (await ask(client, "replies", 500))["what"]

    async def test_before_all_partitions_have_a_clock_it_is_unavailable(self, client, redis):
        await redis.delete("lb:{3}:applied")
        assert (await ask(client, "replies", 503))["where"] == "clock"


def test_labels_are_those_of_the_catalogue():
    assert LABELS == {"sla_percent": ("50", "80"), "lead_stage": STAGES}


class TestWhileWorkersGoOn:
    @pytest.fixture
    async def stored(self, redis):
        return await floor_of(redis, RULES, SOME)

    @pytest.fixture
    def moving(self, monkeypatch, stored):
        """Have a worker do something whenever states are about to be read, so many times."""

        def begin(do, times):
            left = [times]
            read = reading.read_whole_states

            async def read_states(*arguments):
                if left[0]:
                    left[0] -= 1
                    await do(stored)
                return await read(*arguments)

            monkeypatch.setattr(reading, "read_whole_states", read_states)

        return begin

    async def test_what_has_moved_is_read_again(self, client, moving):
        async def erase(floor):
            await floor.part_of("crm:1").tell(erased(of="crm:1"))

        moving(erase, 1)
        page = await ask(client, "leads_created")
        assert page["exact"]
        assert [each["lead"] for each in page["leads"]] == ["3", "2"]

    async def test_what_never_stands_still_is_told_as_such(self, client, moving):
        numbers = iter(range(10**6))

        async def hurry(floor):
            number = next(numbers)
            await floor.tell([a_lead(f"new-{number}", CLOCK)], CLOCK + (number + 1) * SECOND)

        moving(hurry, 10**6)
        page = await ask(client, "sla_breaches")
        assert not page["exact"]
        assert [each["lead"] for each in page["leads"]] == ["3", "2"]

    async def test_clocks_that_stand_apart_are_not_exact(self, client, stored):
        await stored.parts[2].until(CLOCK + SECOND)
        page = await ask(client, "sla_breaches")
        assert (page["clock"], page["exact"]) == (CLOCK, False)

    async def test_a_new_day_and_a_new_generation_are_taken_up(self, client, stored):
        assert len((await ask(client, "leads_created", window="today"))["leads"]) == 3
        for part in stored.parts:
            await part.until(CLOCK + DAY)
        assert (await ask(client, "leads_created", window="today"))["leads"] == []
        assert len((await ask(client, "leads_created", window="7d"))["leads"]) == 3
