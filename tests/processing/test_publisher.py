"""The publisher on a real Redis: what it must never say."""

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import build
import pytest
from aiokafka.errors import KafkaTimeoutError
from build import NOON
from msgspec import structs
from prometheus_client import CollectorRegistry
from ticking import tick

from models.codes import Codes
from models.kpis import MINIMUM_N
from models.rollup import Totals
from models.rules import Rules
from models.windows import NOW, WINDOWS
from streams.processing import publisher
from streams.processing.checkpoint import claim_partition, claim_table, commit
from streams.processing.cut import cut_checkpoint
from streams.processing.partition import Partition
from streams.processing.publisher import LONGEST_PAUSE_S, LOOK_S, Edition, Publisher, pause_after
from streams.processing.writes import writes_of
from streams.producer import Message
from streams.tables import Applied, Keys, KpiKeys, Progress, connect, read_kpis
from streams.telemetry import ProcessorMetrics

MINE, OTHERS = "mine", "others"


class Topic:
    """A topic that keeps what it has acknowledged; it can be made to fail."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes | None] = {}
        self.fails = False

    async def send_all(self, records: Iterable[Message]) -> None:
        if self.fails:
            raise KafkaTimeoutError
        self.rows.update((record.key or b"", record.value) for record in records)


class Floor:
    """Partitions that are filled by hand and saved, and a publisher that looks when it is told to."""

    def __init__(self, redis: Any, rules: Rules, partitions: int = 1) -> None:
        self.redis, self.rules, self.topic = redis, rules, Topic()
        self.partitions = [Partition(number, Codes(rules), 1, Totals(Codes(rules))) for number in range(partitions)]
        self.applied: list[Applied] = []
        self.publisher = self.new_publisher()

    def new_publisher(self) -> Publisher:
        edition = Edition("lb", len(self.partitions), self.rules, MINIMUM_N, "kpis", MINE)
        self.registry = CollectorRegistry()
        return Publisher(self.redis, self.topic, edition, ProcessorMetrics(self.registry))

    async def begin(self) -> None:
        for partition in self.partitions:
            self.applied.append(await claim_partition(self.redis, Keys("lb", partition.number), len(self.partitions), "t"))
            tick(partition, {0: NOON})
        await self.publisher._claim()

    async def save(self, number: int, *events: Any, valuation: str = MINE) -> None:
        partition, applied = self.partitions[number], self.applied[number]
        partition.remember({event.subject.id: None for event in events})
        partition.apply((applied.seq, event) for event in events)
        progress = Progress(applied.seq, "x", partition.clock, dict(partition.ticks), 1, valuation)
        checkpoint = cut_checkpoint(Keys("lb", number), applied, writes_of(partition.cut()), progress)
        assert (await commit(self.redis, checkpoint)).written
        partition.saved()
        self.applied[number] = checkpoint.then

    async def look(self, times: int = 1) -> None:
        for _ in range(times):
            assert self.publisher._held is not None
            await self.publisher._look(self.publisher._held)
            await self.publisher._telling.tell()

    async def told(self, key: str) -> int | None:
        table = await read_kpis(self.redis, KpiKeys("lb"), ["1h"])
        row = table.rows["1h"].get(key)
        return None if row is None else json.loads(row)["numerator"]


@pytest.fixture
async def redis(redis_server: Any) -> Any:
    client = connect(redis_server.url)
    yield client
    await client.aclose()


def call(name: str, lead: str = "a", rep: str = "ana") -> Any:
    return build.call(name, NOON, rep=rep, of=lead)


async def test_a_table_that_was_rolled_back_is_made_right_at_once(redis: Any) -> None:
    floor = Floor(redis, build.RULES)
    await floor.begin()
    await floor.save(0, call("1"))
    await floor.look()
    older = {key: await redis.dump(key) for key in await redis.keys("lb:{kpi}:*")}
    await floor.save(0, build.email("2", NOON, rep="ana", of="a"))
    await floor.look()
    for key in await redis.keys("lb:{kpi}:*"):
        await redis.delete(key)
    for key, dump in older.items():
        await redis.restore(key, 0, dump)
    assert await floor.told("emails") == 0

    await floor.save(0, call("3"))
    await floor.look(times=2)

    assert (await floor.told("calls"), await floor.told("emails")) == (2, 1)


async def test_what_a_round_took_and_wrote_is_told_once_it_is_written(redis: Any) -> None:
    floor = Floor(redis, build.RULES)
    await floor.begin()
    await floor.save(0, call("1"))
    await floor.look()
    told = {name: floor.registry.get_sample_value(f"leadbeat_{name}") for name in ("round_seconds_count", "round_rows_total")}
    rows = (await read_kpis(redis, KpiKeys("lb"), [*(window.name for window in WINDOWS), NOW])).rows
    assert told == {"round_seconds_count": 1, "round_rows_total": sum(map(len, rows.values()))}

    await claim_table(redis, KpiKeys("lb"), "another publisher's")
    await floor.save(0, call("2"))
    await floor.look()
    assert floor.registry.get_sample_value("leadbeat_round_seconds_count") == 1


async def test_partitions_that_were_made_by_different_rules_are_not_added_up(redis: Any) -> None:
    floor = Floor(redis, build.RULES, partitions=2)
    await floor.begin()
    await floor.save(0, call("1", lead="a"))
    await floor.save(1, call("2", lead="b"), valuation=OTHERS)
    await floor.look()
    assert await floor.told("calls") is None

    await floor.save(1)
    await floor.look()
    assert await floor.told("calls") == 2


async def test_other_rules_take_over_between_two_rounds_and_the_table_is_stale_meanwhile(redis: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(publisher, "PATIENCE_S", 0.0)
    floor = Floor(redis, build.RULES)
    await floor.begin()
    await floor.save(0, call("1"))
    await floor.look()
    before = await redis.hgetall(KpiKeys("lb").applied)
    assert (before[b"rules"], before[b"zone"], before[b"stale"]) == (b"1", b"UTC", b"0")
    other = structs.replace(build.RULES, version=2, zone="Asia/Kolkata", roster=(build.member("zoe", "west"),))
    floor.publisher.edition = replace(floor.publisher.edition, rules=other, valuation=OTHERS)
    await floor.save(0, call("2"))
    await floor.look()
    stale = await redis.hgetall(KpiKeys("lb").applied)
    assert (stale[b"rules"], stale[b"stale"]) == (b"1", b"1")
    assert await floor.told("calls") == 1
    await floor.save(0, call("3"), valuation=OTHERS)
    await floor.look()
    after = await redis.hgetall(KpiKeys("lb").applied)
    assert (after[b"rules"], after[b"zone"], after[b"stale"]) == (b"2", b"Asia/Kolkata", b"0")
    assert json.loads(after[b"slices"])["rep"] == ["zoe"]
    assert await floor.told("calls") == 3


def told_round(floor: Floor) -> Any:
    return json.loads(floor.topic.rows[b"round"] or b"")


async def test_the_topic_is_told_of_each_round_and_once_that_its_rows_are_stale(redis: Any, monkeypatch: Any) -> None:
    floor = Floor(redis, build.RULES)
    floor.publisher.edition = replace(floor.publisher.edition, ticking=True)
    await floor.begin()
    await floor.look()
    assert floor.topic.rows == {}
    await floor.save(0, call("1"))
    await floor.look()
    first = told_round(floor)
    known = {name: first[name] for name in ("round", "clock", "known_until", "exact", "stale", "rules")}
    assert known == {"round": 1, "clock": NOON, "known_until": NOON - 2000, "exact": True, "stale": False, "rules": 1}

    del floor.topic.rows[b"round"]
    await floor.look()
    assert b"round" not in floor.topic.rows, "nothing new, and not for long"
    monkeypatch.setattr(publisher, "STILL_S", 0.0)
    await floor.look()
    assert told_round(floor) == first | {"stale": True}
    del floor.topic.rows[b"round"]
    await floor.look()
    assert b"round" not in floor.topic.rows, "once is enough"

    await floor.save(0, call("2"))
    await floor.look()
    assert (told_round(floor)["round"], told_round(floor)["stale"]) == (2, False)


async def test_the_topic_is_told_that_rows_are_stale_while_partitions_go_by_other_rules(redis: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(publisher, "PATIENCE_S", 0.0)
    monkeypatch.setattr(publisher, "STILL_S", 0.0)
    floor = Floor(redis, build.RULES)
    await floor.begin()
    await floor.save(0, call("1"))
    await floor.look(times=2)
    assert told_round(floor)["stale"] is False, "where others write the ticks, to stand still means nothing"
    floor.publisher = floor.new_publisher()
    await floor.publisher._claim()
    await floor.save(0, call("2"), valuation=OTHERS)
    await floor.look()
    assert (told_round(floor)["clock"], told_round(floor)["stale"]) == (NOON, True)


async def test_rules_that_change_while_a_round_is_worked_out_are_those_of_the_next(redis: Any, monkeypatch: Any) -> None:
    floor = Floor(redis, build.RULES)
    await floor.begin()
    await floor.save(0, call("1"))
    other = structs.replace(build.RULES, version=2, roster=(build.member("zoe", "west"),))
    work_out = publisher.work_out

    def overtaken(*arguments: Any) -> Any:
        floor.publisher.edition = replace(floor.publisher.edition, rules=other, valuation=OTHERS)
        return work_out(*arguments)

    monkeypatch.setattr(publisher, "work_out", overtaken)
    await floor.look()
    record = await redis.hgetall(KpiKeys("lb").applied)
    assert (record[b"rules"], json.loads(record[b"slices"])["rep"]) == (b"1", ["ana", "ben", "cleo"])


async def test_what_the_topic_did_not_take_is_told_again(redis: Any) -> None:
    floor = Floor(redis, build.RULES)
    await floor.begin()
    await floor.save(0, call("1"))
    floor.topic.fails = True
    with pytest.raises(KafkaTimeoutError):
        await floor.look()

    floor.topic.fails = False
    await floor.save(0, call("2"))
    await floor.look()

    assert json.loads(floor.topic.rows[b"calls@1h"] or b"")["numerator"] == 2
    assert b"emails@24h" in floor.topic.rows


async def test_a_row_that_goes_is_told_gone_even_if_the_publisher_dies_before_it_has_told_it(redis: Any) -> None:
    floor = Floor(redis, build.RULES)
    await floor.begin()
    await floor.save(0, call("1", rep="stranger"))
    await floor.look()
    assert await floor.told("calls|rep=other") == 1

    floor.topic.fails = True
    await floor.save(0, build.deleted(of="a"))
    with pytest.raises(KafkaTimeoutError):
        await floor.look()
    floor.topic.fails = False
    floor.publisher = floor.new_publisher()
    await floor.publisher._claim()
    await floor.look(times=2)

    assert await floor.told("calls|rep=other") is None
    assert floor.topic.rows[b"calls|rep=other@1h"] is None


def test_events_have_their_turn_but_a_long_round_does_not_hold_up_the_next_for_long():
    assert [pause_after(took_s) for took_s in (0, 2.0, 60)] == [LOOK_S, 0.5, LONGEST_PAUSE_S]
