"""The doctor over real Kafka and Redis: each thing that can be wrong there is found."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer
from examined import failures, findings_of, now, told
from histories import call
from services import free_port, until
from system import CONNECTION, PARTITIONS, START_S

from models.units import HOUR, MINUTE, SECOND, Millis
from streams.config import load
from streams.inspection import of_log, tails
from streams.inspection.doctor import healthy, in_json, lines
from streams.inspection.findings import Finding, Level
from streams.tables.rows import LAYOUT
from streams.topics import TICK_KEY, Topics, encode_tick
from streams.valuation import Valuation, valuation_of

NOW = Millis(time.time_ns() // 1_000_000)


async def stored(system, **fields: object) -> None:
    """Every partition as a worker would have stored it, but for some fields."""
    usual = {"claim": 1, "token": "t", "seq": 1, "aside": 0, "offset": 0, "fingerprint": "", "clock": now(), "ticks": "{}"}
    usual |= {"generation": 1, "layout": 1, "partitions": PARTITIONS}
    usual["valuation"] = valuation_of(load(system.configure()).rules()).encode()
    for number in range(PARTITIONS):
        await system.redis.hset(f"lb:{{{number}}}:applied", mapping=usual | fields)


@asynccontextmanager
async def member(system, part: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """Somebody who is the whole of a consumer group."""
    group = f"{system.prefix}group-{part}"
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=system.kafka.bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        await until(lambda: len(consumer.assignment()) == PARTITIONS, START_S, "the group is formed")
        yield consumer
    finally:
        await consumer.stop()


async def test_a_leadbeat_that_runs_is_healthy_and_one_whose_worker_ends_is_not(system):
    await system.redis.config_set("appendonly", "yes")
    config = system.configure(ticks="wall")
    worker = system.start("worker", config)
    for name in ("gateway", "exporter"):
        system.start(name, config)
    await system.accepting()
    await system.post([call("c1", now())])
    await system.post([call("c2", now()) | {"timestamp": "yesterday"}, call("c3", now()) | {"timestamp": "tomorrow"}])

    async def all_well() -> bool:
        return healthy(await findings_of(config))

    try:
        await system.until(all_well, START_S, "the doctor finds nothing broken")
        found = await findings_of(config)
        warnings = [finding for finding in found if finding.level is Level.WARN]
        assert [(finding.where, finding.what) for finding in warnings] == [
            ("dead letters", "2 of the last 2 of crm: $.timestamp: Invalid RFC3339 encoded datetime")
        ]
        (worker_here,) = told(found, Level.OK, "workers")
        assert worker_here.startswith("1 here: ")
        assert told(found, Level.OK, f"group {system.prefix}group-processor") == ["1 member with all 4 partitions"]
        assert told(found, Level.OK, "redis persistence") == ["the append-only file is on"]
        worker.stop()
        found = await findings_of(config, later=MINUTE)
    finally:
        await system.redis.config_set("appendonly", "no")
    groups = {f"group {system.prefix}group-{part}" for part in ("normaliser", "processor")}
    assert failures(found) == groups | {"ticks", "partitions", "workers", "round"}
    assert told(found, Level.FAIL, "ticks")[0].endswith("in partitions 0, 1, 2, 3 of the deliveries: the clock stands")
    assert told(found, Level.FAIL, "workers") == ["none has said that it is here for 10 s"]


async def test_before_anything_has_run_everything_is_missing_and_told(system):
    config = system.configure(ticks="wall")
    text = config.read_text().replace(f'"{system.prefix}"', '"other."')
    config.write_text(text)
    found = await findings_of(config)
    for name in (Topics("other.").deliveries, Topics("other.").kpis):
        assert told(found, Level.FAIL, f"topic {name}") == ["is not there"]
    assert told(found, Level.FAIL, "partitions") == ["no worker has taken partitions 0, 1, 2, 3 yet"]
    assert told(found, Level.FAIL, "round") == ["none has been published yet"]
    assert told(found, Level.FAIL, "ticks") == ["none in partitions 0, 1, 2, 3 of the deliveries: no clock moves"]
    assert told(found, Level.WARN, f"connection {CONNECTION}") == ["no delivery is in the log"]
    (gateway,) = told(found, Level.FAIL, "gateway")
    assert gateway.startswith(f"cannot be reached at http://127.0.0.1:{system.gateway_port}: ")
    assert "exporter" in failures(found)
    assert "other." not in str(await system.admin.list_topics())


async def test_kafka_or_redis_or_both_may_be_away(system):
    config = system.configure()
    text = config.read_text()
    nowhere = f"127.0.0.1:{free_port()}"
    without_kafka, without_redis = (
        text.replace(system.kafka.bootstrap, nowhere),
        text.replace(system.redis_server.url, "redis://127.0.0.1:1"),
    )
    config.write_text(without_kafka)
    found = await findings_of(config)
    what = "cannot be reached; topics, ticks, dead letters were not looked at"
    assert told(found, Level.FAIL, f"Kafka at {nowhere}") == [what]
    assert told(found, Level.OK, "redis")
    config.write_text(without_redis)
    found = await findings_of(config)
    assert "its tables were not looked at" in told(found, Level.FAIL, "redis")[0]
    assert told(found, Level.OK, f"Kafka at {system.kafka.bootstrap}") == ["answers, with 1 broker"]
    config.write_text(without_kafka.replace(system.redis_server.url, "redis://127.0.0.1:1"))
    assert {"redis", f"Kafka at {nowhere}", "gateway"} <= failures(await findings_of(config))


async def test_a_redis_that_would_lose_what_it_is_given(system):
    config = system.configure()
    found = await findings_of(config)
    assert told(found, Level.OK, "redis")
    (persistence,) = told(found, Level.WARN, "redis persistence")
    assert persistence.startswith("appendonly is off: ")
    used = (await system.redis.info("memory"))["used_memory"]
    await system.redis.config_set("maxmemory-policy", "allkeys-lru")
    await system.redis.config_set("maxmemory", int(used * 1.1))
    await system.redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        found = await findings_of(config)
    finally:
        await system.redis.execute_command("REPLICAOF", "NO", "ONE")
        await system.redis.config_set("maxmemory", 0)
        await system.redis.config_set("maxmemory-policy", "noeviction")
    assert told(found, Level.FAIL, "redis") == [
        "it is a slave, whose writes are refused or lost",
        "maxmemory-policy is allkeys-lru: it would delete our state",
    ]
    assert told(found, Level.WARN, "redis memory")[0].endswith("% of maxmemory is used")


async def test_who_reads_what_and_how_far_they_are_behind(system, monkeypatch):
    monkeypatch.setattr(of_log, "MUCH_LAG", 100)
    config, topics = system.configure(), system.topics
    await stored(system)
    await system.append([call(f"c{number}", NOW, f"lead-{number}") for number in range(150)])
    await system.deliver([[call("c1", NOW)]] * 120, NOW)
    normaliser = f"group {system.prefix}group-normaliser"
    async with member(system, "normaliser", topics.deliveries) as reader:
        found = await findings_of(config)
        assert told(found, Level.OK, normaliser) == ["1 member with all 4 partitions"]
        assert told(found, Level.FAIL, f"group {system.prefix}group-processor") == [
            f"has no member: nobody reads {topics.events}"
        ]
        assert told(found, Level.WARN, "lag of the normaliser") == ["120 records"]
        assert told(found, Level.WARN, "lag of the processor") == ["150 records"]
        await reader.commit(dict.fromkeys(reader.assignment(), 30))
        assert told(await findings_of(config), Level.OK, "lag of the normaliser") == ["0 records"]
    assert told(await findings_of(config), Level.FAIL, normaliser) == [f"has no member: nobody reads {topics.deliveries}"]


async def test_partitions_without_an_owner(system):
    """A group whose only member reads another topic."""
    group = f"{system.prefix}group-processor"
    reader = AIOKafkaConsumer(system.topics.kpis, bootstrap_servers=system.kafka.bootstrap, group_id=group)
    await reader.start()
    try:
        await until(reader.assignment, START_S, "the group is formed")
        found = await findings_of(system.configure())
    finally:
        await reader.stop()
    assert told(found, Level.FAIL, f"group {group}") == [f"partitions 0, 1, 2, 3 of {system.topics.events} without an owner"]


async def test_ticks_and_clocks_that_do_not_go_together(system):
    config = system.configure(ticks="wall")
    await system.tick(now())
    found = await findings_of(config)
    assert told(found, Level.OK, "ticks")
    assert told(found, Level.OK, "clocks") == ["ticks, their records and this machine agree", "Redis and this machine agree"]
    found = await findings_of(config, later=-MINUTE)
    (ahead,) = told(found, Level.FAIL, "clocks")
    assert ahead.startswith("the worker's is 5")
    await system.producer.send_and_wait(
        system.topics.deliveries, encode_tick(now() // SECOND), TICK_KEY, partition=2, timestamp_ms=now() - 100 * SECOND
    )
    found = await findings_of(config)
    (apart,) = told(found, Level.WARN, "clocks")
    assert apart.startswith("the timestamps of Kafka's records are 2 min behind")
    assert told(await findings_of(system.configure(ticks="external"), later=HOUR), Level.FAIL, "ticks") == []


async def test_a_connection_that_has_gone_quiet(system, monkeypatch):
    monkeypatch.setattr(tails, "BACK", (2, 8))
    config = system.configure()
    await system.deliver([[call("c1", NOW)]], NOW)
    assert told(await findings_of(config), Level.OK, f"connection {CONNECTION}")
    found = await findings_of(config, later=5 * HOUR)
    (quiet,) = told(found, Level.WARN, f"connection {CONNECTION}")
    assert quiet.startswith("no delivery for 5 h")
    for number in range(10):
        await system.tick(now() + number * SECOND)
    (unseen,) = told(await findings_of(config), Level.WARN, f"connection {CONNECTION}")
    assert unseen.endswith(" at least")


async def test_tables_that_do_not_belong_to_this_log_or_this_version(system):
    config = system.configure()
    await stored(system, layout="99")
    found = await findings_of(config)
    assert told(found, Level.FAIL, "lb:{0}:applied") == [f"layout 99 is stored, this process has {LAYOUT}"]
    await stored(system, offset="1000000", layout="1")
    found = await findings_of(config)
    (beyond,) = told(found, Level.FAIL, "lb:{3}:applied")
    assert beyond.startswith("stands at offset 1000000, behind the log's end ")
    await system.redis.flushall()
    async with member(system, "processor", system.topics.events) as reader:
        await system.append([call("c1", NOW)])
        await reader.commit(dict.fromkeys(reader.assignment(), 1))
    found = await findings_of(config)
    (emptied,) = told(found, Level.FAIL, "lb:{1}:applied")
    assert "Redis was emptied" in emptied


async def test_partitions_that_stand_and_totals_of_other_rules(system):
    config = system.configure(ticks="wall")
    await stored(system, clock=now() - MINUTE)
    await system.redis.hset("lb:{2}:applied", "clock", "")
    await system.redis.delete("lb:{3}:applied")
    found = await findings_of(config)
    assert told(found, Level.FAIL, "partitions") == [
        "no worker has taken partition 3 yet",
        "partition 2 without a clock",
        "partitions 0, 1 up to 1 min behind",
    ]
    where = "rules and definitions"
    assert told(found, Level.OK, where)[0].startswith("the totals are of these rules")
    other = Valuation(1, 1, "another")
    await system.redis.hset("lb:{0}:applied", "valuation", other.encode())
    assert told(await findings_of(config), Level.WARN, where) == ["partitions differ: some are being re-valued"]
    await stored(system, valuation=other.encode())
    (differ,) = told(await findings_of(config), Level.WARN, where)
    assert differ.startswith("the totals were made by other rules or by another release")
    await stored(system, valuation=Valuation(1, 9, "newer").encode())
    (older,) = told(await findings_of(config), Level.FAIL, where)
    assert older == "its totals were made with rules version 9, this worker has 1"


async def test_a_round_that_is_stale_or_old_and_alerts_that_do_not_leave(system):
    config = system.configure(ticks="wall")
    record = {"claim": 1, "token": "t", "round": 7, "clock": now(), "known_until": now(), "spread_ms": 12_000, "exact": 0}
    record |= {"slices": "{}", "published_at": now(), "stale": 0}
    await system.redis.hset("lb:{kpi}:applied", mapping=record)
    found = await findings_of(config)
    assert told(found, Level.OK, "round")[0].startswith("number 7 was published ")
    assert told(found, Level.OK, "outbox") == ["0 messages wait to be sent"]
    await system.redis.hset("lb:{kpi}:applied", "stale", 1)
    async with system.redis.pipeline() as pipeline:
        for number in range(1001):
            pipeline.xadd("lb:{0}:outbox", {"id": str(number)})
        await pipeline.execute()
    found = await findings_of(config)
    assert told(found, Level.FAIL, "round") == ["stale: the partitions' clocks lie 12.0 s apart"]
    assert told(found, Level.WARN, "outbox") == ["1001 messages wait to be sent"]
    assert told(await findings_of(config, later=MINUTE), Level.FAIL, "round")[0].startswith("the last one was published ")


async def test_what_may_not_be_looked_at_is_told_and_the_rest_is_looked_at(system):
    await system.redis.execute_command("ACL", "SETUSER", "blind", "on", ">pw", "~lb:*", "+@all", "-hgetall", "-time")
    config = system.configure(redis_url=system.redis_server.url.replace("redis://", "redis://blind:pw@"))
    try:
        found = await findings_of(config)
    finally:
        await system.redis.execute_command("ACL", "DELUSER", "blind")
    refused = [finding for finding in found if "check user and password in redis.url" in finding.todo]
    assert len(refused) >= 3
    assert told(found, Level.OK, "redis")
    assert told(found, Level.OK, f"Kafka at {system.kafka.bootstrap}")


def test_settings_that_cannot_be_used_are_told_one_by_one(run, tmp_path):
    config = tmp_path / "leadbeat.toml"
    config.write_text('ticks = "sometimes"\n[kafka]\npartitions = 0\n')
    code, out, err = run("doctor", "--config", config)
    first, second, summary = out.splitlines()
    assert (code, err, summary) == (1, "", "ok: 0, warn: 0, fail: 2")
    assert first.startswith(f"fail  configuration: {config}: ")
    assert second.endswith("(see docs/leadbeat.example.toml)")
    code, out, _ = run("doctor", "--config", tmp_path / "nowhere.toml", "--json")
    (missing,) = json.loads(out)["findings"]
    assert (code, missing["level"], missing["what"]) == (1, "fail", "cannot be read: No such file or directory")


def test_what_is_found_is_told_to_programs_too(run, tmp_path):
    config = tmp_path / "leadbeat.toml"
    ports = f"[gateway]\nport = {free_port()}\n[exporter]\nport = {free_port()}\n"
    config.write_text(
        f'sla = []\n[kafka]\nbootstrap = "127.0.0.1:{free_port()}"\n[redis]\nurl = "redis://127.0.0.1:1"\n{ports}'
    )
    code, out, _ = run("doctor", "--config", config, "--json")
    answer = json.loads(out)
    assert (code, answer["healthy"]) == (1, False)
    found = {(finding["level"], finding["where"]) for finding in answer["findings"]}
    assert {("fail", "redis"), ("fail", "gateway"), ("fail", "exporter"), ("warn", "configuration"), ("ok", "version")} <= found
    warned = [finding["what"] for finding in answer["findings"] if finding["level"] == "warn"]
    assert [what.split(":")[0] for what in warned] == ["no connection", "no roster", "no SLA"]


def test_warnings_alone_are_no_failure():
    found = [Finding(Level.OK, "a", "is well"), Finding(Level.WARN, "b", "is odd", "look")]
    assert healthy(found)
    assert lines(found) == ["ok    a: is well", "warn  b: is odd (look)", "ok: 1, warn: 1, fail: 0"]
    assert json.loads(in_json(found))["healthy"]
    assert not healthy([Finding(Level.FAIL, "c", "is broken", "mend it")])
